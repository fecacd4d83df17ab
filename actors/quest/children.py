"""A quest's dealings with quests: places for its children, and the word to its own parent when it has ended."""

from functools import partial
from typing import Final

from questd.actors.house import House
from questd.actors.mail import AskQuest, ChildAsks, ChildEnded, Place, ReplyTo, ToQuest
from questd.actors.quest.attempts import counting
from questd.actors.quest.commands import CancelQuest
from questd.actors.quest.state import TERMINAL_PHASES, QuestState
from questd.actors.quest.writing import Writing
from questd.messages.exchange import ToolSpec
from questd.messages.heads import Head, at_rest, child_id, parent_of

CHILDREN: Final = "quest"
"""The agent, and the instance, of attempts that are quests of their own."""
CHILDREN_MAX: Final = 100
"""With more children at once a quest keeps its actor: each that ends would wake it, and it would look for all the others."""


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


def tell_again(house: House, state: QuestState, writing: Writing) -> None:
    """Who wakes a child that has ended has not heard how."""
    if state.phase in TERMINAL_PHASES and parent_of(state.id) is not None:
        writing.when_durable(partial(tell_parent, house, state))


def ask_parent(house: House, state: QuestState) -> None:
    """It has come back from the journal: its parent may have given it up meanwhile, and the word on that been lost."""
    parent, child = parent_of(state.id), state.id
    if parent is None or state.phase in TERMINAL_PHASES:
        return
    quest, epoch = parent

    def ask(waits: object) -> None:
        if waits is not True:
            house.directory.tell(ToQuest(quest, ChildAsks(epoch)))

    house.journal.read(lambda store: is_awaited(store.head(quest), child), ask)


def is_awaited(parent: Head | None, child: str) -> bool:
    """Does a parent say that it rests until the child has ended? It need not be woken to be asked."""
    if parent is None or not at_rest(parent):
        return False
    return any(wait.what == "child" and wait.name == child for wait in parent.waits)


def answer_child(house: House, state: QuestState, epoch: int) -> None:
    """A child that nobody waits for shall end."""
    if counting(state, epoch) is None:
        cancel = CancelQuest("its parent does not wait for it any more", state.id)
        ask = AskQuest(cancel, ReplyTo(house.children, 0))
        house.directory.tell(ToQuest(child_id(state.id, epoch), ask))
