"""The supervisor: the actor that owns one quest.

The thin shell around core.py. It decides and folds at once and *holds* every answer and every effect until the append
that says so is on disk; several appends may be in flight, in order. A failed append, or any other surprise, ends the
actor: its memory is discarded, everybody who waits is told, and the directory starts it again from the journal.

One turn: messages become commands, commands events. When the batch is over the router is asked for places for tasks that
have become ready, and its answer joins the same append: the end of one task and the start of the next are one write.
"""

from collections import deque
from collections.abc import Callable
from functools import partial
from typing import Any, Final, assert_never

from msgspec import Struct, structs

from questd.actors.house import House
from questd.actors.mail import (
    Acknowledge,
    Answered,
    AskQuest,
    AttemptEnded,
    AttemptVanished,
    AttemptWrote,
    EndStep,
    MayRest,
    Place,
    Places,
    QuestAdvanced,
    Recall,
    ReplyTo,
    Settle,
    TextsRead,
    ToQuest,
    Wake,
    WatchQuest,
)
from questd.actors.quest import commands as cmd
from questd.actors.quest import core
from questd.actors.quest.materials import (
    Rendering,
    material_for_output,
    material_for_step,
    order_for,
)
from questd.actors.quest.plans import ReadyPlan
from questd.actors.quest.state import (
    TERMINAL_PHASES,
    DropAttempt,
    DropWant,
    Due,
    QuestState,
    RecallAttempt,
    RenderInput,
    RenderOutput,
    RunAttempt,
    WantPlace,
)
from questd.actors.rendering import missing
from questd.actors.step.actor import StepActor, read_texts
from questd.messages.control import Done, Error, Reply, Submitted
from questd.messages.definition import DEFAULT_TIMEOUT_MS
from questd.messages.events import (
    EVENT_SCHEMA_VERSION,
    Event,
    Record,
    decode_event,
    encode_event,
    kind_of,
)
from questd.messages.exchange import Cancelled, Completed, Failed
from questd.messages.failure import VALIDATION, Failure
from questd.messages.heads import Head
from questd.messages.payload import Blob, hold
from questd.runtime.actor import Actor, ChildFailed, ChildStopped, Ref
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

FOLD_CHUNK: Final = 500
READ_CHUNK: Final = 5_000

Effect = Callable[[], object]


class Submission(Struct, frozen=True):
    """A quest to begin, and who asked for it."""

    ready: ReadyPlan
    command: cmd.SubmitQuest
    inputs: bytes
    reply: ReplyTo


class Recorded(Struct, frozen=True):
    """From the journal's reader: the quest's plan and some of its events; None when there is no such quest."""

    ready: ReadyPlan | None
    records: tuple[Record, ...] = ()
    more: bool = False


class Rest(Struct, frozen=True):
    """To itself: still nothing to do?"""


class Fenced(Struct, frozen=True):
    """From the journal's writer: all that the actor's forerunner had queued is on disk, or refused."""


ITS_OWN: Final = (
    Appended,
    KeyTaken,
    VersionConflict,
    JournalError,
    Rest,
    Recorded,
    Fenced,
    TextsRead,
    ChildStopped,
    ChildFailed,
)
"""Messages that speak of one actor's memory: the next one has no use for them."""


class LostRace(Exception):
    """The journal refused an append: somebody else wrote, or this memory is stale."""


