"""The rules of a schedule, without I/O, clock, randomness or threads.

    decide(state, command, now_us) -> events | Rejected     may this happen, and what happens then
    next_move(state, now_us) -> event | None                what time, or the end of a quest, asks for next
    evolve(state, event, at_us)                             fold one event (state.py)
    owed(state) -> fires and cancels                        what the world is owed, from scratch

Whoever drives it folds each move and asks for the next one until there is none. A quest is submitted only when the ``schedule.fired``
that owes it is on disk, under a key that follows from the schedule and the occasion: submitted again after a crash, it is the same
quest.
"""

from typing import Final

from questd.actors.schedule import changes, cron
from questd.actors.schedule.commands import (
    Answer,
    ChangeIt,
    Close,
    Command,
    Ending,
    EndRuns,
    MakeUpFor,
    Notice,
    NoticeChange,
    PauseIt,
    Rejected,
    RemoveIt,
    Renew,
    ResumeIt,
)
from questd.actors.schedule.state import ScheduleState, evolve, patterns_of
from questd.messages import schedules as ev
from questd.messages.heads import Head, QuestStatus

ON_TIME_US: Final = 60_000_000
"""A due time that is seen later than that was missed."""
CATCH_UP_MAX: Final = 100
BACKFILL_MAX: Final = 1_000
RUNNING_MAX: Final = 100
"""Quests of one schedule at a time, with ``overlap: allow``."""
NOTICED_MAX: Final = 1_000
"""Occasions of a trigger that wait; until there are fewer it looks no further."""
DEPTH_MAX: Final = 8
"""Quests in a row of which each was submitted because the one before it had ended."""
LOOKED_EVERY: Final = 100_000
"""Events of the journal between two marks of a trigger that noticed nothing."""
RENEWED_AFTER: Final = 5_000
"""Events after which a schedule begins a new life, so that none takes long to fold."""


def decide(
    state: ScheduleState, command: Command, now_us: int
) -> list[ev.ScheduleEvent] | Rejected:
    """What happens then; an empty list when it is so already."""
    match command:
        case Answer():
            return _answered(state, command)
        case EndRuns(ended):
            known = [one for one in ended if one[0] in state.running]
            return [ev.ScheduleRunEnded(quest, status) for quest, status in known]
        case Close():
            return [ev.ScheduleRemoved("schedule")]
        case _ if state.removed:
            return Rejected("not_found", f"there is no schedule {state.name!r}")
        case _ if state.renewed_by is not None:
            return Rejected("busy", f"schedule {state.name!r} is being renewed: try again")
        case ChangeIt():
            return _changed(state, command, now_us)
        case PauseIt(actor):
            return [] if state.paused else [ev.SchedulePaused(actor)]
        case ResumeIt():
            return _resumed(state, command, now_us)
        case Notice(endings, mark):
            return [] if state.paused else _noticed(state, endings, mark)
        case NoticeChange(trigger, found):
            return changes.noticed(state, trigger, found) if takes_changes(state) else []
        case RemoveIt(actor):
            return [*_left_out(state, now_us), ev.ScheduleRemoved(actor)]
        case MakeUpFor(dues_us, actor):
            return _backfilled(state, dues_us, actor)
        case Renew(by):
            return [ev.ScheduleRenewed(by)]


def _answered(state: ScheduleState, answer: Answer) -> list[ev.ScheduleEvent]:
    if answer.occasion not in state.firing:
        return []
    if answer.refused is not None:
        return [ev.ScheduleRefused(answer.occasion, *answer.refused)]
    return [ev.ScheduleSubmitted(answer.occasion, answer.quest, answer.created)]


def _changed(state: ScheduleState, change: ChangeIt, now_us: int) -> list[ev.ScheduleEvent]:
    if (change.spec, change.definition) == (state.spec, state.definition):
        return []
    changed = ev.ScheduleChanged(
        change.spec,
        change.definition,
        change.document,
        change.version,
        change.actor,
        state.mark if change.spec.trigger == state.spec.trigger else change.mark,
    )
    if patterns_of(change.spec) == patterns_of(state.spec):
        return [*_left_out(state, now_us), changed]
    return [*_left_out(state, now_us), changed, *changes.begun({}, change.files, change.blind)]


def _resumed(
    state: ScheduleState, resume: ResumeIt, now_us: int
) -> list[ev.ScheduleEvent] | Rejected:
    """What changed while it was paused is left out as well: it goes on from what is there now."""
    if not state.paused:
        return []
    if resume.patterns != patterns_of(state.spec):
        return Rejected("busy", f"schedule {state.name!r} is being changed: try again")
    seen = changes.begun(state.seen, resume.files, resume.blind)
    return [*_left_out(state, now_us), ev.ScheduleResumed(resume.actor, resume.mark), *seen]


