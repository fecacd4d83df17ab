"""What questd is told from outside: questd.toml, the environment, the command line's words."""

from questd.settings.finding import find_file, state_home
from questd.settings.model import (
    AgentSettings,
    ControlSettings,
    HistorySettings,
    LimitSettings,
    ListenSettings,
    RetentionSettings,
    Settings,
    TCPSettings,
    read_token,
)
from questd.settings.reading import load_settings

__all__ = [
    "AgentSettings",
    "ControlSettings",
    "HistorySettings",
    "LimitSettings",
    "ListenSettings",
    "RetentionSettings",
    "Settings",
    "TCPSettings",
    "find_file",
    "load_settings",
    "read_token",
    "state_home",
]
