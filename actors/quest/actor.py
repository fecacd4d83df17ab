"""The supervisor: the actor that owns one quest.

The thin shell around core.py. It decides and folds at once and *holds* every answer and every effect until the append that says so is on
disk; several appends may be in flight, in order. A failed append, or any other surprise, ends the actor: its memory is discarded,
everybody who waits is told, what it had not looked at goes to its successor, which the directory starts from the journal.

One turn: messages become commands, commands events. When the batch is over the router is asked for places for tasks that have become
ready, and its answer joins the same append: the end of one task and the start of the next are one write.
"""

from collections import deque
from functools import partial
from typing import Any, assert_never

from msgspec import structs

from questd.actors import mail, redaction
from questd.actors.graph import CompiledQuest
from questd.actors.house import House
from questd.actors.quest import commands as cmd
from questd.actors.quest import core, incoming, owed
from questd.actors.quest.asking import Asking
from questd.actors.quest.children import ask_parent, tell_again, tell_parent
from questd.actors.quest.own import ITS_OWN, LostRace, Submission
from questd.actors.quest.plan_reading import Rendered
from questd.actors.quest.plans import ReadyPlan
from questd.actors.quest.recovery import Fenced, Recorded, Recovery, refuse_unknown
from questd.actors.quest.resting import Rest, Resting, RestNow
from questd.actors.quest.state import TERMINAL_PHASES, QuestState
from questd.actors.quest.steps import Renderings, Steps
from questd.actors.quest.waiting import said_of
from questd.actors.quest.writing import Writing, records_of
from questd.messages.control import Submitted
from questd.messages.events import Event
from questd.messages.payload import Blob, hold
from questd.runtime.actor import Actor, ChildFailed, ChildStopped, Ref
from questd.runtime.errors import JournalError
from questd.runtime.journal.store import Appended, KeyTaken, VersionConflict


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
        self._state: QuestState | None = None
        self._ready: ReadyPlan | None = None
        self._early: deque[Any] = deque()
        self._taking = False
        self._recovery = Recovery(house, quest, self.ref)
        self._writing = Writing(house, quest, self.ref)
        self._asking = Asking(house, quest, self.ref)
        self._resting = Resting(house, self.ref)
        self._steps = Steps(house, self.ref)
        self._renderings = Renderings(house, self.ref)

    # -- life ------------------------------------------------------------------------------------

    def on_start(self) -> None:
        if self._submission is not None:
            self._begin(self._submission)
        else:
            self._recovery.begin(after_a_failure=self._again)

    def on_stop(self) -> None:
        self._let_go("the daemon is stopping")

    def on_failure(self, *_: Any) -> None:
        self._let_go("the quest's actor failed and is starting again")

    def _let_go(self, why: str) -> None:
        self._resting.cancel()
        self._steps.end_all()
        self._writing.give_up(why)
        while self._early:
            self.on_undelivered(self._early.popleft())

    def _part(self) -> None:
        """Without its pen and its timers, which know its address, the actor is in no cycle."""
        super()._part()
        for part in ("_writing", "_asking", "_resting", "_recovery", "_steps", "_renderings"):
            vars(self).pop(part, None)

    def on_undelivered(self, message: Any) -> None:
        """It came while the actor was going: the directory brings it to the next one."""
        if isinstance(message, ITS_OWN):
            return
        if isinstance(message, mail.Places):
            message = message.passed_on()
        self._house.directory.tell(mail.ToQuest(self.name, message))

    def on_receive(self, message: Any) -> None:
        if isinstance(message, Recorded):
            self._on_recorded(message)
        elif isinstance(message, Fenced):
            self._recovery.read(0)
        elif isinstance(message, mail.WatchQuest):
            self._on_watched(message.on)
        elif self._state is None:
            self._early.append(message)
        else:
            self._handle(self._state, message)

    def _handle(self, state: QuestState, message: Any) -> None:
        match redaction.redacted(message, state.secrets, self._house.keyring):
            case mail.AttemptEnded() as ended:
                self._on_attempt_ended(state, ended)
            case mail.Places():
                self._on_places(state, message)
            case Appended():
                self._on_appended(state, message)
            case mail.AttemptVanished(epoch, reason, begun):
                self._do(state, cmd.LoseAttempt(epoch, reason, begun))
            case mail.AttemptWrote(epoch, lines):
                self._do(state, cmd.LogAttempt(epoch, lines))
            case mail.AskQuest(command, reply):
                self._on_asked(state, command, reply)
            case mail.ChildAsks() | mail.ChildStands() | mail.ChildOver():
                self._steps.hear(state, message)
            case mail.Wake():
                self._on_wake(state)
                tell_again(self._house, state, self._writing)
            case mail.TextsRead(job, texts):
                self._on_rendered(state, self._renderings.ready(job, texts))
            case Rendered():
                self._on_rendered(state, self._renderings.read(message))
            case Rest() | RestNow():
                self._on_rest(state)
            case ChildStopped():
                pass
            case ChildFailed(_, task, error):
                self._on_step_failed(state, task, error)
            case KeyTaken(_, _, holder):
                self._on_key_taken(state, holder)
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
        self._writing.attach((*blobs, *submission.blobs))
        self._do(state, structs.replace(submission.command, inputs=inputs))
        self._writing.answer(submission.reply, Submitted(self.name, created=True))

    def _on_recorded(self, recorded: Recorded) -> None:
        if recorded.ready is None:
            refuse_unknown(self._house, self.name, self.ref, self._early)
            self._stop()
            return
        state = self._recovery.take(recorded)
        if state is not None:
            self._ready = recorded.ready
            self._recover(state)

    def _recover(self, state: QuestState) -> None:
        """Owe again what was owed, then hear what has come meanwhile."""
        self._state = state
        self._house.directory.tell(mail.QuestWoke(self.name, len(state.tasks)))
        self._writing.durable_head = core.head_of(state)
        takes: list[tuple[str, str]] = []
        for due in core.outstanding(state):
            if isinstance(due, owed.RunAttempt):
                takes.append((due.task, due.attempt.instance))
                self._steps.launch(state, self._compiled, due, None)
            elif isinstance(due, owed.RecallAttempt):
                self._steps.recall(due.task, due.reason)
            else:
                state.due.append(due)
        self._asking.claim(takes)
        ask_parent(self._house, state)
        self._take_due(state)  # before time makes something else of it
        self._on_wake(state)
        while self._early:
            self._handle(state, self._early.popleft())

    # -- commands ------------------------------------------------------------------------------------

    def _now_us(self, state: QuestState) -> int:
        """Time of an event: never decreases within a quest, whatever the wall clock does."""
        return max(self._house.clock.now_us(), state.last_us)

    def _do(
        self, state: QuestState, command: cmd.Command, blobs: tuple[Blob, ...] = ()
    ) -> cmd.Rejected | None:
        """Decide, fold, and gather what follows. Returns the refusal, if it is one. ``blobs``: what its events, if any, refer to."""
        now_us = self._now_us(state)
        decided = core.decide(state, command, now_us)
        if isinstance(decided, cmd.Rejected):
            return decided
        if decided:
            self._writing.attach(blobs)
        for event in decided:
            self._fold_in(state, event, now_us)
        while following := core.conclude(state):
            for event in following:
                self._fold_in(state, event, now_us)
        self._take_due(state)
        return None

    def _take_due(self, state: QuestState) -> None:
        """In order: what a rendering in the middle of it brings comes behind what was due before."""
        if self._taking:
            return
        self._taking = True
        while state.due:
            for due in state.take_due():
                self._take_one_due(state, due)
        self._taking = False

    def _fold_in(self, state: QuestState, event: Event, now_us: int) -> None:
        core.evolve(state, event, now_us)
        self._writing.add(event, now_us)

    def _take_one_due(self, state: QuestState, due: owed.Due) -> None:
        """Do, or hold until it is on disk, what the world owes the quest."""
        match due:
            case owed.DropAttempt():
                self._asking.release(due.task)
                self._writing.when_durable(partial(self._steps.end, due.task))
            case owed.RunAttempt():
                place = self._asking.take(due.task)
                launch = partial(self._steps.launch, state, self._compiled, due, place)
                self._writing.when_durable(launch)
            case owed.WantPlace():
                room = self._asking.want(state, due.task)
                if room is not None:
                    self._on_place(state, due.task, room)
            case owed.DropWant():
                self._asking.drop(due.task)
            case owed.RecallAttempt():
                self._writing.when_durable(partial(self._steps.recall, due.task, due.reason))
            case owed.TellParent():
                self._writing.when_durable(partial(tell_parent, self._house, state))
            case owed.ToRender():
                self._render(state, due)
            case _:
                assert_never(due)

    def _on_attempt_ended(self, state: QuestState, ended: mail.AttemptEnded) -> None:
        if not incoming.is_its_own(state, ended):
            self._house.note("outcome.foreign", quest=self.name, instance=ended.instance)
        else:
            self._do(state, *incoming.outcome_command(ended, self._house.random))
        if ended.reply is not None:
            heard = mail.Acknowledge((self.name, ended.epoch))
            self._writing.when_durable(partial(ended.reply.tell, heard))

    def _on_places(self, state: QuestState, places: mail.Places) -> None:
        if places.settled:
            self._asking.awaiting = False
            core.ask_in_vain(state, places.absent)
        for want, place in places.granted:
            if core.still_wants(state, want):
                self._on_place(state, want.task, place)
            elif core.is_idle(state, want.task):
                self._asking.refuse(want.task)
        for want, message in places.unroutable:
            if core.still_wants(state, want):
                self._do(state, incoming.unroutable_command(want.task, message))
        self._take_due(state)

    def _on_place(self, state: QuestState, task: str, place: mail.Place) -> None:
        self._asking.hold(task, place)
        rejected = self._do(state, incoming.start_command(state, task, place))
        if rejected is not None:
            self._asking.refuse(task)
            if rejected.kind == "held":
                core.withhold(state, task)

    def _on_asked(self, state: QuestState, command: cmd.Command, reply: mail.ReplyTo) -> None:
        before = state.version
        command, blobs = incoming.held_command(command)
        rejected = incoming.too_large(blobs) or self._do(state, command, blobs)
        changed, said = state.version > before, said_of(state, command, before)
        self._writing.answer(reply, incoming.answer_to(rejected, changed=changed, said=said))

    def _on_wake(self, state: QuestState) -> None:
        for command in core.elapse(state, self._now_us(state)):
            self._do(state, command)
        self._take_due(state)

    def _on_step_failed(self, state: QuestState, task: str, error: BaseException) -> None:
        """A step actor died of a bug: its attempt is lost, the quest lives."""
        self._house.note("step.failed", quest=self.name, task=task, error=repr(error))
        self._steps.forget(task)
        attempt = state.at(task).open_attempt()
        if attempt is not None:
            self._do(state, cmd.LoseAttempt(attempt.epoch, "its step actor failed"))

    # -- rendering -----------------------------------------------------------------------------------

    def _render(self, state: QuestState, due: owed.Renders | owed.ReadPlan) -> None:
        self._on_rendered(state, self._renderings.begin(state, self._compiled, due, self._writing))

    def _on_rendered(self, state: QuestState, rendered: Rendered | None) -> None:
        if rendered is None:
            return
        before, tasks = self._ready, len(state.tasks)
        self._ready = rendered.onto(before)
        rejected = self._do(state, rendered.command, rendered.blobs)
        if len(state.tasks) > tasks:
            self._house.directory.tell(mail.QuestWoke(self.name, len(state.tasks)))
        if rejected is not None:
            self._ready = before
            if isinstance(rendered.command, cmd.PlanTask) and rejected.kind == "stale":
                self._render(state, owed.ReadPlan(rendered.command.task))

    @property
    def _compiled(self) -> CompiledQuest:
        assert self._ready is not None
        return self._ready.compiled

    # -- the end of a turn, and rest ------------------------------------------------------------------

    def after_batch(self) -> None:
        state = self._state
        if state is None:
            return
        self._asking.settle(state)
        if not self._asking.awaiting:
            assert self._ready is not None
            resting = self._rests_with_this(state)
            if self._writing.flush(state, self._ready, resting=resting) and resting:
                self._resting.phase = "writing"
            self._resting.arm_wake(state)
            self._consider_rest(state)

    def _on_appended(self, state: QuestState, appended: Appended) -> None:
        item = self._writing.durable()
        if self._resting.phase == "writing":
            self._may_rest(state)
        elif self._watched:
            self._house.control.tell(mail.QuestAdvanced(item.head, records_of(item, appended.seq)))

    def _on_watched(self, on: bool) -> None:
        """What became durable while the request was on its way must not be missed."""
        self._watched = on
        head = self._writing.durable_head
        if on and head is not None:
            self._house.control.tell(mail.QuestAdvanced(head, ()))

    def _on_key_taken(self, state: QuestState, holder: str) -> None:
        """The idempotency key is another quest's: this one never was."""
        self._writing.give_way(holder)
        self._asking.withdraw(tuple(task.key for task in state.tasks))
        self._stop()

    def _quiet(self, state: QuestState) -> bool:
        """Nothing under way: the journal holds all that this actor knows."""
        return not self._busy(state) and self._writing.idle and self.mailbox.empty()

    def _busy(self, state: QuestState) -> bool:
        return self._steps.busy(state) or bool(self._renderings) or self._asking.busy

    def _rests_with_this(self, state: QuestState) -> bool:
        """What is about to be written leaves it with nothing to do for long: its head can say so at once."""
        return self._resting.at_once(state) and not self._busy(state) and self.mailbox.empty()

    def _consider_rest(self, state: QuestState) -> None:
        if self._resting.phase == "awake" and self._quiet(state):
            if state.phase in TERMINAL_PHASES:
                self._may_rest(state)
            else:
                self._resting.arm_rest(queued=bool(state.admitted))

    def _on_rest(self, state: QuestState) -> None:
        """Write down what it waits for, then ask to go."""
        self._resting.rested()
        if self._resting.phase == "awake" and self._quiet(state):
            self._resting.phase = "writing"
            self._writing.write_resting_head(state)

    def _may_rest(self, state: QuestState) -> None:
        self._resting.phase = "awake"
        if self._quiet(state):
            # It stops by itself, in the turn in which it is quiet: asked first, it might have work again when the
            # answer comes. What arrives from now on finds its way through on_undelivered.
            wake_us = core.next_wake_us(state)
            self._stop()
            self._house.directory.tell(mail.Rested(self.name, wake_us))
