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


class RenderInput(Struct, frozen=True):
    """Render what the task was given, and say ``ContinueTask``."""

    task: str


class Decide(Struct, frozen=True):
    """Look whether the task's ``when`` holds, and say ``DecideTask``."""

    task: str


class RenderOutput(Struct, frozen=True):
    """Every step has ended: render the output, and say ``FinishQuest``."""


Due = (
    WantPlace
    | DropWant
    | RunAttempt
    | RecallAttempt
    | DropAttempt
    | Decide
    | RenderInput
    | RenderOutput
)
