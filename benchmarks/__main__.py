"""``python -m benchmarks``: measure, and print figures with their targets and conditions.

Exit codes: 0 all measured (met or missed: a missed target is a figure too) · 1 some could not be measured · 2 wrong usage, or a
directory where figures mean nothing · 130 interrupted. Ends within ten minutes, and ends every process that it started.
"""

import argparse
import signal
import sys
import time
from collections.abc import Sequence
from pathlib import Path
from types import FrameType

from msgspec.structs import replace

from benchmarks.bench import Bench, load, sweep
from benchmarks.conditions import Conditions, fdatasyncs_us, observe, why_refused
from benchmarks.measures import MEASURES
from benchmarks.processes import ROOT, Nursery
from benchmarks.report import Figure, Report, as_json, figure_lines, show
from benchmarks.statistics import percentile

LIMIT_S = 550.0
"""Of the measuring; what is left of ten minutes is for ending."""
LEAST_S = 10.0
SYNCS_A_FIGURE = 50


class OutOfTime(BaseException):
    """The ten minutes are over. Not an Exception: no measurement may swallow it."""


class Asked(KeyboardInterrupt):
    """Somebody sent SIGTERM."""


def main(arguments: Sequence[str] | None = None) -> int:
    """Measure what is asked for."""
    given = parser().parse_args(arguments)
    given.data.mkdir(mode=0o700, parents=True, exist_ok=True)
    conditions = observe(given.data.resolve())
    refused = why_refused(conditions.file_system, conditions.fdatasync_us[0])
    if refused is not None:
        print(f"benchmarks: {refused}", file=sys.stderr)
        return 2
    signal.signal(signal.SIGINT, signal.default_int_handler)  # a shell's background jobs ignore it
    signal.signal(signal.SIGTERM, _on_term)
    signal.signal(signal.SIGALRM, _on_alarm)
    try:
        report = measure(conditions, given)
    except KeyboardInterrupt:
        print("benchmarks: interrupted; every process has been ended", file=sys.stderr)
        return 130
    if given.json:
        sys.stdout.buffer.write(as_json(report) + b"\n")
    else:
        show(report)
    return 1 if any(figure.fault for figure in report.figures) else 0


def parser() -> argparse.ArgumentParser:
    """The command line."""
    made = argparse.ArgumentParser(
        prog="python -m benchmarks", description="The figures of this machine."
    )
    made.add_argument("--json", action="store_true", help="one JSON document on standard output")
    made.add_argument(
        "--only",
        nargs="+",
        metavar="NAME",
        choices=MEASURES,
        default=list(MEASURES),
        help=f"some of: {', '.join(MEASURES)}",
    )
    made.add_argument(
        "--data", type=Path, default=ROOT / ".bench", help="a directory on a disk (default: .bench)"
    )
    made.add_argument("--repeats", type=_count, default=3, help="runs of a figure (default: 3)")
    made.add_argument(
        "--small", action="store_true", help="a tenth of the size: tries the benchmark, not questd"
    )
    return made


def _count(text: str) -> int:
    number = int(text)
    if not 1 <= number <= 20:
        raise argparse.ArgumentTypeError("1 to 20")
    return number


def measure(conditions: Conditions, given: argparse.Namespace) -> Report:
    """One measurement after the other, until all are done or the time is over."""
    began = time.monotonic()
    figures: list[Figure] = []
    folder = given.data.resolve()
    sweep(folder)
    with Nursery(folder / "logs") as nursery:
        bench = Bench(nursery, folder, began + LIMIT_S, given.repeats, given.small)
        signal.setitimer(signal.ITIMER_REAL, LIMIT_S)
        waiting = list(given.only)
        try:
            while waiting:
                one(waiting[0], bench, figures)
                waiting.pop(0)
        except OutOfTime:
            fault = f"not done when the {LIMIT_S:.0f} s were over"
            figures += [unmeasured(name, fault) for name in waiting]
        finally:
            signal.setitimer(signal.ITIMER_REAL, 0)
    return Report(conditions, tuple(figures), time.monotonic() - began)


def one(name: str, bench: Bench, figures: list[Figure]) -> None:
    """Add the figures of one measurement; one that fails says so, and the others go on."""
    if bench.left_s(LEAST_S) < LEAST_S:
        figures.append(unmeasured(name, "no time was left"))
        return
    try:
        for figure in MEASURES[name](bench):
            sync_us = percentile(fdatasyncs_us(bench.folder, SYNCS_A_FIGURE), 0.5)
            figures.append(replace(figure, fdatasync_us=sync_us))
            print("\n".join(figure_lines(figures[-1])), file=sys.stderr, flush=True)
    except Exception as error:  # noqa: BLE001 - whatever went wrong is what the figure says
        figures.append(unmeasured(name, f"{type(error).__name__}: {error}"))
        print(f"{name}: {figures[-1].fault}", file=sys.stderr, flush=True)


def unmeasured(name: str, fault: str) -> Figure:
    """In place of a figure."""
    return Figure(name=name, title=name, unit="", measured="", fault=fault, load=load())


def _on_term(_number: int, _frame: FrameType | None) -> None:
    raise Asked


def _on_alarm(_number: int, _frame: FrameType | None) -> None:
    raise OutOfTime


if __name__ == "__main__":
    raise SystemExit(main())
