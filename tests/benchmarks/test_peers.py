"""What is made of recorded results, and what a peer must say before its figures count."""

import json
import xml.etree.ElementTree as ET

import pytest
from msgspec.structs import replace

from benchmarks.peers.__main__ import DOCS, DOCUMENT, RECORD
from benchmarks.peers.catalogue import OURS, PEERS, Peer
from benchmarks.peers.measured import (
    Burst,
    Measured,
    NotMeasured,
    Outcome,
    Record,
    as_json,
    checked,
    recorded,
)
from benchmarks.peers.plot import svg
from benchmarks.peers.table import BEGIN, END, PLOT, Unmarked, block, disturbed, placed, ratio, rows
from tests.benchmarks.test_report import CONDITIONS

PEER = Peer("dbos", "DBOS", durable=True, note="", runs=100, singles=2, fans=1)
SAID = {
    "peer": "dbos",
    "settings": {"durability": "synced"},
    "bursts": [{"stores": 1, "runs": 100, "took_s": 2.0}],
    "chain_ms": [10.0, 12.0],
    "fan_ms": [300.0],
    "pids": {"dbos": 7},
    "versions": {"dbos": "3.4.0"},
}


def one(name: str, took_s: float, chain_ms: float, fan_ms: float) -> Measured:
    bursts = (Burst(1, 1_000, took_s),)
    settings = {"durability": f"that of {name}"}
    return Measured(name, settings, bursts, (chain_ms,), (fan_ms,), {}, {name: "1.2.3"})


RECORDED = Record(
    CONDITIONS,
    (
        Outcome(OURS, (one(OURS, 1.0, 8.0, 40.0),), others=(0.04, 0.5)),
        Outcome("dbos", tuple(one("dbos", s, 10.0, 200.0) for s in (10.0, 20.0, 40.0))),
        Outcome("langgraph", (one("langgraph", 5.0, 4.0, 20.0),), "round 2: no time was left"),
        Outcome("celery", (), "redis-server is not on this machine (apt | install)"),
    ),
    rounds=3,
    took_s=300.0,
)


def row_of(title: str, record: Record = RECORDED) -> list[str]:
    (row,) = [line for line in rows(record) if line.startswith(f"| {title} ")]
    return [cell.strip() for cell in row.strip("|").split("|")]


# -- what a script says ------------------------------------------------------------------------------


def test_a_script_that_says_what_was_asked_is_taken_at_its_word() -> None:
    assert checked(json.dumps(SAID), PEER).bursts[0].steps_per_s == 500.0


@pytest.mark.parametrize(
    ("changed", "why"),
    [
        ({"peer": "celery"}, "they are of 'celery'"),
        ({"chain_ms": [10.0]}, "1 chains and 1 fan-outs, not 2 and 1"),
        ({"fan_ms": []}, "2 chains and 0 fan-outs"),
        ({"bursts": []}, "not each burst is of 100 runs"),
        ({"bursts": [{"stores": 1, "runs": 10, "took_s": 2.0}]}, "not each burst is of 100 runs"),
        ({"chain_ms": [10.0, 0.0]}, "a time is not above zero"),
        ({"versions": {}}, "no version"),
        ({"fan_ms": ["fast"]}, "Expected `float`"),
        ({"rate": 1e9}, "unknown field"),
    ],
)
def test_figures_that_were_not_asked_for_are_no_figures(
    changed: dict[str, object], why: str
) -> None:
    with pytest.raises(NotMeasured, match=why):
        checked(json.dumps({**SAID, **changed}), PEER)


def test_a_line_that_is_no_json_is_told_shortened() -> None:
    with pytest.raises(NotMeasured, match=r"its script said 'Traceback"):
        checked("Traceback" + "!" * 10_000, PEER)


# -- the table -----------------------------------------------------------------------------------------


def test_a_ratio_above_one_says_that_questd_is_quicker() -> None:
    cells = row_of("DBOS, SQLite")
    assert cells[2:4] == ["500 (250–1,000)", "20 ×"]
    assert cells[5:] == ["10 ms", "1.25 ×", "200 ms", "5 ×"]


