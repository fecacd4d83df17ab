"""The client's face: ``Client``, ``History`` and the errors that they raise. Each is loaded when it is asked for."""

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from questd.client.client import Client
    from questd.client.errors import (
        Busy,
        InternalFault,
        InvalidInput,
        NotFound,
        QuestFailed,
        Refused,
        Unreachable,
    )
    from questd.client.history import Table
    from questd.client.questions import History
    from questd.documents.faults import InvalidDocument

__all__ = [
    "Busy",
    "Client",
    "History",
    "InternalFault",
    "InvalidDocument",
    "InvalidInput",
    "NotFound",
    "QuestFailed",
    "Refused",
    "Table",
    "Unreachable",
]

_PLACES = {
    "Client": "questd.client.client",
    "History": "questd.client.questions",
    "InvalidDocument": "questd.documents.faults",
    "Table": "questd.client.history",
}


def __getattr__(name: str) -> Any:
    if name not in __all__:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module(_PLACES.get(name, "questd.client.errors")), name)
