"""What may be said to a quest under test, and how often each of it is."""

from random import Random
from typing import TYPE_CHECKING

from questd.messages import events as ev

if TYPE_CHECKING:
    from tests.quest.test_model import QuestMachine

LIMITS = (None, None, 1, 2)
ROUNDS = (1_000, 1_000, 1, 2)
TOTALS_MS = (None, None, None, 5_000)
KINDS = ("exception", "exception", "exception", "timeout", "auth", "cancelled")
WISHES_MS = (None, None, 0, 700)
PAUSES_MS = (0, 1, 1, 10, 10, 500, 500, 1_000, 12_000)
SIGNALS = ("x", "x", "y", "z")
COMPLETIONS = (
    *(ev.AttemptCompleted, ev.TaskCompleted, ev.TaskGathered),
    *(ev.TaskSignalled, ev.TaskDefaulted, ev.TaskWoke),
)
UNTRIED = (
    *("deciding", "ready", "due", "retrying", "waiting", "awaiting", "sleeping"),
    *("listing", "spread", "gathering", "planning", "judging"),
)
CHOICES = ("retry", "complete", "fail", "again", "accept", "more", "maybe")
TOKENS = (None, None, None, 1, 20)
USED = (0, 0, 1, 8)
LOSSES = ("lost", "lost", "given back", "never begun")


def act(machine: "QuestMachine", random: Random) -> None:
    """Something happens; what moves a quest on more often than what ends it."""
    n = random.randint(0, 63)
    match random.choices(range(17), (6, 24, 14, 8, 8, 4, 2, 5, 3, 1, 8, 6, 5, 8, 9, 5, 9))[0]:
        case 0:
            machine.a_place_comes(n, random.random() < 0.5)
        case 1 if machine.model.asking:
            machine.an_asked_for_place_comes(n)
        case 2:
            machine.a_result_comes(n, random.choice(USED))
        case 3:
            wish_ms, used = random.choice(WISHES_MS), random.choice(USED)
            machine.a_failure_comes(n, random.choice(KINDS), random.random() < 0.9, wish_ms, used)
        case 4:
            machine.an_attempt_is_lost(n, random.choice(LOSSES))
        case 5:
            machine.somebody_decides(n, random.choice(CHOICES))
        case 6:
            machine.somebody_cancels(n % 12)
        case 7:
            machine.an_input_is_rendered(n)
        case 8:
            machine.an_output_is_rendered(random.random() < 0.2)
        case 9:
            machine.a_task_turns_out_impossible(n % 30)
        case 10:
            machine.a_condition_is_looked_at(n, random.random() < 0.7)
        case 11:
            machine.a_list_is_rendered(n, random.randint(0, 4))
        case 12:
            machine.results_are_gathered(n)
        case 13:
            machine.a_plan_is_read(n, random.randint(0, 9_999))
        case 14:
            machine.a_round_is_judged(n, random.random() < 0.3)
        case 15:
            machine.a_signal_comes(random.choice(SIGNALS), random.randint(0, 200))
        case _:
            machine.time_passes(random.choice(PAUSES_MS))
