"""Runs by seed, and what came of them."""

import traceback
from collections.abc import Iterator

from msgspec import Struct

from questd.simulation.closing import close
from questd.simulation.faults import draw_faults, draw_scene
from questd.simulation.misfortunes import Misfortunes
from questd.simulation.spoken import Violation
from questd.simulation.trace import Trace
from questd.simulation.world import Script, World


class Outcome(Struct, frozen=True):
    """``violation`` is None when every invariant held. ``counts``: what happened how often (trace lines by noun.verb).

    ``ends``: how each quest ended and which of its tasks were completed, by idempotency key.
    """

    seed: int
    violation: str | None
    quests: int
    events: int
    commits: int
    turns: int
    checksum: int
    virtual_us: int
    counts: dict[str, int]
    ends: dict[str, str] = {}


def script_of(seed: int) -> Script:
    """The run of this seed."""
    return Script(seed, draw_scene(seed), draw_faults(seed))


def run(script: Script, *, keep_trace: bool = False) -> tuple[Outcome, Trace]:
    """One run to its end, or to the first violation."""
    world = World(script, keep_trace=keep_trace)
    violation: str | None = None
    try:
        world.begin()
        Misfortunes(world).plan()
        world.run()
        close(world)
    except Violation as error:
        violation = str(error)
        world.trace.note("invariant.violated", violation)
    except Exception as error:  # noqa: BLE001 - whatever breaks outside of an actor is a finding as well
        violation = "".join(traceback.format_exception(error)).strip()
    counts = {**world.trace.counts, "historian.killed": world.historian.kills}
    outcome = Outcome(
        script.seed,
        violation,
        len(world.ledger.accounts),
        world.ledger.events,
        world.commits,
        world.turns,
        world.trace.checksum,
        world.clock.monotonic_us,
        counts,
        ends_of(world),
    )
    return outcome, world.trace


def ends_of(world: World) -> dict[str, str]:
    """How each quest ended, with the tasks that it completed."""
    return {
        account.key or account.quest: f"{account.end}: {' '.join(sorted(account.completed))}"
        for account in world.ledger.accounts.values()
    }


def run_seeds(start: int, count: int) -> Iterator[Outcome]:
    """One run a seed, in order."""
    for seed in range(start, start + count):
        yield run(script_of(seed))[0]