def _left_out(state: ScheduleState, now_us: int) -> list[ev.ScheduleEvent]:
    """What came due while it was paused was not missed."""
    due_us = state.next_due_us()
    if due_us is None or due_us > now_us:
        return []
    return [ev.ScheduleSkipped(state.since_us, now_us, "paused" if state.paused else "missed")]


def _noticed(
    state: ScheduleState, endings: tuple[Ending, ...], mark: int
) -> list[ev.ScheduleEvent]:
    """Each ending once, in the order of the journal; a chain of triggers that is too long ends here."""
    events: list[ev.ScheduleEvent] = []
    for ending in endings:
        if ending.seq > state.mark:
            occasion = f"{ending.quest}:{ending.depth}"
            events.append(ev.ScheduleNoticed(occasion, ending.seq, ending.about))
            if ending.depth > DEPTH_MAX:
                events.append(ev.ScheduleIgnored(occasion, "depth"))
    if not events and mark - state.mark >= LOOKED_EVERY:
        events.append(ev.ScheduleLooked(mark))
    return events


def _backfilled(
    state: ScheduleState, dues_us: tuple[int, ...], actor: str
) -> list[ev.ScheduleEvent] | Rejected:
    planned = {due_us for due_us, _ in state.backlog}
    planned |= {fired.due_us for fired in state.firing.values()}
    if state.put_off_us is not None:
        planned.add(state.put_off_us)
    fresh = tuple(due_us for due_us in dues_us if due_us not in planned)
    if len(planned) + len(fresh) > BACKFILL_MAX:
        said = f"{len(planned)} due times are to be made up for already"
        return Rejected("refused", f"BACKFILL_MAX: {said}; {BACKFILL_MAX} are allowed")
    return [ev.ScheduleBacklogged(fresh, "backfill", actor)] if fresh else []


# -- what time asks for --------------------------------------------------------------------------------


def next_move(state: ScheduleState, now_us: int) -> ev.ScheduleEvent | None:
    """The next thing that is to happen now; None when it is to wait, for ``wake_us`` or for the end of a quest."""
    if state.paused or state.removed or state.renewed_by is not None:
        return None
    if state.spec.overlap == "allow":  # what is due goes before what can wait
        return _come_due(state, now_us) or _begin_what_waits(state)
    return _begin_what_waits(state) or _come_due(state, now_us)


def _come_due(state: ScheduleState, now_us: int) -> ev.ScheduleEvent | None:
    due_us, trigger = state.next_due_us(), state.spec.trigger
    if due_us is None or due_us > now_us or not isinstance(trigger, ev.Cron):
        return None
    late = now_us - due_us > ON_TIME_US
    following_us = cron.next_due(trigger, due_us)
    several = following_us is not None and following_us <= now_us
    if late or several:
        return _catch_up(state, trigger, due_us, now_us)
    return _take(state, due_us)


def _catch_up(state: ScheduleState, trigger: ev.Cron, due_us: int, now_us: int) -> ev.ScheduleEvent:
    """Several have come due, or one long ago: which of them count, the document's owner has said."""
    most = CATCH_UP_MAX if trigger.catch_up == "all" else 1
    dues_us, _ = cron.newest_dues(trigger, state.since_us, now_us, most)
    first_us, last_us = dues_us[0], dues_us[-1]
    if trigger.catch_up == "none" and now_us - last_us > ON_TIME_US:
        return ev.ScheduleSkipped(state.since_us, last_us, "missed")
    if first_us > due_us:
        return ev.ScheduleSkipped(state.since_us, first_us - 1, "missed")
    if trigger.catch_up == "all":
        return ev.ScheduleBacklogged(dues_us, "caught_up")
    return _take(state, due_us)


def _take(state: ScheduleState, due_us: int) -> ev.ScheduleEvent:
    """One is due: now, later or not at all, as ``overlap`` says."""
    put_off_us = state.put_off_us
    match state.spec.overlap:
        case "allow":
            crowded = len(state.running) + len(state.firing) >= RUNNING_MAX
            return _leave_out(state, due_us, "crowded") if crowded else _fire(due_us, "due")
        case _ if state.at_rest:
            return _fire(due_us, "due")
        case "skip":
            return _leave_out(state, due_us, "overlap")
        case "queue" if put_off_us is not None:
            return _leave_out(state, due_us, "overlap")
        case "cancel" if put_off_us is not None:
            return ev.ScheduleSkipped(put_off_us - 1, put_off_us, "overtaken")
        case "queue" | "cancel":
            return ev.SchedulePutOff(due_us)


def _leave_out(state: ScheduleState, due_us: int, why: ev.Skip) -> ev.ScheduleEvent:
    return ev.ScheduleSkipped(state.since_us, due_us, why)


