"""Files in a run: people who change them, and what each schedule that waits for them must have seen, from its durable events alone.

The disk keeps its whole past, so that this holds of each change that a schedule has noticed:

- What it knows then is the whole of its files as they once were, and as they still (or again) were its debounce time later.
- The paths that its quest is told are those that differ from what it knew before.
- In the end it knows what is there, unless something is under way, or it was paused.

Which files a pattern means is said here by hand, without the production matching.
"""

from collections.abc import Callable
from typing import Final, Protocol

from questd.messages.payload import decode_json
from questd.messages.schedules import FilesChanged, ScheduleSaw, ScheduleSpec
from questd.runtime.deterministic import Agenda, VirtualClock
from questd.runtime.files import MemoryFiles
from questd.simulation.chance import Chance
from questd.simulation.faults import MILLISECOND, SECOND

PATHS: Final = ("/box/a.md", "/box/b.md", "/box/c.txt", "/box/in/d.md", "/box/.swap", "/desk/e")
MEANT: Final[dict[tuple[str, ...], frozenset[str]]] = {
    ("/box/*.md",): frozenset({"/box/a.md", "/box/b.md"}),
    ("/box/**",): frozenset({"/box/a.md", "/box/b.md", "/box/c.txt", "/box/in/d.md"}),
    ("/desk/?", "/box/**/*.md"): frozenset({"/desk/e", "/box/a.md", "/box/b.md", "/box/in/d.md"}),
}
DEBOUNCES_MS: Final = (0, 200, 1_000)
SETTLED_US: Final = 8 * SECOND
"""A change that has come to rest was noticed by then."""

Marks = dict[str, tuple[int, int]]
Expect = Callable[[bool, str], None]


def draw_trigger(chance: Chance) -> FilesChanged:
    """Of any of these files."""
    return FilesChanged(chance.pick(tuple(MEANT)), chance.pick(DEBOUNCES_MS))


class Disk:
    """What is there, and all that was. It outlives every daemon."""

    def __init__(self, clock: VirtualClock) -> None:
        self.files = MemoryFiles()
        self._clock = clock
        self._now: Marks = {}
        self.past: list[tuple[int, Marks]] = [(0, {})]

    def write(self, path: str) -> None:
        """Somebody has written there: no two times leave the same mark."""
        mark = (len(self.past), len(self.past) * 1_000)
        self.files.write(path, *mark)
        self._keep({**self._now, path: mark})

    def remove(self, path: str) -> None:
        """Somebody has removed it."""
        self.files.remove(path)
        self._keep({one: mark for one, mark in self._now.items() if one != path})

    def _keep(self, now: Marks) -> None:
        self._now = now
        self.past.append((self._clock.monotonic_us, now))

    def moments(self, trigger: FilesChanged) -> list[tuple[int, Marks]]:
        """Since when its files were how."""
        meant = MEANT[trigger.patterns]
        found: list[tuple[int, Marks]] = []
        for at_us, files in self.past:
            own = {path: mark for path, mark in files.items() if path in meant}
            if not found or found[-1][1] != own:
                found.append((at_us, own))
        return found


class Desk:
    """Somebody who changes files, several at a time, until the faults are over."""

    def __init__(self, disk: Disk, agenda: Agenda, chance: Chance, until_us: int) -> None:
        self._disk = disk
        self._agenda = agenda
        self._chance = chance
        self._left_us = until_us

    def begin(self) -> None:
        """One change, and then the next: soon, or after a while."""
        chance = self._chance
        path = chance.pick(PATHS)
        if chance.maybe(0.25):
            self._disk.remove(path)
        else:
            self._disk.write(path)
        soon = chance.maybe(0.6)
        delay_us = chance.between(0, 400 * MILLISECOND if soon else 4 * SECOND)
        self._left_us -= delay_us
        if self._left_us > 0:
            self._agenda.after(delay_us, self.begin)


class Watcher(Protocol):
    """A page of the book (schedules.py)."""

    name: str
    spec: ScheduleSpec
    files: Marks
    files_before: Marks


def saw(page: Watcher, event: ScheduleSaw) -> None:
    """It accounts for these. There are no more files than fit one event."""
    page.files_before = dict(page.files)
    page.files |= {path: (size, at_ns) for path, size, at_ns in event.files}
    for path in event.gone:
        page.files.pop(path, None)


def check_change(page: Watcher, about: bytes, disk: Disk, now_us: int, expect: Expect) -> None:
    """What it has noticed was at rest, and is told rightly."""
    trigger, where = page.spec.trigger, f"{page.name}: change"
    if not isinstance(trigger, FilesChanged):
        expect(False, f"{where}: of no files")
        return
    before, after = page.files_before, page.files
    differ = sorted(path for path in before | after if before.get(path) != after.get(path))
    change = decode_json(about)["change"]
    expect(bool(differ), f"{where}: nothing had changed")
    expect(change["paths"] == differ, f"{where}: told {change['paths']}, is {differ}")
    moments = disk.moments(trigger)
    ends = [at_us for at_us, _ in moments[1:]] + [now_us]
    spans = [
        (at_us, end_us) for (at_us, own), end_us in zip(moments, ends, strict=True) if own == after
    ]
    rested = bool(spans) and spans[-1][1] - spans[0][0] >= trigger.debounce_ms * 1_000
    expect(rested, f"{where}: {differ} had not come to rest: {spans} at {now_us}")


def check_known(page: Watcher, disk: Disk, now_us: int, expect: Expect) -> None:
    """Nothing that it waits for goes unnoticed for long."""
    trigger = page.spec.trigger
    if isinstance(trigger, FilesChanged):
        at_us, own = disk.moments(trigger)[-1]
        known = own == page.files or at_us > now_us - SETTLED_US
        expect(known, f"{page.name}: knows {page.files}, there is {own} since {at_us}")
