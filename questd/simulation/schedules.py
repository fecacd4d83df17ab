"""The book of schedules in a run: what each must have done, from its durable events alone.

Their expressions are of one kind, every so many seconds, so that the book knows the due times by a division, without the production
cron. It holds:

- Each due time is met in order, once, and not before the clock has shown it: it is fired, put off, put on the backlog, or left out for
  a reason that holds. Nothing lies between two of these.
- What was put off or is on the backlog is fired later, unless a reason that holds took it away, or the schedule is removed.
- Each occasion that was fired has one quest, or was refused; a quest of a schedule was fired before, durably.
- Each end of a quest that a trigger waits for is noticed once, in the order of the journal, and fired or ignored for a reason that holds.
- Each change of files that has come to rest is noticed once, and fired or ignored for a reason that holds (changing.py).
- Unless they may overlap, none is fired while a quest of the schedule has not ended.
"""

from collections.abc import Callable, Sequence
from typing import Final

from questd.actors.schedule.core import DEPTH_MAX, ON_TIME_US
from questd.messages import schedules as sched
from questd.messages.events import Record
from questd.messages.schedules import AfterQuest, Cron, ScheduleSpec
from questd.messages.upcasting import schedule_event_of
from questd.runtime.deterministic import VirtualClock
from questd.runtime.journal.memory import MemoryStore
from questd.runtime.journal.store import Append
from questd.simulation.accounts import Account
from questd.simulation.changing import (
    Disk,
    Marks,
    check_change,
    check_known,
    saw,
)
from questd.simulation.faults import SECOND

STUCK_US: Final = 6 * SECOND
"""A schedule has heard of the end of its quest by then."""
KEY: Final = "schedule:"
Expect = Callable[[bool, str], None]


