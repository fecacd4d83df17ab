"""Messages that only a quest's actor itself knows, and what it is begun with."""

from typing import Final

from msgspec import Struct

from questd.actors.mail import ReplyTo, TextsRead
from questd.actors.quest import commands as cmd
from questd.actors.quest.plan_reading import Rendered
from questd.actors.quest.plans import ReadyPlan
from questd.actors.quest.recovery import Fenced, Recorded
from questd.actors.quest.resting import Rest, RestNow
from questd.messages.payload import Blob
from questd.runtime.actor import ChildFailed, ChildStopped
from questd.runtime.errors import JournalError
from questd.runtime.journal.store import Appended, KeyTaken, VersionConflict


class Submission(Struct, frozen=True):
    """A quest to begin, and who asked for it."""

    ready: ReadyPlan
    command: cmd.SubmitQuest
    inputs: bytes
    reply: ReplyTo
    blobs: tuple[Blob, ...] = ()


ITS_OWN: Final = (
    Appended,
    KeyTaken,
    VersionConflict,
    JournalError,
    Rest,
    RestNow,
    Recorded,
    Fenced,
    TextsRead,
    Rendered,
    ChildStopped,
    ChildFailed,
)
"""Messages that speak of one actor's memory: the next one has no use for them."""


class LostRace(Exception):
    """The journal refused an append: somebody else wrote, or this memory is stale."""
