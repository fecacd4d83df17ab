"""How far a quest may go: its events, and the bytes that they bring.

One that goes on and on (retries, rounds, plans, lines of a log) is stopped by name, before it is so long that folding it anew would
hold up a restart. What it takes to end is written all the same: its last attempts, and that it has failed.
"""

from typing import Final

from questd.actors.quest.state import QuestState
from questd.messages import events as ev
from questd.messages.failure import TOO_LARGE, Failure

EVENTS_MAX: Final = 1_000_000
WEIGHT_MAX_BYTES: Final = 1024 * 1024 * 1024


def stop(state: QuestState) -> list[ev.Event]:
    """It goes no further when a bound is reached; empty before."""
    if state.version >= EVENTS_MAX:
        message = f"the quest has {state.version} events; {EVENTS_MAX} are allowed"
    elif state.weight > WEIGHT_MAX_BYTES:
        message = f"the quest holds {state.weight} bytes; {WEIGHT_MAX_BYTES} are allowed"
    else:
        return []
    return [ev.QuestStopping(Failure(TOO_LARGE, message, None, False))]


def weigh_lines(state: QuestState, event: ev.AttemptLogged) -> None:
    """Fold: what a tool has logged."""
    state.weight += sum(len(line.text) + len(line.fields) for line in event.lines)
