"""Times as people and programs read them: RFC 3339, UTC, exactly six decimals, so that they sort as text."""

from datetime import UTC, datetime, timedelta

EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


def rfc3339(at_us: int) -> str:
    """Microseconds since the epoch as ``2026-01-31T12:00:00.000000Z``."""
    return (EPOCH + timedelta(microseconds=at_us)).strftime("%Y-%m-%dT%H:%M:%S.%fZ")


def rfc3339_or_none(at_us: int | None) -> str | None:
    """Of what has not happened (None, or 0 in a fold), None."""
    return rfc3339(at_us) if at_us else None


def milliseconds(from_us: int, to_us: int) -> float:
    """A span with microseconds behind the point."""
    return round((to_us - from_us) / 1_000, 3)
