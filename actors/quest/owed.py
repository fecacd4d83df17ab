"""What the world owes a quest: the kinds of dues. The fold says which are new, ``outstanding`` which there are at all."""

from typing import TYPE_CHECKING

from msgspec import Struct

if TYPE_CHECKING:
    from questd.actors.quest.task import Attempt


class WantPlace(Struct, frozen=True):
    """The task could run now: ask for a place on an agent. Needs nothing on disk."""

    task: str


class DropWant(Struct, frozen=True):
    """The task does not ask for a place any more."""

    task: str


class RunAttempt(Struct, frozen=True):
    """An attempt has started: bring it to its agent."""

    task: str
    attempt: "Attempt"


class RecallAttempt(Struct, frozen=True):
    """A running attempt should end: ask its agent to cancel."""

    task: str
    epoch: int
    reason: str


class DropAttempt(Struct, frozen=True):
    """An attempt is over for the quest: nobody needs to watch it."""

    task: str
    epoch: int


class ToRender(Struct, frozen=True):
    """Something is to be rendered, and a command said with it."""


class RenderInput(ToRender, frozen=True):
    """Render what the task was given, and say ``ContinueTask``."""

    task: str


class Decide(ToRender, frozen=True):
    """Look whether the task's ``when`` holds, and say ``DecideTask``."""

    task: str


class JudgeRound(ToRender, frozen=True):
    """The task has a result: look whether its ``until`` holds, and say ``EndRound``."""

    task: str


class ListItems(ToRender, frozen=True):
    """Render the list that the task's ``for_each`` gives, and say ``ExpandTask``."""

    task: str


class GatherItems(ToRender, frozen=True):
    """All items of the task have ended: put their results together, and say ``GatherTask``."""

    task: str


class ReadPlan(ToRender, frozen=True):
    """The task's result is a plan: read and check it, and say ``PlanTask``."""

    task: str


class RenderOutput(ToRender, frozen=True):
    """Every step has ended: render the output, and say ``FinishQuest``."""


Renders = Decide | RenderInput | JudgeRound | ListItems | GatherItems | RenderOutput


class TellParent(Struct, frozen=True):
    """The quest is the child of another and has ended: that one waits for it."""


Due = (
    WantPlace
    | DropWant
    | RunAttempt
    | RecallAttempt
    | DropAttempt
    | Renders
    | ReadPlan
    | TellParent
)
