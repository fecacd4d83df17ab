"""Under which conditions a figure was measured, and whether figures mean anything there at all.

A figure of a durable system on a file system that forgets is no figure: such a directory is refused.
"""

import os
import platform
import sqlite3
import subprocess
import time
from collections.abc import Callable
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

from msgspec import Struct

from benchmarks.processes import ROOT
from benchmarks.statistics import percentile
from questd.runtime.journal.upkeep import prepare

FORGETFUL = frozenset({"tmpfs", "ramfs", "devtmpfs", "hugetlbfs"})
SYNCS = 200
SYNC_BYTES = 4096
SYNC_LEAST_US = 5.0
"""No disk syncs faster: whoever does has not synced."""
SYNCHRONOUS = {0: "OFF", 1: "NORMAL", 2: "FULL", 3: "EXTRA"}
PACKAGES = ("questd", "pykka", "msgspec", "pynng", "duckdb", "minijinja")


class FileSystem(Struct, frozen=True):
    """What a directory lies on. ``options``: of the mount and of the file system."""

    kind: str
    device: str
    mount: str
    options: tuple[str, ...] = ()


class Conditions(Struct, frozen=True):
    """``fdatasync_us``: p50 and p99 of writing 4 KiB and syncing it, in the data directory."""

    when: str
    machine: str
    processor: str
    cores: int
    memory_gib: float
    python: str
    sqlite: str
    packages: dict[str, str]
    commit: str
    data: str
    file_system: FileSystem
    fdatasync_us: tuple[float, float]
    journal_mode: str
    synchronous: str
    load: tuple[float, float, float]
    pids: dict[str, int]

    def lines(self) -> list[str]:
        """For people."""
        fs, packages = self.file_system, ", ".join(f"{k} {v}" for k, v in self.packages.items())
        return [
            f"{self.when}  {self.machine}, {self.cores} cores ({self.processor}), {self.memory_gib:.0f} GiB",
            f"Python {self.python}, SQLite {self.sqlite}, {packages}, commit {self.commit}",
            f"data in {self.data}: {fs.kind} on {fs.device}",
            f"fdatasync p50 {self.fdatasync_us[0]:.0f} µs, p99 {self.fdatasync_us[1]:.0f} µs",
            f"PRAGMA journal_mode={self.journal_mode}, synchronous={self.synchronous}",
            f"load average {', '.join(f'{load:.2f}' for load in self.load)}; pid {self.pids['benchmark']}",
        ]


def file_system_of(path: str, mountinfo: str) -> FileSystem:
    """The entry of /proc/self/mountinfo that holds an absolute path: the longest mount point, the last of equals."""
    best = FileSystem("unknown", "unknown", "")
    for line in mountinfo.splitlines():
        left, _, right = line.partition(" - ")
        fields, tail = left.split(), right.split()
        if len(fields) < 6 or len(tail) < 2:
            continue
        mount = unescaped(fields[4])
        inside = path == mount or path.startswith(mount.rstrip("/") + "/")
        if inside and len(mount) >= len(best.mount):
            options = tuple(f"{fields[5]},{','.join(tail[2:])}".rstrip(",").split(","))
            best = FileSystem(tail[0], unescaped(tail[1]), mount, options)
    return best


def unescaped(text: str) -> str:
    """A field of mountinfo: blanks and backslashes are written in octal."""
    for octal, character in (("\\040", " "), ("\\011", "\t"), ("\\012", "\n"), ("\\134", "\\")):
        text = text.replace(octal, character)
    return text


def why_refused(file_system: FileSystem, fdatasync_p50_us: float) -> str | None:
    """Why figures measured there would be worth nothing."""
    where = f"{file_system.mount or 'the directory'} is {file_system.kind}"
    if file_system.kind in FORGETFUL:
        return f"{where}, which is memory: name a directory on a disk (--data)"
    if "volatile" in file_system.options:
        return (
            f"{where} mounted as volatile, which never syncs: name a directory on a disk (--data)"
        )
    if fdatasync_p50_us < SYNC_LEAST_US:
        return (
            f"{where}, and fdatasync there takes {fdatasync_p50_us:.1f} µs: nothing reaches a disk. "
            "Name another directory (--data)"
        )
    return None


def fdatasyncs_us(directory: Path, count: int = SYNCS) -> list[float]:
    """Times of writing 4 KiB at the end of a file and syncing it, in microseconds."""
    path = directory / "fdatasync"
    sync = getattr(os, "fdatasync", os.fsync)
    descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_TRUNC, 0o600)
    try:
        return [_sync_us(descriptor, sync) for _ in range(count)]
    finally:
        os.close(descriptor)
        path.unlink()


def _sync_us(descriptor: int, sync: Callable[[int], None]) -> float:
    began = time.perf_counter_ns()
    os.write(descriptor, b"\0" * SYNC_BYTES)
    sync(descriptor)
    return (time.perf_counter_ns() - began) / 1_000


def pragmas(directory: Path) -> tuple[str, str]:
    """journal_mode and synchronous, as a connection has them that was prepared as the journal's writer is."""
    path = directory / "pragmas.db"
    connection = sqlite3.connect(path, isolation_level=None)
    try:
        connection.execute("pragma journal_mode = wal")
        prepare(connection)
        (mode,) = connection.execute("pragma journal_mode").fetchone()
        (synchronous,) = connection.execute("pragma synchronous").fetchone()
    finally:
        connection.close()
        for name in ("", "-wal", "-shm"):
            path.with_name(path.name + name).unlink(missing_ok=True)
    return str(mode), SYNCHRONOUS.get(synchronous, str(synchronous))


def observe(data: Path) -> Conditions:
    """Look around. ``data`` exists."""
    syncs = fdatasyncs_us(data)
    mode, synchronous = pragmas(data)
    return Conditions(
        when=time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime()),
        machine=f"{platform.system()} {platform.release()} {platform.machine()}",
        processor=processor(),
        cores=len(os.sched_getaffinity(0))
        if hasattr(os, "sched_getaffinity")
        else os.cpu_count() or 0,
        memory_gib=os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE") / 2**30,
        python=f"{platform.python_implementation()} {platform.python_version()}",
        sqlite=sqlite3.sqlite_version,
        packages={name: installed(name) for name in PACKAGES},
        commit=commit(),
        data=str(data),
        file_system=file_system_of(str(data.resolve()), mountinfo()),
        fdatasync_us=(percentile(syncs, 0.5), percentile(syncs, 0.99)),
        journal_mode=mode,
        synchronous=synchronous,
        load=os.getloadavg(),
        pids={"benchmark": os.getpid()},
    )


def mountinfo() -> str:
    """The mounts as this process sees them; empty where there is no /proc."""
    try:
        return Path("/proc/self/mountinfo").read_text(encoding="utf-8")
    except OSError:
        return ""


def processor() -> str:
    """Its model."""
    try:
        text = Path("/proc/cpuinfo").read_text(encoding="utf-8")
    except OSError:
        return platform.processor() or "unknown"
    models = [line.partition(":")[2].strip() for line in text.splitlines() if "model name" in line]
    return models[0] if models else platform.machine()


def installed(name: str) -> str:
    """Version of a package."""
    try:
        return version(name)
    except PackageNotFoundError:
        return "absent"


def commit() -> str:
    """Of the repository, with a mark when files differ from it."""
    said = subprocess.run(
        ["git", "describe", "--always", "--dirty=+"],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=False,
    )
    return said.stdout.strip() or "unknown"
