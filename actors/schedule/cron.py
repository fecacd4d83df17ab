"""Due times of a cron expression in a time zone, as whole microseconds.

The expression is read and stepped by cronsim, which follows Debian's cron; the zones are zoneinfo's. Where clocks are changed:

- An expression that names its minutes and hours (neither begins with ``*``) means the clock on the wall. A time that does not
  exist that day comes at the first minute after the gap, one that exists twice comes at its first.
- One whose minute or hour begins with ``*``, or with a field for seconds, goes by the time that passes: nothing in the gap, and what
  exists twice comes twice.

Each question is answered from scratch, so an answer hangs on nothing but its arguments (and the machine's time zone database).
"""

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from functools import lru_cache
from itertools import islice, takewhile
from typing import Final
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from cronsim import CronSim, CronSimError

from questd.messages.schedules import Cron

EXPRESSION_MAX: Final = 200
ALIASES: Final = {
    "@hourly": "0 * * * *",
    "@daily": "0 0 * * *",
    "@weekly": "0 0 * * 0",
    "@monthly": "0 0 1 * *",
    "@yearly": "0 0 1 1 *",
}
_EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)
_FIRST_WINDOW_US: Final = 60_000_000


def fault_of_cron(cron: Cron, now_us: int) -> str | None:
    """What is wrong with it, as a sentence."""
    if len(cron.expression) > EXPRESSION_MAX:
        return f"cron: has more than {EXPRESSION_MAX} characters"
    try:
        _zone(cron.zone)
    except (ZoneInfoNotFoundError, ValueError, OSError):
        return f"zone: there is no time zone {cron.zone!r}: write it as in Europe/Berlin, or UTC"
    try:
        comes = next_due(cron, now_us)
    except CronSimError as error:
        return (
            f"cron {cron.expression!r}: {str(error).lower()}: write minute, hour, day of month, month and day of week "
            f'as in "0 3 * * MON-FRI", or one of {", ".join(ALIASES)}'
        )
    return None if comes is not None else f"cron {cron.expression!r}: it never comes"


def next_due(cron: Cron, after_us: int) -> int | None:
    """The first due time after that moment; None when there is none within fifty years."""
    return next(_dues(cron, after_us), None)


def dues_between(cron: Cron, after_us: int, until_us: int, most: int) -> tuple[int, ...]:
    """The first ``most`` due times with after < due ≤ until, in order."""
    return tuple(islice(_until(cron, after_us, until_us), most))


def newest_dues(
    cron: Cron, after_us: int, until_us: int, most: int
) -> tuple[tuple[int, ...], bool]:
    """The last ``most`` due times with after < due ≤ until, in order, and whether there are earlier ones.

    Looks back from the end in windows that double until one holds enough: what it costs hangs on ``most``, not on the range.
    """
    window_us = _FIRST_WINDOW_US
    while True:
        begin_us = max(after_us, until_us - window_us)
        dues = tuple(_until(cron, begin_us, until_us))
        if begin_us == after_us or len(dues) > most:
            return dues[len(dues) - most :] if most < len(dues) else dues, len(dues) > most
        window_us *= 2


def _until(cron: Cron, after_us: int, until_us: int) -> Iterator[int]:
    return takewhile(lambda due_us: due_us <= until_us, _dues(cron, after_us))


def _dues(cron: Cron, after_us: int) -> Iterator[int]:
    begin = (_EPOCH + timedelta(microseconds=after_us)).astimezone(_zone(cron.zone))
    last_us = after_us
    for found in CronSim(_expression(cron), begin):
        # Where clocks go back it may first find a time of the first hour while we stand in the second. Compared as
        # microseconds: two times of one zone compare by what the clock on the wall shows.
        due_us = _us(found)
        if due_us > last_us:
            last_us = due_us
            yield due_us


def moment(at_us: int) -> str:
    """As people and keys say it: RFC 3339, UTC, without what is zero."""
    at = _EPOCH + timedelta(microseconds=at_us)
    return at.isoformat().replace("+00:00", "Z")


def _expression(cron: Cron) -> str:
    return ALIASES.get(cron.expression.strip().lower(), cron.expression)


@lru_cache(maxsize=256)
def _zone(name: str) -> ZoneInfo:
    return ZoneInfo(name)


def _us(at: datetime) -> int:
    return (at.astimezone(UTC) - _EPOCH) // timedelta(microseconds=1)
