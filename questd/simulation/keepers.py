"""People who keep schedules in a run: they add one, meddle with it, and remove it in the end."""

from collections.abc import Callable
from typing import Final

from questd.messages import control as ctl
from questd.messages.control import Done, Error, Reply
from questd.messages.definition import QuestDefinition, StepDefinition, encode_definition
from questd.messages.schedules import (
    AfterQuest,
    CatchUp,
    Cron,
    FilesChanged,
    Overlap,
    ScheduleSpec,
)
from questd.runtime.deterministic import Agenda, VirtualClock
from questd.simulation.chance import Chance
from questd.simulation.changing import SETTLED_US, draw_trigger
from questd.simulation.clients import Ask
from questd.simulation.faults import MILLISECOND, SECOND

PERIODS_S: Final = (1, 2, 3, 5, 10)
OVERLAPS: Final[tuple[Overlap, ...]] = ("skip", "queue", "allow", "cancel")
ENDED: Final = ("completed", "failed", "cancelled")
CATCH_UPS: Final[tuple[CatchUp, ...]] = ("none", "latest", "all")
LATEST_US: Final = 6 * SECOND
"""Nothing is on its way for longer."""


def draw_spec(chance: Chance) -> ScheduleSpec:
    """Often due, in each manner there is; sometimes when files change, or after the end of other quests, those of schedules among them."""
    if chance.maybe(0.3):
        return ScheduleSpec(draw_trigger(chance), chance.pick(OVERLAPS))
    if chance.maybe(0.3):
        name = chance.pick(("sim-0", "sim-1", "scheduled"))
        statuses = chance.pick((("completed",), ("failed", "cancelled"), ENDED))
        return ScheduleSpec(AfterQuest(name, statuses), chance.pick(OVERLAPS))
    trigger = Cron(f"*/{chance.pick(PERIODS_S)} * * * * *", "UTC", chance.pick(CATCH_UPS))
    return ScheduleSpec(trigger, chance.pick(OVERLAPS))


def scheduled_definition(chance: Chance) -> bytes:
    """One step, which may fail or hang, but not for long."""
    step = StepDefinition("s0", agent="alder", tool=chance.pick(("work", "brief")))
    return encode_definition(
        QuestDefinition("scheduled", (step,), total_timeout_ms=chance.pick((600, 3_000)))
    )


class Keeper:
    """Somebody who adds a schedule, meddles with it, and removes it when the faults are over. Asks each thing until it is so."""

    def __init__(
        self,
        name: str,
        ask: Ask,
        agenda: Agenda,
        clock: VirtualClock,
        chance: Chance,
        until_us: int,
    ) -> None:
        self.name = name
        self.refusal: Error | None = None
        self._ask = ask
        self._agenda = agenda
        self._clock = clock
        self._chance = chance
        self._until_us = until_us
        self._patience_us = 0
        self._plans = self._draw()

    @property
    def open(self) -> bool:
        """Does it still want something?"""
        return bool(self._plans)

    def _draw(self) -> list[Callable[[], ctl.ScheduleRequest]]:
        name, chance = self.name, self._chance
        spec, definition = self._spec(), scheduled_definition(chance)
        plans: list[Callable[[], ctl.ScheduleRequest]] = [
            lambda: ctl.AddSchedule(name, spec, definition, "keeper")
        ]
        for _ in range(chance.between(0, 4)):
            plans += chance.pick((self._pause(), self._backfill(), self._change()))
        # An addition that was given up may arrive after the removal and add it anew: so it is removed once more.
        return [*plans, *[lambda: ctl.RemoveSchedule(name, "keeper")] * 2]

    def _spec(self) -> ScheduleSpec:
        """Whoever waits for files does so until they have come to rest."""
        spec = draw_spec(self._chance)
        if isinstance(spec.trigger, FilesChanged):
            self._patience_us = SETTLED_US + LATEST_US
        return spec

    def _pause(self) -> list[Callable[[], ctl.ScheduleRequest]]:
        return [lambda: ctl.PauseSchedule(self.name), lambda: ctl.ResumeSchedule(self.name)]

    def _backfill(self) -> list[Callable[[], ctl.ScheduleRequest]]:
        def ask() -> ctl.ScheduleRequest:
            now_us = self._clock.now_us()
            return ctl.BackfillSchedule(self.name, now_us - 10 * SECOND, now_us - SECOND)

        return [ask]

    def _change(self) -> list[Callable[[], ctl.ScheduleRequest]]:
        spec, definition = self._spec(), scheduled_definition(self._chance)
        return [lambda: ctl.ChangeSchedule(self.name, spec, definition)]

    def begin(self) -> None:
        """Ask for the next thing; its removal when the faults are over."""
        request = self._plans[0]()
        if isinstance(request, ctl.RemoveSchedule):
            left_us = self._until_us + self._patience_us - self._clock.monotonic_us
            if left_us > 0:
                self._agenda.after(left_us, self.begin)
                return
        self._ask(request, 2 * SECOND, lambda reply: self._heard(request, reply))

    def _heard(self, request: ctl.ScheduleRequest, reply: Reply | None) -> None:
        match reply:
            case Done():
                self._next()
            case Error("not_found") if isinstance(request, ctl.RemoveSchedule):
                self._next()  # the answer to an earlier try was lost
            case Error("invalid") if isinstance(request, ctl.BackfillSchedule):
                self._next()  # the clock went back, or it has a trigger
            case Error(kind) if kind not in {"busy", "internal"}:
                self.refusal = reply
                self._plans.clear()
            case _:
                delay_us = self._chance.between(10 * MILLISECOND, 600 * MILLISECOND)
                self._agenda.after(delay_us, self.begin)

    def _next(self) -> None:
        self._plans.pop(0)
        if self._plans:
            last = len(self._plans) == 1
            delay_us = LATEST_US if last else self._chance.between(0, 4 * SECOND)
            self._agenda.after(delay_us, self.begin)
