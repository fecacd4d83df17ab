"""Times as people and programs read them: RFC 3339, UTC, exactly six decimals, so that they sort as text."""

from datetime import UTC, datetime, timedelta

EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


def rfc3339(at_us: int) -> str:
    """Microseconds since the epoch as ``2026-01-31T12:00:00.000000Z``."""
    return (EPOCH + timedelta(microseconds=at_us)).strftime("%Y-%m-%dT%H:%M:%S.%fZ")
