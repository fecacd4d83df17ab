"""A retry that comes due while its quest is writing down that it rests: both messages in one turn, and the quest goes on all the same."""

# pyright: reportPrivateUsage=false

import msgspec

from questd.actors.quest.actor import QuestSupervisor
from questd.simulation.daemon import insides
from questd.simulation.faults import SECOND, Faults
from questd.simulation.references import scene_of
from questd.simulation.world import Script, World

FAULTS = Faults(tool_fails=0.8, slow_commit=1.0)
ANSWERS = {"Appended", "KeyTaken", "VersionConflict"}
LIMIT_US = 100 * SECOND


def resting(world: World) -> list[QuestSupervisor]:
    """Quests that wait for their resting heads to be on disk."""
    if not world.life.ready:
        return []
    refs = [ref for ref in world.life.quest_refs() if not ref.actor_stopped.is_set()]
    actors: list[QuestSupervisor] = [world.life.actor(ref) for ref in refs]
    return [actor for actor in actors if insides(actor)["_resting"].phase == "writing"]


def waiting(actor: QuestSupervisor) -> list[str]:
    return [type(message).__name__ for message in actor.mailbox._normal]


def ended(world: World) -> bool:
    accounts = world.ledger.accounts.values()
    return len(accounts) == 3 and all(account.end for account in accounts)


def run_slowly(world: World) -> int:
    """No actor gets a turn while a quest's resting head is being written; how often a wake came first."""
    met = 0
    world.begin()
    while world.clock.monotonic_us < LIMIT_US and not ended(world):
        boxes = [waiting(actor) for actor in resting(world)]
        met += sum(box[:2] == ["Wake", "Appended"] for box in boxes)
        lag = 0.0 if all(ANSWERS & set(box) for box in boxes) else 1.0
        world.faults = msgspec.structs.replace(FAULTS, lag=lag)
        if not world.step(world.clock.monotonic_us + SECOND):
            world.clock.advance(world.clock.monotonic_us + SECOND)
    return met


def test_a_wake_in_the_turn_in_which_a_quest_goes_to_rest_is_not_lost() -> None:
    met = 0
    for seed in range(25):
        world = World(Script(seed, scene_of("rests"), FAULTS))
        met += run_slowly(world)
        assert ended(world), f"seed {seed}: {world.what_is_open()}"
    assert met > 3, f"it hardly ever happens: {met}"
