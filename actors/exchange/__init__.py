"""Where agent instances knock."""
