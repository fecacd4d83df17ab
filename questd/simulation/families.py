"""Templates of a run, and what must hold between a quest and its children: said by the journal alone."""

from collections.abc import Callable
from typing import Final, Protocol

from msgspec import structs

from questd.actors.control.templates import answer
from questd.actors.quest.plans import PlanCache
from questd.messages import events as ev
from questd.messages.definition import (
    InputDefinition,
    QuestDefinition,
    StepDefinition,
    encode_definition,
)
from questd.messages.exchange import AttemptId, Completed, Failed, Outcome
from questd.messages.failure import CANCELLED, Failure
from questd.messages.heads import parent_of
from questd.messages.templates import AddTemplate, TemplateAdded
from questd.runtime.shelf import Shelf
from questd.simulation.accounts import Account
from questd.simulation.chance import Chance

LEAF: Final = "leaf"
BRANCH: Final = "branch"
PLAIN: Final = "secret:plain"
TEMPLATES: Final = (LEAF, f"{BRANCH}@1")


class Books(Protocol):
    """The ledger, as far as families go."""

    accounts: dict[str, Account]
    outcomes: dict[AttemptId, Outcome]

    def expect(self, holds: bool, message: str) -> None:
        """Fail unless it holds."""
        ...


def stock(shelf: Shelf, chance: Chance, draw: Callable[[Chance, int], QuestDefinition]) -> None:
    """A template of random shape, and one that uses it."""
    leaf = draw(chance, 0)
    inputs = {"x": InputDefinition(required=False, default=None)}
    secrets = {
        name: structs.replace(one, required=False, default=PLAIN)
        for name, one in (leaf.inputs or {}).items()
    }
    first = StepDefinition("begin", use=LEAF, arguments={"x": "{{ x }}"})
    last = StepDefinition("end", use=LEAF, dependencies=("begin",), on_error="continue")
    for definition in (
        QuestDefinition(LEAF, leaf.steps, limits=leaf.limits, inputs={**inputs, **secrets}),
        QuestDefinition(BRANCH, (first, last), inputs=inputs),
    ):
        request = AddTemplate(encode_definition(definition))
        added = answer(shelf, PlanCache(), 0, request)
        assert isinstance(added, TemplateAdded), added


def is_root(account: Account) -> bool:
    """Was it submitted by a client?"""
    return parent_of(account.quest) is None


def note_begun(books: Books, account: Account) -> None:
    """A quest was submitted: a child only by an attempt whose start is durable, of a step that uses a template."""
    of = parent_of(account.quest)
    if of is None:
        return
    parent = books.accounts.get(of[0])
    attempt = None if parent is None else parent.attempts.get(of[1])
    where = f"child {account.quest}"
    books.expect(attempt is not None, f"{where}: begun before its parent's attempt was durable")
    if parent is not None and attempt is not None:
        use = parent.steps[attempt.event.task].use
        books.expect(use is not None, f"{where}: {attempt.event.task} uses no template")


def note_end(
    books: Books, account: Account, end: ev.Event, text: Callable[..., bytes | None]
) -> None:
    """A child has ended: for its parent that is what the tool returned."""
    of = parent_of(account.quest)
    if of is None:
        return
    (quest, epoch), used = of, (0, account.purse.tokens, account.purse.cost)
    match end:
        case ev.QuestCompleted(output):
            books.outcomes[of] = Completed(quest, epoch, text(account, output) or b"", *used)
        case ev.QuestFailed(failure):
            books.outcomes[of] = Failed(quest, epoch, failure, *used)
        case ev.QuestCancelled(reason):
            books.outcomes[of] = Failed(quest, epoch, Failure(CANCELLED, reason), *used)
        case _:
            raise AssertionError(f"{end} is no end")


def misplaced(account: Account, event: ev.AttemptStarted) -> bool:
    """Is an attempt of a step that uses a template something else than a quest, or the other way round?"""
    use = account.steps[event.task].use
    return (event.agent == "quest") != (use is not None) or use not in (None, event.tool)
