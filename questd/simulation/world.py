"""One run: a house, its agents and clients, and everything that goes wrong, all from one seed.

First faults and work together; then the faults end, and time runs on until every quest has ended or says what it waits
for; then the final checks (closing.py).
"""

from collections.abc import Sequence
from functools import partial
from typing import Final

from msgspec import Struct

from questd.actors.quest.actor import QuestSupervisor
from questd.messages.exchange import AttemptId, Outcome, Work, decode_daemon_frame
from questd.runtime.actor import Mailbox
from questd.runtime.deterministic import Agenda, VirtualClock
from questd.runtime.journal.memory import MemoryStore
from questd.runtime.journal.store import Append
from questd.runtime.shelf import MemoryShelf
from questd.simulation.agents import Body, Instance
from questd.simulation.agreement import disagreement, placeless
from questd.simulation.chance import Chance, stream
from questd.simulation.changing import Desk
from questd.simulation.clients import Client, Operator, passing_question
from questd.simulation.concealed import SecretWatch, holds_secret
from questd.simulation.counter import Counter
from questd.simulation.daemon import Ground, Life, is_alive
from questd.simulation.errands import draw_errands
from questd.simulation.families import stock
from questd.simulation.faults import MILLISECOND, NONE, SECOND, Faults, Scene
from questd.simulation.historian import Historian
from questd.simulation.journal import Outcomes
from questd.simulation.keepers import Keeper
from questd.simulation.ledger import Ledger
from questd.simulation.network import Network, Route
from questd.simulation.shown import shown
from questd.simulation.spoken import Violation
from questd.simulation.trace import Trace
from questd.simulation.workload import AGENTS, draw_definition

START_US: Final = 1_750_000_000 * SECOND
HEAL_US: Final = 400 * SECOND
"""Virtual time after the faults in which everything must have ended."""
FOR_EVER_US: Final = 10**15
CALM_US: Final = SECOND
UNEXPECTED: Final = frozenset(
    {
        "quest.crashed",
        "step.failed",
        "session.failed",
        "schedule.crashed",
        "actor.restarted",
        "tree.escalated",
    }
)
EXCUSES: Final = ("InjectedBug", "simulated: the disk is full")


class Script(Struct, frozen=True):
    """What a run is made of. The seed decides the rest."""

    seed: int
    scene: Scene
    faults: Faults = NONE


def stale_us(script: Script) -> int:
    """How long an instance may begin what was given up; no bound where the actor that would call it back may fail."""
    bugs = script.faults.actor_bugs + script.faults.static_bugs
    return FOR_EVER_US if bugs else int(2 * script.scene.limits.hold_s * SECOND)


