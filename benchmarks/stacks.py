"""Sampled stacks, as ``py-spy record --format raw --threads`` writes them, added up. Pure."""

import re
from collections import Counter
from collections.abc import Iterator

from msgspec import Struct

FRAME = re.compile(r"(?P<function>.+) \((?P<file>[^()]*?)(?::(?P<line>\d+))?\)$")
THREAD = re.compile(r"thread \([^)]*\): ?(?P<name>.*)$")
OURS = ("questd/", "benchmarks/")


class Profile(Struct):
    """Samples by thread, by room (the folder of the innermost frame of ours), by function (its own, and with all it calls) and by line."""

    samples: int
    threads: Counter[str]
    rooms: Counter[str]
    own: Counter[str]
    total: Counter[str]
    lines: Counter[str]


def add_up(raw: str) -> Profile:
    """One line a stack: frames from the outermost to the innermost, separated by semicolons, then how often it was seen."""
    profile = Profile(0, Counter(), Counter(), Counter(), Counter(), Counter())
    for line in raw.splitlines():
        stack, _, count = line.rpartition(" ")
        if stack and count.isdigit():
            _add(profile, stack.split(";"), int(count))
    return profile


def _add(profile: Profile, frames: list[str], count: int) -> None:
    named = THREAD.match(frames[0])
    profile.samples += count
    profile.threads[named["name"] if named else frames[0]] += count
    ours = [frame for frame in frames if room_of(frame) is not None]
    profile.rooms[(room_of(ours[-1]) if ours else None) or "elsewhere"] += count
    profile.own[without_line(frames[-1])] += count
    if ours:
        profile.lines[place_of(ours[-1])] += count
    for frame in dict.fromkeys(without_line(frame) for frame in ours):
        profile.total[frame] += count


def room_of(frame: str) -> str | None:
    """The folder of ours that a frame stands in, as ``actors/quest``; None when it is not ours."""
    found = FRAME.match(frame)
    if found is None:
        return None
    for prefix in OURS:
        _, at, rest = found["file"].rpartition(prefix)
        if at:
            folder = rest.rpartition("/")[0]
            return folder or prefix.rstrip("/")
    return None


def without_line(frame: str) -> str:
    """A function, wherever in it the sample was taken."""
    found = FRAME.match(frame)
    return frame if found is None else f"{found['function']} ({found['file']})"


def place_of(frame: str) -> str:
    """``file:line function``."""
    found = FRAME.match(frame)
    return frame if found is None else f"{found['file']}:{found['line']} {found['function']}"


def rows(counted: Counter[str], unit_us: float, whole: int, most: int) -> Iterator[str]:
    """The heaviest first: microseconds a step (``unit_us`` a sample), share of the whole, name."""
    for name, count in counted.most_common(most):
        yield f"{count * unit_us:8.1f} µs {100 * count / whole:5.1f} %  {name}"
