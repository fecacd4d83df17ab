"""A quest's graph as text, Mermaid and SVG.

Everything drawn comes from a stranger's document, so every text is escaped for where it stands. The
SVG needs nothing outside itself and follows the reader's light or dark scheme.
"""

from collections.abc import Sequence
from html import escape
from itertools import pairwise

from msgspec import Struct

from questd.actors.graph.durations import format_duration
from questd.actors.graph.graph import Graph, graph_of
from questd.messages.definition import Fallback, QuestDefinition, StepDefinition

LABEL_MAX = 40
_ROW, _GAP, _COLUMN_GAP, _MARGIN, _HEADER = 44, 18, 72, 24, 40
_CHARACTER, _PADDING = 7.4, 14
_SWEEPS = 4
_BENDS_MAX = 20_000

_STYLE = """
  svg { color-scheme: light dark; }
  text { font: 13px ui-monospace, SFMono-Regular, Menlo, Consolas, monospace; fill: #1f2933; }
  .title { font-weight: 600; font-size: 15px; }
  .who { font-size: 11px; fill: #5f6c7b; }
  .paper { fill: #ffffff; }
  .step { fill: #f4f6f8; stroke: #8795a5; }
  .alone { stroke-width: 2.5; }
  .edge { fill: none; stroke: #8795a5; stroke-width: 1.4; }
  .head { fill: #8795a5; }
  @media (prefers-color-scheme: dark) {
    text { fill: #e4e9ee; }
    .who { fill: #9aa7b5; }
    .paper { fill: #14181d; }
    .step { fill: #222a33; stroke: #6c7a89; }
    .edge { stroke: #6c7a89; }
    .head { fill: #6c7a89; }
  }
"""


def draw_text(definition: QuestDefinition) -> str:
    """One line a step, by execution level: key, who does it, what it needs."""
    graph = graph_of(definition.steps)
    steps = definition.steps
    levels = len(graph.levels)
    wide = min(LABEL_MAX, max((len(step.key) for step in steps), default=0))
    who_wide = min(LABEL_MAX, max((len(who_does(step)) for step in steps), default=0))
    lines = [
        f"{definition.name} {definition.version} · {_count(len(steps), 'step')}, {_count(levels, 'level')}"
    ]
    for level, numbers in enumerate(graph.levels, 1):
        for place, number in enumerate(numbers):
            step = steps[number]
            first = str(level) if place == 0 else ""
            needs = f"← {', '.join(step.dependencies)}" if step.dependencies else ""
            alone = "" if step.parallel else "(alone)"
            condition = f"when {_cut(step.when)}" if step.when is not None else ""
            items = f"for each of {_cut(step.for_each)}" if step.for_each is not None else ""
            plan = f"plans up to {step.plan_steps} steps" if step.plan_steps is not None else ""
            cells = [
                f"{step.key:<{wide}}",
                f"{who_does(step):<{who_wide}}",
                needs,
                condition,
                items,
                plan,
                _again(step),
                alone,
            ]
            lines.append(f"{first:>4}  {'  '.join(cell for cell in cells if cell)}".rstrip())
    return "\n".join(lines) + "\n"


def _again(step: StepDefinition) -> str:
    repeat = step.repeat
    if repeat is None:
        return ""
    whence = f" from {repeat.back_to}" if repeat.back_to not in (None, step.key) else ""
    return f"again{whence} until {_cut(repeat.until)}, at most {_count(repeat.max_rounds, 'round')}"


def draw_mermaid(definition: QuestDefinition) -> str:
    """A Mermaid flowchart, as GitHub and many editors show it."""
    graph = graph_of(definition.steps)
    lines = ["flowchart LR"]
    for number, step in enumerate(definition.steps):
        label = f"{_mermaid(step.key)}<br/><small>{_mermaid(who_does(step))}</small>"
        opening, closing = ("[", "]") if step.parallel else ("[[", "]]")
        lines.append(f'    n{number}{opening}"{label}"{closing}')
    for number, needed in enumerate(graph.needs):
        lines.extend(f"    n{other} --> n{number}" for other in needed)
    for number, step in enumerate(definition.steps):
        if step.repeat is not None:
            target = graph.numbers[step.repeat.back_to or step.key]
            lines.append(f"    n{number} -. again .-> n{target}")
    return "\n".join(lines) + "\n"


