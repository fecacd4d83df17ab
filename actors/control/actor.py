"""The control actor: the daemon's side of the control door. Commands go to the quests, questions to the journal's reader.

Every request is answered exactly once, by its job number: at once, when the journal or another actor has answered, or with
``busy`` when there are too many. It knows nothing of what a quest is; clients fold events themselves.
"""

from collections.abc import Callable
from typing import Any

from msgspec import Struct

from questd.actors.control.admission import Admission
from questd.actors.control.arriving import ClientGone, RequestArrived
from questd.actors.control.fitting import encode_fitting, refusal_of_blobs, refusal_of_list
from questd.actors.control.own import Then, WaitOver
from questd.actors.control.questions import (
    READ_BYTES_MAX,
    bounded,
    last_of,
    lean,
    list_quests,
    look_for_secrets,
    read_blobs,
    read_quest,
    whole_id,
)
from questd.actors.control.steering import Steering, steered_by
from questd.actors.control.submitting import compiled, refusal_of, submission_of
from questd.actors.control.templates import NOTHING, Library, answer, library_of
from questd.actors.control.watching import Watches
from questd.actors.house import VERSION, Answers, House
from questd.actors.mail import (
    Answered,
    AskQuest,
    AskScheduler,
    DrainAgents,
    LookAtAgents,
    ProgressMade,
    QuestAdvanced,
    QuestsLoaded,
    ReplyTo,
    StartQuest,
    ToQuest,
    WatchQuest,
)
from questd.actors.quest import commands as cmd
from questd.actors.quest.plans import ReadyPlan
from questd.messages import control as ctl
from questd.messages.control import Error, Reply, Request
from questd.messages.definition import definition_digest
from questd.messages.events import Record
from questd.messages.heads import TERMINAL, Head
from questd.messages.schedules import is_schedule
from questd.messages.templates import TemplateRequest
from questd.runtime.actor import Actor, Ref
from questd.runtime.journal.store import JournalStore

QUEST_ID_LENGTH = 20
READ_EVENTS_MAX = 10_000
WAIT_MAX_MS = 60_000
RESTARTING = Error("busy", "the daemon is restarting", retry_after_ms=500)


class DaemonFacts(Struct, frozen=True):
    """What ``Ping`` answers that no actor knows (``gauges`` is asked each time), and what the process wants to hear.

    ``ready`` is called once every open quest is known: how many there are, and how many are being folded.
    """

    data: str
    pid: int
    started_us: int
    addresses: dict[str, str]
    gauges: Callable[[], dict[str, int]]
    stop: Callable[[], None]
    ready: Callable[[int, int], None]