def _begin_what_waits(state: ScheduleState) -> ev.ScheduleEvent | None:
    """The backlog in its order, then what was put off: one at a time, unless they may overlap."""
    if state.noticed:
        return _begin_noticed(state)
    if _is_full(state):
        return None
    if state.put_off_us is not None and not (state.backlog and state.spec.overlap == "queue"):
        return _fire(state.put_off_us, "put_off")
    return _fire(*state.backlog[0]) if state.backlog else None


def _begin_noticed(state: ScheduleState) -> ev.ScheduleEvent | None:
    """What a trigger has noticed, in its order."""
    occasion, noticed = next(iter(state.noticed.items()))
    if state.spec.overlap == "cancel" and len(state.noticed) > 1:
        return ev.ScheduleIgnored(occasion, "overtaken")
    if not _is_full(state):
        return ev.ScheduleFired(occasion, noticed.at_us, "noticed")
    return ev.ScheduleIgnored(occasion, "overlap") if state.spec.overlap == "skip" else None


def _is_full(state: ScheduleState) -> bool:
    allowed = RUNNING_MAX if state.spec.overlap == "allow" else 1
    return len(state.running) + len(state.firing) >= allowed


def _fire(due_us: int, why: ev.Why) -> ev.ScheduleEvent:
    return ev.ScheduleFired(cron.moment(due_us), due_us, why)


# -- what follows from the state -----------------------------------------------------------------------


def wake_us(state: ScheduleState) -> int | None:
    """When time alone asks for something."""
    still = state.paused or state.removed or state.renewed_by is not None
    return None if still else state.next_due_us()


def cancelled(state: ScheduleState) -> tuple[str, ...]:
    """Quests that must end because a later one is due."""
    waits = state.put_off_us is not None or bool(state.noticed)
    overtaken = state.spec.overlap == "cancel" and waits
    return tuple(state.running) if overtaken and not state.removed else ()


def key_of(schedule: str, occasion: str) -> str:
    """The idempotency key of an occasion's quest: this is what makes it one quest, whatever is done twice."""
    return f"schedule:{schedule}:{occasion}"


def is_looking(state: ScheduleState) -> bool:
    """Does it wait for quests to end, with room for what it finds?"""
    still = state.paused or state.removed or state.renewed_by is not None
    watches = isinstance(state.spec.trigger, ev.AfterQuest) and not still
    return watches and len(state.noticed) < NOTICED_MAX


def takes_changes(state: ScheduleState) -> bool:
    """Does it wait for files to change? One change at most waits for its turn; what changes meanwhile is all of the next one.

    With ``queue`` not even one does: so a quest is told of everything that has changed up to its own beginning.
    """
    still = state.paused or state.removed or state.renewed_by is not None
    watches = isinstance(state.spec.trigger, ev.FilesChanged) and not still
    waits = state.spec.overlap == "queue" and _is_full(state)
    return watches and not (state.noticed or waits)


def depth_of(key: str | None) -> int:
    """How many triggers stand behind the quest with this idempotency key, one after another."""
    parts = (key or "").split(":")
    triggered = len(parts) == 4 and parts[0] == "schedule" and parts[3].isdecimal()
    return int(parts[3]) if triggered else 0


def is_to_be_renewed(state: ScheduleState) -> bool:
    """Is its history long, and nothing under way?"""
    quiet = state.at_rest and not state.removed and state.renewed_by is None
    return quiet and state.version >= RENEWED_AFTER


def renewal(state: ScheduleState) -> tuple[ev.ScheduleEvent, ...]:
    """The first events of the schedule that carries on."""
    added = ev.ScheduleAdded(
        state.name,
        state.spec,
        state.definition,
        state.document,
        state.document_version,
        state.actor,
        state.since_us,
        state.paused,
        state.id,
        state.mark,
    )
    return (added, *changes.begun({}, state.seen))


def head_of(state: ScheduleState) -> Head:
    """Its row: open until nothing of it is owed any more."""
    ended: QuestStatus = "cancelled" if state.renewed_by is None else "completed"
    return Head(
        quest=state.id,
        version=state.version,
        status=ended if state.over else "waiting",
        definition=state.definition,
        name=state.name,
        template_version="",
        project="",
        labels={},
        key=None,
        priority=5,
        created_us=state.created_us,
        finished_us=state.finished_us,
    )


__all__ = [
    "Answer",
    "ChangeIt",
    "Close",
    "Command",
    "EndRuns",
    "Ending",
    "MakeUpFor",
    "Notice",
    "NoticeChange",
    "PauseIt",
    "Rejected",
    "RemoveIt",
    "Renew",
    "ResumeIt",
    "ScheduleState",
    "decide",
    "evolve",
    "head_of",
    "next_move",
]
