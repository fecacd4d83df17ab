"""What a client raises beside questd's common errors (runtime/errors.py).

``InvalidDocument`` stands with the documents: to import it here would load them for a client that reads none.
"""

from questd.runtime.errors import (
    Busy,
    CallerError,
    NotFound,
    QuestdError,
    Refused,
    Unreachable,
)
from questd.views.shapes import QuestView

__all__ = [
    "Busy",
    "InternalFault",
    "InvalidInput",
    "NotFound",
    "QuestFailed",
    "Refused",
    "Unreachable",
]


class InvalidInput(CallerError):
    """Inputs or arguments that do not fit. ``faults``: one sentence each."""

    def __init__(self, message: str, faults: tuple[str, ...] = ()) -> None:
        super().__init__(message)
        self.message = message
        self.faults = faults

    def __str__(self) -> str:
        return "\n  ".join([self.message, *self.faults])


class InternalFault(QuestdError):
    """The daemon could not do it, and it is not the caller's fault: its log says more."""


class QuestFailed(QuestdError):
    """The quest ended failed or cancelled. ``view``: all that ``show`` says of it."""

    def __init__(self, view: QuestView) -> None:
        error = view.error
        reason = f" ({error.kind}): {error.message}" if error else ""
        at = f" at {error.task}" if error and error.task else ""
        super().__init__(f"quest {view.id} {view.status}{at}{reason}")
        self.view = view

    @property
    def kind(self) -> str:
        """The failure's kind."""
        return self.view.error.kind if self.view.error else self.view.status
