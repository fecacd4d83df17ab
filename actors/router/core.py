"""Who gets which place: pure bookkeeping of instances, their credit, and the tasks that ask for them.

A *need* is what a task asks for (agent, capabilities, tool). Tasks of one need wait in one queue, ordered by priority
(10 first), then by the time since when they could run, then by arrival. A *place* is one unit of an instance's credit
(capacity + prefetch). An answer to what changed is always the list of places granted by it.

Cost: O(log n) a want, O(instances that can do it) a grant. Nothing iterates over all wants or all needs but what is rare: an
instance that joins, a quest whose actor died.
"""

import heapq
from collections.abc import Iterable, Sequence
from typing import Final

from msgspec import Struct

from questd.actors.mail import Place, Settle
from questd.actors.router.instance import Holder, Instance
from questd.messages.exchange import ToolSpec
from questd.messages.heads import Need, Want

PATIENCE_US: Final = 10_000_000
"""A place may stay with its quest while nobody has waited for it for longer than this."""
NEEDS_LOOKED_AT: Final = 16
NEEDS_KEPT_MAX: Final = 64
"""Of one instance. Those that nobody waits in are kept, for they come again; beyond this they are forgotten, for each costs time
whenever a place gets free."""


class Unroutable(Struct, frozen=True):
    """The named agent is connected, and cannot do this: waiting would not help."""

    want: Want
    message: str


Entry = tuple[int, int, int, Want]


class Queue:
    """The tasks of one need (``waiting`` of the entries still count), and the instances that can do it."""

    __slots__ = ("able", "entries", "waiting")

    def __init__(self) -> None:
        self.entries: list[Entry] = []
        self.waiting = 0
        self.able: dict[str, Instance] = {}


class RouterState:
    """All needs and all instances. ``wanted`` says which queue entries still count; ``held`` who has a place, and where.

    A place may be held on an instance that is not connected (yet, or any more): only its holder gives it back.
    """

    def __init__(self, *, parallel: int | None = None) -> None:
        self.instances: dict[str, Instance] = {}
        self.queues: dict[Need, Queue] = {}
        self.idle: dict[Need, None] = {}
        self.crowded: dict[str, None] = {}
        self.wanted: dict[Holder, Want] = {}
        self.held: dict[Holder, str] = {}
        self.parallel = parallel
        self._arrivals = 0

    def arrival(self) -> int:
        """Order among equals."""
        self._arrivals += 1
        return self._arrivals


Grant = tuple[Want, Place]


# -- what changes --------------------------------------------------------------------------------


def settle(state: RouterState, said: Settle, now_us: int) -> tuple[list[Grant], list[Unroutable]]:
    """What a quest says of its tasks, all at once. Who asks, or asks no more, holds no place, even if one is on its way to it."""
    needs = _claim(state, said)
    drop(state, said.quest, said.drops)
    asking = [each.task for each in said.wants]
    holders = [(said.quest, task) for task in (*said.releases, *said.drops, *asking)]
    freed = [state.held.get(holder, "") for holder in holders]
    needs += release(state, holders)
    granted, left = hand_on(state, said.wants, freed, now_us)
    wanted, unroutable = want(state, left)
    granted += serve(state, dict.fromkeys((*needs, *wanted)))
    return granted, unroutable


def _claim(state: RouterState, said: Settle) -> list[Need]:
    """Who has a place asks for none, and gives back what it was given instead."""
    needs: list[Need] = []
    for task, instance in said.takes:
        holder = (said.quest, task)
        if state.held.get(holder) != instance:
            _unwant(state, holder)
            needs += release(state, [holder])
            take(state, holder, instance)
    return needs


def join(state: RouterState, instance: Instance) -> tuple[list[Grant], list[Unroutable]]:
    """An instance connected, or came back; places on it may be held since before."""
    leave(state, instance.id)
    for holder, where in state.held.items():
        if where == instance.id:
            instance.held[holder] = None
    state.instances[instance.id] = instance
    unroutable: list[Unroutable] = []
    for need, queue in tuple(state.queues.items()):
        tool = instance.tool_for(need)
        if isinstance(tool, ToolSpec):
            _connect(instance, need, tool, queue)
        elif need[0] == instance.agent and not queue.able:
            unroutable += _refuse_all(state, queue, tool)
            _tidy(state, need, queue)
    return serve(state, instance.needs), unroutable


def leave(state: RouterState, instance_id: str) -> None:
    """An instance is gone. Who holds a place on it will hear and give it back."""
    instance = state.instances.pop(instance_id, None)
    if instance is None:
        return
    for need in instance.needs:
        queue = state.queues[need]
        del queue.able[instance_id]
        _tidy(state, need, queue)


