"""The actor of one schedule: the thin shell around core.py.

It decides and folds at once, and has one append under way at a time; what was decided meanwhile goes into the next. Only when all that
it knows is on disk it does what is owed: submits the quests of what was fired, cancels what was overtaken, answers, and arms its timer.
To the control actor it is a door like any other: a submit of it is admitted, refused or told to come again as a client's is.
"""

from collections import deque
from typing import Any, Final

from questd.actors.house import House
from questd.actors.mail import Answered, AskQuest, QuestOver, ReplyTo, ToQuest, Wake
from questd.actors.quest.commands import CancelQuest
from questd.actors.schedule import core
from questd.actors.schedule.endings import Found
from questd.actors.schedule.lookout import LookAtFiles, Lookout, Sighted
from questd.actors.schedule.own import (
    Again,
    Begin,
    CarryOn,
    Do,
    Fenced,
    GoOn,
    Look,
    LookForEnds,
    LostRace,
    NeverWas,
    Prepared,
    Recorded,
    Said,
    Seen,
    Shown,
    answer,
    ended,
    said_of,
)
from questd.actors.schedule.search import Search
from questd.actors.schedule.shown import shown
from questd.actors.schedule.state import ScheduleState
from questd.actors.schedule.submits import Submits
from questd.messages.control import Done, Error, Reply, Submit
from questd.messages.events import kind_of
from questd.messages.schedules import ScheduleEvent, encode_schedule_event
from questd.messages.upcasting import schedule_event_of
from questd.runtime.actor import Actor, Ref
from questd.runtime.clock import Timer
from questd.runtime.errors import JournalError
from questd.runtime.journal.store import (
    Append,
    Appended,
    JournalStore,
    KeyTaken,
    NewEvent,
    VersionConflict,
)

MOVES_A_TURN: Final = 64
EVENTS_A_TURN: Final = 500
LOOK_EVERY_S: Final = 60.0
"""While something waits for the end of a quest: its end may have gone unsaid."""