class World:
    """Everything of one run."""

    def __init__(self, script: Script, *, keep_trace: bool = False) -> None:
        self.script = script
        self.clock = VirtualClock(START_US)
        self.trace = Trace(self.clock, keep=keep_trace)
        self.agenda = Agenda(self.clock, self.draw("agenda"))
        self.store = MemoryStore(journal_id="simulated", clock_us=self.clock.now_us)
        self.shelf = MemoryShelf()
        stock(self.shelf, self.draw("templates"), draw_definition)
        self.ledger = Ledger(self.store, self.clock, stale_us(script))
        self.secrets = SecretWatch(self.ledger, self.clock)
        self.network = Network(self.agenda, self.draw("network"), self.trace)
        self.counter = Counter(self.network, self.ledger, self._now)
        self.operator = Operator(self.counter.ask, self.agenda, self.draw("operator"))
        self.historian = Historian(self.store, self.draw("historian"))
        self.faults = script.faults
        self.network.faults = script.faults
        self.chance = self.draw("world")
        self.instances: list[Instance] = []
        self.clients: list[Client] = []
        self.keepers: list[Keeper] = []
        self.life: Life
        self.boots = 0
        self.commits = 0
        self.turns = 0
        self._births = 0
        self._turned: Mailbox | None = None
        self._deaths = dict(script.faults.commit_deaths)

    def draw(self, name: str) -> Chance:
        """The stream of that name."""
        return stream(self.script.seed, name)

    def _now(self) -> int:
        return self.clock.monotonic_us

    # -- the run -----------------------------------------------------------------------------------------

    def begin(self) -> None:
        """The daemon starts, and people come."""
        self.boot()
        self._people()
        self._history()

    def run(self) -> None:
        """From there to the quiet at the end; raises Violation."""
        self._until(self.script.scene.chaos_us)
        self.heal()
        limit_us = self._now() + HEAL_US
        calm_us = CALM_US + int(self.script.scene.limits.lease_s * SECOND)
        calm_since_us = self._now()
        while self._now() < calm_since_us + calm_us:
            self._until(self._now() + 100 * MILLISECOND)
            if not self.settled():
                calm_since_us = self._now()
            if self._now() > limit_us:
                raise Violation(f"not quiet after {HEAL_US // SECOND} s: {self.what_is_open()}")

    def _until(self, at_us: int) -> None:
        while self._now() < at_us:
            if not self.step(at_us):
                self.clock.advance(at_us)
        while self.life.alive and self.life.dispatcher.depth:
            self.step(at_us)

    def step(self, at_us: int) -> bool:
        """A turn of an actor, or the next thing that happens; False when nothing does until then."""
        life, agenda = self.life, self.agenda
        if life.alive and life.dispatcher.depth and not self._lagging():
            self.turns += 1
            life.dispatcher.run_one()
            self._look_at_turn()
        elif not self._pass_time(at_us):
            return False
        if agenda and self.ledger.violation is not None:
            raise self.ledger.violation
        return True

    def _lagging(self) -> bool:
        """The workers are slow: time passes although there is work."""
        return self.faults.lag > 0 and self.chance.maybe(self.faults.lag)

    def _pass_time(self, at_us: int) -> bool:
        agenda_us = self.agenda.next_us()
        timer_us = self.life.timers.next_us() if self.life.alive else None
        if timer_us is not None and (agenda_us is None or timer_us < agenda_us):
            if timer_us > at_us:
                return False
            self.clock.advance(int(timer_us))
            self.trace.note("timers.fired", self.life.timers.fire())
            return True
        if agenda_us is None or agenda_us > at_us:
            return False
        self.agenda.run_next()
        return True

    def _on_turn(self, mailbox: Mailbox) -> None:
        self._turned = mailbox
        owner = mailbox.owner
        self.trace.note("turn.taken", owner.name if owner else "", len(mailbox))

    def _look_at_turn(self) -> None:
        mailbox = self._turned
        actor = None if mailbox is None else mailbox.owner
        if isinstance(actor, QuestSupervisor) and is_alive(actor):
            account = self.ledger.accounts.get(actor.name)
            if account is not None:
                router = self.life.actor(self.life.house.router)
                wrong = disagreement(actor, account) or placeless(actor, router)
                if wrong is not None:
                    self.ledger.fail(wrong)

    # -- the daemon ----------------------------------------------------------------------------------------

    def boot(self) -> None:
        """A new daemon on the same disk."""
        self.boots += 1
        boot = f"boot{self.boots}"
        self.trace.note("daemon.started", boot)
        ground = Ground(
            clock=self.clock,
            agenda=self.agenda,
            store=self.store,
            shelf=self.shelf,
            files=self.ledger.schedules.disk.files,
            network=self.network,
            watcher=self,
            slow=lambda: self.faults.slow_commit,
            note=self._note,
            turn=self._on_turn,
            agent_said=lambda frame: self.trace.note("frame.arrived", *shown(frame)),
            agent_answer=self._answer_agent,
            client_answer=self.counter.reply,
        )
        self.life = Life(ground, boot, self.script.scene.limits, self._draw_for(boot))
        self.network.daemon = self.life
        self.counter.new_life(self.life)

    def _draw_for(self, boot: str) -> "_Draw":
        return _Draw(self, boot)

    def _answer_agent(self, route: Route, body: bytes) -> None:
        pipe = self.network.pipes.get(route.pipe)
        if pipe is not None:
            peer = pipe.endpoint.peer
            assert isinstance(peer, Instance)
            frame = decode_daemon_frame(body)
            self.trace.note("frame.sent", *shown(frame))
            if isinstance(frame, Work):
                self.secrets.sent(frame)
            self.ledger.agent_heard(peer.incarnation, body)
        self.network.reply(route, body)

    def _note(self, event: str, **fields: object) -> None:
        self.trace.note(event, *fields.values())
        self.ledger.expect(not holds_secret(str(fields).encode()), f"{event} tells a secret")
        if event not in UNEXPECTED and event != "quest.parked":
            return
        if not any(excuse in str(fields) for excuse in EXCUSES):
            self.ledger.fail(f"{event}: {fields}")

    def committing(self) -> str:
        """A commit begins: is it this daemon's last?"""
        self.commits += 1
        return self._deaths.pop(self.commits, "")

    def committed(self, items: Sequence[Append], outcomes: Outcomes) -> None:
        """It is on disk."""
        self.trace.note("journal.committed", *(f"{i.quest}:{i.head.version}" for i in items))
        self.secrets.committed(items)
        self.ledger.committed(items, outcomes)
        for quest, task, options in self.ledger.breakpoints:
            self.operator.decide(quest, task, options)
        for quest, definition in self.ledger.waiting_children:
            self.operator.answer(quest, definition)
        self.ledger.breakpoints.clear()
        self.ledger.waiting_children.clear()

    def died(self, why: str) -> None:
        """The daemon is dead; another one starts a little later."""
        if not self.life.alive:
            return
        self.trace.note("daemon.died", why)
        self.life.die()
        self.network.daemon_died(self.life)
        self.ledger.compare(self.store)
        self.agenda.after(self.chance.skewed(MILLISECOND, 2 * SECOND), self.boot)

    # -- people ----------------------------------------------------------------------------------------------

    def _people(self) -> None:
        scene, chance = self.script.scene, self.draw("people")
        for number in range(scene.agents):
            name = AGENTS[number % len(AGENTS)]
            absent = number < len(AGENTS) and chance.maybe(self.faults.absent_agents)
            delay_us = (
                chance.between(SECOND, scene.chaos_us) if absent else chance.skewed(0, SECOND)
            )
            body = self._body(name, chance)
            self.agenda.after(delay_us, partial(self.admit, body))
        for name in AGENTS[scene.agents :]:
            body = self._body(name, chance)
            self.agenda.after(scene.chaos_us, partial(self.admit, body))
        for errand, at_us in draw_errands(scene, chance):
            for _ in range(2 if chance.maybe(0.15) else 1):
                client = Client(errand, self.counter.ask, self.agenda, self.draw(errand.key))
                self.clients.append(client)
                self.agenda.after(at_us + chance.skewed(0, 100 * MILLISECOND), client.begin)
        for _ in range(chance.between(0, 3)):
            self.agenda.after(chance.between(0, scene.chaos_us), self._passer_by)
        if scene.schedules:
            disk, own = self.ledger.schedules.disk, self.draw("desk")
            Desk(disk, self.agenda, own, scene.chaos_us).begin()
        for number in range(scene.schedules):
            own = self.draw(f"keeper-{number}")
            ask, agenda = self.counter.ask, self.agenda
            keeper = Keeper(f"every-{number}", ask, agenda, self.clock, own, scene.chaos_us)
            self.keepers.append(keeper)
            self.agenda.after(own.between(0, scene.chaos_us // 2), keeper.begin)

    def _passer_by(self) -> None:
        self.counter.ask(passing_question(self.chance), SECOND, lambda _: None)

    def _body(self, name: str, chance: Chance) -> Body:
        faults = self.faults
        return Body(
            name, chance.between(1, 4), chance.between(0, 3), faults.tool_fails, faults.tool_hangs
        )

    def admit(self, body: Body) -> None:
        """A new process of an agent."""
        self._births += 1
        incarnation = f"{body.agent}{self._births:04d}"
        self.trace.note("instance.started", incarnation)
        chance = self.draw(incarnation)
        self.instances.append(
            Instance(
                body,
                incarnation,
                self.network,
                self.agenda,
                self._now,
                chance,
                self,
                self.trace,
            )
        )

    def tool_began(self, attempt: AttemptId, instance: str) -> None:
        """A tool is called."""
        self.ledger.tool_began(attempt, instance)

    def tool_ended(self, outcome: Outcome) -> None:
        """It has an outcome."""
        self.ledger.tool_ended(outcome)

    def instance_ended(self, instance: Instance, code: int) -> None:
        """The process has ended by itself; another takes its place."""
        self.trace.note("instance.ended", instance.incarnation, code)
        self.replace(instance)

    def replace(self, instance: Instance) -> None:
        """A process has ended: another one of its agent comes a little later."""
        self.instances.remove(instance)
        delay_us = self.chance.skewed(MILLISECOND, 3 * SECOND)
        self.agenda.after(delay_us, lambda: self.admit(instance.body))

    def _history(self) -> None:
        """The historian looks now and then."""
        if self.historian.behind:
            self.historian.step(self.faults.historian_kills)
        if self.faults is not NONE or self.historian.behind:
            self.agenda.after(self.chance.between(50, 600) * MILLISECOND, self._history)

    # -- the end -------------------------------------------------------------------------------------------------

    def heal(self) -> None:
        """No more faults: whoever was away comes back."""
        self.trace.note("faults.ended")
        self.faults = self.network.faults = NONE
        for instance in self.instances:
            if instance.frozen:
                instance.thaw()

    def settled(self) -> bool:
        """Nobody waits for anything that could still come."""
        return not self.what_is_open()

    def what_is_open(self) -> list[str]:
        """What has not come to its end, in words."""
        found = [f"client of {c.quest}" for c in self.clients if c.open and not self._hopeless(c)]
        found += [f"keeper of {k.name}: {k.refusal}" for k in self.keepers if k.open or k.refusal]
        found += [f"schedules: {self.life.schedule_refs()}"] if self.life.schedule_refs() else []
        found += [f"operator: {self.operator.open}"] if self.operator.open else []
        found += [f"{i.incarnation} busy" for i in self.instances if not i.idle]
        for account in self.ledger.accounts.values():
            if account.end is None and account.fold.plan.definition.name != "hopeless":
                tasks = [task for task in account.fold.tasks if task.state.phase != "pending"]
                found.append(f"{account.quest} is {account.fold.phase}: {tasks}")
        if not (self.life.alive and self.life.ready and self.life.journal.idle):
            found.append("the daemon is busy")
        elif len(self.life.agent_refs()) != len(self.instances):
            found.append("sessions and instances differ")
        return found

    def _hopeless(self, client: Client) -> bool:
        account = self.ledger.accounts.get(client.quest or "")
        return account is not None and account.fold.plan.definition.name == "hopeless"


class _Draw:
    """Streams of one life."""

    def __init__(self, world: World, boot: str) -> None:
        self._world = world
        self._boot = boot

    def __call__(self, name: str) -> Chance:
        return self._world.draw(f"{self._boot}/{name}")