def draw_svg(definition: QuestDefinition) -> str:
    """A self-contained SVG: execution levels from left to right, each step after all that it needs."""
    layout = _Layout(definition.steps, graph_of(definition.steps))
    width, height = layout.width, layout.height
    title = escape(f"{definition.name} {definition.version}")
    edges = "\n".join(
        f'  <path class="edge" d="{path}" marker-end="url(#head)"/>' for path in layout.paths()
    )
    boxes = "\n".join(_svg_box(box) for box in layout.boxes)
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {width:.0f} {height:.0f}" '
        f'width="{width:.0f}" height="{height:.0f}" role="img" aria-label="{title}">\n'
        f"  <title>{title}</title>\n  <style>{_STYLE}  </style>\n"
        '  <defs><marker id="head" viewBox="0 0 8 8" refX="8" refY="4" markerWidth="7" markerHeight="7" '
        'orient="auto"><path class="head" d="M0 0L8 4L0 8z"/></marker></defs>\n'
        f'  <rect class="paper" width="100%" height="100%"/>\n'
        f'  <text class="title" x="{_MARGIN}" y="{_MARGIN + 6}">{title}</text>\n'
        f"{edges}\n{boxes}\n</svg>\n"
    )


def who_does(step: StepDefinition) -> str:
    """The template, or the agent, the capabilities with +, and the tool behind a dot; then who else, in order. Of a step that waits: what for."""
    if step.use is not None:
        return f"quest {step.use}"
    if step.only_waits:
        return _waits_for(step)
    return ", else ".join(_asked(each) for each in step.choices)


def _waits_for(step: StepDefinition) -> str:
    if step.wait_for is None:
        return f"sleep {format_duration(step.sleep_ms or 0)}"
    longest = "" if step.timeout_ms is None else f", at most {format_duration(step.timeout_ms)}"
    return f"signal {step.wait_for.signal}{longest}"


def _asked(each: StepDefinition | Fallback) -> str:
    asked = each.agent or ""
    if each.capabilities:
        asked += "+" + "+".join(each.capabilities)
    return asked + (f".{each.tool}" if each.tool else "")


class _Box(Struct):
    """A step's rectangle, or (``step`` None) a point where a long edge passes a level."""

    step: StepDefinition | None
    level: int
    x: float = 0.0
    y: float = 0.0
    width: float = 0.0
    height: float = 0.0

    @property
    def middle(self) -> float:
        return self.y + self.height / 2


