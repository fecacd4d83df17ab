"""The whole daemon under a seed: production actors on one thread, and a world that breaks as real ones do."""
