"""Signals and sleeps of simulated quests: drawn here, and judged by the journal alone.

Nothing ends before its time, by any clock that was ever shown. A signal is taken at most once, by one of the steps that it is for; of
several the first, and at once when somebody waits. Nobody's signal is turned away while a step is left that could take it.
"""

from collections.abc import Callable
from typing import Final

from msgspec import Struct, structs

from questd.messages import events as ev
from questd.messages.definition import Awaited, OnError, QuestDefinition, StepDefinition
from questd.messages.failure import Failure
from questd.messages.payload import NULL, Payload, encode_json
from questd.simulation import loops
from questd.simulation.accounts import Account
from questd.simulation.chance import Chance
from questd.simulation.faults import MILLISECOND, SECOND
from questd.simulation.plans import are_over

Expect = Callable[[bool, str], None]
NAMES: Final = ("go", "go", "paid")
CAME_TOO_LATE: Final = "no signal "
ON_ERROR: Final[tuple[OnError, ...]] = ("stop", "continue", "continue_with_input")


class Sending(Struct, frozen=True):
    """A signal that a client sends, so long after its submit. Some come before anybody waits, some twice, some too late."""

    after_us: int
    name: str
    key: str


def payload_of(key: str) -> bytes:
    """What the signal with that key brings; of some it is large."""
    return encode_json(f"{key} {'x' * 5_000 if key.endswith('1') else ''}")


def draw_wait(chance: Chance, key: str, dependencies: tuple[str, ...]) -> StepDefinition:
    """A step that waits for a signal, or sleeps."""
    total_ms = chance.pick((1_000, 4_000)) if chance.maybe(0.1) else None
    if chance.maybe(0.4):
        return StepDefinition(
            key,
            dependencies=dependencies,
            sleep_ms=chance.pick((1, 50, 900, 4_000)),
            total_timeout_ms=total_ms,
            on_error=chance.pick(ON_ERROR),
            allow_skipped=chance.maybe(0.3),
        )
    longest_ms = chance.pick((None, 300, 700, 3_000))
    required = longest_ms is None or chance.maybe(0.4)
    return StepDefinition(
        key,
        dependencies=dependencies,
        wait_for=Awaited(chance.pick(NAMES), required, None if required else {"by": key}),
        timeout_ms=longest_ms,
        total_timeout_ms=total_ms,
        on_error=chance.pick(ON_ERROR),
        allow_skipped=chance.maybe(0.3),
    )


def bound_by_loops(steps: list[StepDefinition]) -> list[StepDefinition]:
    """A step that waits anew in each round does not wait for ever: how many rounds there are, and signals for them, nobody knows.

    Nor does any other that waits for the same name: the rounds may take all that come.
    """
    bodies = loops.Loops(QuestDefinition("bound", tuple(steps))).bodies
    again = {key for body in bodies.values() for key in body}
    taken = {step.wait_for.signal for step in steps if step.wait_for and step.key in again}
    return [
        structs.replace(step, timeout_ms=step.timeout_ms or 1_500)
        if step.wait_for is not None and step.wait_for.signal in taken
        else step
        for step in steps
    ]


def draw_sendings(chance: Chance, definition: QuestDefinition, key: str) -> tuple[Sending, ...]:
    """Enough for all its steps, and some more; those of a loop wait anew in each round."""
    sendings: list[Sending] = []
    again = {key for body in loops.Loops(definition).bodies.values() for key in body}
    names = [
        step.wait_for.signal
        for step in definition.steps
        if step.wait_for is not None
        for _ in range(3 if step.key in again else 1)
    ]
    for number, name in enumerate(names + [name for name in names if chance.maybe(0.4)]):
        after_us = chance.skewed(0, 4 * SECOND)
        sendings.append(Sending(after_us, name, f"{key}/{number}"))
        if chance.maybe(0.4):
            again_us = after_us + chance.skewed(MILLISECOND, 2 * SECOND)
            sendings.append(Sending(again_us, name, f"{key}/{number}"))
    return tuple(sendings)


# -- what becomes durable ------------------------------------------------------------------------------


def look(account: Account, at_us: int) -> None:
    """Which steps wait from this event on."""
    for step in account.only_waits:
        task = account.now(step.key)
        ready = loops.over(account, step) and are_over(account, task)
        before = [account.now(key) for key in step.dependencies]
        skipped = not step.allow_skipped and any(each in account.skipped for each in before)
        allowed = step.when is None or task in account.allowed
        if ready and allowed and not skipped and account.started_us and not account.stopping:
            account.begun_us.setdefault(task, at_us)


