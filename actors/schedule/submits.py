"""What a schedule has submitted and not heard of: each submit is said again until it is answered, under a key that makes it one."""

from typing import Any, Final

from questd.actors.control.arriving import RequestArrived
from questd.actors.house import House
from questd.actors.schedule import core
from questd.actors.schedule.checking import submit_for
from questd.actors.schedule.endings import output_of
from questd.actors.schedule.own import Again, Door, Prepared
from questd.actors.schedule.state import ScheduleState
from questd.messages.control import Error, Reply, Submit, Submitted
from questd.messages.payload import decode_json
from questd.messages.schedules import ScheduleSpec
from questd.runtime.actor import Ref
from questd.runtime.clock import Timer
from questd.runtime.journal.store import JournalStore

AGAIN_S: Final = 1.0
ANSWER_WITHIN_S: Final = 60.0
"""A submit that is not answered by then is sent again."""


class Submits:
    """Of one schedule. To the control actor it is a door like any other: a submit is admitted, refused or told to come again."""

    def __init__(self, house: House, owner: Ref, state: ScheduleState) -> None:
        self._house = house
        self._owner = owner
        self._state = state
        self._asked: dict[str, Timer] = {}

    def cancel(self) -> None:
        """No timer any more."""
        for timer in self._asked.values():
            timer.cancel()

    def ask(self) -> None:
        """Submit what was fired, unless it is on its way. Only when all that the state says is on disk: the definition is read from there."""
        for occasion in self._state.firing:
            if occasion not in self._asked:
                self._prepare(occasion)

    def again(self, occasion: str) -> None:
        """Its time is over, or has come: it is submitted at the next ``ask``."""
        self._asked.pop(occasion, None)

    def _prepare(self, occasion: str) -> None:
        self._arm(occasion, ANSWER_WITHIN_S)
        state = self._state
        spec, name, definition = state.spec, state.name, state.definition
        key, fired = core.key_of(state.id, occasion), state.firing[occasion]
        due_us, about = fired.due_us, fired.about

        def question(store: JournalStore) -> Prepared:
            data = store.definition(definition)
            assert data is not None, f"the definition of {name} is gone"
            told = told_of(store, spec, about)
            return Prepared(occasion, submit_for(spec, name, data, key, due_us, told))

        self._house.journal.read(question, self._owner.tell)

    def _arm(self, occasion: str, delay_s: float) -> None:
        timers = self._house.timers
        self._asked[occasion] = timers.after(delay_s, self._owner, Again(occasion))

    def send(self, occasion: str, submit: Submit) -> None:
        """It is ready."""
        arrived: Any = RequestArrived(Door(self._owner), occasion, submit)
        self._house.control.tell(arrived)

    def heard(self, occasion: str, reply: Reply) -> core.Answer | None:
        """What it comes to; None when it is to come again, or was answered before."""
        timer = self._asked.pop(occasion, None)
        if timer is not None:
            timer.cancel()
        if occasion not in self._state.firing:
            return None
        match reply:
            case Submitted(quest, created):
                return core.Answer(occasion, quest, created)
            case Error("busy" | "internal", _, retry_after_ms):
                self._arm(occasion, (retry_after_ms or 0) / 1_000 or AGAIN_S)
                return None
            case Error(kind, message, _, details):
                said = "; ".join((message, *details[:3]))[:1_000]
                return core.Answer(occasion, refused=(kind, said))
            case _:
                raise AssertionError(f"a submit was answered {reply!r}")


def told_of(store: JournalStore, spec: ScheduleSpec, about: bytes) -> dict[str, Any] | None:
    """What inputs may say of the change, or of the quest that has ended; its output, which may be large, only where they do."""
    told: dict[str, Any] = decode_json(about)
    if not told or "change" in told:
        return told or None
    output = output_of(store, told["id"]) if b"output" in spec.inputs else None
    return {"quest": told | {"output": output}}
