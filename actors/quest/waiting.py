"""How a wait ends: by its signal, by its time, by its default. What is decided of it, and how that is folded.

Whichever is in the journal first counts: a signal that comes when the time is over, but before the quest has said so, is in time.
"""

from typing import Final

from questd.actors.quest import attempts, moving
from questd.actors.quest.commands import Command, ReceiveSignal, Rejected
from questd.actors.quest.signals import SIGNALS_KEPT_MAX, Signal
from questd.actors.quest.standing import leave
from questd.actors.quest.state import QuestState
from questd.actors.quest.task import Awaiting, Completed, Sleeping, Task, task_status
from questd.messages import events as ev
from questd.messages.failure import TIMEOUT, Failure
from questd.messages.payload import Payload, encode_json, size_of

NAMED: Final = 5
"""So many steps, or names, a refusal tells."""

Events = list[ev.Event]


def receive(state: QuestState, command: ReceiveSignal) -> Events | Rejected:
    """A signal comes: it is written down, unless it is known already or nobody is left to take it."""
    signals = state.signals
    if signals is not None and command.key is not None and command.key in signals.keys:
        return []
    refused = _refusal(state, command.name)
    if refused is not None:
        return refused
    return [ev.SignalReceived(command.name, command.payload, command.actor, command.key)]


def _refusal(state: QuestState, name: str) -> Rejected | None:
    signals = state.signals
    if state.phase != "active":
        said = f"{state.id} is {'ending' if state.phase == 'stopping' else state.phase}"
        return Rejected("conflict", f"{said} and hears no signal any more")
    if signals is None:
        return Rejected("invalid", f"no step of {state.id} waits for a signal")
    if name not in signals.open:
        others = ", ".join(list(signals.open)[:NAMED])
        message = f"no step of {state.id} waits for a signal {name!r}; they wait for {others}"
        return Rejected("invalid", message)
    left, kept = signals.open[name], signals.kept.get(name, ())
    if not left:
        message = f"no step waits for the signal {name!r} any more: {_over(state, name)}"
        return Rejected("conflict", message)
    if len(kept) >= len(left):
        keys = ", ".join(state.tasks[index].key for index in list(left)[:NAMED])
        message = f"the signal {name!r} has come already and is kept for {keys}"
        return Rejected("conflict", message)
    if signals.kept_count >= SIGNALS_KEPT_MAX and not signals.waiting.get(name):
        message = f"{state.id} keeps {SIGNALS_KEPT_MAX} signals for steps that do not wait yet"
        return Rejected("conflict", f"{message}, and no more")
    return None


def _over(state: QuestState, name: str) -> str:
    """What became of the steps that it was for."""
    were = [
        task
        for task in state.steps_now()
        if task.step.wait_for and task.step.wait_for.signal == name
    ]
    return ", ".join(f"{task.key} is {task_status(task)}" for task in were[:NAMED])


def answers(state: QuestState) -> Events:
    """Every task takes what was handed to it."""
    assert state.signals is not None
    return [
        ev.TaskSignalled(state.tasks[index].key, signal.n, signal.payload)
        for index, signal in state.signals.handed.items()
    ]


def end_wait(state: QuestState, key: str) -> Events | Rejected:
    """Its time is over."""
    task = state.task(key)
    if task is None or state.phase != "active":
        return Rejected("gone", f"{key} cannot end its wait now")
    awaited = task.step.wait_for
    match task.state:
        case Sleeping():
            return [ev.TaskWoke(key)]
        case Awaiting() if awaited is not None and awaited.required:
            message = f"no signal {awaited.signal!r} came within {task.step.timeout_ms} ms"
            return attempts.by_on_error(task, Failure(TIMEOUT, message, key, False), tried=False)
        case Awaiting() if awaited is not None:
            return [ev.TaskDefaulted(key, encode_json(awaited.default))]
        case _:
            return Rejected("gone", f"{key} is {task.state.phase}")


def on_received(state: QuestState, event: ev.SignalReceived) -> None:
    """Fold: it is handed on, or kept."""
    assert state.signals is not None
    if event.key is not None:
        state.signals.keys[event.key] = state.version
    state.weight += size_of(event.payload)
    state.signals.keep(Signal(state.version, event.name, event.payload))


def on_over(state: QuestState, task: Task, kind: str, result: Payload, now_us: int) -> None:
    """Fold: the task is completed by what it waited for."""
    leave(state, task)
    waited_us = now_us - task.first_started_us
    moving.move(state, task, kind, Completed(result, now_us, waited_us, None))


def said_of(state: QuestState, command: Command, before: int) -> str:
    """What became of a signal, for who sent it; ``before``: the quest's version until then. Of another command there is nothing to say."""
    if not isinstance(command, ReceiveSignal):
        return ""
    if state.version == before:
        return "received before"
    kept = () if state.signals is None else state.signals.kept.get(command.name, ())
    return "kept" if kept and kept[-1].n == before + 1 else "taken"
