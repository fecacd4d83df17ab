"""What befalls a run from outside, at times that its seed draws: crashes, cuts, freezes, jumps of the clock, bugs in actors."""

from questd.runtime.actor import Ref
from questd.simulation.daemon import InjectedBug
from questd.simulation.faults import SECOND
from questd.simulation.world import World


class Misfortunes:
    """All of one run, as its faults count them."""

    def __init__(self, world: World) -> None:
        self._world = world

    def plan(self) -> None:
        """Put them on the agenda."""
        faults, chance = self._world.faults, self._world.draw("misfortunes")
        for count, happen in (
            (faults.pipes_cut, self._cut_pipe),
            (faults.daemon_crashes, lambda: self._world.died("of its own")),
            (faults.agent_crashes, self._crash_agent),
            (faults.agent_freezes, self._freeze_agent),
            (faults.agent_drains, self._drain_agent),
            (faults.clock_jumps, self._jump_clock),
            (faults.actor_bugs, self._break_actor),
            (faults.static_bugs, self._break_static_actor),
        ):
            for _ in range(count):
                at_us = chance.between(0, self._world.script.scene.chaos_us)
                self._world.agenda.after(at_us, happen)

    def _cut_pipe(self) -> None:
        pipes = list(self._world.network.pipes.values())
        if pipes:
            self._world.trace.note("pipe.cut")
            self._world.network.cut(self._world.chance.pick(pipes), by_agent=False)

    def _crash_agent(self) -> None:
        if self._world.instances:
            instance = self._world.chance.pick(self._world.instances)
            self._world.trace.note("instance.crashed", instance.incarnation)
            instance.crash()
            self._world.replace(instance)

    def _freeze_agent(self) -> None:
        if self._world.instances:
            # Rather one that has work: what it fetched is done by others meanwhile.
            working = [instance for instance in self._world.instances if instance.works]
            instance = self._world.chance.pick(working or self._world.instances)
            self._world.trace.note("instance.frozen", instance.incarnation)
            instance.freeze()
            lease_us = int(self._world.script.scene.limits.lease_s * SECOND)
            self._world.agenda.after(self._world.chance.between(0, 3 * lease_us), instance.thaw)

    def _drain_agent(self) -> None:
        if self._world.instances:
            self._world.trace.note("instance.drained")
            self._world.chance.pick(self._world.instances).drain()

    def _jump_clock(self) -> None:
        by_us = self._world.chance.between(-30 * SECOND, 30 * SECOND)
        self._world.trace.note("clock.jumped", by_us)
        self._world.clock.jump(by_us)

    def _break_actor(self) -> None:
        life = self._world.life
        if life.alive and life.ready:
            kinds = [
                life.quest_refs(),
                life.agent_refs(),
                life.step_refs(),
                life.schedule_refs(),
            ]
            refs = self._world.chance.pick([refs for refs in kinds if refs] or [[]])
            self._poison(refs)

    def _break_static_actor(self) -> None:
        if self._world.life.alive and self._world.life.ready:
            self._poison(self._world.life.static_refs())
            self._world.counter.forgive()

    def _poison(self, refs: list[Ref]) -> None:
        if refs:
            ref = self._world.chance.pick(refs)
            self._world.trace.note("actor.poisoned", self._world.life.actor(ref).name)
            ref.tell(InjectedBug())
