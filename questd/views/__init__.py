"""What people and programs are shown: events folded into the shapes of docs/interface.md."""

from questd.views.events import EventView, LogView, event_view, log_views
from questd.views.quests import QuestFold, list_row, quest_view
from questd.views.shapes import (
    ErrorView,
    QuestList,
    QuestRow,
    QuestView,
    StepView,
    SubmittedView,
    WaitView,
)
from questd.views.times import rfc3339

__all__ = [
    "ErrorView",
    "EventView",
    "LogView",
    "QuestFold",
    "QuestList",
    "QuestRow",
    "QuestView",
    "StepView",
    "SubmittedView",
    "WaitView",
    "event_view",
    "list_row",
    "log_views",
    "quest_view",
    "rfc3339",
]
