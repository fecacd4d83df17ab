"""The table of the peers, for docs/performance.md: made from a record, put between its marks. Pure.

Invariant: a ratio above 1 always says that questd is quicker; a system that was not run has a reason in place of figures.
"""

from collections.abc import Sequence

from benchmarks.peers.catalogue import OURS, PEERS, Peer
from benchmarks.peers.measured import Outcome, Record
from benchmarks.peers.workload import STEPS, WIDE
from benchmarks.report import number

BEGIN, END = "<!-- peers -->", "<!-- end of peers -->"
PLOT = "performance_peers.svg"
QUIET = 0.15
"""What others may use of the processors before a comparison is doubtful."""


class Unmarked(Exception):
    """A document without the two marks."""

    def __init__(self) -> None:
        super().__init__(f"the document has no line {BEGIN} with a line {END} after it")


def placed(document: str, block: str) -> str:
    """The document with another block between the marks. Unmarked."""
    before, begin, rest = document.partition(BEGIN)
    _, end, after = rest.partition(END)
    if not (begin and end):
        raise Unmarked
    return f"{before}{BEGIN}\n{block}\n{END}{after}"


def block(record: Record) -> str:
    """Plot, table, what is not the same work, conditions."""
    return "\n".join(
        [
            f"![questd and its peers, side by side]({PLOT})",
            "",
            *rows(record),
            "",
            *disturbed(record),
            *_reading(),
            "",
            "What is not the same work, and how each was run:",
            "",
            *(_note(record.of(peer.name), peer) for peer in PEERS),
            "",
            *_conditions(record),
        ]
    )


def rows(record: Record) -> list[str]:
    """The table."""
    head = (
        "system",
        "on disk before the next step",
        f"steps/s, many {STEPS}-step runs at once",
        "questd ÷ it",
        "the same, two processes with a store each",
        f"one run at a time: {STEPS} steps, p50",
        "it ÷ questd",
        f"{WIDE} wide and a join, p50",
        "it ÷ questd",
    )
    ours = record.of(OURS)
    lines = [_cells(head), _cells(["---"] * len(head))]
    return lines + [_cells(_row(record.of(peer.name), peer, ours)) for peer in PEERS]


def _cells(cells: Sequence[str]) -> str:
    return f"| {' | '.join(cells)} |"


def _row(outcome: Outcome, peer: Peer, ours: Outcome) -> Sequence[str]:
    durable = "yes" if peer.durable else "**no**"
    if not outcome.rounds:
        return (peer.title, durable, f"not run: {_said(outcome.fault)}", *[""] * 6)
    own = peer.name == OURS
    return (
        peer.title,
        durable,
        _rate(outcome),
        "" if own else ratio(ours.rate(), outcome.rate()),
        "" if outcome.rate(2) is None else number(outcome.rate(2) or 0.0),
        f"{number(outcome.chain_ms or 0.0)} ms",
        "" if own else ratio(outcome.chain_ms, ours.chain_ms),
        f"{number(outcome.fan_ms or 0.0)} ms",
        "" if own else ratio(outcome.fan_ms, ours.fan_ms),
    )


def _rate(outcome: Outcome) -> str:
    rates = [b.steps_per_s for one in outcome.rounds for b in one.bursts if b.stores == 1]
    span = f" ({number(min(rates))}–{number(max(rates))})" if len(rates) > 1 else ""
    return f"{number(outcome.rate() or 0.0)}{span}"


def ratio(over: float | None, under: float | None) -> str:
    """So many times; nothing when one of them was not measured."""
    return "" if over is None or under is None else f"{number(round(over / under, 2))} ×"


def _said(fault: str) -> str:
    return fault.replace("|", "/").replace("\n", " ")


def disturbed(record: Record) -> list[str]:
    """A warning when the systems did not have the machine alike: then a ratio says more of the neighbours than of them."""
    shares = [share for outcome in record.outcomes for share in outcome.others]
    untold = [
        peer.title
        for peer in PEERS
        if record.of(peer.name).rounds and not record.of(peer.name).others
    ]
    if shares and max(shares) > QUIET:
        worst = f"{min(shares):.0%} to {max(shares):.0%}"
        return [
            f"**Not a quiet machine**: other programs used {worst} of the processors, unlike from round to round. Trust no ratio.",
            "",
        ]
    if untold:
        return [
            "**How busy others were was not recorded** in this run. Read the spans in brackets before a ratio.",
            "",
        ]
    return []


def _reading() -> list[str]:
    runs = ", ".join(
        sorted({f"{peer.runs:,} ({peer.title})" for peer in PEERS if peer.runs < 1_000})
    )
    return [
        "A peer's step adds one to a number, and the result of each run is checked; questd's does nothing, and its completions are counted in the journal.",
        f"Many at once: 1,000 runs, {runs}; from before the first is submitted until",
        "the end of the last is known; median of the rounds, in brackets the least and the most. A ratio above 1: questd is quicker.",
    ]


def _note(outcome: Outcome, peer: Peer) -> str:
    if not outcome.rounds:
        return f"- **{peer.title}**: not run: {_said(outcome.fault)}."
    one = outcome.rounds[0]
    versions = ", ".join(f"{name} {version}" for name, version in one.versions.items())
    settings = " ".join(f"{name.capitalize()}: {text}." for name, text in one.settings.items())
    missing = f" Rounds are missing: {_said(outcome.fault)}." if outcome.fault else ""
    return f"- **{peer.title}** ({versions}). {peer.note} {settings}{_meanwhile(outcome)}{missing}"


def _meanwhile(outcome: Outcome) -> str:
    if not outcome.others:
        return ""
    shares = ", ".join(f"{share:.0%}" for share in outcome.others)
    return f" Other programs used {shares} of the processors during its rounds."


def _conditions(record: Record) -> list[str]:
    seen = record.conditions
    where = (
        f"{seen.cores} cores ({seen.processor}), {seen.memory_gib:.0f} GiB, {seen.file_system.kind}"
    )
    syncs = f"fdatasync p50 {seen.fdatasync_us[0]:.0f} µs"
    took = f"{record.rounds} rounds, {record.took_s / 60:.0f} minutes in all"
    took += "" if record.nice is None else f", everything at nice {record.nice}"
    return [
        f"Conditions: {seen.when[:10]}, {where}, {syncs}, {seen.python}, SQLite {seen.sqlite}; {took}: the systems",
        "in turn, each started anew on an empty store. `make bench-peers` makes this table and the plot again.",
    ]