def take(state: RouterState, holder: Holder, instance_id: str) -> None:
    """The holder has this place now, and none elsewhere."""
    before = state.instances.get(state.held.get(holder, ""))
    if before is not None:
        before.held.pop(holder, None)
    state.held[holder] = instance_id
    instance = state.instances.get(instance_id)
    if instance is not None:
        instance.held[holder] = None


def forget(state: RouterState, quest: str) -> list[Need]:
    """A quest's actor died: whatever it asked for and held counts no more; returns the needs to serve."""
    for holder in [holder for holder in state.wanted if holder[0] == quest]:
        _unwant(state, holder)
    return release(state, [holder for holder in state.held if holder[0] == quest])


def drain(state: RouterState, instance_id: str) -> bool:
    """Give it no more work. False when it is unknown or drains already."""
    instance = state.instances.get(instance_id)
    if instance is None or instance.draining:
        return False
    instance.draining = True
    return True


def resize(state: RouterState, instance_id: str, credit: int) -> list[Grant]:
    """Slots got stuck, or free again."""
    instance = state.instances.get(instance_id)
    if instance is None:
        return []
    instance.credit = credit
    return serve(state, instance.needs)


def want(state: RouterState, wants: Iterable[Want]) -> tuple[list[Need], list[Unroutable]]:
    """Tasks ask for places; returns the needs to serve. Asking again replaces the earlier asking."""
    needs: dict[Need, None] = {}
    unroutable: list[Unroutable] = []
    for each in wants:
        need = each.need
        queue = _queue(state, need)
        reason = "" if queue.able else _why_nobody(state, need)
        if reason:
            unroutable.append(Unroutable(each, reason))
            _tidy(state, need, queue)
            continue
        _unwant(state, (each.quest, each.task), keep=queue)
        state.wanted[each.quest, each.task] = each
        queue.waiting += 1
        entry = (-each.priority, each.ready_us, state.arrival(), each)
        heapq.heappush(queue.entries, entry)
        needs[need] = None
        state.idle.pop(need, None)
    _forget_idle(state)
    return list(needs), unroutable


def absent(state: RouterState, wants: Iterable[Want]) -> tuple[str, ...]:
    """Those of the tasks that wait for somebody to connect."""
    queues = state.queues
    return tuple(
        [each.task for each in wants if (queue := queues.get(each.need)) is None or not queue.able]
    )


def drop(state: RouterState, quest: str, tasks: Iterable[str]) -> None:
    """These tasks ask no more."""
    for task in tasks:
        _unwant(state, (quest, task))


def release(state: RouterState, holders: Iterable[Holder]) -> list[Need]:
    """These places are free again; returns the needs to serve. Giving back twice is fine."""
    needs: dict[Need, None] = {}
    for holder in holders:
        instance = state.instances.get(state.held.pop(holder, ""))
        if instance is not None:
            instance.held.pop(holder, None)
            for need in instance.needs:
                needs[need] = None
    if state.parallel is not None:
        needs.update(dict.fromkeys(state.queues))  # the daemon's own limit held back anybody
    return list(needs)


def hand_on(
    state: RouterState, wants: Sequence[Want], freed: Iterable[str], now_us: int
) -> tuple[list[Grant], list[Want]]:
    """Places that a quest just gave back (of these instances) go on to its own next tasks; returns also who got none.

    What has begun is finished first, and the end of one task and the start of the next are one append. Nobody of a higher
    priority is passed over, nor anybody for longer than PATIENCE_US.
    """
    left = list(wants)
    grants: list[Grant] = []
    for instance_id in freed:
        instance = state.instances.get(instance_id)
        if instance is None or not left or len(instance.needs) > NEEDS_LOOKED_AT:
            continue
        for each in left:
            if _may_keep(state, instance, each, now_us):
                left.remove(each)
                _unwant(state, (each.quest, each.task))
                grants.append(_give(state, each, instance))
                break
    return grants, left


def _may_keep(state: RouterState, instance: Instance, want: Want, now_us: int) -> bool:
    if not instance.free or want.need not in instance.needs:
        return False
    if state.parallel is not None and len(state.held) >= state.parallel:
        return False
    longest_us = now_us - PATIENCE_US
    for need in instance.needs:
        first = _first(state, state.queues[need])
        if first is not None:
            waiting = first[3]
            if waiting.priority > want.priority or waiting.ready_us < longest_us:
                return False
    return True


def _give(state: RouterState, want: Want, instance: Instance) -> Grant:
    take(state, (want.quest, want.task), instance.id)
    if len(instance.needs) > NEEDS_KEPT_MAX:
        state.crowded[instance.id] = None
    tool = instance.needs[want.need]
    return want, Place(instance.agent, instance.id, tool, instance.address)


