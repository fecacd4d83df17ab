"""A quest's dealings with quests: places for its children, and the word to its own parent when it has ended."""

from typing import Final

from questd.actors.house import House
from questd.actors.mail import AskQuest, ChildAsks, ChildEnded, Place, ReplyTo, ToQuest
from questd.actors.quest.attempts import counting
from questd.actors.quest.commands import CancelQuest
from questd.actors.quest.state import TERMINAL_PHASES, QuestState
from questd.messages.exchange import ToolSpec
from questd.messages.heads import child_id, parent_of

CHILDREN: Final = "quest"
"""The agent, and the instance, of attempts that are quests of their own."""


def tool_of(template: str) -> ToolSpec:
    """A template as the tool that an attempt calls."""
    return ToolSpec(template, any_parameters=True)


def place_of_child(house: House, state: QuestState, key: str) -> Place | None:
    """Where a step with ``use`` runs: there is always room. None of any other step."""
    use = state.at(key).step.use
    return None if use is None else Place(CHILDREN, CHILDREN, tool_of(use), house.children)


def tell_parent(house: House, state: QuestState) -> None:
    """It has ended, and that is on disk. Saying it twice is fine."""
    completed = state.phase == "completed"
    duration_us = (state.finished_us or state.last_us) - state.created_us
    ended = ChildEnded(
        state.id,
        state.output if completed else None,
        None if completed else state.failure,
        duration_us,
        state.usage.tokens,
        state.usage.cost,
    )
    house.children.tell(ended)


def ask_parent(house: House, state: QuestState) -> None:
    """It has come back from the journal: its parent may have given it up meanwhile, and the word on that been lost."""
    parent = parent_of(state.id)
    if parent is not None and state.phase not in TERMINAL_PHASES:
        house.directory.tell(ToQuest(parent[0], ChildAsks(parent[1])))


def answer_child(house: House, state: QuestState, epoch: int) -> None:
    """A child that nobody waits for shall end."""
    if counting(state, epoch) is None:
        cancel = CancelQuest("its parent does not wait for it any more", state.id)
        ask = AskQuest(cancel, ReplyTo(house.children, 0))
        house.directory.tell(ToQuest(child_id(state.id, epoch), ask))