class Page:
    """One schedule, from its durable events."""

    def __init__(self, schedule: str) -> None:
        self.schedule = schedule
        self.name = ""
        self.records: list[Record] = []
        self.period_us = SECOND
        self.spec = ScheduleSpec(Cron(""))
        self.since_us = 0
        self.waiting: dict[int, str] = {}
        self.fired: dict[str, str | None] = {}
        self.open: dict[str, None] = {}
        self.removed_us: int | None = None
        self.renewed_by: str | None = None
        self.paused = False
        self.mark = 0
        self.noticed: dict[str, None] = {}
        self.seen: dict[str, None] = {}
        self.files: Marks = {}
        self.files_before: Marks = {}

    def describe(self, spec: ScheduleSpec) -> None:
        """These due times, from now on; other files are known when they are seen."""
        if getattr(spec.trigger, "patterns", ()) != getattr(self.spec.trigger, "patterns", ()):
            self.files = {}
        self.spec = spec
        if isinstance(spec.trigger, Cron):
            self.period_us = int(spec.trigger.expression.split()[0].removeprefix("*/")) * SECOND

    def next_due_us(self) -> int:
        """The first due time that nothing was said of; far away where there is a trigger."""
        if not isinstance(self.spec.trigger, Cron):
            return 2**62
        return (self.since_us // self.period_us + 1) * self.period_us


class Book:
    """All schedules of a run. ``by_key``: the quests that are durable."""

    def __init__(self, clock: VirtualClock, expect: Expect, by_key: dict[str, str]) -> None:
        self._clock = clock
        self._expect = expect
        self._by_key = by_key
        self.disk = Disk(clock)
        self._ends: dict[str, int] = {}
        self._ended: dict[str, tuple[int, str, str]] = {}
        self.pages: dict[str, Page] = {}

    def page_of(self, name: str) -> Page | None:
        """The last one of that name."""
        return next((p for p in reversed(self.pages.values()) if p.name == name), None)

    def take(self, item: Append, store: MemoryStore) -> bool:
        """Note what has become durable, if it is a schedule's."""
        if sched.is_schedule(item.quest):
            self.note(store.events(item.quest, item.expected_version))
        return sched.is_schedule(item.quest)

    def note(self, records: Sequence[Record]) -> None:
        """These have become durable."""
        for record in records:
            page = self.pages.setdefault(record.quest, Page(record.quest))
            n = len(page.records) + 1
            self._expect(record.n == n, f"{record.quest}: a gap before {record.n}")
            last_us = page.records[-1].at_us if page.records else 0
            self._expect(record.at_us >= last_us, f"{record.quest}: time went back")
            page.records.append(record)
            self._fold(page, schedule_event_of(record), record)

    def quest_submitted(self, key: str, quest: str) -> None:
        """A quest with this key is durable: if it is a schedule's, its occasion must have been fired, durably, before."""
        if not key.startswith(KEY):
            return
        _, schedule, occasion = key.split(":", 2)
        page = self.pages.get(schedule)
        known = page is not None and occasion in page.fired
        self._expect(known, f"{quest}: of {key}, which was not fired")

    def quest_ended(self, account: Account, record: Record) -> None:
        """Its end is durable."""
        self._ends[account.quest] = self._clock.monotonic_us
        name = account.fold.plan.definition.name
        self._ended[account.quest] = (record.seq, name, record.kind.removeprefix("quest."))

    def _fold(self, page: Page, event: sched.ScheduleEvent, record: Record) -> None:
        match event:
            case sched.ScheduleAdded():
                self._expect(record.n == 1, f"{page.schedule}: added twice")
                page.name = event.name
                page.describe(event.spec)
                page.since_us, page.paused = event.since_us, event.paused
                page.mark = event.mark
                self._check_renewal(page, event)
            case sched.ScheduleRenewed(by):
                page.renewed_by = by
            case sched.ScheduleChanged(spec, mark=mark):
                page.describe(spec)
                page.mark = max(page.mark, mark)
                page.since_us = max(page.since_us, record.at_us)
            case sched.ScheduleRemoved():
                page.removed_us = record.at_us
                busy = page.open or self._unended(page, STUCK_US) or page.paused
                waiting = [*page.waiting, *page.noticed]
                self._expect(not waiting or bool(busy), f"{page.name}: {waiting} stuck")
                self._check_seen(page, 2**62, self._clock.monotonic_us - STUCK_US)
                if not (busy or waiting):
                    check_known(page, self.disk, self._clock.monotonic_us, self._expect)
            case sched.SchedulePaused():
                page.paused = True
            case sched.ScheduleResumed(_, mark):
                page.paused = False
                page.mark = max(page.mark, mark)
            case sched.ScheduleFired():
                self._on_fired(page, event)
            case sched.ScheduleSubmitted(occasion, quest):
                held = self._by_key.get(f"{KEY}{page.schedule}:{occasion}")
                self._expect(held == quest, f"{page.name} {occasion}: has {held}, not {quest}")
                page.fired[occasion] = quest
                page.open.pop(occasion, None)
            case sched.ScheduleRefused(occasion, kind, message):
                self._expect(False, f"{page.name} {occasion}: refused, {kind}: {message}")
            case sched.SchedulePutOff(due_us):
                self._met(page, due_us, due_us)
                page.waiting[due_us] = "put_off"
            case sched.ScheduleBacklogged(dues_us, why):
                if why == "caught_up":
                    self._met(page, dues_us[0], dues_us[-1])
                page.waiting |= dict.fromkeys(dues_us, why)
            case sched.ScheduleSkipped():
                self._on_skipped(page, event)
            case sched.ScheduleSaw():
                saw(page, event)
            case sched.ScheduleNoticed(occasion, _, about) if ":" not in occasion:
                check_change(page, about, self.disk, self._clock.monotonic_us, self._expect)
                self._expect(occasion not in page.seen, f"{page.name}: {occasion} twice")
                page.noticed[occasion] = page.seen[occasion] = None
            case sched.ScheduleNoticed() | sched.ScheduleIgnored():
                self._on_trigger(page, event)
            case _:
                pass

    def _on_trigger(self, page: Page, event: sched.ScheduleNoticed | sched.ScheduleIgnored) -> None:
        quest, _, depth = event.occasion.partition(":")
        where = f"{page.name}: {event.occasion}"
        if isinstance(event, sched.ScheduleNoticed):
            seq = self._ended.get(quest, (0, "", ""))[0]
            wanted = self._is_wanted(page, quest) and page.mark < seq == event.mark
            self._expect(wanted, f"{where}: noticed, and is {self._ended.get(quest)}")
            self._expect(quest not in page.seen, f"{where}: noticed twice")
            self._check_seen(page, seq, 2**62)
            page.mark = seq
            page.noticed[event.occasion] = page.seen[quest] = None
            return
        known = page.noticed.pop(event.occasion, "") is None
        reasons = {
            "overtaken": bool(page.noticed),
            "depth": int(depth or 0) > DEPTH_MAX,
            "overlap": bool(page.waiting or page.open or self._unended(page, STUCK_US)),
        }
        self._expect(known and reasons[event.why], f"{where}: ignored, {event.why}")

    def _is_wanted(self, page: Page, quest: str) -> bool:
        _, name, status = self._ended.get(quest, (0, "", ""))
        trigger = page.spec.trigger
        return (
            isinstance(trigger, AfterQuest) and name == trigger.name and status in trigger.statuses
        )

    def _check_seen(self, page: Page, before_seq: int, before_us: int) -> None:
        """Nothing that it waits for was passed over between its mark and that seq, if it ended before that time."""
        if page.paused:
            return
        passed = [
            quest
            for quest, (seq, _, _) in self._ended.items()
            if page.mark < seq < before_seq and self._ends[quest] < before_us
        ]
        missed = [quest for quest in passed if self._is_wanted(page, quest)]
        self._expect(not missed, f"{page.name}: passed over {missed}")

    def _check_renewal(self, page: Page, event: sched.ScheduleAdded) -> None:
        """It carries on where its forerunner stopped, and that one had stopped before."""
        if event.renews is None:
            return
        old = self.pages[event.renews]
        self._expect(old.renewed_by == page.schedule, f"{page.name}: renews what goes on")
        self._expect(old.since_us == page.since_us, f"{page.name}: renewed with a gap")
        self._expect(not (old.open or old.waiting), f"{page.name}: renewed in the middle")

    def _met(self, page: Page, first_us: int, last_us: int) -> None:
        """Due times are dealt with in their order, none is passed over, and none comes early."""
        due_us = page.next_due_us()
        self._expect(first_us == due_us, f"{page.name}: {first_us} was due after {due_us}")
        early = last_us > self._clock.latest_us
        self._expect(not early, f"{page.name}: {last_us} came early")
        page.since_us = last_us

    def _on_fired(self, page: Page, event: sched.ScheduleFired) -> None:
        where = f"{page.name} {event.occasion}"
        self._expect(page.removed_us is None, f"{where}: fired after its removal")
        if event.why == "due":
            self._met(page, event.due_us, event.due_us)
        elif event.why == "noticed":
            known = page.noticed.pop(event.occasion, "") is None
            self._expect(known, f"{where}: was not noticed")
        else:
            waited = page.waiting.pop(event.due_us, None)
            self._expect(waited == event.why, f"{where}: {event.why}, and is {waited}")
        again = event.occasion in page.fired and event.why != "backfill"
        self._expect(not again, f"{where}: fired twice")
        if page.spec.overlap != "allow":
            busy = [*page.open, *self._unended(page, 0)]
            self._expect(not busy, f"{where}: fired beside {busy}")
        page.fired.setdefault(event.occasion, None)
        page.open[event.occasion] = None

    def _unended(self, page: Page, within_us: int) -> list[str]:
        """Quests that have not ended, or did so no longer ago than that."""
        now_us = self._clock.monotonic_us
        quests = [quest for quest in page.fired.values() if quest is not None]
        return [quest for quest in quests if self._ends.get(quest, now_us) > now_us - within_us
                or quest not in self._ends]  # fmt: skip

    def _on_skipped(self, page: Page, event: sched.ScheduleSkipped) -> None:
        where = f"{page.name}: left out {event.after_us} to {event.until_us} ({event.why})"
        if event.why == "overtaken":
            gone = page.waiting.pop(event.until_us, None)
            later = page.next_due_us() <= self._clock.latest_us
            self._expect(gone == "put_off" and later, f"{where}: nothing overtook it")
            return
        self._expect(event.after_us == page.since_us, f"{where}: from {page.since_us} on")
        self._expect(event.until_us <= self._clock.latest_us, f"{where}: early")
        self._expect(event.until_us >= page.next_due_us(), f"{where}: nothing was due")
        if event.why == "overlap":
            pending = bool(page.waiting or page.open or self._unended(page, STUCK_US))
            self._expect(pending, f"{where}: nothing runs")
        page.since_us = event.until_us
        if event.why == "missed":
            late = self._clock.latest_us - event.until_us > ON_TIME_US
            several = page.next_due_us() <= self._clock.latest_us
            self._expect(late or several, f"{where}: it was not missed")

    def compare(self, events_of: Callable[[str], list[Record]]) -> None:
        """What was durable once is there still, unchanged."""
        for page in self.pages.values():
            same = events_of(page.schedule) == page.records
            self._expect(same, f"{page.name}: durable events were lost or changed")

    # -- the end -----------------------------------------------------------------------------------------

    def faults(self) -> list[str]:
        """What is wrong when the house is quiet and every schedule has been removed."""
        found: list[str] = []
        for page in self.pages.values():
            if page.removed_us is None:
                found.append(f"{page.name} was never removed")
            elif page.renewed_by is None and page.next_due_us() <= page.removed_us:
                found.append(f"{page.name}: nothing was said of {page.next_due_us()}")
            found += [f"{page.name} {one}: has no quest" for one in page.open]
        return found
