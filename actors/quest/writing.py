"""What a quest has decided and not yet on disk, and what is held until it is: durable before spoken.

Everything said to others (answers, acknowledgements, invocations) is an *effect* of the append that says so, and is done when
that is answered. Several appends may be in flight; they are answered in order.
"""

from collections import deque
from collections.abc import Callable

from questd.actors.house import House
from questd.actors.mail import Answered, QuestOver, ReplyTo
from questd.actors.quest.plans import ReadyPlan
from questd.actors.quest.state import QuestState
from questd.actors.quest.told import head_of
from questd.messages.control import Error, Reply, Submitted
from questd.messages.events import EVENT_SCHEMA_VERSION, Event, Record, encode_event, kind_of
from questd.messages.heads import Head
from questd.messages.payload import Blob
from questd.runtime.actor import Ref
from questd.runtime.journal.store import Append, NewEvent

Effect = Callable[[], object]


class Writing:
    """The pen of one quest."""

    __slots__ = (
        "_answers",
        "_blobs",
        "_effects",
        "_events",
        "_house",
        "_in_flight",
        "_owner",
        "_quest",
        "_waiters",
        "durable_head",
    )

    def __init__(self, house: House, quest: str, owner: Ref) -> None:
        self._house = house
        self._quest = quest
        self._owner = owner
        self._events: list[NewEvent] = []
        self._blobs: list[Blob] = []
        self._effects: list[Effect] = []
        self._in_flight: deque[tuple[Append, list[Effect]]] = deque()
        self._waiters: dict[int, ReplyTo] = {}
        self._answers = 0
        self.durable_head: Head | None = None

    @property
    def idle(self) -> bool:
        """Does the journal hold all that was decided, and has everything been said?"""
        return not (self._in_flight or self._events or self._effects)

    def add(self, event: Event, now_us: int) -> None:
        """One more event for the next append."""
        self._events.append(NewEvent(now_us, kind_of(event), encode_event(event)))

    def attach(self, blobs: tuple[Blob, ...]) -> None:
        """Payload texts that events of the next append refer to."""
        self._blobs += blobs

    def when_durable(self, effect: Effect) -> None:
        """Do this when all that was decided until now is on disk."""
        self._effects.append(effect)

    def answer(self, reply: ReplyTo, answer: Reply) -> None:
        """Say this when it is true on disk."""
        self._answers += 1
        number = self._answers
        self._waiters[number] = reply

        def speak() -> None:
            del self._waiters[number]
            reply.address.tell(Answered(reply.job, answer))

        self._effects.append(speak)

    def flush(self, state: QuestState, ready: ReadyPlan, *, resting: bool) -> bool:
        """Append what the turn has gathered, if it decided anything. ``resting``: with a head that says what it waits for."""
        if self._events:
            events, self._events = tuple(self._events), []
            first = state.version == len(events)
            self._append(
                Append(
                    quest=self._quest,
                    expected_version=state.version - len(events),
                    events=events,
                    head=head_of(state, resting=resting),
                    blobs=tuple(self._blobs),
                    definition=(ready.plan.digest, ready.data) if first else None,
                )
            )
            return True
        if self._effects:
            effects, self._effects = self._effects, []
            if self._in_flight:  # they speak of a state that is not on disk yet
                self._in_flight[-1][1].extend(effects)
            else:
                run(effects)
        return False

    def write_resting_head(self, state: QuestState) -> None:
        """Replace the head only: it says what the quest waits for."""
        self._append(Append(self._quest, state.version, (), head_of(state, resting=True)))

    def _append(self, item: Append) -> None:
        self._in_flight.append((item, self._effects))
        self._effects = []
        self._blobs.clear()
        self._house.journal.append(item, self._owner.tell)

    def durable(self) -> Append:
        """The oldest append is on disk: do what waited for it."""
        item, effects = self._in_flight.popleft()
        self.durable_head = item.head
        run(effects)
        if item.head.finished_us is not None:
            house = self._house
            if house.watching or self._quest in house.heeded:
                house.scheduler.tell(QuestOver(item.head))
        return item

    def give_way(self, holder: str) -> None:
        """The idempotency key is another quest's: that one is the answer."""
        self._in_flight.clear()
        self._tell_waiters(Submitted(holder, created=False))

    def give_up(self, why: str) -> None:
        """The actor goes: nobody shall wait for an answer that will not come."""
        self._tell_waiters(Error("busy", why, retry_after_ms=500))

    def _tell_waiters(self, answer: Reply) -> None:
        waiters, self._waiters = self._waiters, {}
        for reply in waiters.values():
            reply.address.tell(Answered(reply.job, answer))


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