def serve(state: RouterState, needs: Iterable[Need]) -> list[Grant]:
    """Grant as many places as there are to the best tasks of these needs."""
    open_needs = {need: state.queues[need] for need in needs if need in state.queues}
    grants: list[Grant] = []
    while open_needs and (state.parallel is None or len(state.held) < state.parallel):
        best = _best(state, open_needs)
        if best is None:
            break
        need, instance = best
        queue = state.queues[need]
        queue.waiting -= 1
        each = heapq.heappop(queue.entries)[3]
        del state.wanted[each.quest, each.task]
        _tidy(state, need, queue)
        grants.append(_give(state, each, instance))
    return grants


# -- inside --------------------------------------------------------------------------------------


def _best(state: RouterState, open_needs: dict[Need, Queue]) -> tuple[Need, Instance] | None:
    """The need whose first task comes first of all, and the least busy instance for it. Closes needs that cannot go on."""
    best: tuple[Entry, Need, Instance] | None = None
    for need in list(open_needs):
        queue = open_needs[need]
        first = _first(state, queue)
        instance = _least_busy(queue) if first is not None else None
        if first is None or instance is None:
            del open_needs[need]
        elif best is None or first[:3] < best[0][:3]:
            best = (first, need, instance)
    return None if best is None else (best[1], best[2])


def _first(state: RouterState, queue: Queue) -> Entry | None:
    entries = queue.entries
    while entries:
        each = entries[0][3]
        if state.wanted.get((each.quest, each.task)) is each:
            return entries[0]
        heapq.heappop(entries)
    return None


def _least_busy(queue: Queue) -> Instance | None:
    free = [instance for instance in queue.able.values() if instance.free]
    if len(free) < 2:
        return free[0] if free else None
    return min(free, key=lambda instance: instance.load)


def _queue(state: RouterState, need: Need) -> Queue:
    queue = state.queues.get(need)
    if queue is None:
        queue = state.queues[need] = Queue()
        for instance in state.instances.values():
            tool = instance.tool_for(need)
            if isinstance(tool, ToolSpec):
                _connect(instance, need, tool, queue)
    return queue


def _connect(instance: Instance, need: Need, tool: ToolSpec, queue: Queue) -> None:
    instance.needs[need] = tool
    queue.able[instance.id] = instance


def _why_nobody(state: RouterState, need: Need) -> str:
    """Empty when the agent is merely absent; else why the connected ones cannot."""
    for instance in state.instances.values():
        if need[0] and instance.agent == need[0]:
            tool = instance.tool_for(need)
            if isinstance(tool, str):
                return tool
    return ""


def _refuse_all(state: RouterState, queue: Queue, reason: str) -> list[Unroutable]:
    refused: list[Unroutable] = []
    while (first := _first(state, queue)) is not None:
        heapq.heappop(queue.entries)
        queue.waiting -= 1
        del state.wanted[first[3].quest, first[3].task]
        refused.append(Unroutable(first[3], reason))
    return refused


def _unwant(state: RouterState, holder: Holder, *, keep: Queue | None = None) -> None:
    """The task's entry counts no more; it leaves its heap when it comes first."""
    want = state.wanted.pop(holder, None)
    if want is None:
        return
    need = want.need
    queue = state.queues[need]
    queue.waiting -= 1
    if queue is not keep:
        _tidy(state, need, queue)


def _tidy(state: RouterState, need: Need, queue: Queue) -> None:
    """Keep no queue that nobody waits in and nobody serves; note those that only nobody waits in."""
    if queue.waiting:
        return
    state.idle.pop(need, None)
    if queue.able:
        state.idle[need] = None
    else:
        del state.queues[need]


def _forget_idle(state: RouterState) -> None:
    """Of an instance with too many needs the oldest go that nobody waits in."""
    while state.crowded:
        instance = state.instances.get(state.crowded.popitem()[0])
        needs = () if instance is None else tuple(instance.needs)
        idle = [need for need in needs if need in state.idle]
        for need in idle[: max(0, len(needs) - NEEDS_KEPT_MAX)]:
            del state.idle[need]
            for able in state.queues.pop(need).able.values():
                del able.needs[need]


def missing(state: RouterState) -> list[tuple[Need, int, int]]:
    """Needs that no connected instance can meet: how many tasks wait, and since when (microseconds)."""
    found: list[tuple[Need, int, int]] = []
    for need, queue in state.queues.items():
        first = _first(state, queue) if not queue.able else None
        if first is not None:
            found.append((need, queue.waiting, first[3].ready_us))
    return found
