"""What leaves a quest for a rendering: the facts of the steps that an expression names, and orders for step actors."""

import hashlib
from typing import Protocol, assert_never

from msgspec import Struct

from questd.actors.graph import CompiledQuest, CompiledStep
from questd.actors.mail import Place
from questd.actors.quest.commands import (
    Command,
    ContinueTask,
    DecideTask,
    FailTask,
    FinishQuest,
)
from questd.actors.quest.facts import material_for, material_of, placed, scope_of
from questd.actors.quest.item_materials import (
    material_for_gathering,
    material_for_items,
    material_for_list,
)
from questd.actors.quest.owed import (
    Decide,
    GatherItems,
    JudgeRound,
    ListItems,
    RenderInput,
    RenderOutput,
    Renders,
)
from questd.actors.quest.planning import sinks_of
from questd.actors.quest.round_materials import judgement_of
from questd.actors.quest.state import QuestState
from questd.actors.quest.task import Attempt, Task
from questd.actors.rendering import (
    Material,
    TextMissing,
    Texts,
    given_to,
    json_object,
    payloads_of,
    render_template,
    rendering_failure,
    text_of,
)
from questd.actors.step.actor import StepOrder
from questd.messages.failure import TOO_LARGE, Failure
from questd.messages.payload import (
    NULL,
    PAYLOAD_MAX_BYTES,
    Blob,
    BlobRef,
    Payload,
    encode_json,
    hold,
)
from questd.runtime.errors import BadExpression
from questd.runtime.expressions import Template


def order_for(
    state: QuestState,
    compiled: CompiledQuest,
    task: Task,
    attempt: Attempt,
    place: Place | None,
) -> StepOrder:
    """What a step actor needs to see the attempt through."""
    step = compiled.steps[task.step.key]
    return StepOrder(
        quest=state.id,
        task=task.key,
        attempt=attempt,
        step=step,
        material=material_for_arguments(state, step, task),
        idempotency_key=idempotency_key(state.id, task),
        place=place,
        heartbeat_timeout_ms=task.step.heartbeat_timeout_ms,
        deadline_us=state.deadline_us,
        secrets=state.secrets,
    )


def material_for_arguments(state: QuestState, step: CompiledStep, task: Task) -> Material:
    """What its arguments are made of."""
    keys = needed_by(step) if task.item is None else step.steps
    return placed(material_of(state, keys, step.rounds), scope_of(task))


def needed_by(step: CompiledStep) -> tuple[str, ...]:
    """The steps that its arguments are made of: those it names, or else all it depends on."""
    return step.dependencies if step.implicit else step.steps


def idempotency_key(quest: str, task: Task) -> str:
    """Hash of (quest, step, round, item, redo): the same over retries, restarts and fallback."""
    item = "" if task.item is None else task.item.number
    text = f"{quest}\0{task.step.key}\0{task.round.number}\0{item}\0{task.redo}"
    return hashlib.blake2b(text.encode(), digest_size=16).hexdigest()


class Rendering(Protocol):
    """A rendering that may have to wait for payload texts; ``finish`` gives the command that it was for."""

    @property
    def payloads(self) -> tuple[Payload, ...]:
        """What it is going to read."""
        ...

    def finish(self, texts: Texts) -> tuple[Command, tuple[Blob, ...]]:
        """The command, and the blob to write beside its event."""
        ...


class Condition(Struct, frozen=True):
    """Whether a task's ``when`` holds."""

    payloads: tuple[Payload, ...]
    task: str
    when: Template
    material: Material

    def finish(self, texts: Texts) -> tuple[Command, tuple[Blob, ...]]:
        """A failure of the step where it cannot be said."""
        try:
            holds = render_template(self.when, self.material, texts)
        except (BadExpression, TextMissing) as error:
            return FailTask(self.task, rendering_failure(error)), ()
        return DecideTask(self.task, bool(holds)), ()


