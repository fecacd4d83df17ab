"""The filters of ``list``, as people write them."""

from collections.abc import Mapping, Sequence
from difflib import get_close_matches
from typing import get_args

from questd.client.errors import InvalidInput
from questd.messages.heads import ListFilter, QuestStatus

STATUSES: tuple[str, ...] = get_args(QuestStatus)
LIMIT_MAX = 1_000


def filter_of(
    *,
    now_us: int,
    status: Sequence[str] = (),
    template: str | None = None,
    project: str | None = None,
    labels: Mapping[str, str] | None = None,
    since: str | None = None,
    text: str | None = None,
    waiting_longer_than: str | None = None,
    limit: int = 50,
    after: str | None = None,
) -> ListFilter:
    """InvalidInput names the nearest valid status, or how a duration is written."""
    for one in status:
        if one not in STATUSES:
            raise InvalidInput(f"there is no status {one!r}: {_nearest(one)}")
    if not 1 <= limit <= LIMIT_MAX:
        raise InvalidInput(f"--limit {limit}: it is 1 to {LIMIT_MAX}")
    waiting_us = None
    if waiting_longer_than is not None:
        waiting_us = now_us - duration_ms("--waiting-longer-than", waiting_longer_than) * 1_000
    return ListFilter(
        status=tuple(status),
        name=template,
        project=project,
        labels=dict(labels or {}),
        since_us=None if since is None else since_us("--since", since, now_us),
        text=text,
        waiting_since_us=waiting_us,
        limit=limit,
        after=after,
    )


def _nearest(word: str) -> str:
    near = get_close_matches(word, STATUSES, n=1)
    return f"did you mean {near[0]!r}?" if near else f"choose among {', '.join(STATUSES)}"


def duration_ms(name: str, text: str) -> int:
    """Milliseconds of a duration as a document writes it."""
    from questd.actors.graph.durations import parse_duration  # noqa: PLC0415 - 50 ms

    try:
        return parse_duration(text)
    except ValueError as error:
        raise InvalidInput(f"{name} {text!r} {error}") from None


def since_us(name: str, text: str, now_us: int) -> int:
    """A moment in the past: RFC 3339, or a duration before now."""
    from questd.actors.graph.durations import parse_deadline  # noqa: PLC0415 - 50 ms

    try:
        moment = parse_deadline(text, now_us)
    except ValueError as error:
        raise InvalidInput(f"{name} {text!r} {error}") from None
    is_moment = "-" in text
    return moment if is_moment else 2 * now_us - moment
