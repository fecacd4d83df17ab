"""The rules of a quest, without I/O, clock, randomness or threads.

    decide(state, command, now_us) -> events | Rejected     may this happen, and what happens then
    conclude(state) -> events                               what must follow, now that nothing else is left
    evolve(state, event, now_us)                            fold one event; never refuses history
    elapse(state, now_us) -> commands                       what has come due by time alone
    outstanding(state) -> due                               what the world owes the quest, from scratch

``evolve`` keeps the same thing up to date as ``state.due``, so a crash needs no code of its own: the recovered quest is
asked for what is outstanding and goes on. Every event costs O(1), but for the heaps O(log n).

Events of one task move it along ``TASK_MOVES``; events of the quest along ``QUEST_MOVES`` (state.py).
"""

from questd.actors.quest.admission import ask_in_vain, withhold
from questd.actors.quest.decide import conclude, decide
from questd.actors.quest.evolve import evolve
from questd.actors.quest.outstanding import outstanding
from questd.actors.quest.timing import elapse, next_wake_us
from questd.actors.quest.told import head_of, is_idle, still_wants, waits_of, want_of

__all__ = [
    "ask_in_vain",
    "conclude",
    "decide",
    "elapse",
    "evolve",
    "head_of",
    "is_idle",
    "next_wake_us",
    "outstanding",
    "still_wants",
    "waits_of",
    "want_of",
    "withhold",
]
