"""Plans: definitions compiled once and shared by all their quests, by digest."""

import threading
from collections import OrderedDict
from typing import Final

from msgspec import Struct

from questd.actors.graph import CompiledQuest, Problem, check, compile_steps
from questd.actors.quest.state import Plan
from questd.messages.definition import (
    QuestDefinition,
    decode_definition,
    definition_digest,
    unknown_fields,
)

CACHED_PLANS: Final = 256
CACHED_PLANS_MAX_BYTES: Final = 16 * 1024 * 1024
"""Of canonical definitions; compiled they take some twenty times as much. The newest is kept whatever its size."""
NEWER_SHOWN: Final = 20


class ReadyPlan(Struct, frozen=True):
    """The shape for the core, the templates for rendering, and the canonical bytes for the journal."""

    plan: Plan
    compiled: CompiledQuest
    data: bytes


class BadDefinition(Exception):
    """A definition that may not run, with everything that is wrong with it."""

    def __init__(self, problems: tuple[str, ...]) -> None:
        super().__init__("; ".join(problems[:3]))
        self.problems = problems


class PlanCache:
    """The most recently used plans. Compiling takes long for a large definition: a new one is compiled by the house's worker."""

    def __init__(self, size: int = CACHED_PLANS) -> None:
        self._size = size
        self._lock = threading.Lock()
        self._plans: OrderedDict[str, ReadyPlan] = OrderedDict()
        self._bytes = 0

    def get(self, digest: str) -> ReadyPlan | None:
        """The plan, if it is at hand."""
        with self._lock:
            ready = self._plans.get(digest)
            if ready is not None:
                self._plans.move_to_end(digest)
            return ready

    def load(self, data: bytes, *, trusted: bool) -> ReadyPlan:
        """Compile (unless known). What comes from outside is checked first: BadDefinition."""
        digest = definition_digest(data)
        ready = self.get(digest)
        if ready is not None:
            return ready
        definition = decode_definition(data)
        if not trusted:
            _refuse_newer(unknown_fields(data, definition))
            _refuse_bad(definition)
        ready = ReadyPlan(Plan(definition, digest), compile_steps(definition), data)
        with self._lock:
            if digest not in self._plans:
                self._bytes += len(data)
            self._plans[digest] = ready
            while len(self._plans) > self._size or self._bytes > CACHED_PLANS_MAX_BYTES:
                if len(self._plans) == 1:
                    break
                _, gone = self._plans.popitem(last=False)
                self._bytes -= len(gone.data)
        return ready


def _refuse_newer(unknown: list[str]) -> None:
    """What is not known cannot be left out either: a quest without its condition would be another quest."""
    if unknown:
        raise BadDefinition(
            tuple(
                f"{path} is not known to this daemon: it is older than the client. Restart it with the client's version"
                for path in unknown[:NEWER_SHOWN]
            )
        )


def _refuse_bad(definition: QuestDefinition) -> None:
    problems: list[Problem] = check(definition)
    if problems:
        raise BadDefinition(tuple(str(problem) for problem in problems))
