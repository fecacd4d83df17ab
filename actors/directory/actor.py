"""The directory: which quest has an actor, and the parent of them all.

A quest that only waits has none: the directory wakes it when a message for it comes or its time has come. Only the
directory drops a reference, when the actor has said that it stopped. A quest whose actor dies too often is *parked*:
it is shown as failed, and the daemon lives on.

At the start it reads the heads: quests that were in the middle of something get their actor, the others only what others need
to know of them (their wants, their time).
"""

from collections import deque
from typing import Any, Final

from msgspec import Struct, structs

from questd.actors.directory.room import Room
from questd.actors.directory.waking import Alarm, Sleeper, Waking, resting_and_not
from questd.actors.house import House
from questd.actors.mail import (
    Answered,
    ChildEnded,
    ForgetQuest,
    Places,
    QuestResting,
    QuestsLoaded,
    QuestWoke,
    Rested,
    Settle,
    StartQuest,
    ToQuest,
    Wake,
    WatchQuest,
)
from questd.actors.quest.actor import QuestSupervisor
from questd.actors.quest.commands import SubmitQuest
from questd.actors.quest.own import Submission
from questd.actors.quest.resting import RestNow
from questd.messages.control import Submitted
from questd.messages.failure import INTERNAL, Failure
from questd.messages.heads import Head, Want, at_rest, parent_of
from questd.messages.schedules import is_schedule
from questd.runtime.actor import Actor, ChildFailed, ChildStopped, Ref, stop
from questd.runtime.errors import JournalError
from questd.runtime.journal.store import Append, Appended, JournalStore
from questd.runtime.supervision import Intensity

HEADS_A_TURN: Final = 500
ASKED_A_TURN: Final = 100
ASKED_EVERY_S: Final = 0.02
MAX_DEATHS: Final = 3
ON_TRIAL: Final = 1_000
"""Marks in ``deaths`` that a quest was tried alone: if the daemon dies again, it was this one."""
TRIAL_S: Final = 0.5
STABLE_AFTER_S: Final = 3.0
"""A document that crashes the daemon does so while it is folded or dispatched, not minutes later."""


class HeadsRead(Struct, frozen=True):
    """From the journal's reader: the open heads (those from ``done`` on are still to be looked at).

    Of those that only wait for a signal or a time no more than that is kept: there may be a hundred thousand.
    """

    heads: tuple[Head | Sleeper, ...]
    done: int = 0


class AskToRest(Struct, frozen=True):
    """To itself: ask more quests whether they only wait."""


class Fenced(Struct, frozen=True):
    """From the journal's writer: what a directory before this one had let its quests append is on disk, or refused."""


class DaemonStable(Struct, frozen=True):
    """To itself: the daemon has lived for a while; deaths so far are forgiven."""


class Trial(Struct, frozen=True):
    """To itself, when it is on disk (or not) that a suspect is going to be started alone."""

    quest: str
    outcome: Any


class TrialOver(Struct, frozen=True):
    """To itself: the daemon has survived it."""


class Parked(Struct, frozen=True):
    """To itself, when a parked quest's head is on disk (or could not be written)."""

    quest: str
    reason: str
    outcome: Any


class ParkHead(Struct, frozen=True):
    """To itself: the head of a quest that is to be parked, as read from the journal."""

    head: Any
    reason: str


