"""A historian that is killed: the production projection, writing into tables whose transaction is rows and watermark together."""

from typing import Any, Final

import msgspec
from msgspec import structs

from questd.analytics.batch import Batch
from questd.analytics.projection import Projector
from questd.analytics.tables import TABLES, Row, Table
from questd.runtime.journal.memory import MemoryStore
from questd.simulation.chance import Chance

Key = tuple[Any, ...]
OF_ROW: Final[dict[type[Row], Table]] = {table.row: table for table in TABLES}


class Tables:
    """The history's tables in memory, and their watermark."""

    def __init__(self) -> None:
        self.rows: dict[str, dict[Key, dict[str, Any]]] = {table.name: {} for table in TABLES}
        self.watermark = 0

    def write(self, batch: Batch) -> None:
        """Rows and watermark, all or nothing."""
        assert batch.after == self.watermark, "a batch must follow the one before"
        self.put(batch)
        self.watermark = batch.last

    def roll_back(self, batch: Batch) -> None:
        """The process died inside the transaction: nothing of the batch is kept."""

    def put(self, batch: Batch) -> None:
        """The rows alone."""
        for table in TABLES:
            rows = self.rows[table.name]
            for row in batch.added.get(table.row, ()):
                self._add(table, rows, row)
            for changed in batch.changed.get(table.row, {}).values():
                self._change(table, rows, changed)

    def _add(self, table: Table, rows: dict[Key, dict[str, Any]], row: Row) -> None:
        fields = structs.asdict(row)
        key = tuple(fields[name] for name in table.key) if table.key else ()
        if table.manner == "once":
            key = tuple(fields.values()) if table.name != "definitions" else key
            rows.setdefault(key, fields)
        elif table.manner == "tally" and key in rows:
            _sum(rows[key], fields, table.key)
        else:
            assert key not in rows, f"{table.name} has {key} already"
            rows[key] = fields

    def _change(self, table: Table, rows: dict[Key, dict[str, Any]], row: Row) -> None:
        fields = structs.asdict(row)
        kept = rows[tuple(fields[name] for name in table.key)]
        released = fields.get("released", False)
        for name, value in fields.items():
            if name not in table.fixed and not (released and name in table.payloads):
                kept[name] = value

    def shown(self) -> dict[str, list[str]]:
        """Every row as text, in order: for comparison."""
        shown: dict[str, list[str]] = {}
        for name, rows in self.rows.items():
            shown[name] = sorted(_line(row) for row in rows.values())
        return shown


def _line(row: dict[str, Any]) -> str:
    """What the table would hold of it; ``released`` is no column."""
    shown = {name: value for name, value in row.items() if name != "released"}
    return msgspec.json.encode(shown).decode()


def _sum(kept: dict[str, Any], added: dict[str, Any], key: tuple[str, ...]) -> None:
    kept["first_seen_at"] = min(kept["first_seen_at"], added["first_seen_at"])
    kept["last_seen_at"] = max(kept["last_seen_at"], added["last_seen_at"])
    for name, value in added.items():
        if name not in key and not name.endswith("_seen_at"):
            kept[name] += value


class Historian:
    """Follows the store in batches of random length; ``killed`` is the chance that a step is its last."""

    def __init__(self, store: MemoryStore, chance: Chance) -> None:
        self._store = store
        self._chance = chance
        self.tables = Tables()
        self.kills = 0
        self._projector = self._begin()

    def _begin(self) -> Projector:
        return Projector(
            self._store, self.tables.watermark, remembered_steps=self._chance.pick((1, 12, 200))
        )

    @property
    def behind(self) -> bool:
        """Whether the journal has more."""
        return self.tables.watermark < self._store.last_seq()

    def step(self, killed: float) -> None:
        """Bring in one batch, unless it dies: before the transaction, inside it, or right after."""
        for record in self._store.follow(self.tables.watermark, self._chance.between(1, 60)):
            self._projector.apply(record)
        batch = self._projector.take()
        death = self._chance.pick(("before", "inside", "after"))
        if not self._chance.maybe(killed):
            self.tables.write(batch)
            batch.release()
            return
        self.kills += 1
        if death == "inside":
            self.tables.roll_back(batch)
        elif death == "after":
            self.tables.write(batch)
        self._projector = self._begin()


def whole(store: MemoryStore) -> Tables:
    """A history built in one go."""
    tables = Tables()
    projector = Projector(store, 0)
    for record in store.follow(0, 1_000_000):
        projector.apply(record)
    tables.write(projector.take())
    return tables
