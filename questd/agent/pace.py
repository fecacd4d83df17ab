"""How often a session speaks, and how long it waits: microseconds, unless the name says bytes or a count."""

OPEN_MAX = 4
FRAME_OVERHEAD_BYTES = 1024
"""Kept free in each frame for its own fields."""
GREETING_TIMEOUT_US = 5_000_000
PARTING_TIMEOUT_US = 2_000_000
HOLD_MIN_US = 50_000
TRUST_HOLDS = 2
"""What was fetched is begun only within so many holds after a frame that the daemon has heard: any lease is longer."""
CHATTER_INTERVAL_US = 50_000
"""Progress and log lines alone open an exchange at most this often."""
LINGER_US = 400
"""After new work, so long nothing but an outcome opens an exchange: a quick tool's outcome shares the frame that says the work
arrived, instead of competing with it for the processor."""
SPIN_GUARD_US = 10_000
BACKOFF_MIN_US = 20_000
BACKOFF_MAX_US = 2_000_000
PATIENCE_US = 60_000_000
"""How long an agent that should end waits for a silent daemon, with nothing running and nothing to deliver."""
DELIVERY_PATIENCE_US = 900_000_000
"""The same while it holds outcomes that nobody has acknowledged: somebody paid for them."""
STUCK_PATIENCE_US = 10_000_000


def room_bytes(frame_max: int) -> int:
    """Tell what an exchange of at most ``frame_max`` bytes has room for."""
    return max(FRAME_OVERHEAD_BYTES, frame_max - FRAME_OVERHEAD_BYTES)
