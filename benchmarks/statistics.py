"""Numbers about numbers. Pure: no clock, no process, no file."""

from collections.abc import Sequence
from itertools import accumulate
from math import ceil


def percentile(values: Sequence[float], share: float) -> float:
    """The smallest value that at least ``share`` (0..1) of all do not exceed (nearest rank). ValueError when there is none."""
    if not values:
        raise ValueError("a percentile needs at least one value")
    if not 0.0 <= share <= 1.0:
        raise ValueError(f"a share is 0 to 1, not {share}")
    ordered = sorted(values)
    return ordered[max(0, ceil(share * len(ordered)) - 1)]


def median(values: Sequence[float]) -> float:
    """The middle value, or the mean of the two in the middle."""
    if not values:
        raise ValueError("a median needs at least one value")
    ordered = sorted(values)
    middle = len(ordered) // 2
    if len(ordered) % 2:
        return ordered[middle]
    return (ordered[middle - 1] + ordered[middle]) / 2


def steady_rate(at_us: Sequence[int], begin: float = 0.2, end: float = 0.8) -> float:
    """Happenings a second between two shares of all of them: the rate without its run-up and its tail. 0.0 when there are too few."""
    ordered = sorted(at_us)
    first, last = int(begin * len(ordered)), int(end * len(ordered)) - 1
    if last <= first or ordered[last] == ordered[first]:
        return 0.0
    return (last - first) * 1e6 / (ordered[last] - ordered[first])


def growth(at_us: Sequence[int], window: int) -> float:
    """How much longer the last ``window`` happenings took than the first. ``at_us``: when each was, the begin included."""
    if len(at_us) < 2 * window + 1:
        raise ValueError(f"two windows of {window} need {2 * window + 1} times, not {len(at_us)}")
    first = at_us[window] - at_us[0]
    last = at_us[-1] - at_us[-1 - window]
    return last / first


def lags_s(samples: Sequence[tuple[int, int]], at_us: Sequence[int], first_seq: int) -> list[float]:
    """How far a follower was behind, in seconds, at each sample (wall time in µs, seq that it had reached).

    ``at_us``: the time of each event from ``first_seq`` on. Behind is the age of the oldest event that was there and had
    not been taken yet; 0.0 when there was none.
    """
    lags: list[float] = []
    for now_us, seq in samples:
        place = max(0, seq + 1 - first_seq)
        missing = place < len(at_us) and at_us[place] < now_us
        lags.append((now_us - at_us[place]) / 1e6 if missing else 0.0)
    return lags


def most_at_once(begun_us: Sequence[int], ended_us: Sequence[int]) -> int:
    """How many were under way at the fullest moment."""
    moves = sorted([(at, 1) for at in begun_us] + [(at, -1) for at in ended_us])
    return max(accumulate(step for _, step in moves), default=0)
