"""Items of simulated steps: lists whose content is known, and what the journal must say of the tasks that they become.

A list is made of things that never change once the dependencies have ended. Its items start in order, a window of them at once, each with its
own item and under its own key; the step is completed with their results in that order, when all have ended. The first that may not fail takes
the step along, and nothing of it starts or counts after that.
"""

import json
from collections.abc import Callable
from typing import Any, Final

from msgspec import structs

from questd.messages import events as ev
from questd.messages.definition import StepDefinition
from questd.messages.exchange import Invocation
from questd.messages.payload import Payload
from questd.simulation import loops
from questd.simulation.accounts import Account
from questd.simulation.chance import Chance

Expect = Callable[[bool, str], None]
TextOf = Callable[[Account, Payload], bytes | None]

ALONE: Final[dict[str, list[Any]]] = {
    "[]": [],
    "[7]": [7],
    "[1, 2, 3]": [1, 2, 3],
    "['a', 'b', {'c': null}, 'd', 'e']": ["a", "b", {"c": None}, "d", "e"],
}
STATUSES: Final = "[{0}.status, {0}.status]"
RESULTS: Final = "{0}.result"
EACH: Final = {"x": "{{ item }}", "y": "{{ index }}"}
"""Arguments of an item."""


def draw_items(chance: Chance, earlier: list[StepDefinition], of: StepDefinition) -> StepDefinition:
    """The same step for each item of a list; now and then of the results of another one's items."""
    lists = [s.key for s in earlier if s.key in of.dependencies and s.for_each is not None]
    if lists and chance.maybe(0.7):
        for_each = RESULTS.format(lists[0])
    elif of.dependencies and chance.maybe(0.3):
        for_each = STATUSES.format(of.dependencies[0])
    else:
        for_each = chance.pick(tuple(ALONE))
    return structs.replace(
        of,
        for_each=for_each,
        max_parallel=chance.pick((None, None, 1, 2)) if of.parallel else None,
        partial=chance.pick(("fail", "continue")),
        arguments=EACH if chance.maybe(0.3) else None,
    )


def items_of(account: Account, whole: str) -> list[str]:
    """The ids of its items, in order."""
    key, at, number = whole.partition("@")
    return [f"{key}[{n}]{at}{number}" for n in range(len(account.spread.get(whole, ())))]


def expanded(account: Account, event: ev.TaskExpanded, text: TextOf, expect: Expect) -> None:
    """Once, when it may, and into the items of its list."""
    where, step = f"{account.quest} {event.task}", account.steps[event.task]
    right = step.for_each is not None and event.task not in account.spread
    expect(right and event.task not in account.failed, f"{where}: expanded for no reason")
    ready = loops.over(account, step) and not account.stopping
    decided = step.when is None or event.task in account.allowed
    expect(ready and decided and event.task not in account.skipped, f"{where}: expanded too soon")
    given = [json.loads(text(account, item) or b"") for item in event.items]
    wanted = _list_for(account, step)
    expect(wanted is None or given == wanted, f"{where}: has items {given}, not {wanted}")
    account.spread[event.task] = given
    each = structs.replace(
        step, dependencies=(), when=None, for_each=None, parallel=True, repeat=None
    )
    for number, item in enumerate(items_of(account, event.task)):
        account.steps[item] = each
        account.item_of[item] = (event.task, number)


def _list_for(account: Account, step: StepDefinition) -> list[Any] | None:
    if step.for_each in ALONE:
        return ALONE[step.for_each]
    key = (step.for_each or "").strip("[").partition(".")[0]
    first = account.now(key)
    if step.for_each == RESULTS.format(key):
        return None if first in account.failed else account.gathered.get(first)
    ends = (
        ("failed", account.failed),
        ("completed", account.completed),
        ("skipped", account.skipped),
    )
    return [next((word for word, tasks in ends if first in tasks), "failed")] * 2


def check_started(account: Account, task: str, expect: Expect) -> None:
    """An item starts in its window, while its step goes on."""
    if task not in account.item_of:
        return
    where, (whole, number) = f"{account.quest} {task}", account.item_of[task]
    step, items = account.steps[whole], items_of(account, whole)
    over = whole in account.completed or whole in account.failed
    expect(not over, f"{where}: started after the end of {whole}")
    stopped = any(item in account.failed and item not in account.ended for item in items)
    expect(not stopped, f"{where}: started although {whole} has failed")
    window = step.max_parallel if step.parallel else 1
    came = len(items) if window is None else window + sum(item in account.ended for item in items)
    expect(number < came, f"{where}: started before its turn")


def check_sent(account: Account, sent: Invocation, expect: Expect) -> None:
    """It is given its own item, under a key of its own."""
    where = f"work of {sent.quest} {sent.task}"
    holder = account.keys.setdefault(sent.idempotency_key, sent.task)
    expect(holder == sent.task, f"{where}: has the key of {holder}")
    if sent.task not in account.item_of:
        return
    whole, number = account.item_of[sent.task]
    item = account.spread[whole][number]
    by_itself = account.steps[whole].arguments is None
    given = {"input": item} if by_itself else {"x": item, "y": number}
    said = json.loads(sent.arguments)
    expect({name: said.get(name) for name in given} == given, f"{where}: is not about its item")


def note_failed(account: Account, event: ev.TaskFailed, expect: Expect) -> None:
    """An item fails as its step says; with a step, its items are over."""
    if event.task in account.item_of:
        goes_on = account.steps[event.task].partial == "continue"
        expect(event.continued is goes_on, f"{account.quest} {event.task}: failed wrongly")
    over = frozenset(items_of(account, event.task))
    for epoch in [epoch for epoch, task in account.running.items() if task in over]:
        account.attempts[epoch].over = True
        del account.running[epoch]


def gathered(account: Account, event: ev.TaskGathered, text: TextOf, expect: Expect) -> None:
    """All items have ended, and this is what they gave."""
    where, items = f"{account.quest} {event.task}", items_of(account, event.task)
    expect(event.task in account.spread, f"{where}: gathered without items")
    expect(all(item in account.ended for item in items), f"{where}: gathered too soon")
    results = [text(account, account.results.get(item, b"null")) or b"" for item in items]
    said = json.loads(text(account, event.result) or b"")
    expect(said == [json.loads(each) for each in results], f"{where}: gathered something else")
    account.gathered[event.task] = said


def check_all_ended(account: Account, expect: Expect) -> None:
    """No quest is completed before its steps, planned ones included."""
    missing = [key for key in account.loops.waits if account.now(key) not in account.ended]
    expect(not missing, f"{account.quest}: completed without {missing}")


def check_failed_steps(account: Account, event: ev.QuestCompleted, expect: Expect) -> None:
    """A quest that is completed says what it went on without."""
    named = failed_steps(account) == frozenset(event.failed_steps)
    expect(named, f"{account.quest}: says that {event.failed_steps} failed")


def failed_steps(account: Account) -> frozenset[str]:
    """The steps that the quest went on without, wholly or in part."""
    latest = {key: account.now(key) for key in account.loops.waits}
    return frozenset(
        key
        for key, task in latest.items()
        if task in account.failed or any(item in account.failed for item in items_of(account, task))
    )
