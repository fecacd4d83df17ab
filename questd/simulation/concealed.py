"""Secrets of simulated quests: where they are, how a trace of one is found, and what a tool's word is without them.

Kept apart from the production redaction on purpose, and simpler: it knows the few values that there are.
"""

import json
import re
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any, Final, cast

import msgspec

from questd.messages.definition import InputDefinition, QuestDefinition, StepDefinition
from questd.messages.exchange import Invocation, Work
from questd.messages.payload import decode_json
from questd.runtime.deterministic import VirtualClock
from questd.runtime.errors import SecretUnavailable
from questd.runtime.journal.store import Append
from questd.runtime.keyring import Remembering
from questd.simulation.chance import Chance

if TYPE_CHECKING:
    from questd.simulation.ledger import Ledger

VALUES: Final[Mapping[str, str]] = {
    "secret:plain": "hunter2-plain",
    "secret:odd": 'zwei "Zeilen"\nund \\ ein Ümlaut',
    "secret:fleeting": "now-here-now-gone",
}
FLEETING: Final = "secret:fleeting"
CHANGING: Final = "secret:changing"
PERIOD_S: Final = 1.0
"""So often another value stands there."""
PERIODS: Final = 40
"""No tool takes longer."""
REFERENCES: Final = (*VALUES, CHANGING)
TOKEN: Final = {"token": InputDefinition({"type": "string"}, secret=True)}


def _written(value: str) -> set[str]:
    return {value, json.dumps(value)[1:-1], json.dumps(value, ensure_ascii=False)[1:-1]}


_CHANGING: Final = re.compile(r"changing-word-([0-9]{6})")
_TRACES: Final = (
    *(form.encode() for value in VALUES.values() for form in sorted(_written(value))),
    b"changing-word-",
)


class SimulatedKeyring(Remembering):
    """Of one life of the daemon. The fleeting one is there when it is submitted and not at each third attempt."""

    def __init__(self, clock: VirtualClock) -> None:
        super().__init__()
        self._clock = clock
        self._asked = 0

    def read(self, reference: str) -> str:
        """The value; but for the changing one, the same in every life."""
        if reference == CHANGING:
            return _changing(_period(self._clock))
        if reference not in VALUES:
            raise SecretUnavailable(reference, "is not there")
        return VALUES[reference]

    def value(self, reference: str) -> str:
        """For an attempt."""
        self._asked += reference == FLEETING
        if reference == FLEETING and self._asked % 3 == 0:
            raise SecretUnavailable(reference, "is not there now")
        return super().value(reference)

    def known(self, reference: str) -> tuple[str, ...]:
        """That a daemon forgets what was changed before its start is not held against it here."""
        if reference == CHANGING:
            now = _period(self._clock)
            return tuple(_changing(period) for period in range(max(0, now - PERIODS), now + 1))
        return super().known(reference)


def _period(clock: VirtualClock) -> int:
    return int(clock.monotonic_s() / PERIOD_S)


def _changing(period: int) -> str:
    return f"changing-word-{period:06}"


class SecretWatch:
    """Looks at what is written down, and at what tools are given."""

    def __init__(self, ledger: "Ledger", clock: VirtualClock) -> None:
        self._ledger = ledger
        self._clock = clock
        self._begun: dict[tuple[str, int], int] = {}

    def committed(self, items: Sequence[Append]) -> None:
        """No value is on disk. Attempts begin with the values that are there from then on."""
        for item in items:
            secret = holds_secret(msgspec.msgpack.encode(item))
            self._ledger.expect(not secret, f"{item.quest}: a secret was written down: {item}")
            for n, event in enumerate(item.events, item.expected_version + 1):
                if event.kind == "attempt.started":
                    self._begun[item.quest, n] = _period(self._clock)

    def sent(self, frame: Work) -> None:
        """A tool whose arguments name a secret is given it, as it was when the attempt began or later."""
        for item in frame.items:
            account = self._ledger.accounts.get(item.quest)
            if not isinstance(item, Invocation) or account is None:
                continue
            where = f"{item.quest} {item.task}"
            step = account.steps[re.split(r"[\[@]", item.task)[0]]
            given = holds_secret(item.arguments) or not names_secret(step)
            self._ledger.expect(given, f"{where}: was not given its secret")
            begun = self._begun.get((item.quest, item.epoch), 0)
            for found in _CHANGING.finditer(item.arguments.decode()):
                self._ledger.expect(int(found[1]) >= begun, f"{where}: was given an old secret")


def holds_secret(data: bytes) -> bool:
    """Is one of them in there, as it is or as JSON writes it?"""
    return any(trace in data for trace in _TRACES)


def names_secret(step: StepDefinition) -> bool:
    """Is its tool given one?"""
    return "{{ token }}" in (step.prompt or "") or "token" in (step.arguments or {})


def inputs_for(definition: QuestDefinition, chance: Chance) -> bytes:
    """What a client gives: references."""
    if not definition.inputs:
        return b"{}"
    return json.dumps({"token": chance.pick(REFERENCES)}).encode()


def without_secrets(value: Any) -> Any:
    """A tool's result as it may be written down."""
    match value:
        case str():
            for secret in VALUES.values():
                value = value.replace(secret, "[secret token]")
            return _CHANGING.sub("[secret token]", value)
        case list():
            return [without_secrets(each) for each in value]  # pyright: ignore[reportUnknownVariableType]
        case dict():
            members = cast("dict[str, Any]", value)
            return {without_secrets(name): without_secrets(one) for name, one in members.items()}
        case _:
            return value


def lasting(arguments: bytes) -> bytes:
    """What is the same in all attempts of a task: all but a secret that changes."""
    return _CHANGING.sub("changing-word", arguments.decode()).encode()


def is_told(result: bytes, kept: bytes | None) -> bool:
    """Is what was kept what the tool returned, but for secrets?"""
    if not holds_secret(result):
        return result == kept
    return kept is not None and decode_json(kept) == without_secrets(decode_json(result))
