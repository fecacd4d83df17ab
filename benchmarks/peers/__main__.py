"""``python -m benchmarks.peers``: measure questd and its peers in turn, then write the table and the plot of docs/performance.md.

Exit codes: 0 all measured · 1 some were not run, or not in every round · 2 wrong usage, or a directory where figures mean nothing ·
130 interrupted. The rounds end within twelve minutes; environments, made before them once, take as long as their downloads. Only a run of
every system writes the documents: with ``--only`` figures are printed.
"""

import argparse
import os
import signal
import sys
import time
from collections.abc import Sequence
from pathlib import Path
from types import FrameType

import msgspec
from msgspec.structs import replace

from benchmarks.bench import sweep
from benchmarks.conditions import Conditions, observe, why_refused
from benchmarks.peers.catalogue import NAMES, OURS, PEERS
from benchmarks.peers.measured import Record, as_json, recorded
from benchmarks.peers.plot import svg
from benchmarks.peers.running import OutOfTime, Runs
from benchmarks.peers.table import PLOT, Unmarked, block, disturbed, placed, rows
from benchmarks.processes import ROOT

LIMIT_S = 680.0
"""Of the rounds; what is left of twelve minutes is for ending."""
ROUNDS = 3
DOCS = ROOT / "docs"
DOCUMENT = DOCS / "performance.md"
RECORD = Path(__file__).parent / "recorded.json"


def main(arguments: Sequence[str] | None = None) -> int:
    """Measure what is asked for."""
    given = parser().parse_args(arguments)
    if given.again:
        return again(given)
    given.data.mkdir(mode=0o700, parents=True, exist_ok=True)
    conditions = observe(given.data.resolve())
    refused = why_refused(conditions.file_system, conditions.fdatasync_us[0])
    if refused is not None:
        print(f"benchmarks.peers: {refused}", file=sys.stderr)
        return 2
    for number, handler in ((signal.SIGTERM, _on_term), (signal.SIGALRM, _on_alarm)):
        signal.signal(number, handler)
    signal.signal(signal.SIGINT, signal.default_int_handler)
    try:
        record = measure(conditions, given)
    except KeyboardInterrupt:
        print("benchmarks.peers: interrupted; every process has been ended", file=sys.stderr)
        return 130
    if not given.only and record.of(OURS).rounds:
        RECORD.write_bytes(as_json(record))
        write(record)
    show(record, given)
    return 1 if any(outcome.fault for outcome in record.outcomes) else 0


def parser() -> argparse.ArgumentParser:
    """The command line."""
    made = argparse.ArgumentParser(prog="python -m benchmarks.peers", description=__doc__)
    made.formatter_class = argparse.RawDescriptionHelpFormatter
    made.add_argument("--json", action="store_true", help="one JSON document on standard output")
    made.add_argument("--only", nargs="+", metavar="NAME", choices=NAMES, help=", ".join(NAMES))
    made.add_argument("--rounds", type=int, choices=range(1, 6), default=ROUNDS)
    made.add_argument(
        "--data", type=Path, default=ROOT / ".bench", help="a directory on a disk (default: .bench)"
    )
    made.add_argument(
        "--again", action="store_true", help="measure nothing: table and plot from the last record"
    )
    return made


def measure(conditions: Conditions, given: argparse.Namespace) -> Record:
    """Environments, then rounds until all are done or the time is over."""
    folder = given.data.resolve()
    sweep(folder)
    runs = Runs(folder, [peer for peer in PEERS if not given.only or peer.name in given.only])
    runs.prepare()
    began = time.monotonic()
    runs.ends_s = began + LIMIT_S
    signal.setitimer(signal.ITIMER_REAL, LIMIT_S)
    try:
        runs.measure(given.rounds)
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
    # A record is committed: it says what the directory is like, not where somebody keeps it.
    told = replace(conditions, data=folder.name)
    return Record(told, runs.outcomes(), given.rounds, time.monotonic() - began, os.nice(0))


def again(given: argparse.Namespace) -> int:
    """Documents from the record that lies there."""
    try:
        record = recorded(RECORD.read_bytes())
    except (OSError, msgspec.DecodeError) as error:
        print(f"benchmarks.peers: no record to read: {error}", file=sys.stderr)
        return 2
    write(record)
    show(record, given)
    return 0


def write(record: Record) -> None:
    """Table and plot."""
    (DOCS / PLOT).write_text(svg(record), encoding="utf-8")
    try:
        text = placed(DOCUMENT.read_text(encoding="utf-8"), block(record))
    except Unmarked as error:
        print(f"{DOCUMENT}: {error}; the table was not put there", file=sys.stderr)
    else:
        DOCUMENT.write_text(text, encoding="utf-8")


def show(record: Record, given: argparse.Namespace) -> None:
    """On standard output."""
    if given.json:
        sys.stdout.buffer.write(as_json(record))
        return
    print("\n".join([*record.conditions.lines(), "", *rows(record), "", *disturbed(record)]))


def _on_term(_number: int, _frame: FrameType | None) -> None:
    raise KeyboardInterrupt


def _on_alarm(_number: int, _frame: FrameType | None) -> None:
    raise OutOfTime


if __name__ == "__main__":
    raise SystemExit(main())
