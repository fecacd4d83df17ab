"""One running task."""
