"""Renderings of ``repeat``: whether the result of a task stands, and what the next round is told if it does not."""

from msgspec import Struct
from msgspec.structs import replace

from questd.actors.graph import CompiledStep
from questd.actors.quest.commands import Command, EndRound, FailTask
from questd.actors.quest.facts import material_of, placed, result_of, scope_of
from questd.actors.quest.state import QuestState
from questd.actors.quest.task import Task
from questd.actors.rendering import (
    Material,
    TextMissing,
    Texts,
    payloads_of,
    render_template,
    rendering_failure,
)
from questd.messages.payload import NULL, Blob, Payload, encode_json, hold
from questd.runtime.errors import BadExpression
from questd.runtime.expressions import Template


class Judgement(Struct, frozen=True):
    """Whether a task's ``until`` holds, and what the next round is told if it does not."""

    payloads: tuple[Payload, ...]
    task: str
    until: Template
    feedback: Template | None
    material: Material
    result: Payload

    def finish(self, texts: Texts) -> tuple[Command, tuple[Blob, ...]]:
        """A failure of the step where it cannot be said."""
        try:
            if render_template(self.until, self.material, texts):
                return EndRound(self.task, True, NULL), ()
            if self.feedback is None:
                return EndRound(self.task, False, self.result), ()
            told = render_template(self.feedback, self.material, texts)
        except (BadExpression, TextMissing) as error:
            return FailTask(self.task, rendering_failure(error)), ()
        payload, blobs = hold(encode_json(told))
        return EndRound(self.task, False, payload), blobs


def judgement_of(state: QuestState, step: CompiledStep, task: Task) -> Judgement:
    """To look at its ``until``; its result is read where it is named."""
    assert step.until is not None
    keys = (key for each in step.judging for key in each.steps)
    rounds = {key for each in step.judging for key in each.rounds}
    result, scope = result_of(task), scope_of(task)
    if any("result" in each.extras for each in step.judging):
        scope = replace(scope, result=result)
    material = placed(material_of(state, keys, rounds), scope)
    payloads = tuple(payloads_of(material, any(each.inputs for each in step.judging)))
    return Judgement(payloads, task.key, step.until, step.feedback, material, result)
