"""Exit codes of ``quest`` (docs/interface.md), and which error means which."""

from typing import Final

DONE: Final = 0
FAILED: Final = 1
USAGE: Final = 2
CANCELLED: Final = 3
WAITING: Final = 4
NOT_FOUND: Final = 5
UNREACHABLE: Final = 6
REFUSED: Final = 7
BUG: Final = 70
INTERRUPTED: Final = 130
BROKEN_PIPE: Final = 141

OF_STATUS: Final = {
    "completed": DONE,
    "failed": FAILED,
    "cancelled": CANCELLED,
    "waiting": WAITING,
    "paused": WAITING,
}
"""Of a quest that a command has followed as far as it goes."""


def code_of(error: BaseException) -> int:
    """The exit code for an error that questd raised on purpose."""
    from questd.client.errors import InternalFault, QuestFailed  # noqa: PLC0415 - only for errors
    from questd.runtime import errors as common  # noqa: PLC0415

    match error:
        case QuestFailed():
            return OF_STATUS[error.view.status]
        case common.NotFound():
            return NOT_FOUND
        case common.Refused() | InternalFault():
            return REFUSED
        case common.CallerError():
            return USAGE
        case common.PeerError() | common.MachineError():
            return UNREACHABLE
        case _:
            return BUG