class ControlActor(Actor):
    """Child of the root."""

    def __init__(self, house: House, facts: DaemonFacts, parent: Ref) -> None:
        super().__init__(parent=parent, name="control")
        self._house = house
        self._facts = facts
        self._open: dict[int, tuple[Answers, Any]] = {}
        self._jobs = 0
        self._admission = Admission(house.limits)
        self._watches = Watches()
        self._loaded = False

    def on_receive(self, message: Any) -> None:
        match message:
            case RequestArrived(door, route, request):
                self._on_request(door, route, request)
            case Answered(job, reply):
                self._reply(job, reply)
            case Then(job, outcome, resume):
                self._go_on(job, outcome, resume)
            case ClientGone(door, pipe):
                self._on_gone(door, pipe)
            case QuestAdvanced(head, records):
                self._on_advanced(head, records)
            case ProgressMade(quest, progress, task):
                self._watches.note(quest, task, progress)
                for job, request in self._watches.waiting_on(quest):
                    self._read_quest(job, request)
            case WaitOver(job):
                self._wait_over(job)
            case QuestsLoaded(quests, folded):
                self._loaded = True
                self._admission.counted(quests)
                self._facts.ready(quests, folded)
            case _:
                raise AssertionError(f"the control actor got {message!r}")

    def on_stop(self) -> None:
        for job in list(self._open):
            self._reply(job, RESTARTING)

    def on_failure(self, *_: Any) -> None:
        self.on_stop()

    # -- jobs ------------------------------------------------------------------------------------

    def _on_request(self, door: Answers, route: Any, request: Request) -> None:
        self._jobs += 1
        job = self._jobs
        self._open[job] = (door, route)
        busy = self._admission.request(len(self._open))
        if busy is not None:
            self._reply(job, busy)
        else:
            self._dispatch(job, request)

    def _reply(self, job: int, reply: Reply) -> None:
        opened = self._forget(job)
        if opened is not None:
            opened[0].send(opened[1], encode_fitting(reply))

    def _forget(self, job: int) -> tuple[Answers, Any] | None:
        self._admission.done(job)
        self._watches.end_read(job)
        self._forget_watch(job)
        return self._open.pop(job, None)

    def _on_gone(self, door: Answers, pipe: int) -> None:
        for job, (at, route) in list(self._open.items()):
            if at is door and route.pipe == pipe:
                self._forget(job)

    def _dispatch(self, job: int, request: Request) -> None:
        reply = ReplyTo(self.ref, job)
        house = self._house
        match request:
            case ctl.Submit():
                self._submit(job, request)
            case ctl.ReadQuest():
                self._with_id(job, request.quest, lambda q: self._begin_read(job, request, q))
            case ctl.CancelQuest() | ctl.ResolveTask() | ctl.SendSignal():
                self._steer(job, request)
            case ctl.ListQuests():
                self._list(job, request)
            case ctl.ReadBlobs():
                self._read_blobs(job, request)
            case ctl.ListAgents(name):
                house.exchange.tell(LookAtAgents(name, reply))
            case ctl.DrainAgent(name, instance):
                house.exchange.tell(DrainAgents(name, instance, reply))
            case ctl.Missing():
                house.router.tell(reply)
            case ctl.Ping():
                self._reply(job, self._info())
            case _ if isinstance(request, ctl.ScheduleRequest):
                if not house.scheduler.tell(AskScheduler(request, reply)):
                    self._reply(job, RESTARTING)
            case ctl.StopDaemon():
                self._reply(job, ctl.Done())
                self._facts.stop()
            case _:
                self._on_template(job, request)

    def _on_template(self, job: int, request: TemplateRequest) -> None:
        house, now_us = self._house, self._house.clock.now_us()
        self._work(job, lambda: answer(house.shelf, house.plans, now_us, request), self._reply)

    def _read(
        self,
        job: int,
        question: Callable[[JournalStore], Any],
        resume: Callable[[int, Any], None],
    ) -> None:
        me, opened = self.ref, self._open

        def ask(store: JournalStore) -> Any:
            return question(store) if job in opened else None  # its client may have gone meanwhile

        def answer(outcome: Any) -> None:
            me.tell(Then(job, outcome, resume))

        self._house.journal.read(ask, answer)

    def _work(self, job: int, work: Callable[[], Any], resume: Callable[[int, Any], None]) -> None:
        """Elsewhere: it takes long."""
        me, opened = self.ref, self._open
        self._house.worker.do(
            lambda: work() if job in opened else None,  # its client may have gone meanwhile
            lambda outcome: me.tell(Then(job, outcome, resume)),
        )

    def _go_on(self, job: int, outcome: Any, resume: Callable[[int, Any], None]) -> None:
        if isinstance(outcome, Exception):
            self._reply(job, Error("internal", str(outcome)))
        elif isinstance(outcome, Error):
            self._reply(job, outcome)
        elif job in self._open:
            resume(job, outcome)

    def _with_id(self, job: int, given: str, then: Callable[[str], None]) -> None:
        """Run ``then`` with the whole id."""
        if is_schedule(given):
            self._reply(job, Error("not_found", f"there is no quest {given}"))
        elif len(given) >= QUEST_ID_LENGTH:
            then(given)
        else:
            self._read(job, lambda store: whole_id(store, given), lambda _, quest: then(quest))

    def _ask_quest(self, job: int, quest: str, command: cmd.Command) -> None:
        self._house.directory.tell(ToQuest(quest, AskQuest(command, ReplyTo(self.ref, job))))

    def _info(self) -> ctl.DaemonInfo:
        facts = self._facts
        return ctl.DaemonInfo(
            boot=self._house.boot,
            version=VERSION,
            pid=facts.pid,
            data=facts.data,
            started_us=facts.started_us,
            addresses=facts.addresses,
            ready=self._loaded,
            gauges=facts.gauges(),
        )

    # -- submit ----------------------------------------------------------------------------------

    def _submit(self, job: int, submit: ctl.Submit) -> None:
        queued = self._facts.gauges().get("journal_queue", 0)
        refused = self._admission.submit(job, queued) or refusal_of(submit)
        if refused is not None:
            self._reply(job, refused)
        elif self._admission.full:
            self._count_quests(job, submit)
        else:
            self._compile(job, submit)

    def _count_quests(self, job: int, submit: ctl.Submit) -> None:
        """Quests end without telling us: only when there seem to be too many they are counted anew."""

        def counted(job: int, quests: int) -> None:
            self._admission.counted(quests)
            if self._admission.full:
                self._reply(job, self._admission.too_many())
            else:
                self._compile(job, submit)

        if self._admission.recount(self._house.clock.monotonic_s()):
            self._read(job, lambda store: store.count_open(), counted)
        else:
            self._reply(job, self._admission.too_many())

    def _compile(self, job: int, submit: ctl.Submit) -> None:
        plans, data = self._house.plans, submit.definition
        if (ready := plans.get(definition_digest(data))) is not None:
            self._gather(job, submit, ready)
            return
        busy = self._admission.compile(job, len(data))
        if busy is not None:
            self._reply(job, busy)
            return

        self._work(
            job, lambda: compiled(plans, data), lambda job, ready: self._gather(job, submit, ready)
        )

    def _gather(self, job: int, submit: ctl.Submit, ready: ReadyPlan) -> None:
        """The templates that it may come to use, as they are now."""
        self._admission.compiled(job)
        if not ready.plan.uses_templates:
            self._start(job, submit, ready, NOTHING)
            return
        shelf, plans = self._house.shelf, self._house.plans
        self._work(
            job,
            lambda: library_of(shelf, plans, ready),
            lambda job, library: self._start(job, submit, ready, library),
        )

    def _start(self, job: int, submit: ctl.Submit, ready: ReadyPlan, library: Library) -> None:
        command = submission_of(submit, ready, self._house.clock.now_us(), library.uses)
        if isinstance(command, Error):
            self._reply(job, command)
            return
        start = StartQuest(ready, command, ReplyTo(self.ref, job), library.blobs)
        if command.secrets:
            look = look_for_secrets(start, self._house.keyring)
            self._read(job, look, lambda _, start: self._begin(start))
        else:
            self._begin(start)

    def _begin(self, start: StartQuest) -> None:
        self._admission.began()
        self._house.directory.tell(start)

    def _steer(self, job: int, request: Steering) -> None:
        command = steered_by(request)
        if isinstance(command, Error):
            self._reply(job, command)
        else:
            self._with_id(job, request.quest, lambda q: self._ask_quest(job, q, command))

    # -- reading and watching ----------------------------------------------------------------------

    def _begin_read(self, job: int, request: ctl.ReadQuest, quest: str) -> None:
        whole = ctl.ReadQuest(
            quest,
            max(0, request.after),
            min(max(1, request.limit), READ_EVENTS_MAX),
            min(request.wait_ms, WAIT_MAX_MS),
            request.definition,
            request.seen_progress,
            request.until_end,
        )
        if whole.wait_ms > 0:
            timer = self._house.timers.after(whole.wait_ms / 1_000, self.ref, WaitOver(job))
            if self._watches.add(job, whole, timer):
                self._house.directory.tell(WatchQuest(quest, on=True))
        self._read_quest(job, whole)

    def _read_quest(self, job: int, request: ctl.ReadQuest) -> None:
        """One question a job at a time: a tool that tells its progress all the time must not fill the reader's queue."""
        if self._watches.begin_read(job):
            self._read(job, lambda store: read_quest(store, request), self._on_quest_read)

    def _on_quest_read(self, job: int, found: ctl.QuestRecords) -> None:
        again = self._watches.end_read(job)
        found = self._watches.with_progress(found)
        request = self._watches.request(job)
        news = found.records or found.definition is not None
        over = found.head.status in TERMINAL or found.head.parked is not None
        if request is not None and not over and (request.until_end or not news):
            if found.progress_version > request.seen_progress and not request.until_end:
                self._reply(job, found)
            elif again:
                self._read_quest(job, request)
            return
        self._reply(job, found)

    def _on_advanced(self, head: Head, records: tuple[Record, ...]) -> None:
        """Pass on what a watched quest just wrote; whoever has missed something reads it from the journal."""
        over = head.status in TERMINAL
        for job, request in self._watches.waiting_on(head.quest):
            if request.until_end and not over:
                continue
            if request.until_end and records:
                self._reply(job, ctl.QuestRecords(lean(head), last_of(records)))
            elif records and records[0].n <= request.after + 1:
                fresh = [record for record in records if record.n > request.after]
                if fresh:
                    page = bounded(fresh[: request.limit], READ_BYTES_MAX)
                    found = ctl.QuestRecords(lean(head), page, page[-1].n < head.version)
                    self._reply(job, self._watches.with_progress(found))
            elif head.version > request.after:
                self._read_quest(job, request)

    def _wait_over(self, job: int) -> None:
        request = self._watches.request(job)
        if request is not None:
            self._forget_watch(job)
            self._read_quest(job, request)

    def _forget_watch(self, job: int) -> None:
        quest = self._watches.remove(job)
        if quest is not None:
            self._house.directory.tell(WatchQuest(quest, on=False))

    def _read_blobs(self, job: int, request: ctl.ReadBlobs) -> None:
        refused = refusal_of_blobs(request)
        if refused is not None:
            self._reply(job, refused)
            return
        self._read(job, lambda store: read_blobs(store, request.digests), self._reply)

    def _list(self, job: int, request: ctl.ListQuests) -> None:
        refused = refusal_of_list(request)
        if refused is not None:
            self._reply(job, refused)
            return
        self._read(job, lambda store: list_quests(store, request), self._reply)
