"""What a schedule may be told to do (core.py decides), and the answer why not."""

from msgspec import Struct

from questd.actors.schedule.changes import Difference
from questd.actors.schedule.state import Marks
from questd.messages import schedules as ev


class ChangeIt(Struct, frozen=True):
    """Submit this from now on. ``files``: what the trigger's patterns match now."""

    spec: ev.ScheduleSpec
    definition: str
    document: str
    version: str
    actor: str
    mark: int = 0
    files: Marks = {}
    blind: tuple[str, ...] = ()


class PauseIt(Struct, frozen=True):
    """Fire no more for now."""

    actor: str


class ResumeIt(Struct, frozen=True):
    """Go on. ``mark``: what ended up to there was left out; so was what made ``files`` of these patterns as they are."""

    actor: str
    mark: int = 0
    patterns: tuple[str, ...] = ()
    files: Marks = {}
    blind: tuple[str, ...] = ()


class RemoveIt(Struct, frozen=True):
    """Fire no more."""

    actor: str


class MakeUpFor(Struct, frozen=True):
    """Submit for these due times of the past, unless it was done."""

    dues_us: tuple[int, ...]
    actor: str


class Answer(Struct, frozen=True):
    """What became of a submit: the quest, or (``refused``) kind and message of a refusal for good."""

    occasion: str
    quest: str = ""
    created: bool = True
    refused: tuple[str, str] | None = None


class EndRuns(Struct, frozen=True):
    """These quests have ended: (quest, status)."""

    ended: tuple[tuple[str, str], ...]


class Ending(Struct, frozen=True):
    """A quest that has ended as the trigger wants it: its place in the journal, and its depth among triggers."""

    quest: str
    seq: int
    depth: int
    about: bytes


class Notice(Struct, frozen=True):
    """These have ended, and nothing else up to ``mark``."""

    endings: tuple[Ending, ...]
    mark: int


class NoticeChange(Struct, frozen=True):
    """These files of ``trigger`` have differed so for long enough."""

    trigger: ev.FilesChanged
    found: Difference


class Renew(Struct, frozen=True):
    """Leave it to another schedule to carry on."""

    by: str


class Close(Struct, frozen=True):
    """The other one does."""


Command = (
    ChangeIt
    | PauseIt
    | ResumeIt
    | RemoveIt
    | MakeUpFor
    | Answer
    | EndRuns
    | Notice
    | NoticeChange
    | Renew
    | Close
)


class Rejected(Struct, frozen=True):
    """Why not."""

    kind: str
    message: str