def note_over(
    account: Account,
    event: ev.TaskSignalled | ev.TaskDefaulted | ev.TaskWoke,
    latest_us: int,
    expect: Expect,
) -> Payload:
    """A wait has ended with this result. ``latest_us``: the latest time that any clock has shown."""
    where, step = f"{account.quest} {event.task}", account.steps[event.task]
    expect(event.task in account.begun_us, f"{where}: its wait ended and had not begun")
    begun_us = account.begun_us.get(event.task, 0)
    expect(not account.stopping, f"{where}: went on in a stopping quest")
    match event:
        case ev.TaskSignalled(_, signal, result):
            _taken(account, event.task, signal, expect)
            same = signal in account.signals and account.signals[signal].payload == result
            expect(same, f"{where}: its result is not what the signal brought")
        case ev.TaskDefaulted(_, result):
            awaited, longest_ms = step.wait_for, step.timeout_ms
            has_default = awaited is not None and not awaited.required
            given = None if awaited is None else awaited.default
            expect(has_default and result == encode_json(given), f"{where}: a wrong default")
            late = latest_us >= begun_us + (longest_ms or 0) * 1_000
            expect(longest_ms is not None and late, f"{where}: took its default early")
        case ev.TaskWoke():
            due_us = begun_us + (step.sleep_ms or 0) * 1_000
            expect(step.sleep_ms is not None, f"{where}: woke and had not slept")
            expect(latest_us >= due_us, f"{where}: woke early")
    return NULL if isinstance(event, ev.TaskWoke) else event.result


def note_received(
    account: Account, event: ev.SignalReceived, n: int, text: bytes | None, expect: Expect
) -> None:
    """A signal has come; ``text``: what it brought."""
    where = f"{account.quest}: signal {event.name} {n}"
    expect(text == payload_of(event.key or ""), f"{where}: is not what was sent")
    known = any(each.key == event.key for each in account.signals.values())
    expect(not known, f"{where}: came twice under the key {event.key}")
    expect(not account.stopping, f"{where}: was heard by a stopping quest")
    expect(is_wanted(account, event.name), f"{where}: was heard, and nobody is left to take it")
    account.signals[n] = event


def is_wanted(account: Account, name: str) -> bool:
    """Is a step left that could take one more signal of that name?"""
    return len(_untaken(account, name)) < len(_could_take(account, name))


def _untaken(account: Account, name: str) -> list[int]:
    return [n for n, s in account.signals.items() if s.name == name and n not in account.taken_by]


def _could_take(account: Account, name: str) -> list[str]:
    could = [
        account.now(step.key)
        for step in account.only_waits
        if step.wait_for is not None and step.wait_for.signal == name
    ]
    return [task for task in could if not (task in account.ended or task in account.failed)]


def _taken(account: Account, task: str, signal: int, expect: Expect) -> None:
    where, awaited = f"{account.quest} {task}", account.steps[task].wait_for
    name = None if awaited is None else awaited.signal
    expect(signal not in account.taken_by, f"{where}: took a signal that was taken already")
    first = min(_untaken(account, name or ""), default=None)
    expect(signal == first, f"{where}: took signal {signal}, and {first} came before it")
    account.taken_by[signal] = task


def check_failed(
    account: Account, task: str, failure: Failure, latest_us: int, expect: Expect
) -> None:
    """A step whose signal has not come in time."""
    longest_ms = account.steps[task].timeout_ms
    if failure.message.startswith(CAME_TOO_LATE) and task not in account.failed:
        due_us = account.begun_us.get(task, latest_us) + (longest_ms or 0) * 1_000
        where = f"{account.quest} {task}"
        expect(longest_ms is not None and latest_us >= due_us, f"{where}: gave up waiting early")


def check_served(account: Account, expect: Expect) -> None:
    """At the end of an append: no signal lies there while somebody waits for it."""
    if account.stopping or account.end is not None:
        return
    for step in account.only_waits:
        task = account.now(step.key)
        if step.wait_for is None or task not in account.begun_us:
            continue
        waits = task not in account.ended and task not in account.failed
        left = waits and _untaken(account, step.wait_for.signal)
        expect(not left, f"{account.quest} {task}: waits although signal {left} is there")
