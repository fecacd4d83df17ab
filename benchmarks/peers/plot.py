"""The plot of the peers: three panels of bars on logarithmic axes, as SVG. Pure: a record goes in, text comes out."""

from collections.abc import Callable, Iterator
from html import escape
from math import ceil, floor, log10

from benchmarks.peers.catalogue import OURS, PEERS, Peer
from benchmarks.peers.measured import Outcome, Record
from benchmarks.peers.workload import STEPS, WIDE
from benchmarks.report import number

WIDTH, ROW, LEFT, RIGHT = 760, 24, 150, 90
TOP, GAP, BAR = 40, 64, 15
OWN, DURABLE, OTHER, INK, GRID = "#0b6e8a", "#7d8b99", "#d3dae0", "#1f2933", "#e6eaee"
PANELS: tuple[tuple[str, str, Callable[[Outcome], float | None]], ...] = (
    (f"Steps a second, many runs of {STEPS} steps at once (more is better)", "", Outcome.rate),
    (f"One run of {STEPS} steps at a time, p50 (less is better)", " ms", lambda o: o.chain_ms),
    (f"{WIDE} steps beside each other and a join, p50 (less is better)", " ms", lambda o: o.fan_ms),
)


def svg(record: Record) -> str:
    """The whole picture."""
    panel = len(PEERS) * ROW + GAP
    height = TOP + len(PANELS) * panel + 8
    parts = [
        (
            f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {height}" width="{WIDTH}" height="{height}" '
            f'font-family="system-ui, sans-serif" font-size="12" fill="{INK}">'
        ),
        f'<rect width="{WIDTH}" height="{height}" fill="#ffffff"/>',
        *_legend(),
    ]
    for n, (title, unit, value) in enumerate(PANELS):
        parts += _panel(record, TOP + n * panel, title, unit, value)
    return "\n".join([*parts, "</svg>"]) + "\n"


def _legend() -> Iterator[str]:
    kinds = ((OWN, "questd"), (DURABLE, "each step durable"), (OTHER, "steps not durable"))
    for n, (colour, text) in enumerate(kinds):
        x = LEFT + n * 150
        yield f'<rect x="{x}" y="12" width="12" height="12" fill="{colour}"/>{_text(x + 18, 22, text)}'


def _panel(
    record: Record, top: int, title: str, unit: str, value: Callable[[Outcome], float | None]
) -> Iterator[str]:
    values = {peer.name: value(record.of(peer.name)) for peer in PEERS}
    known = [each for each in values.values() if each] or [1.0]
    low, high = floor(log10(min(known))), ceil(log10(max(known)) + 1e-9)
    scale = (WIDTH - LEFT - RIGHT) / (high - low)
    yield _text(LEFT, top + 16, title, 'font-weight="600"')
    bottom = top + 26 + len(PEERS) * ROW
    for decade in range(low, high + 1):
        x = LEFT + (decade - low) * scale
        yield f'<line x1="{x:.1f}" y1="{top + 26}" x2="{x:.1f}" y2="{bottom}" stroke="{GRID}"/>'
        yield _text(
            x, bottom + 14, number(10.0**decade) + unit, 'text-anchor="middle" font-size="10"'
        )
    for n, peer in enumerate(PEERS):
        yield from _bar(peer, values[peer.name], top + 30 + n * ROW, low, scale, unit)


def _bar(
    peer: Peer, value: float | None, y: int, low: int, scale: float, unit: str
) -> Iterator[str]:
    yield _text(LEFT - 10, y + 12, peer.title, 'text-anchor="end"')
    if not value:
        yield _text(LEFT + 6, y + 12, "not run", 'font-style="italic"')
        return
    length = max(1.0, (log10(value) - low) * scale)
    colour = OWN if peer.name == OURS else DURABLE if peer.durable else OTHER
    yield f'<rect x="{LEFT}" y="{y}" width="{length:.1f}" height="{BAR}" fill="{colour}"/>'
    yield _text(LEFT + length + 6, y + 12, number(value) + unit)


def _text(x: float, y: float, text: str, more: str = "") -> str:
    return f'<text x="{x:.1f}" y="{y:.1f}" {more}>{escape(text)}</text>'
