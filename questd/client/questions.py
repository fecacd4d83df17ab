"""``History``: the history as a Python program asks it, with or without a daemon."""

from collections.abc import Sequence
from pathlib import Path
from types import TracebackType
from typing import Any, Final, Self

from questd.client.errors import InvalidInput
from questd.client.history import Table, query_of, table_of
from questd.client.home import Home

ROWS: Final = 10_000
TIMEOUT_MS: Final = 30_000
DEFAULT_STATISTICS: Final = ("overall", "by_status", "by_template", "by_agent", "by_step")


class History:
    """Of the data directory that a command started here would use; ``data``, ``config`` and ``connect`` as on the command line."""

    def __init__(
        self,
        data: str | Path | None = None,
        *,
        config: str | Path | None = None,
        connect: str | None = None,
        home: Home | None = None,
    ) -> None:
        self._home = home or Home(
            data=None if data is None else Path(data),
            config=None if config is None else Path(config),
            connect=connect,
        )

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        at: TracebackType | None,
    ) -> None:
        self.close()

    def close(self) -> None:
        """Hang up."""
        self._home.close()

    def sql(
        self,
        sql: str,
        parameters: Sequence[Any] = (),
        *,
        limit: int = ROWS,
        timeout_ms: int = TIMEOUT_MS,
    ) -> Table:
        """One SELECT, with ``parameters`` for ?; at most ``limit`` rows.

        InvalidInput for SQL that is wrong or not allowed, Refused when a limit is reached.
        """
        with self._home.history() as ask:
            return table_of(ask(query_of(sql, parameters, limit=limit, timeout_ms=timeout_ms)))

    def stats(
        self,
        names: Sequence[str] = DEFAULT_STATISTICS,
        *,
        project: str | None = None,
        template: str | None = None,
        since_us: int | None = None,
    ) -> dict[str, Table]:
        """Statistics by name. InvalidInput names those that there are."""
        from questd.analytics.statistics import (  # noqa: PLC0415
            STATISTICS,
            StatisticsFilter,
            statistics_query,
        )

        for name in names:
            if name not in STATISTICS:
                known = ", ".join(STATISTICS)
                raise InvalidInput(f"there is no statistic {name!r}: choose among {known}")
        wanted = StatisticsFilter(project, template, since_us)
        with self._home.history() as ask:
            return {name: table_of(ask(statistics_query(name, wanted))) for name in names}
