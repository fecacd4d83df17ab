"""The agent's own side: what a tool says is cut here, and what could not be sent is refused before it is."""

import re

import pytest

from questd import Agent, Context
from questd.agent import context, outbox, pace, start, tools
from questd.agent.outbox import Outbox
from questd.agent.start import offer_of
from questd.messages.events import LogLine
from questd.messages.exchange import FRAME_MAX_BYTES, Completed, Invocation
from questd.messages.payload import PAYLOAD_MAX_BYTES
from questd.runtime.errors import BadSettings


def reported() -> tuple[context.Report, Context]:
    report = context.Report(lambda: None)
    return report, Context(Invocation(1, "q", 1, "a", 1, "t", b"{}", "key"), report)


def lines(report: context.Report) -> list[LogLine]:
    return list(report.fetch(final=True)[1])


def test_a_tool_logs_so_many_lines_and_the_rest_is_counted() -> None:
    report, ctx = reported()
    for _ in range(context.LOG_LINES_MAX):
        ctx.log("x")
    assert [line.text for line in lines(report)] == ["x"] * context.LOG_LINES_MAX
    for _ in range(3):
        ctx.log("more")
    assert [line.text for line in lines(report)] == ["… 3 lines dropped"]


def test_a_tool_logs_so_many_bytes() -> None:
    report, ctx = reported()
    count = context.LOG_BYTES_MAX // context.LOG_LINE_MAX_BYTES
    for _ in range(count):
        ctx.log("x" * (context.LOG_LINE_MAX_BYTES - 2))
    ctx.log("x")
    said = lines(report)
    assert len(said) == count + 1
    assert said[-1].text == "… 1 lines dropped"


def test_a_line_and_its_fields_are_cut() -> None:
    report, ctx = reported()
    most = context.LOG_LINE_MAX_BYTES
    ctx.log("é" * (most // 2), f="x" * (most - 8))
    ctx.log("é" * (most // 2 + 1), f="x" * (most - 7))
    fits, beyond = lines(report)
    assert len(fits.text.encode()) == len(beyond.text.encode()) == most
    assert len(fits.fields) == most
    assert beyond.fields == b'{"dropped":"fields of 8193 bytes"}'


def test_a_progress_text_is_cut() -> None:
    report, ctx = reported()
    ctx.progress(0.5, "x" * (context.PROGRESS_TEXT_MAX + 1))
    said, _ = report.fetch(final=False)
    assert said == (0.5, "x" * context.PROGRESS_TEXT_MAX)


def test_the_message_of_a_failure_is_cut() -> None:
    said = tools.failure_of(RuntimeError("x" * 2 * tools.MESSAGE_MAX)).message
    assert len(said) <= tools.MESSAGE_MAX + 1_000
    short = tools.failure_of(RuntimeError("x" * 100)).message
    assert "x" * 100 in short


@pytest.mark.parametrize("beyond", [0, 1])
def test_a_result_fits_a_payload_or_fails_as_too_large(beyond: int) -> None:
    text = "x" * (PAYLOAD_MAX_BYTES - 2 + beyond)
    if not beyond:
        assert len(tools.encode_result(text, "t")) == PAYLOAD_MAX_BYTES
        return
    with pytest.raises(tools.Refusal) as refused:
        tools.encode_result(text, "t")
    assert refused.value.failure.kind == "too_large"
    assert "3145729 bytes" in refused.value.failure.message


def work() -> None: ...


def agent_with(size: int) -> Agent:
    """Its one tool says so many bytes of itself."""
    bare, wide = Agent("a"), Agent("a")
    bare.tool(name="t", description="")(work)
    spec = bare.tools["t"].spec
    rest = size - len(spec.input_schema) - len(spec.output_schema)
    wide.tool(name="t", description="d" * rest)(work)
    return wide


def test_the_offer_of_an_agent_fits_or_it_does_not_start() -> None:
    most = start.TOOLS_MAX_BYTES - pace.FRAME_OVERHEAD_BYTES
    assert offer_of(agent_with(most), None).tools
    said = re.escape(f"have {most + 1} bytes, at most {start.TOOLS_MAX_BYTES} fit")
    with pytest.raises(BadSettings, match=said):
        offer_of(agent_with(most + 1), None)
    with pytest.raises(BadSettings, match="offers no tools"):
        offer_of(Agent("a"), None)


def test_a_frame_holds_so_many_outcomes_and_the_rest_follows() -> None:
    box = Outbox()
    for n in range(outbox.OUTCOMES_MAX + 1):
        box.add_outcome(Completed("q", n, b"1"))
    room = pace.room_bytes(FRAME_MAX_BYTES)
    assert len(box.take(room).outcomes) == outbox.OUTCOMES_MAX
    assert len(box.take(room).outcomes) == 1