class QuestSupervisor(Actor):
    """Child of the directory, parent of its step actors."""

    def __init__(
        self,
        house: House,
        quest: str,
        submission: Submission | None,
        parent: Ref,
        *,
        watched: bool,
        again: bool = False,
    ) -> None:
        super().__init__(parent=parent, name=quest)
        self._house = house
        self._again = again
        self._submission = submission
        self._watched = watched
        self._durable_head: Head | None = None
        self._state: QuestState | None = None
        self._ready: ReadyPlan | None = None
        self._fold: QuestState | None = None
        self._early: list[Any] = []
        self._steps: dict[str, Ref] = {}
        self._places: dict[str, Place] = {}
        # What the current turn gathers for the next append:
        self._events: list[NewEvent] = []
        self._blobs: list[Blob] = []
        self._effects: list[Effect] = []
        # What it gathers for the router:
        self._wants: dict[str, None] = {}
        self._drops: dict[str, None] = {}
        self._releases: dict[str, None] = {}
        self._settling = False
        self._in_flight: deque[tuple[Append, list[Effect]]] = deque()
        self._waiters: dict[int, ReplyTo] = {}
        self._renderings: dict[int, Rendering] = {}
        self._jobs = 0
        self._resting: str = "no"
        self._rest_timer: Timer | None = None
        self._wake_timer: Timer | None = None
        self._wake_at: int | None = None

    # -- life ------------------------------------------------------------------------------------

    def on_start(self) -> None:
        if self._submission is not None:
            self._begin(self._submission)
        elif self._again:
            self._house.journal.between(lambda _: Fenced(), self.ref.tell)
        else:
            self._read_on(0)

    def on_stop(self) -> None:
        self._let_go("the daemon is stopping")

    def on_failure(self, *_: Any) -> None:
        self._let_go("the quest's actor failed and is starting again")

    def _let_go(self, why: str) -> None:
        for timer in (self._rest_timer, self._wake_timer):
            if timer is not None:
                timer.cancel()
        for step in self._steps.values():
            step.tell(EndStep())
        for reply in self._waiters.values():
            reply.address.tell(Answered(reply.job, Error("busy", why, retry_after_ms=500)))

    def on_undelivered(self, message: Any) -> None:
        """It came while the actor was going: the directory brings it to the next one."""
        if isinstance(message, ITS_OWN):
            return
        if isinstance(message, Places) and message.settled:
            message = Places(message.granted, message.unroutable)
        self._house.directory.tell(ToQuest(self.name, message))

    def on_receive(self, message: Any) -> None:
        if isinstance(message, Recorded):
            self._on_recorded(message)
        elif isinstance(message, Fenced):
            self._read_on(0)
        elif isinstance(message, WatchQuest):
            self._on_watched(message.on)
        elif self._state is None:
            self._early.append(message)
        else:
            self._handle(self._state, message)

    def _handle(self, state: QuestState, message: Any) -> None:
        match message:
            case AttemptEnded():
                self._on_attempt_ended(state, message)
            case Places():
                self._on_places(state, message)
            case Appended():
                self._on_appended(message)
            case AttemptVanished(epoch, reason):
                self._do(state, cmd.LoseAttempt(epoch, reason))
            case AttemptWrote(epoch, lines):
                self._do(state, cmd.LogAttempt(epoch, lines))
            case AskQuest(command, reply):
                self._on_asked(state, command, reply)
            case Wake():
                self._on_wake(state)
            case TextsRead(job, texts):
                self._on_texts(state, job, texts)
            case Rest():
                self._on_rest(state)
            case ChildStopped():
                pass
            case ChildFailed(_, task, error):
                self._on_step_failed(state, task, error)
            case KeyTaken(_, _, holder):
                self._on_key_taken(holder)
            case VersionConflict():
                raise LostRace(f"{self.name}: {message}")
            case JournalError():
                raise message
            case _:
                raise AssertionError(f"a quest got {message!r}")

    # -- beginning and recovering --------------------------------------------------------------------

    def _begin(self, submission: Submission) -> None:
        self._ready = submission.ready
        self._state = state = QuestState(self.name, submission.ready.plan)
        inputs, blobs = hold(submission.inputs)
        self._blobs += blobs
        self._do(state, structs.replace(submission.command, inputs=inputs))
        reply = submission.reply
        self._answer_later(reply, Submitted(self.name, created=True))

    def _read_on(self, after: int) -> None:
        quest, plans = self.name, self._house.plans

        def question(store: JournalStore) -> Recorded:
            head = store.head(quest)
            if head is None:
                return Recorded(None)
            ready = plans.get(head.definition)
            if ready is None:
                data = store.definition(head.definition)
                assert data is not None, f"definition of {quest} is gone"
                ready = plans.load(data, trusted=True)
            records = store.events(quest, after, READ_CHUNK)
            more = bool(records) and records[-1].n < head.version
            return Recorded(ready, tuple(records), more)

        self._house.journal.read(question, self.ref.tell)

    def _on_recorded(self, recorded: Recorded) -> None:
        if recorded.ready is None:
            self._refuse_unknown()
            return
        if self._state is None and self._ready is None:
            self._ready = recorded.ready
        assert self._ready is not None
        if self._fold is None:
            self._fold = QuestState(self.name, self._ready.plan)
        chunk, rest = recorded.records[:FOLD_CHUNK], recorded.records[FOLD_CHUNK:]
        for record in chunk:
            core.evolve(self._fold, decode_event(record.body), record.at_us)
        self._fold.take_due()
        if rest:
            self.ref.tell(Recorded(recorded.ready, rest, recorded.more))
        elif recorded.more:
            self._read_on(self._fold.version)
        else:
            self._recover(self._fold)

    def _recover(self, state: QuestState) -> None:
        self._state, self._fold = state, None
        self._durable_head = core.head_of(state)
        takes: list[tuple[str, str]] = []
        for due in core.outstanding(state):
            if isinstance(due, RunAttempt):
                takes.append((due.task, due.attempt.instance))
                self._launch_step(state, due, None)
            elif isinstance(due, RecallAttempt):
                self._recall(due)
            else:
                self._take_one_due(state, due)
        if takes:
            self._house.router.tell(Settle(self.name, self.ref, takes=tuple(takes)))
        self._on_wake(state)
        early, self._early = self._early, []
        for message in early:
            self._handle(state, message)

    def _refuse_unknown(self) -> None:
        """Nothing is known of such a quest: nobody shall wait for it."""
        for message in self._early:
            match message:
                case AskQuest(_, reply):
                    error = Error("not_found", f"there is no quest {self.name}")
                    reply.address.tell(Answered(reply.job, error))
                case AttemptEnded(epoch, _, reply) if reply is not None:
                    reply.tell(Acknowledge((self.name, epoch)))
                case Places(granted):
                    releases = tuple(task for task, _ in granted)
                    self._house.router.tell(Settle(self.name, self.ref, releases=releases))
                case _:
                    pass
        self._early.clear()
        self._stop()

    # -- commands ------------------------------------------------------------------------------------

    def _now_us(self, state: QuestState) -> int:
        """Time of an event: never decreases within a quest, whatever the wall clock does."""
        return max(self._house.clock.now_us(), state.last_us)

    def _do(self, state: QuestState, command: cmd.Command) -> cmd.Rejected | None:
        """Decide, fold, and gather what follows. Returns the refusal, if it is one."""
        now_us = self._now_us(state)
        decided = core.decide(state, command, now_us)
        if isinstance(decided, cmd.Rejected):
            return decided
        for event in decided:
            self._fold_in(state, event, now_us)
        for event in core.conclude(state):
            self._fold_in(state, event, now_us)
        if state.due:
            for due in state.take_due():
                self._take_one_due(state, due)
        return None

    def _fold_in(self, state: QuestState, event: Event, now_us: int) -> None:
        core.evolve(state, event, now_us)
        self._events.append(NewEvent(now_us, kind_of(event), encode_event(event)))

    def _take_one_due(self, state: QuestState, due: Due) -> None:
        """Do, or hold until it is on disk, what the world owes the quest."""
        match due:
            case DropAttempt():
                self._releases[due.task] = None
                self._effects.append(partial(self._end_step, due.task))
            case RunAttempt():
                self._wants.pop(due.task, None)  # the place came for an earlier asking
                place = self._places.pop(due.task, None)
                self._effects.append(partial(self._launch_step, state, due, place))
            case WantPlace():
                self._drops.pop(due.task, None)
                self._wants[due.task] = None
            case DropWant():
                if due.task in self._wants:
                    del self._wants[due.task]
                else:
                    self._drops[due.task] = None
            case RecallAttempt():
                self._effects.append(partial(self._recall, due))
            case RenderInput():
                self._render(state, due.task)
            case RenderOutput():
                self._render(state, None)
            case _:
                assert_never(due)

    def _on_attempt_ended(self, state: QuestState, ended: AttemptEnded) -> None:
        command: cmd.Command
        blobs: tuple[Blob, ...] = ()
        match ended.outcome:
            case Completed() as done:
                result, blobs = hold(done.result)
                command = cmd.CompleteAttempt(
                    ended.epoch,
                    result,
                    done.duration_us,
                    done.tokens,
                    done.cost,
                    done.model,
                    done.confidence,
                )
            case Failed(_, _, failure, duration_us):
                jitter = self._house.random.uniform(-1.0, 1.0)
                command = cmd.FailAttempt(ended.epoch, failure, duration_us, jitter)
            case Cancelled():
                command = cmd.EndAttempt(ended.epoch)
        if self._do(state, command) is None:
            self._blobs += blobs
        if ended.reply is not None:
            acknowledge = Acknowledge((self.name, ended.epoch))
            self._effects.append(partial(ended.reply.tell, acknowledge))

    def _on_places(self, state: QuestState, places: Places) -> None:
        if places.settled:
            self._settling = False
        for task, place in places.granted:
            self._on_place(state, task, place)
        for task, message in places.unroutable:
            self._do(state, cmd.FailTask(task, Failure(VALIDATION, message, task, False)))

    def _on_place(self, state: QuestState, task: str, place: Place) -> None:
        definition = state.plan.definition
        found = state.task(task)
        tool = place.tool
        timeout_ms = found.step.timeout_ms if found is not None else None
        timeout_ms = timeout_ms or definition.default_timeout_ms or tool.timeout_ms
        start = cmd.StartAttempt(
            task,
            place.agent,
            place.instance,
            tool.name,
            tool.idempotent,
            timeout_ms or DEFAULT_TIMEOUT_MS,
        )
        self._releases.pop(task, None)
        self._places[task] = place
        rejected = self._do(state, start)
        if rejected is not None:
            self._places.pop(task, None)
            self._releases[task] = None
            if rejected.kind == "held":
                core.withhold(state, task)

    def _on_asked(self, state: QuestState, command: cmd.Command, reply: ReplyTo) -> None:
        before = state.version
        if isinstance(command, cmd.ResolveTask) and isinstance(command.result, bytes):
            result, blobs = hold(command.result)
            self._blobs += blobs
            command = cmd.ResolveTask(command.task, command.choice, command.actor, result)
        rejected = self._do(state, command)
        if rejected is not None:
            kind = "invalid" if rejected.kind == "invalid" else "refused"
            self._answer_later(reply, Error(kind, rejected.message))
        else:
            self._answer_later(reply, Done(changed=state.version > before))

    def _on_wake(self, state: QuestState) -> None:
        now_us = self._now_us(state)
        for command in core.elapse(state, now_us):
            self._do(state, command)
        for due in state.take_due():
            self._take_one_due(state, due)

    def _on_step_failed(self, state: QuestState, task: str, error: BaseException) -> None:
        """A step actor died of a bug: its attempt is lost, the quest lives."""
        self._house.note("step.failed", quest=self.name, task=task, error=repr(error))
        self._steps.pop(task, None)
        found = state.task(task)
        attempt = None if found is None else found.open_attempt()
        if attempt is not None:
            self._do(state, cmd.LoseAttempt(attempt.epoch, "its step actor failed"))

    # -- rendering -----------------------------------------------------------------------------------

    def _render(self, state: QuestState, task: str | None) -> None:
        """Render the input of a task, or the quest's output; fetch first what is kept by digest."""
        assert self._ready is not None
        compiled = self._ready.compiled
        rendering: Rendering
        if task is None:
            rendering = material_for_output(state, compiled)
        else:
            rendering = material_for_step(state, compiled.steps[task])
        digests = missing(rendering.payloads)
        if not digests:
            self._finish_rendering(state, rendering, {})
            return
        self._jobs += 1
        self._renderings[self._jobs] = rendering
        read_texts(self._house, self.ref, self._jobs, digests)

    def _on_texts(self, state: QuestState, job: int, texts: dict[str, bytes]) -> None:
        rendering = self._renderings.pop(job, None)
        if rendering is not None:
            self._finish_rendering(state, rendering, texts)

    def _finish_rendering(
        self, state: QuestState, rendering: Rendering, texts: dict[str, bytes]
    ) -> None:
        command, blobs = rendering.finish(texts)
        self._blobs += blobs
        self._do(state, command)

    # -- steps ---------------------------------------------------------------------------------------

    def _launch_step(self, state: QuestState, due: RunAttempt, place: Place | None) -> None:
        assert self._ready is not None
        task = state.at(due.task)
        if task.open_attempt() != due.attempt:
            return  # it ended while its start was on the way to the disk
        order = order_for(state, self._ready.compiled, task, due.attempt, place)
        step = StepActor(self._house, order, self.ref)
        self._steps[due.task] = step.launch(self._house.dispatcher)

    def _end_step(self, task: str) -> None:
        step = self._steps.pop(task, None)
        if step is not None:
            step.tell(EndStep())

    def _recall(self, due: RecallAttempt) -> None:
        step = self._steps.get(due.task)
        if step is not None:
            step.tell(Recall(due.reason))

    # -- the end of a turn ---------------------------------------------------------------------------

    def after_batch(self) -> None:
        state = self._state
        if state is None:
            return
        self._settle(state)
        if not self._settling:
            self._flush(state)
            self._arm_wake(state)
            self._consider_rest(state)

    def _settle(self, state: QuestState) -> None:
        if self._settling or not (self._wants or self._drops or self._releases):
            return
        wants = tuple(core.want_of(state, task) for task in self._wants)
        settle = Settle(
            self.name,
            self.ref,
            wants,
            tuple(self._drops),
            tuple(self._releases),
            answer=bool(wants),
        )
        self._wants.clear()
        self._drops.clear()
        self._releases.clear()
        self._settling = settle.answer
        self._house.router.tell(settle)

    def _flush(self, state: QuestState) -> None:
        if self._events:
            self._append(state, tuple(self._events), resting=False)
            self._events.clear()
        elif self._effects:
            effects, self._effects = self._effects, []
            if self._in_flight:  # they speak of a state that is not on disk yet
                self._in_flight[-1][1].extend(effects)
            else:
                run(effects)

    def _append(self, state: QuestState, events: tuple[NewEvent, ...], *, resting: bool) -> None:
        first = state.version == len(events)
        item = Append(
            quest=self.name,
            expected_version=state.version - len(events),
            events=events,
            head=core.head_of(state, resting=resting),
            blobs=tuple(self._blobs),
            definition=self._definition() if first else None,
        )
        self._in_flight.append((item, self._effects))
        self._effects = []
        self._blobs.clear()
        self._house.journal.append(item, self.ref.tell)

    def _definition(self) -> tuple[str, bytes]:
        assert self._ready is not None
        return self._ready.plan.digest, self._ready.data

    def _on_appended(self, appended: Appended) -> None:
        item, effects = self._in_flight.popleft()
        self._durable_head = item.head
        run(effects)
        if self._resting == "asked":
            self._may_rest()
        elif self._watched:
            self._house.control.tell(QuestAdvanced(item.head, records_of(item, appended.seq)))

    def _on_watched(self, on: bool) -> None:
        """What became durable while the request was on its way must not be missed."""
        self._watched = on
        if on and self._durable_head is not None:
            self._house.control.tell(QuestAdvanced(self._durable_head, ()))

    def _on_key_taken(self, holder: str) -> None:
        """The idempotency key is another quest's: this one never was."""
        waiters, self._waiters = self._waiters, {}
        self._in_flight.clear()
        for reply in waiters.values():
            reply.address.tell(Answered(reply.job, Submitted(holder, created=False)))
        assert self._state is not None
        tasks = tuple(task.key for task in self._state.tasks)
        self._house.router.tell(Settle(self.name, self.ref, drops=tasks, releases=tasks))
        self._stop()

    def _answer_later(self, reply: ReplyTo, answer: Reply) -> None:
        """The answer is given when what it says is on disk."""
        self._jobs += 1
        job = self._jobs
        self._waiters[job] = reply

        def speak() -> None:
            del self._waiters[job]
            reply.address.tell(Answered(reply.job, answer))

        self._effects.append(speak)

    # -- rest ----------------------------------------------------------------------------------------

    def _arm_wake(self, state: QuestState) -> None:
        at_us = core.next_wake_us(state)
        if at_us == self._wake_at:
            return
        if self._wake_timer is not None:
            self._wake_timer.cancel()
        self._wake_at = at_us
        if at_us is not None:
            self._wake_timer = self._house.timers.at(at_us, self.ref, Wake())

    def _quiet(self, state: QuestState) -> bool:
        """Nothing under way: the journal holds all that this actor knows."""
        busy = self._in_flight or self._events or self._effects or self._steps or self._renderings
        return not busy and not self._settling and not state.running and self.mailbox.empty()

    def _consider_rest(self, state: QuestState) -> None:
        if self._resting == "no" and self._quiet(state):
            if state.phase in TERMINAL_PHASES:
                self._resting = "asked"
                self._may_rest()
            elif self._rest_timer is None:
                delay_s = self._house.limits.rest_after_s
                self._rest_timer = self._house.timers.after(delay_s, self.ref, Rest())

    def _on_rest(self, state: QuestState) -> None:
        """Write down what it waits for, then ask to go."""
        self._rest_timer = None
        if self._resting == "no" and self._quiet(state):
            self._resting = "asked"
            self._append(state, (), resting=True)

    def _may_rest(self) -> None:
        state = self._state
        assert state is not None
        if self._quiet(state):
            wake_us = core.next_wake_us(state)
            self._house.directory.tell(MayRest(self.name, self.ref, wake_us))
        self._resting = "no"


def run(effects: list[Effect]) -> None:
    """Do what was held until now."""
    for effect in effects:
        effect()


def records_of(item: Append, last_seq: int) -> tuple[Record, ...]:
    """The events of an append as the journal now holds them."""
    first_seq = last_seq - len(item.events) + 1
    return tuple(
        Record(
            first_seq + index,
            item.quest,
            item.expected_version + 1 + index,
            event.at_us,
            event.kind,
            EVENT_SCHEMA_VERSION,
            event.body,
        )
        for index, event in enumerate(item.events)
    )