class Directory(Actor):
    """Child of the root, parent of all quests."""

    def __init__(self, house: House, parent: Ref) -> None:
        super().__init__(parent=parent, name="directory")
        self._house = house
        self._quests: dict[str, Ref] = {}
        self._watched: set[str] = set()
        self._waking = Waking(house, self.ref)
        self._deaths: dict[str, Intensity] = {}
        self._suspects: deque[Head] = deque()
        self._known = self._folded = 0
        self._early: list[ToQuest] | None = []
        self._room = Room(house.limits.awake_steps)
        self._asked: deque[str] = deque()

    def on_start(self) -> None:
        self._house.journal.between(lambda _: Fenced(), self.ref.tell)
        self._house.timers.after(STABLE_AFTER_S, self.ref, DaemonStable())

    def on_stop(self) -> None:
        for quest, ref in self._quests.items():
            stop(ref)
            self._house.router.tell(ForgetQuest(quest))
        self._waking.stop()

    def on_failure(self, *_: Any) -> None:
        self.on_stop()

    def on_undelivered(self, message: Any) -> None:
        """A place that was on its way goes back; all else is said again by those who said it."""
        match message:
            case ToQuest(quest, Places(granted)):
                releases = tuple(want.task for want, _ in granted)
                self._house.router.tell(Settle(quest, self.ref, releases=releases))
            case _:
                pass

    def on_receive(self, message: Any) -> None:
        match message:
            case ToQuest(quest, inner):
                if self._early is None:
                    self._bring(quest, inner)
                else:
                    self._early.append(message)
            case Rested(quest, wake_us):
                self._on_rested(quest, wake_us)
            case Alarm():
                self._ring()
            case StartQuest():
                self._begin(message)
            case ChildStopped(ref, quest):
                if self._quests.get(quest) is ref:
                    self._forget(quest)
                    self._house.router.tell(QuestResting(quest))
            case ChildFailed(ref, quest, error):
                self._on_quest_failed(ref, quest, error)
            case WatchQuest():
                self._on_watch(message)
            case QuestWoke(quest, tasks):
                self._hold(quest, tasks)
            case AskToRest():
                self._ask_to_rest()
            case Fenced():
                self._open()
            case JournalError():  # the journal has failed, and the daemon is ending because of it
                self._house.note("directory.stalled", error=repr(message))
            case HeadsRead(heads, done):
                self._on_heads(heads, done)
            case Parked(quest, reason, outcome):
                self._on_parked(quest, reason, outcome)
            case ParkHead(head, reason):
                if isinstance(head, Head):
                    self._park(head, reason)
            case Trial(quest, outcome):
                self._try_alone(quest, outcome)
            case TrialOver():
                self._house.journal.between(lambda store: store.forgive_deaths(), lambda _: None)
                self._try_next()
            case DaemonStable():
                self._house.journal.between(lambda store: store.forgive_deaths(), lambda _: None)
                self._try_next()
            case _:
                raise AssertionError(f"the directory got {message!r}")

    def after_batch(self) -> None:
        self._house.awake = len(self._quests)
        self._house.awake_steps = self._room.steps
        if self._room.crowded:
            self._make_room()
        self._waking.arm()

    # -- finding and waking --------------------------------------------------------------------------

    def _bring(self, quest: str, message: Any) -> None:
        ref = self._quests.get(quest)
        self._room.use(quest)
        if ref is None:
            self._wake(quest).tell(message)
        elif not ref.tell(message):
            # How it ended is in the urgent lane; once that is known, the quest starts again.
            self.ref.tell(ToQuest(quest, message))

    def _wake(self, quest: str) -> Ref:
        self._waking.alarms.drop(quest)
        return self._start(quest, None)

    def _start(self, quest: str, submission: Submission | None, *, again: bool = False) -> Ref:
        watched = quest in self._watched
        actor = QuestSupervisor(
            self._house, quest, submission, self.ref, watched=watched, again=again
        )
        ref = self._quests[quest] = actor.launch(self._house.dispatcher)
        return ref

    def _begin(self, start: StartQuest) -> None:
        if start.child in self._quests:
            start.reply.address.tell(Answered(start.reply.job, Submitted(start.child, False)))
            return
        steps = len(start.plan.plan.definition.steps)
        # A child is never refused: its parent would wait for it in the very room that it lacks.
        refused = None if start.child else self._room.refusal(steps)
        if refused is not None:
            start.reply.address.tell(Answered(start.reply.job, refused))
            self._make_room()
            return
        quest = start.child or self._house.new_quest_id(self._house.clock.now_us())
        assert isinstance(start.submission, SubmitQuest)
        inputs = start.submission.inputs
        assert isinstance(inputs, bytes)
        submission = Submission(start.plan, start.submission, inputs, start.reply, start.blobs)
        self._start(quest, submission)
        self._room.hold(quest, steps)

    def _on_rested(self, quest: str, wake_us: int | None) -> None:
        """That it stopped was heard before, in the urgent lane; by now somebody may have woken it again."""
        if wake_us is not None and quest not in self._quests:
            self._waking.alarms.set(quest, wake_us)

    def _ring(self) -> None:
        for quest in self._waking.due():
            self._bring(quest, Wake())

    def _on_watch(self, watch: WatchQuest) -> None:
        if watch.on:
            self._watched.add(watch.quest)
        else:
            self._watched.discard(watch.quest)
        ref = self._quests.get(watch.quest)
        if ref is not None:
            ref.tell(watch)

    def _forget(self, quest: str) -> None:
        del self._quests[quest]
        self._room.leave(quest)

    # -- room ----------------------------------------------------------------------------------------

    def _hold(self, quest: str, tasks: int) -> None:
        """That it stopped may have been heard before, in the urgent lane."""
        if quest in self._quests:
            self._room.hold(quest, tasks)

    def _make_room(self) -> None:
        """Ask all, those first that were not used for longest; who has something under way stays."""
        if not self._asked and not self._room.ample:
            self._asked.extend(self._room.longest_unused())
            self._ask_to_rest()

    def _ask_to_rest(self) -> None:
        """Some at a time, until there is room: that they only wait they must first write down."""
        if self._room.ample:
            self._asked.clear()
        for _ in range(min(len(self._asked), ASKED_A_TURN)):
            ref = self._quests.get(self._asked.popleft())
            if ref is not None:
                ref.tell(RestNow())
        if self._asked:
            self._house.timers.after(ASKED_EVERY_S, self.ref, AskToRest())

    # -- the start -----------------------------------------------------------------------------------

    def _open(self) -> None:
        """Nothing of a forerunner's is under way any more: what the journal says now is all there is."""
        self._read_heads()
        early, self._early = self._early or [], None
        for message in early:
            self._bring(message.quest, message.message)

    def _read_heads(self) -> None:
        def question(store: JournalStore) -> HeadsRead:
            heads = (h for h in store.heads(open_only=True) if not is_schedule(h.quest))
            return HeadsRead(resting_and_not(heads, MAX_DEATHS))

        self._house.journal.read(question, self.ref.tell)

    def _on_heads(self, heads: tuple[Head | Sleeper, ...], done: int) -> None:
        wants: list[Want] = []
        for head in heads[done : done + HEADS_A_TURN]:
            self._known += 1
            if isinstance(head, tuple):
                self._on_rested(*head)
            elif head.quest in self._quests:
                continue  # a message woke it, or it was begun, before its head was read
            elif head.deaths > ON_TRIAL:
                self._park(
                    head, "the daemon died each time that it was running, the last time alone"
                )
            elif head.deaths > MAX_DEATHS:
                self._suspects.append(head)
            elif at_rest(head):
                wants += head.wants
                if head.wake_us is not None:
                    self._waking.alarms.set(head.quest, head.wake_us)
            else:
                self._folded += 1
                self._start(head.quest, None)
        if wants:
            self._house.router.tell(Settle("", self.ref, tuple(wants)))
        if done + HEADS_A_TURN < len(heads):
            self.ref.tell(HeadsRead(heads, done + HEADS_A_TURN))
        else:
            self._house.control.tell(QuestsLoaded(self._known, self._folded))

    # -- suspects ------------------------------------------------------------------------------------

    def _try_next(self) -> None:
        """Several daemons died with these running, by the fault of one of them or of none: start them one at a time.

        That one is on trial is on disk before it begins; the next daemon knows whom it died with.
        """
        while self._suspects:
            head = self._suspects.popleft()
            if head.quest not in self._quests:
                self._put_on_trial(head)
                return

    def _put_on_trial(self, head: Head) -> None:
        item = Append(head.quest, head.version, (), structs.replace(head, deaths=ON_TRIAL))
        me = self.ref
        self._house.journal.append(item, lambda outcome: post(me, Trial(head.quest, outcome)))

    def _try_alone(self, quest: str, outcome: Any) -> None:
        if isinstance(outcome, Appended):
            self._house.note("quest.tried_alone", quest=quest)
            if quest not in self._quests:
                self._start(quest, None)
        self._house.timers.after(TRIAL_S, self.ref, TrialOver())

    # -- failing -------------------------------------------------------------------------------------

    def _on_quest_failed(self, ref: Ref, quest: str, error: BaseException) -> None:
        self._house.note("quest.crashed", quest=quest, error=repr(error))
        if self._quests.get(quest) is not ref:
            return
        self._forget(quest)
        self._house.router.tell(ForgetQuest(quest))
        intensity = self._deaths.setdefault(quest, Intensity())
        if intensity.allows(self._house.clock.monotonic_s()):
            self._start(quest, None, again=True)
        else:
            reason = f"its actor failed {intensity.most + 1} times: {error!r}"
            self._park_by_id(quest, reason[:500])

    def _park_by_id(self, quest: str, reason: str) -> None:
        me = self.ref
        self._house.journal.read(
            lambda store: store.head(quest), lambda head: post(me, ParkHead(head, reason))
        )

    def _park(self, head: Head, reason: str) -> None:
        """Only the head row is written; the events stay as they are."""
        parked = structs.replace(head, parked=reason)
        item = Append(head.quest, head.version, (), parked)
        me, quest = self.ref, head.quest
        self._house.journal.append(item, lambda outcome: post(me, Parked(quest, reason, outcome)))

    def _on_parked(self, quest: str, reason: str, outcome: Any) -> None:
        self._house.note("quest.parked", quest=quest, outcome=repr(outcome))
        if parent_of(quest):
            failure = Failure(INTERNAL, reason, None, False)
            self._house.children.tell(ChildEnded(quest, None, failure))


def post(ref: Ref, message: Any) -> None:
    """As ``tell``, for callbacks that return nothing."""
    ref.tell(message)
