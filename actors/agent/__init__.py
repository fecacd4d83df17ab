"""A connected agent instance: its session and its actor."""
