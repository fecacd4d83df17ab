"""What a quest gave, or one of its steps: of what ``show`` says."""

from typing import Any

from questd.client.errors import NotFound, QuestFailed, Refused
from questd.messages.address import step_of
from questd.views.shapes import QuestView, StepView, TaskView


def output_of(view: QuestView, step: str | None) -> Any:
    """The quest's output, or the result of one step. QuestFailed when it failed, Refused while it runs."""
    if step is not None:
        return _step_result(view, step)
    if view.status in ("failed", "cancelled"):
        raise QuestFailed(view)
    if view.status != "completed":
        raise Refused(
            f"{view.id} is {view.status} and has no output yet: `quest watch {view.id}` waits for it",
            kind="not_yet",
        )
    return view.output


def _step_result(view: QuestView, key: str) -> Any:
    """The result of one step, or of an item by its id. NotFound names the steps that there are."""
    step: StepView | TaskView | None = view.steps.get(key)
    if step is None and (whole := view.steps.get(step_of(key))) is not None:
        step = whole.tasks.get(key) if isinstance(whole.tasks, dict) else None
    if step is None:
        raise NotFound(f"{view.id} has no step {key!r}; it has {', '.join(view.steps)}")
    if step.status != "completed" and step.result is None:
        error = step.error
        reason = f": {error.message}" if error else ""
        raise Refused(f"{key} is {step.status} and has no result{reason}", kind="not_yet")
    return step.result
