"""The graph as text, Mermaid and SVG."""

import re
from xml.etree import ElementTree as ET

from hypothesis import given, settings
from hypothesis import strategies as st

from questd.documents import draw_mermaid, draw_svg, draw_text, load_file
from questd.messages.definition import QuestDefinition, StepDefinition

from .test_loading import CASE

SVG = "{http://www.w3.org/2000/svg}"


def test_the_text_shows_levels_and_who_does_what() -> None:
    assert draw_text(load_file(CASE)).splitlines() == [
        "code-review-workflow 1.0.0 · 4 steps, 3 levels",
        "   1  parse-changes      backend   (alone)",
        "   2  security-audit     security  ← parse-changes",
        "      quality-check      quality   ← parse-changes",
        "   3  aggregate-results  product   ← security-audit, quality-check  (alone)",
    ]


def test_mermaid_has_a_node_a_step_and_an_arrow_a_dependency() -> None:
    lines = draw_mermaid(load_file(CASE)).splitlines()
    assert lines[0] == "flowchart LR"
    assert lines[1] == '    n0[["parse-changes<br/><small>backend</small>"]]'
    assert lines[5:] == ["    n0 --> n1", "    n0 --> n2", "    n1 --> n3", "    n2 --> n3"]


def test_the_svg_stands_alone_and_knows_light_and_dark() -> None:
    text = draw_svg(load_file(CASE))
    root = ET.fromstring(text)
    assert len(root.findall(f"{SVG}g")) == 4
    assert len(root.findall(f"{SVG}path")) == 4
    assert "prefers-color-scheme: dark" in text
    assert re.findall(r"https?://[^\"]+", text) == ["http://www.w3.org/2000/svg"]


def boxes(text: str) -> list[tuple[float, float, float, float]]:
    found = [group.find(f"{SVG}rect") for group in ET.fromstring(text).findall(f"{SVG}g")]
    rectangles = [box for box in found if box is not None]
    return [
        (
            float(b.attrib["x"]),
            float(b.attrib["y"]),
            float(b.attrib["width"]),
            float(b.attrib["height"]),
        )
        for b in rectangles
    ]


@st.composite
def quests(draw: st.DrawFn) -> QuestDefinition:
    size = draw(st.integers(1, 12))
    steps: list[StepDefinition] = []
    for number in range(size):
        before = [f"s{n}" for n in range(number)]
        needed = draw(st.lists(st.sampled_from(before), unique=True)) if before else []
        agent = draw(st.sampled_from(["a", 'x"]<script>&', "é" * 60, "end"]))
        steps.append(StepDefinition(f"s{number}", agent=agent, dependencies=tuple(needed)))
    return QuestDefinition('q"<&', tuple(steps))


@given(quests())
@settings(deadline=None)
def test_no_two_boxes_overlap_and_all_lie_inside(definition: QuestDefinition) -> None:
    text = draw_svg(definition)
    root = ET.fromstring(text)
    placed = boxes(text)
    assert len(placed) == len(definition.steps)
    wide, high = float(root.attrib["width"]), float(root.attrib["height"])
    for x, y, width, height in placed:
        assert x >= 0 <= y
        assert x + width <= wide
        assert y + height <= high
    for n, (x, y, width, height) in enumerate(placed):
        for other_x, other_y, _, _ in placed[n + 1 :]:
            apart_x = abs(other_x - x) >= width or other_x != x
            assert apart_x or abs(other_y - y) >= height


@given(quests())
@settings(deadline=None)
def test_foreign_text_stays_text(definition: QuestDefinition) -> None:
    mermaid = draw_mermaid(definition)
    assert "<script>" not in mermaid
    assert all(line.count('"') in (0, 2) for line in mermaid.splitlines())
    assert "<script>" not in draw_svg(definition)
    assert len(draw_text(definition).splitlines()) == len(definition.steps) + 1


def test_a_long_chain_with_long_edges_is_drawn_in_bounded_time() -> None:
    steps = [StepDefinition("s0", agent="a")]
    steps += [
        StepDefinition(f"s{n}", agent="a", dependencies=(f"s{n - 1}", "s0")) for n in range(1, 400)
    ]
    steps[1] = StepDefinition("s1", agent="a", dependencies=("s0",))
    assert len(boxes(draw_svg(QuestDefinition("q", tuple(steps))))) == 400
