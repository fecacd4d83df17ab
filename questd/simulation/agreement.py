"""A live supervisor must agree with the fold of what is durable, must not have forgotten anything it owes, and runs nothing without a place.

Checked after its turns, whenever it has nothing under way.
"""

from questd.actors.quest import core
from questd.actors.quest.actor import QuestSupervisor
from questd.actors.quest.children import CHILDREN
from questd.actors.quest.owed import WantPlace
from questd.actors.quest.state import QuestState
from questd.actors.quest.task import Awaiting, Ready, Retrying, Running, Sleeping
from questd.actors.router.actor import Router
from questd.simulation.accounts import Account
from questd.simulation.daemon import insides, is_alive


def disagreement(actor: QuestSupervisor, account: Account) -> str | None:
    """What is wrong, in words; None when all is well or cannot be said now."""
    live, busy = state_of(actor)
    if live is None or busy or live.version != account.version:
        return None
    durable = account.fold
    for task, other in zip(live.tasks, durable.tasks, strict=True):
        if task.state != other.state or task.attempts != other.attempts:
            return f"{account.quest}: its actor has {task!r}, the journal {other!r}"
    if summary(live) != summary(durable):
        return f"{account.quest}: its actor has {summary(live)}, the journal {summary(durable)}"
    if owed(live) != owed(durable):
        return f"{account.quest}: its actor owes {owed(live)}, the journal {owed(durable)}"
    return forgotten(live) or unwatched(actor, live)


def placeless(actor: QuestSupervisor, router: Router) -> str | None:
    """An attempt that runs where the router has given its task no place. None while they have something to tell each other."""
    if not is_alive(router):
        return None
    state, busy = state_of(actor)
    silent = not (router.mailbox or actor.mailbox or busy or insides(actor)["_asking"].busy)
    if state is None or not silent:
        return None
    held = insides(router)["_state"].held
    for task in state.tasks:
        if isinstance(task.state, Running) and task.state.attempt.instance != CHILDREN:
            instance = task.state.attempt.instance
            place = held.get((state.id, task.key))
            if place != instance:
                return f"{state.id}: {task.key} runs on {instance}, and has a place on {place}"
    return None


def state_of(actor: QuestSupervisor) -> tuple[QuestState | None, bool]:
    """Its state, and whether something is under way that the journal does not know."""
    found = insides(actor)
    state: QuestState | None = found["_state"]
    return state, bool(not found["_writing"].idle or found["_renderings"])


def summary(state: QuestState) -> tuple[object, ...]:
    """Whatever follows from the events alone."""
    return (
        state.phase,
        state.ended,
        state.running,
        state.settling,
        state.exclusive_running,
        state.standing,
        state.signals,
        state.last_us,
        state.finished_us,
        tuple(state.failed_steps),
    )


def owed(state: QuestState) -> list[object]:
    """What is outstanding, but for wants: those also follow from the time."""
    return [due for due in core.outstanding(state) if not isinstance(due, WantPlace)]


def forgotten(state: QuestState) -> str | None:
    """A task that could run and neither asks, queues nor waits for its time."""
    if state.phase != "active":
        return None
    queued = {(-since, index) for _, since, index in state.ready}
    timed = {(at_us, index) for at_us, _, index in state.timers}
    for task in state.tasks:
        match task.state:
            case Ready(since):
                known = (-since, task.index) in queued
            case Retrying(until_us=until):
                known = (-until, task.index) in queued or (until, task.index) in timed
            case Awaiting(until_us=int(until)) | Sleeping(until_us=until):
                known = (until, task.index) in timed
            case _:
                continue
        if not (known or task.index in state.admitted):
            return f"{state.id}: {task.key} is {task.state.phase} and forgotten"
    return None


def unwatched(actor: QuestSupervisor, state: QuestState) -> str | None:
    """An attempt that runs and has no step actor, or a step actor without attempt."""
    running = {task.key for task in state.tasks if isinstance(task.state, Running)}
    watched: set[str] = set(insides(actor)["_steps"])
    if running == watched:
        return None
    return f"{state.id}: runs {sorted(running)}, its step actors watch {sorted(watched)}"
