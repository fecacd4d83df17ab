"""Who gets which place."""
