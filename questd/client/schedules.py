"""The part of ``Client`` that keeps schedules: ``quest schedule add`` is ``schedule_add``."""

import os.path
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, get_args

from questd.client.errors import InvalidInput
from questd.client.home import Home
from questd.messages import control as ctl
from questd.messages.definition import QuestDefinition, encode_definition
from questd.messages.payload import encode_json
from questd.messages.schedules import (
    AfterQuest,
    CatchUp,
    Cron,
    FilesChanged,
    Overlap,
    ScheduleSpec,
    Trigger,
)
from questd.views.schedules import ScheduleShape, schedule_shape

if TYPE_CHECKING:
    from questd.builder import Quest


class SchedulesOfClient:
    """Everything about schedules. A daemon must be there."""

    _home: Home
    _actor: str

    def schedule_add(
        self,
        name: str,
        quest: "str | Path | QuestDefinition | Quest",
        inputs: Mapping[str, Any] | None = None,
        /,
        **options: Any,
    ) -> bool:
        """Submit ``quest`` at each due time, or after each end of another. Whether that changed anything: not when it was there just so.

        ``cron``: the expression. ``zone``: its time zone (UTC). ``catch_up``: none, latest or all. Or ``after``: the name of a
        document, ``"*"`` for any, whose quests end with one of ``status`` (completed) in ``after_project`` (any). Or ``on_change``:
        patterns of files that change and are then the same for ``debounce`` (2s).
        ``overlap``: skip, queue, allow or cancel. ``project``, ``labels``, ``priority`` and ``timeout`` as of ``submit``. Texts of ``inputs`` may hold ``{{ due }}`` and
        ``{{ schedule }}``, with ``after`` also ``{{ quest.id }}``, ``name``, ``status``, ``project``, ``labels`` and ``output``,
        with ``on_change`` ``{{ change.paths }}``, ``added``, ``modified``, ``removed`` and ``count``. Refused when there is another one of that name.
        """
        spec, definition = _described(quest, inputs, options)
        request = ctl.AddSchedule(name, spec, definition, self._actor)
        return self._done(request).changed

    def schedule_change(
        self,
        name: str,
        quest: "str | Path | QuestDefinition | Quest",
        inputs: Mapping[str, Any] | None = None,
        /,
        **options: Any,
    ) -> bool:
        """Everything about it anew, as ``schedule_add`` would say it; what waits still waits. NotFound when there is none."""
        spec, definition = _described(quest, inputs, options)
        request = ctl.ChangeSchedule(name, spec, definition, self._actor)
        return self._done(request).changed

    def schedule_list(self) -> tuple[ScheduleShape, ...]:
        """All, by name."""
        found = self._home.daemon().ask(ctl.ListSchedules(), ctl.Schedules).schedules
        return tuple(schedule_shape(view, whole=False) for view in found)

    def schedule_show(self, name: str) -> ScheduleShape:
        """One, with its next due times and what it did last."""
        found = self._home.daemon().ask(ctl.ListSchedules(name), ctl.Schedules).schedules
        return schedule_shape(found[0], whole=True)

    def schedule_pause(self, name: str) -> bool:
        """Fire no more; what comes due until it is resumed is left out."""
        return self._done(ctl.PauseSchedule(name, self._actor)).changed

    def schedule_resume(self, name: str) -> bool:
        """Go on with the next due time."""
        return self._done(ctl.ResumeSchedule(name, self._actor)).changed

    def schedule_remove(self, name: str) -> bool:
        """Fire no more, for good; its quests go on."""
        return self._done(ctl.RemoveSchedule(name, self._actor)).changed

    def schedule_backfill(self, name: str, *, since: str, until: str | None = None) -> int:
        """Submit for each due time of a range of the past that has no quest yet; how many due times it has.

        ``since``, ``until`` (now): RFC 3339, or a duration back.
        """
        from questd.client.filters import since_us  # noqa: PLC0415 - 50 ms

        now_us = time.time_ns() // 1_000
        from_us = since_us("since", since, now_us)
        to_us = now_us if until is None else since_us("until", until, now_us)
        return int(self._done(ctl.BackfillSchedule(name, from_us, to_us, self._actor)).message)

    def _done(self, request: ctl.ScheduleRequest) -> ctl.Done:
        return self._home.daemon().ask(request, ctl.Done)


def _described(
    quest: "str | Path | QuestDefinition | Quest",
    inputs: Mapping[str, Any] | None,
    options: dict[str, Any],
) -> tuple[ScheduleSpec, bytes]:
    from questd.client.submitting import definition_of  # noqa: PLC0415 - 80 ms

    return spec_of(inputs or {}, **options), encode_definition(definition_of(quest))


def spec_of(
    inputs: Mapping[str, Any],
    *,
    cron: str | None = None,
    zone: str = "UTC",
    catch_up: str = "latest",
    after: str | None = None,
    status: Sequence[str] = ("completed",),
    after_project: str | None = None,
    on_change: Sequence[str] = (),
    debounce: str = "2s",
    overlap: str | None = None,
    project: str | None = None,
    labels: Mapping[str, str] | None = None,
    priority: int | None = None,
    timeout: str | None = None,
) -> ScheduleSpec:
    """What a schedule is to do. InvalidInput for a word that there is not; the daemon checks the rest."""
    from questd.client.filters import duration_ms  # noqa: PLC0415 - 50 ms

    trigger: Trigger
    match cron, after, on_change:
        case str(), None, ():
            trigger = Cron(cron, zone, catch_up)  # type: ignore[arg-type]
        case None, str(), ():
            name = None if after == "*" else after
            trigger = AfterQuest(name, tuple(status), after_project)
        case None, None, (_, *_):
            patterns = tuple(map(whole_pattern, on_change))
            trigger = FilesChanged(patterns, duration_ms("debounce", debounce))
        case _:
            raise InvalidInput(
                "say when: cron, or after (the end of which quest), or on_change (of which files)"
            )
    overlap = overlap or ("queue" if cron is None else "skip")
    for option, word, kind in (("overlap", overlap, Overlap), ("catch_up", catch_up, CatchUp)):
        if word not in get_args(kind):
            raise InvalidInput(f"{option} {word!r}: choose {', '.join(get_args(kind))}")
    try:
        text = encode_json(dict(inputs))
    except (TypeError, ValueError, OverflowError) as error:
        raise InvalidInput(f"the inputs are no plain JSON data: {error}") from None
    return ScheduleSpec(
        trigger=trigger,
        overlap=overlap,  # type: ignore[arg-type]
        inputs=text,
        project=project,
        labels=dict(labels or {}),
        priority=priority,
        total_timeout_ms=None if timeout is None else duration_ms("timeout", timeout),
    )


def whole_pattern(pattern: str) -> str:
    """From the root on, as the daemon needs it: it knows nothing of this process's folder. A folder stands for all files below it."""
    home = os.path.expanduser(pattern)  # noqa: PTH111 (a Path refuses a name that it does not know)
    path = Path(os.path.normpath(Path.cwd() / home))
    return str(path / "**") if pattern.endswith("/") or path.is_dir() else str(path)
