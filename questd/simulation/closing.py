"""What must be true when a run is over and the house is quiet: nothing lost, nothing leaked, nothing forgotten."""

from typing import Any

from questd.actors.agent.actor import Beat
from questd.actors.agent.core import Session
from questd.actors.directory.actor import DaemonStable
from questd.actors.directory.waking import Alarm
from questd.actors.exchange.actor import GraceOver
from questd.actors.quest.actor import QuestSupervisor
from questd.actors.quest.told import waits_of
from questd.simulation.daemon import insides
from questd.simulation.families import is_root
from questd.simulation.historian import whole
from questd.simulation.schedules import KEY
from questd.simulation.spoken import Violation
from questd.simulation.world import World

FINISHED_LEAST = 0.9


def close(world: World) -> None:
    """Raise the first Violation."""
    for check in (_quests, _schedules, _journal, _clients, _house, _sessions, _timers, _history):
        check(world)
        if world.ledger.violation is not None:
            raise world.ledger.violation


def _demand(holds: object, message: str) -> None:
    if not holds:
        raise Violation(message)


def _quests(world: World) -> None:
    """Every quest ends or names what it waits for, and nearly all end."""
    accounts = list(world.ledger.accounts.values())
    for account in accounts:
        head = world.store.head(account.quest)
        _demand(head is not None and head.parked is None, f"{account.quest} is parked: {head}")
        if account.end is None:
            waits = waits_of(account.fold)
            _demand(waits, f"{account.quest} has not ended and names no wait")
        else:
            status = head.status if head is not None else ""
            _demand(account.end == f"quest.{status}", f"{account.quest}: its head says {status}")
    ended = sum(account.end is not None for account in accounts)
    _demand(
        ended >= FINISHED_LEAST * len(accounts), f"only {ended} of {len(accounts)} quests ended"
    )
    roots = [account for account in accounts if is_root(account)]
    asked = sum(not (account.key or "").startswith(KEY) for account in roots)
    expected = world.script.scene.quests + world.script.scene.hopeless
    _demand(asked == expected, f"{asked} quests, {expected} were wanted")


def _schedules(world: World) -> None:
    """Each due time was met or left out for a reason, and each that was fired has its quest."""
    book = world.ledger.schedules
    faults = book.faults()
    _demand(not faults, f"schedules: {faults}")
    for keeper in world.keepers:
        _demand(book.page_of(keeper.name), f"{keeper.name} is not in the journal")
    left = {**world.life.house.heeded, **world.life.house.watching}
    _demand(not left, f"the scheduler heeds {left}")


def _journal(world: World) -> None:
    world.ledger.compare(world.store)
    held = sum(len(account.records) for account in world.ledger.accounts.values())
    held += sum(len(page.records) for page in world.ledger.schedules.pages.values())
    _demand(held == len(world.store.follow(0, 1_000_000)), "the journal has other events as well")


def _clients(world: World) -> None:
    for client in world.clients:
        _demand(client.refusal is None, f"a good submit was refused: {client.refusal}")
    _demand(not world.counter.overdue(), f"unanswered: {world.counter.overdue()}")


def _house(world: World) -> None:
    """Nobody holds a place, nobody asks, nobody is on the way."""
    life = world.life
    control = _inside(world, "control")
    _demand(not control["_open"], f"the control actor has {control['_open']} open")
    _demand(
        not insides(control["_admission"])["_submits"], "the control actor still counts submits"
    )
    router = _inside(world, "router")["_state"]
    _demand(not router.held, f"places are held by nobody: {router.held}")
    kept = {i.id: list(i.held) for i in router.instances.values() if i.held}
    _demand(not kept, f"instances count places that nobody holds: {kept}")
    wanted = [key for key, want in router.wanted.items() if want.agent != "nobody"]
    _demand(not wanted, f"nobody wants these places: {wanted}")
    _demand(not life.dispatcher.depth, "mailboxes are ready")
    _demand(not life.quest_refs(), f"quests have not gone to rest: {life.quest_refs()}")
    watches = _inside(world, "children")["_watches"]
    _demand(not watches, f"children are waited for: {watches}")
    exchange = _inside(world, "exchange")
    awaited = exchange["_awaited"] if exchange["_grace_over"] else None
    _demand(not awaited, f"the exchange waits for {awaited}")


def _inside(world: World, name: str) -> dict[str, Any]:
    return insides(world.life.actor(getattr(world.life.house, name)))


def _sessions(world: World) -> None:
    """Each connected instance has one session, and neither side has anything left to say."""
    for instance in world.instances:
        _demand(instance.idle, f"{instance.incarnation} is not idle")
    found = [world.life.actor(ref) for ref in world.life.agent_refs()]
    for actor in found:
        inside = insides(actor)
        session: Session = inside["_session"]
        left = (session.held, session.delivered, list(session.unsent), inside["_steps"])
        _demand(not any(left), f"the session of {actor.name} still has {left}")
    present = sorted(actor.name for actor in found)
    expected = sorted(instance.incarnation for instance in world.instances)
    _demand(present == expected, f"sessions of {present}, instances {expected}")


def _timers(world: World) -> None:
    beats = 0
    for timer in world.life.timers.armed():
        owner = world.life.actor(timer.ref)
        beats += isinstance(timer.message, Beat)
        known = isinstance(timer.message, Beat | DaemonStable | GraceOver)
        waits = not isinstance(owner, QuestSupervisor) and isinstance(timer.message, Alarm)
        _demand(known or waits, f"a timer was left behind: {timer.message!r} for {owner.name}")
    _demand(beats == len(world.instances), f"{beats} beats for {len(world.instances)} sessions")


def _history(world: World) -> None:
    """However often the historian died: its tables are those of a history built in one go, and agree with the quests."""
    historian = world.historian
    while historian.behind:
        historian.step(0.0)
    shown, fresh = historian.tables.shown(), whole(world.store).shown()
    for name, rows in fresh.items():
        _demand(
            shown[name] == rows,
            f"history.{name} differs from a fresh projection: {_first(shown[name], rows)}",
        )
    quests = {row["quest"]: row for row in historian.tables.rows["quests"].values()}
    for account in world.ledger.accounts.values():
        status = quests[account.quest]["status"]
        said = account.end.removeprefix("quest.") if account.end else "waiting"
        _demand(status == said, f"history says {account.quest} is {status}, the journal {said}")
    _tasks(world)


def _tasks(world: World) -> None:
    for row in world.historian.tables.rows["tasks"].values():
        account = world.ledger.accounts[row["quest"]]
        task = row["task"]
        done = task in account.completed and task not in account.judged_failed
        _demand(
            (row["status"] == "completed") == done,
            f"history says {row['quest']} {row['task']} is {row['status']}",
        )


def _first(rows: list[str], others: list[str]) -> str:
    return next(
        (f"{a} / {b}" for a, b in zip(rows, others, strict=False) if a != b), "their number"
    )
