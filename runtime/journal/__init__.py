"""The journal: the append-only log of events that is the truth about every quest."""
