"""What goes wrong in one run, and how often. Each seed draws its own mixture: some runs know one kind of fault only."""

from typing import Final

from msgspec import Struct

from questd.actors.house import Limits
from questd.simulation.chance import Chance, stream

SECOND: Final = 1_000_000
MILLISECOND: Final = 1_000


class Faults(Struct, frozen=True):
    """Chances are per message or per commit; counts are per run; times are microseconds.

    ``commit_deaths``: numbers of the commits (counted over the whole run) at which the daemon dies, and how:
    "before" (nothing was written), "after" (it was, and nobody was told), "broken" (nothing was, and everybody is told so),
    "later" (it was, and some were told).
    """

    request_lost: float = 0.0
    reply_lost: float = 0.0
    doubled: float = 0.0
    late: float = 0.0
    late_us: int = 2 * SECOND
    pipes_cut: int = 0
    half_open: float = 0.0
    unnoticed: float = 0.0
    resent: float = 0.0
    daemon_crashes: int = 0
    commit_deaths: tuple[tuple[int, str], ...] = ()
    slow_commit: float = 0.0
    agent_crashes: int = 0
    agent_freezes: int = 0
    agent_drains: int = 0
    absent_agents: float = 0.0
    clock_jumps: int = 0
    actor_bugs: int = 0
    static_bugs: int = 0
    historian_kills: float = 0.0
    lag: float = 0.0
    tool_fails: float = 0.0
    tool_hangs: float = 0.0


class Scene(Struct, frozen=True):
    """The size of a run: how many of what, for how long (microseconds), under which limits.

    ``reference``: what clients want is that shape (references.py), and not drawn.
    """

    quests: int
    agents: int
    chaos_us: int
    limits: Limits
    hopeless: bool = False
    reference: str = ""
    schedules: int = 0


NONE: Final = Faults()


def draw_faults(seed: int) -> Faults:
    """The mixture of this seed."""
    chance = stream(seed, "faults")

    def some(high: float, often: float = 0.5) -> float:
        return high * chance.random() if chance.maybe(often) else 0.0

    def count(high: int, often: float = 0.5) -> int:
        return 1 + int(high * chance.random()) if chance.maybe(often) else 0

    crashes = count(2, 0.4)
    return Faults(
        request_lost=some(0.1),
        reply_lost=some(0.15),
        doubled=some(0.1),
        late=some(0.1),
        late_us=chance.pick((100 * MILLISECOND, SECOND, 4 * SECOND)),
        pipes_cut=count(5),
        half_open=some(0.5),
        unnoticed=some(0.5),
        resent=some(1.0),
        daemon_crashes=crashes,
        commit_deaths=_draw_deaths(chance, 3 - crashes),
        slow_commit=some(0.1, 0.3),
        agent_crashes=count(3, 0.4),
        agent_freezes=count(3, 0.4),
        agent_drains=count(1, 0.15),
        absent_agents=some(0.6, 0.4),
        clock_jumps=count(3, 0.3),
        actor_bugs=count(3, 0.35),
        static_bugs=count(1, 0.12),
        historian_kills=some(0.3),
        lag=some(0.1),
        tool_fails=some(0.4, 0.8),
        tool_hangs=some(0.15),
    )


def _draw_deaths(chance: Chance, most: int) -> tuple[tuple[int, str], ...]:
    """At most so many: a quest that was open at four deaths of the daemon is parked."""
    deaths: dict[int, str] = {}
    for _ in range(min(most, int(chance.random() * 3))):
        deaths[1 + chance.skewed(0, 120)] = chance.pick(("before", "after", "after", "broken"))
    return tuple(sorted(deaths.items()))


def draw_scene(seed: int) -> Scene:
    """The size of this seed's run."""
    chance = stream(seed, "scene")
    quests = chance.between(3, 8)
    hold_s = chance.pick((0.4, 1.0, 2.0))
    limits = Limits(
        parallel=chance.pick((None, None, None, 2, 5)),
        rest_after_s=chance.pick((0.02, 0.2, 1.0)),
        rest_in_queue_s=chance.pick((0.05, 0.5, 60.0)),
        awake_quests=chance.pick((2, 10_000)),
        awake_steps=chance.pick((8, 30, 500_000)),
        hold_s=hold_s,
        lease_s=3 * hold_s,
        closed_pipe_s=chance.pick((0.2, 1.0)),
        reattach_grace_s=chance.pick((1.0, 3.0, 6.0)),
    )
    hopeless = chance.maybe(0.05)
    if hopeless:
        quests += 10
    agents, chaos_us = chance.between(2, 5), chance.between(3, 9) * SECOND
    schedules = chance.pick((0, 0, 0, 1, 2))
    return Scene(quests, agents, chaos_us, limits, hopeless, schedules=schedules)
