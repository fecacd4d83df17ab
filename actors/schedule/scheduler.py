"""The scheduler: which schedules there are, by name, and the parent of their actors.

Each schedule has an actor from the start of the daemon to its removal. What clients are shown was told by it when it was on disk. A
schedule whose actor dies too often is *parked*, as a quest is: it is shown with its fault, and the daemon lives on.
"""

from collections.abc import Callable
from itertools import takewhile
from typing import Any, Final

from msgspec import Struct, structs

from questd.actors.house import House
from questd.actors.mail import Answered, AskScheduler, QuestOver, ReplyTo
from questd.actors.schedule import asking, core
from questd.actors.schedule.actor import ScheduleActor
from questd.actors.schedule.asking import Looked, unknown
from questd.actors.schedule.checking import Checked, check_schedule
from questd.actors.schedule.own import (
    Begin,
    CarryOn,
    Do,
    Fenced,
    LookForEnds,
    NeverWas,
    Shown,
    Then,
)
from questd.actors.schedule.state import patterns_of
from questd.messages import control as ctl
from questd.messages.control import Error, Reply, ScheduleView
from questd.messages.heads import Head
from questd.messages.schedules import SCHEDULE_IDS, ScheduleEvent, is_schedule
from questd.runtime.actor import Actor, ChildFailed, ChildStopped, Ref, stop
from questd.runtime.errors import JournalBroken, JournalError
from questd.runtime.journal.store import Append, JournalStore
from questd.runtime.supervision import Intensity

SCHEDULES_MAX: Final = 1_000


class _HeadsRead(Struct, frozen=True):
    """From the journal's reader: the schedules that are open. One that was parked is tried again."""

    heads: tuple[Head, ...]


class _ParkHead(Struct, frozen=True):
    """From the journal's reader: the head of a schedule that is to be parked."""

    head: Any
    reason: str


