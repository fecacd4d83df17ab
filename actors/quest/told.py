"""What a quest tells others: its head row, what it wants of the router, why it waits."""

from collections.abc import Iterator

from questd.actors.quest.admission import asked_since, queue_reason, queued
from questd.actors.quest.state import QuestState
from questd.actors.quest.task import Awaiting, Ready, Retrying, Running, Sleeping, Task, Waiting
from questd.actors.quest.timing import next_wake_us
from questd.messages.heads import WAITS_TOLD, Head, Wait, Want, child_id


def waits_of(state: QuestState, most: int = 50) -> tuple[Wait, ...]:
    """Why nothing moves, task by task, in document order; at most ``most``."""
    waits: list[Wait] = []
    if state.phase != "active":
        return ()
    held = queued(state)
    for task in state.tasks:
        if len(waits) >= most:
            break
        wait = _held(state, task) if task.index in held else _wait_of(state, task)
        if wait is not None:
            waits.append(wait)
    return tuple(waits)


def _held(state: QuestState, task: Task) -> Wait:
    what = queue_reason(state, task)
    limit = state.usage.limit if state.usage.spent else "limits.parallel"
    name = "parallel: false" if what == "exclusive" else limit
    return Wait(task.key, what, name, asked_since(task))


def _wait_of(state: QuestState, task: Task) -> Wait | None:
    match task.state:
        case Ready(since):
            return Wait(task.key, "agent", wanted_name(task), since)
        case Retrying(since, until) if task.index not in state.admitted:
            return Wait(task.key, "retry", f"attempt {task.attempts + 1}", since, until)
        case Retrying(_, until):
            return Wait(task.key, "agent", wanted_name(task), until)
        case Waiting(since_us=since, question=question):
            return Wait(task.key, "breakpoint", question, since)
        case Awaiting(since, until):
            return Wait(task.key, "signal", _signal_of(task), since, until)
        case Sleeping(since, until):
            return Wait(task.key, "timer", "sleep", since, until)
        case _:
            return None


def children_of(state: QuestState) -> Iterator[Wait]:
    """The quests that its running attempts are. All of them: by these a restart sees which of them have ended unheard."""
    for task in state.tasks if state.running else ():
        if isinstance(task.state, Running) and task.step.use is not None:
            epoch = task.state.attempt.epoch
            yield Wait(task.key, "child", child_id(state.id, epoch), task.state.attempt.started_us)


def _signal_of(task: Task) -> str:
    return "" if task.step.wait_for is None else task.step.wait_for.signal


def wanted_name(task: Task) -> str:
    """Whom a task asks for, in words."""
    asked = task.asked
    if not asked.capabilities:
        return asked.agent or ""
    tags = ", ".join(asked.capabilities)
    return f"{asked.agent} with {tags}" if asked.agent else f"any agent with {tags}"


def head_of(state: QuestState, *, resting: bool = False) -> Head:
    """The head row that goes with the state. ``resting``: its actor is about to go, so the row must say what it waits for.

    Only the row of a resting quest is ``waiting``; every other open quest is folded when the daemon starts.
    """
    status = state.status
    return Head(
        quest=state.id,
        version=state.version,
        status="running" if status == "waiting" and not resting else status,
        definition=state.plan.digest,
        name=state.name,
        template_version=state.version_label,
        project=state.project,
        labels=state.labels,
        key=state.key,
        priority=state.priority,
        created_us=state.created_us,
        finished_us=state.finished_us,
        wake_us=next_wake_us(state) if resting else None,
        wants=_wants_by_need(state) if resting else (),
        waits=(*children_of(state), *waits_of(state, WAITS_TOLD)) if resting else (),
    )


def _wants_by_need(state: QuestState) -> tuple[Want, ...]:
    """One of each kind is enough: when it is granted the quest wakes and asks for the rest itself."""
    wants: dict[tuple[object, ...], Want] = {}
    for index in state.admitted:
        want = want_of(state, state.tasks[index].key)
        wants.setdefault(want.need, want)
    return tuple(wants.values())


def still_wants(state: QuestState, want: Want) -> bool:
    """Is what it asked for what it asks for now? Somebody else may be its choice since, or it has asked anew."""
    task = state.task(want.task)
    return task is not None and task.index in state.admitted and want == want_of(state, want.task)


def is_idle(state: QuestState, key: str) -> bool:
    """Does the task neither ask nor run? Who asks anew gives back by asking what it was given before, and who runs needs its place."""
    task = state.task(key)
    return task is None or not (task.index in state.admitted or isinstance(task.state, Running))


def want_of(state: QuestState, key: str) -> Want:
    """What the router needs to know to find a place for the task."""
    task = state.at(key)
    asked = task.asked
    priority = task.step.priority or state.priority
    return Want(
        state.id,
        key,
        asked.agent or "",
        asked.capabilities,
        asked.tool,
        priority,
        asked_since(task),
    )