class InputRendering(Struct, frozen=True):
    """What a failed step was given."""

    payloads: tuple[Payload, ...]
    task: str
    step: CompiledStep
    material: Material

    def finish(self, texts: Texts) -> tuple[Command, tuple[Blob, ...]]:
        """Null when even that cannot be rendered: the step has failed because of it."""
        try:
            text = given_to(self.step, self.material, texts)
        except (BadExpression, TextMissing):
            text = NULL
        payload, blobs = hold(text)
        return ContinueTask(self.task, payload), blobs


class OutputRendering(Struct, frozen=True):
    """A quest's output by its ``output`` expression, or its only sink's result, or {sink key: result}."""

    payloads: tuple[Payload, ...]
    compiled: CompiledQuest
    material: Material

    def finish(self, texts: Texts) -> tuple[Command, tuple[Blob, ...]]:
        """A failure where the output cannot be rendered or is too large."""
        facts = self.material.steps
        if self.compiled.output is None and len(facts) == 1:
            return FinishQuest(facts[0].result), ()
        try:
            text = self._text(texts)
        except (BadExpression, TextMissing) as error:
            return FinishQuest(NULL, rendering_failure(error)), ()
        if len(text) > PAYLOAD_MAX_BYTES:
            message = f"an output of {len(text)} bytes; {PAYLOAD_MAX_BYTES} are allowed"
            return FinishQuest(NULL, Failure(TOO_LARGE, message, None, False)), ()
        payload, blobs = hold(text)
        return FinishQuest(payload), blobs

    def _text(self, texts: Texts) -> bytes:
        if self.compiled.output is not None:
            return encode_json(render_template(self.compiled.output, self.material, texts))
        return json_object((f.key, text_of(f.result, texts)) for f in self.material.steps)


def rendering_for(state: QuestState, compiled: CompiledQuest, due: Renders) -> Rendering:
    """What is to be rendered, with all it needs but the texts kept by digest."""
    match due:
        case ListItems(key):
            task = state.at(key)
            for_each = compiled.steps[task.step.key].for_each
            assert for_each is not None
            return material_for_list(key, for_each, material_for(state, task, for_each))
        case GatherItems(key):
            return material_for_gathering(state, state.at(key))
        case Decide(key):
            task = state.at(key)
            return material_for_condition(state, compiled.steps[task.step.key], task)
        case JudgeRound(key):
            task = state.at(key)
            return judgement_of(state, compiled.steps[task.step.key], task)
        case RenderInput(key):
            task = state.at(key)
            return material_for_step(state, compiled.steps[task.step.key], task)
        case RenderOutput():
            return material_for_output(state, compiled)
        case _:
            assert_never(due)


def material_for_condition(state: QuestState, step: CompiledStep, task: Task) -> Condition:
    """To look at its ``when``."""
    assert step.when is not None
    material = material_for(state, task, step.when)
    payloads = tuple(payloads_of(material, bool(step.when.inputs)))
    return Condition(payloads, task.key, step.when, material)


def material_for_step(state: QuestState, step: CompiledStep, task: Task) -> Rendering:
    """To render what the step was given: its list, if it has one."""
    if task.items is not None:
        return material_for_items(state, task)
    material = material_for_arguments(state, step, task)
    payloads = tuple(payloads_of(material, bool(step.inputs)))
    return InputRendering(payloads, task.key, step, material)


def material_for_output(state: QuestState, compiled: CompiledQuest) -> OutputRendering:
    """To render the quest's output."""
    if compiled.output is not None:
        material = material_of(state, compiled.output.steps, compiled.output.rounds)
        payloads = tuple(payloads_of(material, bool(compiled.output.inputs)))
        return OutputRendering(payloads, compiled, material)
    material = material_of(state, sinks_of(state))
    payloads = tuple(payloads_of(material, False))
    if len(material.steps) == 1 and isinstance(payloads[0], BlobRef):
        payloads = ()  # passed on as it is, unread
    return OutputRendering(payloads, compiled, material)