class Scheduler(Actor):
    """Child of the root, parent of all schedules."""

    def __init__(self, house: House, parent: Ref) -> None:
        super().__init__(parent=parent, name="scheduler")
        self._house = house
        self._schedules: dict[str, Ref] = {}
        self._names: dict[str, str] = {}
        self._views: dict[str, ScheduleView] = {}
        self._parked: dict[str, str] = {}
        self._deaths: dict[str, Intensity] = {}
        self._unread: set[str] = set()
        self._early: list[AskScheduler] | None = []
        self._opened = False
        self._ends_seen = False

    def on_start(self) -> None:
        self._house.journal.between(lambda _: Fenced(), self.ref.tell)

    def on_stop(self) -> None:
        for ref in self._schedules.values():
            stop(ref)
        for asked in self._early or ():
            self.on_undelivered(asked)

    def on_undelivered(self, message: Any) -> None:
        """Who asked a scheduler that is no more is told to come again. Any thread."""
        if isinstance(message, AskScheduler | Then):
            self._answer(message.reply, Error("busy", "the daemon is restarting", 500))

    def after_batch(self) -> None:
        """Triggers hear once of all that has ended in the turn."""
        if self._ends_seen:
            self._ends_seen = False
            for watcher in self._house.watching:
                self._tell(watcher, LookForEnds())

    def on_failure(self, *_: Any) -> None:
        self.on_stop()

    def on_receive(self, message: Any) -> None:
        match message:
            case AskScheduler():
                if self._early is None:
                    self._on_asked(message)
                else:
                    self._early.append(message)
            case QuestOver(head):
                self._on_over(message, head)
            case Shown():
                self._on_shown(message)
            case CarryOn(schedule, by, events):
                self._carry_on(schedule, by, events)
            case NeverWas(schedule):
                self._names = {name: one for name, one in self._names.items() if one != schedule}
            case Then(reply, outcome, resume):
                self._go_on(reply, outcome, resume)
            case ChildStopped(ref, schedule):
                if self._schedules.get(schedule) is ref:
                    del self._schedules[schedule]
            case ChildFailed(ref, schedule, error):
                self._on_failed(ref, schedule, error)
            case _:
                self._on_read(message)

    def _on_read(self, message: Any) -> None:
        match message:
            case Fenced():
                self._read_heads()
            case _HeadsRead(heads):
                self._open(heads)
            case _ParkHead(head, reason):
                if isinstance(head, Head):
                    self._park(head, reason)
            case JournalError():  # the journal has failed, and the daemon is ending because of it
                self._house.note("scheduler.stalled", error=repr(message))
            case _:
                raise AssertionError(f"the scheduler got {message!r}")

    # -- the start -----------------------------------------------------------------------------------

    def _read_heads(self) -> None:
        def question(store: JournalStore) -> _HeadsRead:
            found = takewhile(lambda one: is_schedule(one.quest), store.heads(after=SCHEDULE_IDS))
            return _HeadsRead(tuple(head for head in found if head.finished_us is None))

        self._house.journal.read(question, self.ref.tell)

    def _open(self, heads: tuple[Head, ...]) -> None:
        self._opened = True
        for head in heads:
            self._names[head.name] = head.quest
            self._unread.add(head.quest)
            self._launch(head.quest, None)
        self._hear_early()

    def _hear_early(self) -> None:
        """Whoever asks is answered from what all schedules have told."""
        if self._opened and self._early is not None and not self._unread:
            early, self._early = self._early, None
            for asked in early:
                self._on_asked(asked)

    def _launch(self, schedule: str, begin: Begin | None, *, again: bool = False) -> None:
        actor = ScheduleActor(self._house, schedule, begin, self.ref, again=again)
        self._schedules[schedule] = actor.launch(self._house.dispatcher)

    # -- what schedules say ----------------------------------------------------------------------------

    def _on_shown(self, told: Shown) -> None:
        view = told.view
        self._unread.discard(view.id)
        if told.over:
            self._views.pop(view.id, None)
            if self._names.get(view.name) == view.id:
                del self._names[view.name]
        else:
            self._views[view.id] = view
        if told.renews is not None and not told.over:
            self._names[view.name] = view.id
            self._tell(told.renews, Do(core.Close()))
        self._hear_early()

    def _carry_on(self, schedule: str, by: str, events: tuple[ScheduleEvent, ...]) -> None:
        if not self._opened:
            return  # from a schedule of the scheduler before this one: its next actor says it again
        if by in self._schedules:
            self._tell(schedule, Do(core.Close()))
        else:
            self._launch(by, Begin(events, None, None))

    def _on_over(self, over: QuestOver, head: Head) -> None:
        schedule = self._house.heeded.get(head.quest)
        if schedule is not None:
            self._tell(schedule, over)
        self._ends_seen = True

    def _tell(self, schedule: str, message: Any) -> None:
        ref = self._schedules.get(schedule)
        if ref is not None:
            ref.tell(message)

    # -- what clients ask --------------------------------------------------------------------------------

    def _on_asked(self, asked: AskScheduler) -> None:
        reply = asked.reply
        match asked.request:
            case ctl.ListSchedules(name):
                self._list(name, reply)
            case ctl.AddSchedule() | ctl.ChangeSchedule() as request:
                self._check(request, reply)
            case ctl.PauseSchedule(name, actor):
                self._do(name, core.PauseIt(actor[:200]), reply)
            case ctl.ResumeSchedule() as request:
                self._read(reply, lambda store: (request, store.last_seq()), self._resume)
            case ctl.RemoveSchedule(name, actor):
                self._do(name, core.RemoveIt(actor[:200]), reply)
            case ctl.BackfillSchedule() as request:
                self._backfill(request, reply)

    def _answer(self, reply: ReplyTo, said: Reply) -> None:
        reply.address.tell(Answered(reply.job, said))

    def _list(self, name: str | None, reply: ReplyTo) -> None:
        if name is None:
            found = sorted(self._views.values(), key=lambda view: view.name)
            named = [view for view in found if self._names.get(view.name) == view.id]
            lean = [structs.replace(view, recent=()) for view in named]
            self._answer(reply, ctl.Schedules(tuple(lean)))
            return
        view = self._known(name)
        self._answer(reply, view if isinstance(view, Error) else ctl.Schedules((view,)))

    def _known(self, name: str) -> ScheduleView | Error:
        """What its actor has told; a schedule that is being added, or whose actor failed meanwhile, has told nothing yet."""
        schedule = self._names.get(name)
        if schedule is None:
            return unknown(name)
        view, fault = self._views.get(schedule), self._parked.get(schedule)
        return view or (asking.starting(name) if fault is None else asking.parked(name, fault))

    def _do(
        self, name: str, command: core.Command, reply: ReplyTo, definition: bytes | None = None
    ) -> None:
        schedule = self._names.get(name, "")
        ref = self._schedules.get(schedule)
        if not schedule:
            self._answer(reply, unknown(name))
        elif schedule in self._parked:
            self._answer(reply, asking.parked(name, self._parked[schedule]))
        elif ref is None or not ref.tell(Do(command, reply, definition)):
            self._answer(reply, asking.starting(name))

    def _read(
        self,
        reply: ReplyTo,
        question: Callable[[JournalStore], Any],
        resume: Callable[[Any, ReplyTo], None],
    ) -> None:
        self._house.journal.read(question, self._then(reply, resume))

    def _then(
        self, reply: ReplyTo, resume: Callable[[Any, ReplyTo], None]
    ) -> Callable[[Any], None]:
        """For whoever works something out beside: to go on with what it says."""
        me = self.ref

        def go_on(said: Any) -> None:
            then = Then(reply, said, resume)
            if not me.tell(then):
                self.on_undelivered(then)

        return go_on

    def _go_on(self, reply: ReplyTo, outcome: Any, resume: Callable[[Any, ReplyTo], None]) -> None:
        if isinstance(outcome, JournalError):
            self._answer(reply, Error("internal", str(outcome)))
        elif isinstance(outcome, Error):
            self._answer(reply, outcome)
        else:
            resume(outcome, reply)

    def _resume(self, found: tuple[ctl.ResumeSchedule, int], reply: ReplyTo) -> None:
        request, mark = found
        view = self._views.get(self._names.get(request.name, ""))
        patterns = () if view is None else patterns_of(view.spec)

        def go_on(looked: Looked, reply: ReplyTo) -> None:
            files, blind = looked.sight.files, looked.sight.blind
            resume = core.ResumeIt(request.actor[:200], mark, patterns, files, blind)
            self._do(request.name, resume, reply)

        self._look_first(patterns, go_on, reply)

    def _look_first(
        self, patterns: tuple[str, ...], resume: Callable[[Looked, ReplyTo], None], reply: ReplyTo
    ) -> None:
        """Go on with what is there of the files that are waited for."""
        if not patterns:
            resume(Looked(), reply)
            return
        files, then = self._house.files, self._then(reply, resume)
        self._house.lookout.do(lambda: asking.look_for(patterns, files), then)

    # -- adding and changing -----------------------------------------------------------------------------

    def _check(self, request: ctl.AddSchedule | ctl.ChangeSchedule, reply: ReplyTo) -> None:
        plans, now_us = self._house.plans, self._house.clock.now_us()

        def question(store: JournalStore) -> Checked | Error:
            return check_schedule(request, plans, now_us, store.last_seq())

        def look(checked: Checked, reply: ReplyTo) -> None:
            patterns = patterns_of(checked.request.spec)
            self._look_first(patterns, lambda looked, to: self._keep(checked, looked, to), reply)

        self._read(reply, question, look)

    def _keep(self, checked: Checked, looked: Looked, reply: ReplyTo) -> None:
        request = checked.request
        crowd = asking.crowd_of(self._views.values(), request.spec, request.name)
        if crowd is not None:
            self._answer(reply, crowd)
        elif isinstance(request, ctl.ChangeSchedule):
            change = asking.change_of(checked, looked)
            self._do(request.name, change, reply, checked.ready.data)
        elif request.name in self._names:
            self._answer(reply, self._same(request, checked.ready.plan.digest))
        elif len(self._names) >= SCHEDULES_MAX:
            said = f"SCHEDULES_MAX: there are {len(self._names)} schedules"
            self._answer(reply, Error("refused", f"{said}: remove one, or start a second daemon"))
        else:
            self._add(request.name, checked, looked, reply)

    def _same(self, request: ctl.AddSchedule, digest: str) -> Reply:
        """Added again after an answer that was lost it is no mistake."""
        view = self._known(request.name)
        if isinstance(view, Error):
            return view
        if (view.spec, view.definition) == (request.spec, digest):
            return ctl.Done(changed=False)
        said = f"there is a schedule {request.name!r} already"
        return Error("refused", f"{said}: change it, or remove it first")

    def _add(self, name: str, checked: Checked, looked: Looked, reply: ReplyTo) -> None:
        schedule = self._house.new_schedule_id()
        events = asking.beginning_of(checked, looked, self._house.clock.now_us())
        self._names[name] = schedule
        self._launch(schedule, Begin(events, checked.ready.data, reply))

    def _backfill(self, request: ctl.BackfillSchedule, reply: ReplyTo) -> None:
        """Counting due times takes long, so it is the reader's."""
        view = self._known(request.name)
        if isinstance(view, Error):
            self._answer(reply, view)
            return
        now_us = self._house.clock.now_us()
        self._read(reply, lambda _: asking.dues_of(request, view, now_us), self._make_up)

    def _make_up(self, found: tuple[ctl.BackfillSchedule, tuple[int, ...]], reply: ReplyTo) -> None:
        request, dues_us = found
        self._do(request.name, core.MakeUpFor(dues_us, request.actor[:200]), reply)

    # -- failing -----------------------------------------------------------------------------------------

    def _on_failed(self, ref: Ref, schedule: str, error: BaseException) -> None:
        self._house.note("schedule.crashed", schedule=schedule, error=repr(error))
        if self._schedules.get(schedule) is not ref:
            return
        del self._schedules[schedule]
        if isinstance(error, JournalBroken):
            return  # the daemon is ending because of it
        if self._deaths.setdefault(schedule, Intensity()).allows(self._house.clock.monotonic_s()):
            self._launch(schedule, None, again=True)
            return
        me, reason = self.ref, f"its actor failed too often: {error!r}"[:500]
        self._house.journal.read(
            lambda store: store.head(schedule), lambda head: me.tell(_ParkHead(head, reason))
        )

    def _park(self, head: Head, reason: str) -> None:
        """Only the head row is written; a daemon that knows better finds the events as they are."""
        self._house.note("schedule.parked", schedule=head.quest, reason=reason)
        item = Append(head.quest, head.version, (), structs.replace(head, parked=reason))
        self._house.journal.append(item, lambda _: None)
        self._unread.discard(head.quest)
        self._parked[head.quest] = reason
        view = self._views.get(head.quest)
        if view is not None:
            self._views[head.quest] = structs.replace(view, next_us=(), fault=reason)
        self._hear_early()
