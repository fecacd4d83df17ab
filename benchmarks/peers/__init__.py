"""Systems that do comparable work, measured beside questd in one run: ``make bench-peers``."""
