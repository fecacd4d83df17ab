"""Supervision as in OTP: children are data, and what happens after a death is a rule, not a reaction.

``Intensity`` (pure) says whether a child that died may start again. ``Supervisor`` keeps the static tree of a daemon;
actors with dynamic children (quests, agents, tasks) use ``Intensity`` themselves, one for each child, and *park* what dies
too often instead of escalating.
"""

from collections.abc import Callable, Sequence
from typing import Any, Final, Literal

from msgspec import Struct

from questd.runtime.actor import Actor, ChildFailed, ChildStopped, Ref, stop
from questd.runtime.clock import Clock

MAX_RESTARTS: Final = 3
WITHIN_S: Final = 5.0

Restart = Literal["permanent", "transient", "temporary"]
Strategy = Literal["one_for_one", "one_for_all", "rest_for_one"]


class Intensity:
    """At most ``most`` restarts within ``within_s`` seconds; the next one is refused."""

    __slots__ = ("_times", "most", "within_s")

    def __init__(self, most: int = MAX_RESTARTS, within_s: float = WITHIN_S) -> None:
        self.most = most
        self.within_s = within_s
        self._times: list[float] = []

    def allows(self, now_s: float) -> bool:
        """Note one death at this (monotonic) time: may the child start again?"""
        self._times = [time for time in self._times if now_s - time < self.within_s]
        self._times.append(now_s)
        return len(self._times) <= self.most


class ChildSpec(Struct, frozen=True):
    """How to start a child, and when to start it again.

    permanent: always; transient: after a failure; temporary: never. ``start`` gets the supervisor as parent.
    """

    name: str
    start: Callable[[Ref], Ref]
    restart: Restart = "permanent"


class Escalated(Exception):
    """A supervisor gave up; its parent decides."""


class Supervisor(Actor):
    """Starts its children in order, restarts them by strategy and intensity, and escalates by failing itself.

    Whoever is stopped for a restart has ended before anybody starts in its place: two of a kind never live at once.
    """

    def __init__(
        self,
        children: Sequence[ChildSpec],
        *,
        clock: Clock,
        strategy: Strategy = "one_for_one",
        intensity: Intensity | None = None,
        parent: Ref | None = None,
        name: str = "supervisor",
        on_restart: Callable[[str, BaseException], None] | None = None,
    ) -> None:
        super().__init__(parent=parent, name=name)
        self._specs = tuple(children)
        self._clock = clock
        self._strategy = strategy
        self._intensity = intensity or Intensity()
        self._on_restart = on_restart
        self._running: dict[str, Ref] = {}
        self._ending: dict[str, Ref] = {}
        self._starting: dict[str, None] = {}

    def on_start(self) -> None:
        for spec in self._specs:
            self._start_child(spec)

    def on_stop(self) -> None:
        self._stop_children(self._specs)

    def on_failure(self, *_: Any) -> None:
        self._stop_children(self._specs)

    def on_receive(self, message: Any) -> Any:
        match message:
            case ChildFailed(ref, name, error):
                self._child_ended(ref, name, error)
            case ChildStopped(ref, name):
                self._child_ended(ref, name, None)
            case _:
                raise AssertionError(f"{self.name} got {message!r}")

    def _start_child(self, spec: ChildSpec) -> None:
        self._running[spec.name] = spec.start(self.ref)

    def _stop_children(self, specs: Sequence[ChildSpec]) -> None:
        for spec in reversed(specs):
            ref = self._running.pop(spec.name, None)
            if ref is not None:
                self._ending[spec.name] = ref
                stop(ref)

    def _child_ended(self, ref: Ref, name: str, error: BaseException | None) -> None:
        if self._ending.get(name) is ref:  # one that we stopped ourselves
            del self._ending[name]
            self._start_again()
            return
        if self._running.get(name) is not ref:
            return
        del self._running[name]
        spec = next(spec for spec in self._specs if spec.name == name)
        if not restarts(spec.restart, failed=error is not None):
            return
        if not self._intensity.allows(self._clock.monotonic_s()):
            raise Escalated(f"{self.name}: {name} died too often") from error
        if self._on_restart is not None and error is not None:
            self._on_restart(name, error)
        affected = affected_by(self._strategy, self._specs, spec)
        self._stop_children(affected)
        self._starting.update(dict.fromkeys(child.name for child in affected))
        self._start_again()

    def _start_again(self) -> None:
        """In their order, once all that were stopped have ended."""
        if self._ending:
            return
        starting, self._starting = self._starting, {}
        for spec in self._specs:
            if spec.name in starting:
                self._start_child(spec)


def restarts(restart: Restart, *, failed: bool) -> bool:
    """Does a child of this kind start again?"""
    return restart == "permanent" or (restart == "transient" and failed)


def affected_by(
    strategy: Strategy, specs: Sequence[ChildSpec], dead: ChildSpec
) -> Sequence[ChildSpec]:
    """Which children are stopped and started anew when this one died, in their order: never a temporary one."""
    match strategy:
        case "one_for_one":
            return (dead,)
        case "one_for_all":
            affected = specs
        case "rest_for_one":
            affected = specs[specs.index(dead) :]
    return tuple(spec for spec in affected if spec is dead or spec.restart != "temporary")
