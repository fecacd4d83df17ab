"""Budgets of simulated quests: what was used, whether a person was asked in time and once, and what they granted. Said by the journal alone."""

from collections.abc import Callable, Mapping
from typing import Final

from questd.messages import events as ev
from questd.messages.definition import QuestLimits
from questd.messages.exchange import AttemptId, Cancelled, Completed, Failed, Outcome
from questd.simulation.accounts import SAID_BY_THE_DAEMON, Account
from questd.simulation.chance import Chance

Expect = Callable[[bool, str], None]
Ended = ev.AttemptCompleted | ev.AttemptFailed
TOKENS: Final = (None, None, None, None, 4, 25)
COST: Final = (None, None, None, None, None, 2.0)
COST_OF_A_TOKEN: Final = 0.25
"""A power of two: sums are exact in whatever order."""


class Purse:
    """What a quest has used, what it may use, and who asks for more."""

    def __init__(self, limits: QuestLimits) -> None:
        self.limits = limits
        self.tokens, self.cost = 0, 0.0
        self.tokens_most, self.cost_most = limits.tokens, limits.cost
        self.asker: str | None = None

    @property
    def tokens_spent(self) -> bool:
        """Not a token is left."""
        return self.tokens_most is not None and self.tokens >= self.tokens_most

    @property
    def cost_spent(self) -> bool:
        """No cost is left."""
        return self.cost_most is not None and self.cost >= self.cost_most

    @property
    def spent(self) -> bool:
        """Nothing more may start."""
        return self.tokens_spent or self.cost_spent


def draw_limits(chance: Chance, parallel: int | None, rounds: int) -> QuestLimits:
    """Perhaps with a budget."""
    tokens, cost = chance.pick(TOKENS), chance.pick(COST)
    return QuestLimits(parallel, rounds=rounds, tokens=tokens, cost=cost)


def draw_usage(chance: Chance) -> tuple[int, float]:
    """What a tool has used."""
    tokens = chance.pick((0, 1, 3, 8))
    return tokens, tokens * COST_OF_A_TOKEN


def note(
    account: Account, event: ev.Event, outcomes: Mapping[AttemptId, Outcome], expect: Expect
) -> None:
    """Before the ledger's own look."""
    purse, where = account.purse, f"{account.quest} {getattr(event, 'task', '')}"
    match event:
        case ev.AttemptStarted():
            expect(not purse.spent, f"{where}: started beyond the budget")
        case ev.AttemptCompleted() | ev.AttemptFailed():
            _check_used(where, event, outcomes.get((account.quest, event.epoch)), expect)
            purse.tokens += event.tokens
            purse.cost += event.cost
            _answer_itself(account, event.task)
        case ev.TaskFailed(task) | ev.TaskCompleted(task):
            _answer_itself(account, task)
        case ev.BreakpointOpened(task, "budget") if task not in account.judging:
            expect(purse.spent, f"{where}: asked for more with budget left")
            expect(purse.asker is None, f"{where}: asked twice")
            purse.asker = task
        case ev.BreakpointResolved():
            _note_answer(purse, where, event, expect)
        case _:
            pass


def _check_used(where: str, event: Ended, outcome: Outcome | None, expect: Expect) -> None:
    """What the tool said it has used, if its word is what ended the attempt."""
    match outcome:
        case Completed(tokens=tokens, cost=cost) | Failed(tokens=tokens, cost=cost):
            said = tokens, cost
        case Cancelled() | None:
            said = 0, 0.0
    own = isinstance(event, ev.AttemptFailed) and event.failure.kind in SAID_BY_THE_DAEMON
    used = event.tokens, event.cost
    right = used == said or (own and used == (0, 0.0))
    expect(right, f"{where}: {used} used, and the tool said {said}")


def _answer_itself(account: Account, task: str) -> None:
    """Who asks does so no more when it has ended otherwise, an item also with its step."""
    asker = account.purse.asker
    if asker is not None and task in (asker, account.item_of.get(asker, ("",))[0]):
        account.purse.asker = None


def _note_answer(purse: Purse, where: str, event: ev.BreakpointResolved, expect: Expect) -> None:
    if purse.asker != event.task:
        expect(not (event.tokens or event.cost), f"{where}: granted what nobody asked for")
        return
    purse.asker = None
    if event.choice == "more":
        enough = (not purse.tokens_spent or event.tokens > 0) and (
            not purse.cost_spent or event.cost > 0
        )
        expect(enough, f"{where}: more, and nothing granted")
    if purse.tokens_most is not None and event.tokens:
        purse.tokens_most = max(purse.tokens_most, purse.tokens) + event.tokens
    if purse.cost_most is not None and event.cost:
        purse.cost_most = max(purse.cost_most, purse.cost) + event.cost
