"""A bound on all the memory of the historian's process, where the system keeps one (Linux does).

DuckDB's ``memory_limit`` counts its buffers. A single value, as of repeat('x', 4000000000), it takes straight from the system: ten
times the limit and more. With this bound such a question fails as one that needs too much memory, and the machine lives on.
"""

import resource
from contextlib import suppress
from typing import Final

import duckdb

HEADROOM_BYTES: Final = 1024 * 1024 * 1024
"""For the interpreter, threads, batches and answers, and what DuckDB does not count."""
_UNITS: Final = {"bytes": 1, "KiB": 2**10, "MiB": 2**20, "GiB": 2**30, "TiB": 2**40}


def bound_memory(connection: duckdb.DuckDBPyConnection) -> int:
    """Bound this process to DuckDB's limit and HEADROOM_BYTES; the bound in bytes."""
    wanted = _limit_of(connection) + HEADROOM_BYTES
    _, hard = resource.getrlimit(resource.RLIMIT_DATA)
    if hard != resource.RLIM_INFINITY:
        wanted = min(wanted, hard)
    with suppress(ValueError, OSError):
        resource.setrlimit(resource.RLIMIT_DATA, (wanted, hard))
    return wanted


def _limit_of(connection: duckdb.DuckDBPyConnection) -> int:
    """What DuckDB shows as "488.2 MiB"."""
    row = connection.execute("SELECT current_setting('memory_limit')").fetchone()
    number, unit = str(row[0] if row else "0 bytes").split()
    return int(float(number) * _UNITS[unit])
