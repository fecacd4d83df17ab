"""A batch: what the projection adds and changes between two commits of the history.

Invariant: a row made in this batch is only in ``added`` and is written in its last state; one made before is
in ``changed``, once. Which of the two it is follows from its ``seq``, so a row carries no mark. Knows no SQL.
"""

from collections.abc import Callable, Sequence
from typing import Final, Protocol

from questd.analytics.tables import (
    AttemptRow,
    BreakpointRow,
    DefinitionRow,
    DefinitionStepRow,
    DependencyRow,
    QuestRow,
    Row,
    SignalRow,
    TaskRow,
    WaitRow,
    WorkloadRow,
)

ROWS_MAX: Final = 40_000
TEXT_MAX_BYTES: Final = 16 * 1024 * 1024
DefinitionPart = DefinitionStepRow | DependencyRow
ImageRow = QuestRow | TaskRow | AttemptRow | BreakpointRow | WaitRow | SignalRow


class Sink(Protocol):
    """Where the projection puts its rows."""

    def add(self, row: Row) -> None:
        """A new row."""
        ...

    def add_definition(
        self, row: DefinitionRow, parts: Callable[[], Sequence[DefinitionPart]]
    ) -> None:
        """A definition and its graph, unless it is there already."""
        ...

    def touch(self, row: ImageRow) -> None:
        """A row that has been changed in place."""
        ...

    def flip(self, row: QuestRow) -> None:
        """Told before a quest's status changes between running and waiting, which often changes back at once."""
        ...

    def tally(self, attempt: AttemptRow, at_us: int) -> WorkloadRow | None:
        """The counts that this attempt adds to; None when they are not wanted."""
        ...


class Batch:
    """The rows of events with ``after`` < seq ≤ ``last``."""

    def __init__(self, after: int) -> None:
        self.after = after
        self.last = after
        self.rows = 0
        self.text_bytes = 0
        self.added: dict[type[Row], list[Row]] = {}
        self.changed: dict[type[Row], dict[tuple[int, int], ImageRow]] = {}
        self._flipped: dict[int, tuple[QuestRow, str]] = {}
        self._definitions: dict[str, None] = {}
        self._workload: dict[tuple[str, str, str], WorkloadRow] = {}

    @property
    def full(self) -> bool:
        """Whether it should be written before more comes."""
        return self.rows >= ROWS_MAX or self.text_bytes >= TEXT_MAX_BYTES

    def add(self, row: Row) -> None:
        """A new row."""
        self.rows += 1
        rows = self.added.get(type(row))
        if rows is None:
            self.added[type(row)] = rows = []
        rows.append(row)

    def add_definition(
        self, row: DefinitionRow, parts: Callable[[], Sequence[DefinitionPart]]
    ) -> None:
        """A definition and its graph, unless it is in the batch (what is in the file, the file knows)."""
        if row.digest not in self._definitions:
            self._definitions[row.digest] = None
            self.add(row)
            self.text_bytes += row.body_size
            for part in parts():
                self.add(part)

    def touch(self, row: ImageRow) -> None:
        """A row that has been changed in place."""
        if row.seq > self.after:
            return
        place = row.place if isinstance(row, TaskRow | WaitRow) else 0
        self.changed.setdefault(type(row), {})[row.seq, place] = row

    def flip(self, row: QuestRow) -> None:
        """Remember the status that is in the file; ``finish`` compares."""
        if row.seq <= self.after and row.seq not in self._flipped:
            self._flipped[row.seq] = (row, row.status)

    def finish(self) -> None:
        """No more rows will come."""
        for row, status in self._flipped.values():
            if row.status != status:
                self.touch(row)

    def tally(self, attempt: AttemptRow, at_us: int) -> WorkloadRow | None:
        """The counts that this attempt adds to; None when they are not wanted."""
        key = (attempt.agent, attempt.instance, attempt.tool)
        row = self._workload.get(key)
        if row is None:
            row = self._workload[key] = WorkloadRow(*key, at_us, at_us)
            self.add(row)
        row.last_seen_at = max(row.last_seen_at, at_us)
        row.first_seen_at = min(row.first_seen_at, at_us)
        return row

    def release(self) -> None:
        """Forget the payloads of rows that stay in memory: they are on disk, and a later image leaves them alone."""
        for kind in (QuestRow, TaskRow):
            for row in (*self.added.get(kind, ()), *self.changed.get(kind, {}).values()):
                if isinstance(row, QuestRow):
                    row.inputs = None
                if isinstance(row, QuestRow | TaskRow):
                    row.result, row.released = None, True
        for row in self.added.get(SignalRow, ()):
            if isinstance(row, SignalRow):
                row.payload = None


class Discard:
    """A sink for events whose rows are written already: only the state that they leave is wanted."""

    def add(self, row: Row) -> None:
        """Drop it."""

    def add_definition(
        self, row: DefinitionRow, parts: Callable[[], Sequence[DefinitionPart]]
    ) -> None:
        """Drop it."""

    def touch(self, row: ImageRow) -> None:
        """Drop it."""

    def flip(self, row: QuestRow) -> None:
        """Drop it."""

    def tally(self, attempt: AttemptRow, at_us: int) -> WorkloadRow | None:  # noqa: ARG002
        """No counts: they are counted already."""
        return None
