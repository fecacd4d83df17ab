"""Which quest has an actor."""
