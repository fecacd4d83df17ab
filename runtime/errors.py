"""Every error that questd raises on purpose.

QuestdError
├── CallerError             the caller asked for something wrong
│   ├── BadSettings
│   ├── BadExpression
│   ├── NotFound
│   ├── SecretUnavailable   what stands for a secret leads nowhere
│   └── Refused             conflict, overload, not allowed
│       └── Busy
├── PeerError               the other side of a socket broke the protocol
│   └── BadFrame
└── MachineError            disk, sockets, processes
    ├── JournalError
    │   ├── JournalLocked
    │   ├── JournalForeign  another journal, or an older copy
    │   │   └── JournalNewer    a newer program's
    │   ├── JournalBroken   a write failed: nothing may be acknowledged any more
    │   └── BrokenChain     an event's bytes are not what was written
    └── Unreachable
"""


class QuestdError(Exception):
    """The root of the tree."""


class CallerError(QuestdError):
    """The caller's fault."""


class BadSettings(CallerError):
    """A setting that cannot be; the message names it and the nearest valid one."""


class BadExpression(CallerError):
    """An expression that cannot be evaluated, or must not be. Never holds a value, which may be a secret.

    ``source``: the text it stands in; ``offset``: where in it, in characters from 0 (None: nowhere in particular);
    ``where``: the place in a nested value ("files[0].name"); ``hint``: what to do instead.
    """

    def __init__(
        self, message: str, *, source: str = "", offset: int | None = None, hint: str = ""
    ) -> None:
        super().__init__(message)
        self.message = message
        self.source = source
        self.offset = offset
        self.hint = hint
        self.where = ""

    def __str__(self) -> str:
        place = f"{self.where}: " if self.where else ""
        at = "" if self.offset is None else f" (character {self.offset + 1}{self._excerpt()})"
        return f"{place}{self.message}{at}{'; ' if self.hint else ''}{self.hint}"

    def _excerpt(self) -> str:
        start = max(0, (self.offset or 0) - 20)
        excerpt = self.source[start : start + 60].replace("\n", " ").strip()
        return f" of `{excerpt}`" if excerpt else ""


class NotFound(CallerError):
    """Nothing has that name or id."""


class SecretUnavailable(CallerError):
    """A reference that leads to no secret. Names the reference, and never what was found there."""

    def __init__(self, reference: str, why: str) -> None:
        super().__init__(f"the secret {reference} {why}")
        self.reference = reference
        self.why = why


class Refused(CallerError):
    """Understood, and not done."""

    def __init__(self, message: str, *, kind: str = "conflict") -> None:
        super().__init__(message)
        self.kind = kind


class Busy(Refused):
    """Too much at once; nothing of the request was kept."""

    def __init__(self, message: str, *, retry_after_ms: int) -> None:
        super().__init__(message, kind="busy")
        self.retry_after_ms = retry_after_ms


class PeerError(QuestdError):
    """The peer's fault."""


class BadFrame(PeerError):
    """Bytes that are no frame of the protocol."""


class MachineError(QuestdError):
    """The machine's fault."""


class JournalError(MachineError):
    """The journal cannot be used."""


class JournalLocked(JournalError):
    """Another process holds this journal."""

    def __init__(self, path: str, holder: str) -> None:
        super().__init__(f"{path} is held by {holder}")
        self.path = path
        self.holder = holder


class JournalForeign(JournalError):
    """Not the journal that was here before."""


class JournalNewer(JournalForeign):
    """Written by a newer questd."""


class JournalBroken(JournalError):
    """A write did not reach the disk."""


class BrokenChain(JournalError):
    """Stored bytes do not fit their checksum."""

    def __init__(self, quest: str, n: int) -> None:
        super().__init__(f"event {n} of {quest} is not what was written (checksum differs)")
        self.quest = quest
        self.n = n


class Unreachable(MachineError):
    """Nobody answers at that address."""
