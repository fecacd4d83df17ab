"""questd: a durable runtime for multi-agent work.

Each name is loaded when it is asked for: ``from questd import Agent`` loads neither DuckDB nor the daemon.
"""

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from questd.agent import Agent, Context, ToolError
    from questd.builder import Fallback, Quest, Repeat, Retry
    from questd.client import (
        Client,
        History,
        InvalidDocument,
        NotFound,
        QuestFailed,
        Refused,
        Unreachable,
    )

__all__ = [
    "Agent",
    "Client",
    "Context",
    "Fallback",
    "History",
    "InvalidDocument",
    "NotFound",
    "Quest",
    "QuestFailed",
    "Refused",
    "Repeat",
    "Retry",
    "ToolError",
    "Unreachable",
]

_PLACES = {
    "Agent": "questd.agent",
    "Context": "questd.agent",
    "ToolError": "questd.agent",
    "Fallback": "questd.builder",
    "Repeat": "questd.builder",
    "Quest": "questd.builder",
    "Retry": "questd.builder",
}


def __getattr__(name: str) -> Any:
    if name not in __all__:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module(_PLACES.get(name, "questd.client")), name)
