"""Schedules: each an actor of its own with a pure core, and the scheduler that knows them all by name."""
