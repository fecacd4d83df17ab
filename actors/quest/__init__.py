"""A quest: its rules and its supervisor."""