def test_a_peer_that_is_quicker_is_shown_quicker() -> None:
    assert row_of("LangGraph, SQLite")[6:] == ["0.5 ×", "20 ms", "0.5 ×"]


def test_a_missing_peer_is_not_run_and_has_no_figure() -> None:
    cells = row_of("Celery, Redis")
    assert cells[2] == "not run: redis-server is not on this machine (apt / install)"
    assert not any(cells[3:])
    assert row_of("Prefect")[2] == "not run: not asked for"


def test_rounds_that_are_missing_are_told() -> None:
    assert "Rounds are missing: round 2: no time was left." in block(RECORDED)


def test_without_questd_there_is_no_ratio() -> None:
    others = replace(RECORDED, outcomes=RECORDED.outcomes[1:])
    assert row_of("DBOS, SQLite", others)[3] == ""
    assert ratio(None, 1.0) == ratio(1.0, None) == ""


def test_every_system_says_versions_settings_and_what_is_not_the_same_work() -> None:
    text = block(RECORDED)
    assert "(dbos 1.2.3)" in text
    assert "Durability: that of dbos." in text
    assert "Other programs used 4%, 50% of the processors during its rounds." in text
    assert all(
        peer.note and (peer.note in text) == bool(RECORDED.of(peer.name).rounds) for peer in PEERS
    )


@pytest.mark.parametrize(
    ("others", "said"), [((0.01, 0.1), ""), ((0.01, 0.76), "1% to 76%"), ((), "was not recorded")]
)
def test_a_run_among_busy_neighbours_says_so(others: tuple[float, ...], said: str) -> None:
    outcomes = tuple(replace(each, others=others) for each in RECORDED.outcomes)
    warning = "".join(disturbed(replace(RECORDED, outcomes=outcomes)))
    assert (said in warning) if said else not warning


def test_only_what_is_between_the_marks_changes() -> None:
    before = f"# A\n\n{BEGIN}\nold\n{END}\n\nB\n"
    assert placed(before, "new") == f"# A\n\n{BEGIN}\nnew\n{END}\n\nB\n"
    assert placed(placed(before, "new"), "new") == placed(before, "new")


@pytest.mark.parametrize("document", ["nothing", BEGIN, END + BEGIN])
def test_a_document_without_marks_is_refused(document: str) -> None:
    with pytest.raises(Unmarked, match="no line"):
        placed(document, "new")


# -- the plot --------------------------------------------------------------------------------------------


def texts(record: Record) -> list[str]:
    return [element.text or "" for element in ET.fromstring(svg(record)).iter() if element.text]


def test_the_plot_is_svg_that_shows_figures_and_who_was_not_run() -> None:
    found = texts(RECORDED)
    assert {"10,000", "500", "8 ms", "200 ms"} <= set(found)
    assert found.count("not run") == 6
    assert found.count("DBOS, SQLite") == 3


def test_bars_stay_inside_the_picture() -> None:
    root = ET.fromstring(svg(RECORDED))
    width = float(root.attrib["width"])
    bars = [e.attrib for e in root.iter() if e.tag.endswith("rect") and "x" in e.attrib]
    assert len(bars) > 9
    assert all(float(bar["x"]) + float(bar["width"]) < width for bar in bars)


def test_a_plot_of_nothing_is_still_a_picture() -> None:
    nothing = replace(RECORDED, outcomes=())
    assert texts(nothing).count("not run") == 3 * len(PEERS)


# -- the record --------------------------------------------------------------------------------------------


def test_a_record_is_read_as_it_was_written() -> None:
    assert recorded(as_json(RECORDED)) == RECORDED


def test_the_documents_show_the_record_that_lies_beside_the_code() -> None:
    record = recorded(RECORD.read_bytes())
    document = DOCUMENT.read_text(encoding="utf-8")
    assert placed(document, block(record)) == document
    assert (DOCS / PLOT).read_text(encoding="utf-8") == svg(record)