class _Layout:
    """Layers by execution level; long edges bend through every level that they pass.

    Each layer is sorted by the middle of its neighbours, a few sweeps to and fro
    (K. Sugiyama et al., IEEE Trans. SMC 11 (2), 1981).
    """

    def __init__(self, steps: Sequence[StepDefinition], graph: Graph) -> None:
        self.boxes = [_Box(step, 0, width=_label_width(step), height=_ROW) for step in steps]
        self._layers: list[list[int]] = [list(level) for level in graph.levels]
        for level, numbers in enumerate(graph.levels):
            for number in numbers:
                self.boxes[number].level = level
        self._routes = self._route(graph)
        self._before: dict[int, list[int]] = {}
        self._after: dict[int, list[int]] = {}
        for route in self._routes:
            for one, other in pairwise(route):
                self._before.setdefault(other, []).append(one)
                self._after.setdefault(one, []).append(other)
        self._sort()
        self.width, self.height = self._place()

    def _route(self, graph: Graph) -> list[list[int]]:
        """Each edge as the boxes it runs through; where there are too many bends it runs straight."""
        edges = [(one, n) for n, needed in enumerate(graph.needs) for one in needed]
        bends = sum(self.boxes[b].level - self.boxes[a].level - 1 for a, b in edges)
        routes: list[list[int]] = []
        for start, end in edges:
            route = [start]
            if bends <= _BENDS_MAX:
                for level in range(self.boxes[start].level + 1, self.boxes[end].level):
                    self._layers[level].append(len(self.boxes))
                    route.append(len(self.boxes))
                    self.boxes.append(_Box(None, level))
            routes.append([*route, end])
        return routes

    def _sort(self) -> None:
        for sweep in range(_SWEEPS):
            forward = sweep % 2 == 0
            neighbours = self._before if forward else self._after
            rank: dict[int, float] = {}
            for layer in self._layers if forward else reversed(self._layers):
                own = {n: float(place) for place, n in enumerate(layer)}
                for number in layer:
                    places = [rank[other] for other in neighbours.get(number, ()) if other in rank]
                    own[number] = sum(places) / len(places) if places else own[number]
                layer.sort(key=own.__getitem__)
                rank.update({number: float(place) for place, number in enumerate(layer)})

    def _place(self) -> tuple[float, float]:
        tallest = max((self._layer_height(layer) for layer in self._layers), default=0.0)
        x = float(_MARGIN)
        for layer in self._layers:
            wide = max(self.boxes[number].width for number in layer)
            y = _MARGIN + _HEADER + (tallest - self._layer_height(layer)) / 2
            for number in layer:
                box = self.boxes[number]
                box.x, box.y = x, y
                box.width = wide
                y += box.height + _GAP
            x += wide + _COLUMN_GAP
        return x - _COLUMN_GAP + _MARGIN, tallest + 2 * _MARGIN + _HEADER

    def _layer_height(self, layer: Sequence[int]) -> float:
        return sum(self.boxes[number].height for number in layer) + _GAP * (len(layer) - 1)

    def paths(self) -> list[str]:
        """The edges as SVG paths."""
        return [self._path([self.boxes[number] for number in route]) for route in self._routes]

    def _path(self, route: Sequence[_Box]) -> str:
        x, y = route[0].x + route[0].width, route[0].middle
        parts = [f"M{x:.1f} {y:.1f}"]
        for box in route[1:]:
            bend = (box.x - x) / 2
            middle = box.middle
            parts.append(
                f"C{x + bend:.1f} {y:.1f} {box.x - bend:.1f} {middle:.1f} {box.x:.1f} {middle:.1f}"
            )
            x, y = box.x, middle
            if box.step is None:
                x = box.x + box.width
                parts.append(f"H{x:.1f}")
        return "".join(parts)


def _svg_box(box: _Box) -> str:
    if box.step is None:
        return ""
    kind = "step" if box.step.parallel else "step alone"
    x, y = box.x, box.y
    key, who = escape(box.step.key), escape(who_does(box.step))
    return (
        f'  <g><title>{key} · {who}</title><rect class="{kind}" x="{x:.1f}" y="{y:.1f}" rx="7" '
        f'width="{box.width:.1f}" height="{box.height:.1f}"/>'
        f'<text x="{x + _PADDING:.1f}" y="{y + 19:.1f}">{escape(_cut(box.step.key))}</text>'
        f'<text class="who" x="{x + _PADDING:.1f}" y="{y + 35:.1f}">{escape(_cut(who_does(box.step)))}</text></g>'
    )


def _label_width(step: StepDefinition) -> float:
    longest = max(len(_cut(step.key)), len(_cut(who_does(step))))
    return 2 * _PADDING + longest * _CHARACTER + 4


def _cut(text: str) -> str:
    return text if len(text) <= LABEL_MAX else text[: LABEL_MAX - 1] + "…"


def _mermaid(text: str) -> str:
    plain = "".join(c if c.isalnum() or c in " _-.+" else f"#{ord(c)};" for c in _cut(text))
    return plain or " "


def _count(number: int, what: str) -> str:
    return f"{number} {what}" if number == 1 else f"{number} {what}s"
