"""Messages from the outside as commands to the core: what an outcome, or a place, asks of the quest."""

from random import Random

from questd.actors.mail import AttemptEnded, Place
from questd.actors.quest.commands import (
    Command,
    CompleteAttempt,
    EndAttempt,
    FailAttempt,
    FailTask,
    ReceiveSignal,
    Rejected,
    ResolveTask,
    StartAttempt,
)
from questd.actors.quest.state import QuestState
from questd.messages.control import Done, Error
from questd.messages.definition import DEFAULT_TIMEOUT_MS
from questd.messages.exchange import Cancelled, Completed, Failed
from questd.messages.failure import VALIDATION, Failure
from questd.messages.payload import PAYLOAD_MAX_BYTES, Blob, hold


def is_its_own(state: QuestState, ended: AttemptEnded) -> bool:
    """Only the instance that was given an attempt may say how it ended; the house itself may always."""
    index = state.epochs.get(ended.epoch)
    attempt = None if index is None else state.tasks[index].open_attempt()
    if ended.instance is None or attempt is None or attempt.epoch != ended.epoch:
        return True  # what does not count is refused by the core
    return attempt.instance == ended.instance


def outcome_command(ended: AttemptEnded, chance: Random) -> tuple[Command, tuple[Blob, ...]]:
    """How the attempt ended, and the payload text to keep beside it. ``chance``: for the jitter of a retry."""
    match ended.outcome:
        case Completed() as done:
            result, blobs = hold(done.result)
            command = CompleteAttempt(
                ended.epoch,
                result,
                done.duration_us,
                done.tokens,
                done.cost,
                done.model,
                done.confidence,
            )
            return command, blobs
        case Failed() as failed:
            return _failure_command(ended.epoch, failed, chance.uniform(-1.0, 1.0)), ()
        case Cancelled():
            return EndAttempt(ended.epoch), ()


def _failure_command(epoch: int, failed: Failed, jitter: float) -> FailAttempt:
    return FailAttempt(
        epoch,
        failed.failure,
        failed.duration_us,
        jitter,
        failed.tokens,
        failed.cost,
        failed.model,
    )


def start_command(state: QuestState, key: str, place: Place) -> StartAttempt:
    """Start on this place. The attempt's time: the step's, else the document's, else the tool's, else the built-in one."""
    task, tool = state.task(key), place.tool
    timeout_ms = None if task is None else task.asked.timeout_ms or task.step.timeout_ms
    timeout_ms = timeout_ms or state.plan.definition.default_timeout_ms or tool.timeout_ms
    if task is None or task.step.use is None:  # a child has its own steps' timeouts
        timeout_ms = timeout_ms or DEFAULT_TIMEOUT_MS
    return StartAttempt(
        key,
        place.agent,
        place.instance,
        tool.name,
        tool.idempotent,
        timeout_ms,
    )


def unroutable_command(task: str, message: str) -> FailTask:
    """Who is to do it is there, and cannot."""
    return FailTask(task, Failure(VALIDATION, message, task, False))


def held_command(command: Command) -> tuple[Command, tuple[Blob, ...]]:
    """A client's command, with what it brings kept as payloads are."""
    match command:
        case ResolveTask(task, choice, actor, bytes() as text):
            result, blobs = hold(text)
            return ResolveTask(task, choice, actor, result), blobs
        case ReceiveSignal(name, bytes() as text, actor, key):
            payload, blobs = hold(text)
            return ReceiveSignal(name, payload, actor, key), blobs
        case _:
            return command, ()


def too_large(blobs: tuple[Blob, ...]) -> Rejected | None:
    """What was small enough when it came may not be so once marks stand in the place of secrets."""
    size = max((len(text) for _, text in blobs), default=0)
    if size <= PAYLOAD_MAX_BYTES:
        return None
    message = f"{size} bytes once its secrets are taken out; {PAYLOAD_MAX_BYTES} are allowed"
    return Rejected("invalid", message)


def answer_to(rejected: Rejected | None, *, changed: bool, said: str) -> Done | Error:
    """What the client hears of its command."""
    if rejected is None:
        return Done(changed=changed, message=said)
    kind = "invalid" if rejected.kind == "invalid" else "refused"
    return Error(kind, rejected.message)
