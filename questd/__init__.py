"""questd: a durable runtime for multi-agent work."""