class ScheduleActor(Actor):
    """Child of the scheduler."""

    def __init__(
        self, house: House, schedule: str, begin: Begin | None, parent: Ref, *, again: bool = False
    ) -> None:
        super().__init__(parent=parent, name=schedule)
        self._house = house
        self._begin = begin
        self._again = again
        self._state = ScheduleState(schedule)
        self._awake = begin is not None
        self._definition = None if begin is None else begin.definition
        self._events: list[NewEvent] = []
        self._under_way: list[tuple[ReplyTo, Reply]] | None = None
        self._answers: list[tuple[ReplyTo, Reply]] = []
        self._early: deque[Any] = deque()
        self._submits = Submits(house, self.ref, self._state)
        self._cancelled: set[str] = set()
        self._looking = False
        self._search = Search(house, self.ref, self._state)
        self._lookout = Lookout(house, self.ref, self._state)
        self._timer: Timer | None = None
        self._armed_us: int | None = None
        self._look_timer: Timer | None = None
        self._shown = False

    # -- life ------------------------------------------------------------------------------------

    def on_start(self) -> None:
        if self._begin is not None:
            self._add(self._begin)
        elif self._again:
            self._house.journal.between(lambda _: Fenced(), self.ref.tell)
        else:
            self._read(0)

    def on_stop(self) -> None:
        self._let_go("the daemon is stopping")

    def on_failure(self, *_: Any) -> None:
        self._let_go("the schedule's actor failed and is starting again")

    def _let_go(self, why: str) -> None:
        self._submits.cancel()
        self._lookout.cancel()
        for timer in (self._timer, self._look_timer):
            if timer is not None:
                timer.cancel()
        for reply, _ in (*self._answers, *(self._under_way or ())):
            answer(reply, Error("busy", why, retry_after_ms=500))
        while self._early:
            self.on_undelivered(self._early.popleft())
        for quest in self._state.running:
            self._house.heeded.pop(quest, None)
        self._house.watching.pop(self._state.id, None)

    def on_undelivered(self, message: Any) -> None:
        """It came while the actor was going."""
        if isinstance(message, Do) and message.reply is not None:
            answer(message.reply, Error("busy", "the schedule is going", 200))

    def on_receive(self, message: Any) -> None:
        match message:
            case Recorded():
                self._on_recorded(message)
            case Fenced():
                self._read(0)
            case Appended():
                self._on_appended()
            case KeyTaken() | VersionConflict():
                raise LostRace(f"{self.name}: {message}")
            case JournalError():
                raise message
            case _ if not self._awake:
                self._early.append(message)
            case _:
                self._handle(message)

    def _handle(self, message: Any) -> None:
        match message:
            case Wake():
                self._on_wake()
            case Do():
                self._on_asked(message)
            case Prepared(occasion, submit):
                self._on_prepared(occasion, submit)
            case Said(occasion, reply):
                self._on_said(occasion, reply)
            case Again(occasion):
                self._submits.again(occasion)
            case Found() | Sighted() | LookAtFiles():
                self._on_looked(message)
            case LookForEnds():
                self._search.unseen = True
            case QuestOver(head):
                self._end_runs(((head.quest, head.status),))
            case Look():
                self._look_timer = None
                self._look()
            case Seen(ended):
                self._looking = False
                self._end_runs(ended)
            case GoOn() | Answered():  # the latter of a cancel: that the quest ends is what counts
                pass
            case _:
                raise AssertionError(f"a schedule got {message!r}")

    # -- beginning and recovering --------------------------------------------------------------------

    def _add(self, begin: Begin) -> None:
        for event in begin.events:
            self._fold(event, self._now_us())
        if begin.reply is not None:
            self._answers.append((begin.reply, Done()))

    def _read(self, after: int) -> None:
        schedule = self._state.id

        def question(store: JournalStore) -> Recorded:
            records = tuple(store.events(schedule, after, EVENTS_A_TURN))
            return Recorded(records, len(records) == EVENTS_A_TURN)

        self._house.journal.read(question, self.ref.tell)

    def _on_recorded(self, recorded: Recorded) -> None:
        for record in recorded.records:
            core.evolve(self._state, schedule_event_of(record), record.at_us)
        if recorded.more:
            self._read(self._state.version)
            return
        if not self._state.version:
            self._house.scheduler.tell(NeverWas(self._state.id))
            self._stop()
            return
        self._awake = True
        self._look()
        while self._early:
            self._handle(self._early.popleft())

    # -- deciding ------------------------------------------------------------------------------------

    def _now_us(self) -> int:
        return max(self._house.clock.now_us(), self._state.last_us)

    def _fold(self, event: ScheduleEvent, now_us: int) -> None:
        core.evolve(self._state, event, now_us)
        kind = kind_of(event)
        self._events.append(NewEvent(now_us, kind, encode_schedule_event(event)))

    def _do(self, command: core.Command) -> core.Rejected | bool:
        """Whether it changed anything, or why not."""
        now_us = self._now_us()
        events = core.decide(self._state, command, now_us)
        if isinstance(events, core.Rejected):
            return events
        for event in events:
            self._fold(event, now_us)
        return bool(events)

    def _on_asked(self, asked: Do) -> None:
        """What is due by now comes first."""
        while self._move():
            pass
        outcome = self._do(asked.command)
        if asked.definition is not None and outcome is True:
            self._definition = asked.definition
        if asked.reply is not None:
            self._answers.append((asked.reply, said_of(asked.command, outcome)))

    def _end_runs(self, ended: tuple[tuple[str, str], ...]) -> None:
        for quest, _ in ended:
            self._house.heeded.pop(quest, None)
            self._cancelled.discard(quest)
        self._do(core.EndRuns(ended))

    def _move(self) -> bool:
        """What time asks for, a bounded number of moves; whether there is more."""
        now_us = self._house.clock.now_us()
        for _ in range(MOVES_A_TURN):
            event = core.next_move(self._state, now_us)
            if event is None:
                return False
            self._fold(event, self._now_us())
        return True

    def _on_wake(self) -> None:
        """Due, perhaps: what is known of the quests that run decides what becomes of it, so look first."""
        self._disarm()
        if self._state.running:
            self._look()

    # -- the end of a turn ---------------------------------------------------------------------------

    def after_batch(self) -> None:
        if not self._awake:
            return
        if not self._looking and self._move():
            self.ref.tell(GoOn())
        if self._under_way is None:
            self._settle()

    def _settle(self) -> None:
        """Nothing is on its way to the disk: write what was decided, or else do what is owed."""
        if self._events:
            self._append()
            return
        answers, self._answers = self._answers, []
        for reply, said in answers:
            answer(reply, said)
        if self._state.version:
            self._pay()

    def _append(self) -> None:
        events, self._events = tuple(self._events), []
        self._under_way, self._answers = self._answers, []
        state, data, self._definition = self._state, self._definition, None
        item = Append(
            state.id,
            state.version - len(events),
            events,
            core.head_of(state),
            definition=None if data is None else (state.definition, data),
        )
        self._shown = False
        self._house.journal.append(item, self.ref.tell)

    def _on_appended(self) -> None:
        answers, self._under_way = self._under_way or [], None
        for reply, said in answers:
            answer(reply, said)

    def _pay(self) -> None:
        """All that is known is on disk: submit, cancel, heed, tell, and wait for the next due time."""
        state = self._state
        self._submits.ask()
        for quest in core.cancelled(state):
            if quest not in self._cancelled:
                self._cancel(quest)
        for quest in state.running:
            if self._house.heeded.get(quest) != state.id:
                self._house.heeded[quest] = state.id
                self._look()
        self._tell()
        self._watch()
        if state.over:
            self._stop()
        elif core.is_to_be_renewed(state):
            self._do(core.Renew(self._house.new_schedule_id()))
            self.ref.tell(GoOn())
        else:
            self._arm()

    def _tell(self) -> None:
        if self._shown:
            return
        self._shown = True
        state, scheduler = self._state, self._house.scheduler
        scheduler.tell(Shown(shown(state, self._lookout.watched), state.over, state.renews))
        if state.renewed_by is not None and not state.over:
            scheduler.tell(CarryOn(state.id, state.renewed_by, core.renewal(state)))

    def _arm(self) -> None:
        # What is due by now waits for what is being looked at, and is not to be said again meanwhile.
        at_us = None if self._looking else core.wake_us(self._state)
        if at_us != self._armed_us:
            self._disarm()
            self._armed_us = at_us
            if at_us is not None:
                self._timer = self._house.timers.at(at_us, self.ref, Wake())
        if not self._state.running and self._look_timer is not None:
            self._look_timer.cancel()
            self._look_timer = None
        elif self._state.running and self._look_timer is None:
            self._look_timer = self._house.timers.after(LOOK_EVERY_S, self.ref, Look())

    def _disarm(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
        self._timer = self._armed_us = None

    def _on_prepared(self, occasion: str, submit: Submit | Error) -> None:
        if isinstance(submit, Error):
            self._on_said(occasion, submit)
        else:
            self._submits.send(occasion, submit)

    def _on_said(self, occasion: str, reply: Reply) -> None:
        command = self._submits.heard(occasion, reply)
        if command is not None:
            self._do(command)

    def _cancel(self, quest: str) -> None:
        self._cancelled.add(quest)
        reason = f"schedule {self._state.name}: the next one is due"
        command = CancelQuest(reason, "schedule")
        self._house.directory.tell(ToQuest(quest, AskQuest(command, ReplyTo(self.ref, 0))))

    # -- triggers ------------------------------------------------------------------------------------

    def _watch(self) -> None:
        """Look for what the trigger waits for, where there may be some that was not seen."""
        self._search.attend()
        self._lookout.attend()

    def _on_looked(self, found: Found | Sighted | LookAtFiles) -> None:
        before = self._lookout.watched
        search, lookout = self._search, self._lookout
        command = search.heard(found) if isinstance(found, Found) else lookout.heard(found)
        if command is not None:
            self._do(command)
        self._shown = self._shown and before == lookout.watched

    # -- how its quests stand --------------------------------------------------------------------------

    def _look(self) -> None:
        quests = tuple(self._state.running)
        if not quests or self._looking:
            return
        self._looking = True

        def question(store: JournalStore) -> Seen:
            stand = [(quest, ended(store, quest)) for quest in quests]
            return Seen(tuple((quest, status) for quest, status in stand if status is not None))

        self._house.journal.read(question, self.ref.tell)
