"""What a tool says of a secret is taken out before anything keeps it."""

import base64
import json
from typing import Any
from urllib.parse import quote

import pytest
from hypothesis import given
from hypothesis import strategies as st

from questd.actors.agent.edge import MESSAGE_MAX
from questd.actors.mail import AskQuest, AttemptEnded, AttemptWrote, ReplyTo
from questd.actors.quest.commands import CancelQuest, ResolveTask
from questd.actors.redaction import CUT_MIN, Redactor, redacted
from questd.messages.events import LogLine
from questd.messages.exchange import Cancelled, Completed, Failed
from questd.messages.failure import Failure
from questd.messages.payload import PAYLOAD_MAX_BYTES, decode_json, encode_json
from questd.runtime.keyring import HostKeyring

PLAIN = "hunter2-plain"
ODD = 'zwei "Zeilen" mit\nÜmlaut und \\ darin'
MARK = "[secret token]"


def of(*values: str) -> Redactor:
    return Redactor(("token", value) for value in values)


@pytest.mark.parametrize(
    "text",
    [
        ODD,
        json.dumps(ODD)[1:-1],
        json.dumps(ODD, ensure_ascii=False)[1:-1],
        repr(ODD)[1:-1],
        quote(ODD, safe=""),
        base64.b64encode(ODD.encode()).decode(),
        base64.urlsafe_b64encode(ODD.encode()).decode(),
        "Ümlaut und \\ darin",
    ],
)
def test_a_secret_is_found_however_a_text_writes_it(text: str) -> None:
    assert of(ODD).text(f"a {text}, b") == f"a {MARK}, b"
    assert decode_json(of(ODD).json(encode_json({"x": [f"a {text}, b"]}))) == {
        "x": [f"a {MARK}, b"]
    }


def test_a_short_line_of_a_secret_may_be_anybodys() -> None:
    assert of("BEGIN\nfirst line of it\nEND").text("BEGIN; first line of it; END") == (
        f"BEGIN; {MARK}; END"
    )


@pytest.mark.parametrize("end", ["", "…", "..."])
def test_a_secret_that_was_cut_off_is_found_by_its_beginning(end: str) -> None:
    before = "x" * CUT_MIN
    assert of(PLAIN).text(f"{before}hunter2-p{end}") == f"{before}{MARK}{end}"
    assert of(PLAIN).text(f"{before}hun{end}") == f"{before}hun{end}"
    assert of("aaaab").text(f"{before}aaaaa{end}") in (
        f"{before}a{MARK}{end}",
        f"{before}{MARK}{end}",
    )


def test_the_end_of_a_text_that_nobody_cut_off_is_left_as_it_is() -> None:
    assert of("test-7f31").text("this is a test") == "this is a test"
    assert of("test-7f31").text("this is a test…") == f"this is a {MARK}…"


def test_the_longer_of_two_secrets_is_taken_out_whole() -> None:
    redactor = Redactor([("short", "hunter2"), ("long", PLAIN)])
    assert redactor.text("hunter2 hunter2-plain") == "[secret short] [secret long]"


def test_names_and_numbers_of_json_are_looked_at_too() -> None:
    text = b'{"hunter2-plain": [12345678, 1, "x", null, {"a": "12345678"}]}'
    assert decode_json(Redactor([("a", PLAIN), ("b", "12345678")]).json(text)) == {
        "[secret a]": ["[secret b]", 1, "x", None, {"a": "[secret b]"}]
    }


@pytest.mark.parametrize(
    "text",
    [
        rb'"\u0068unter2-plain"',
        rb'"hunter2\u002dplain"',
        rb'"hunter2-pl\u0061\u0069n"',
    ],
)
def test_escapes_hide_nothing(text: bytes) -> None:
    assert decode_json(of(PLAIN).json(text)) == MARK
    assert of("a/b/c/d").json(rb'["a\/b\/c\/d"]') == b'["' + MARK.encode() + b'"]'


def test_where_nothing_is_found_nothing_is_changed() -> None:
    text = rb'{"a": "\u00e4\n\/ \ud83d\ude00 \ud800", "b": 1.0}'
    assert of(PLAIN, ODD).json(text) is text


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text() | st.sampled_from([PLAIN, ODD]),
    lambda inner: st.lists(inner) | st.dictionaries(st.text() | st.just(f"x{ODD}"), inner),
    max_leaves=12,
)


@given(JSON, st.booleans())
def test_no_json_holds_a_secret_afterwards_and_all_else_is_as_it_was(
    value: Any, ascii_only: bool
) -> None:
    def expected(of_value: Any) -> Any:
        match of_value:
            case str():
                return of_value.replace(PLAIN, MARK).replace(ODD, MARK)
            case list():
                return [expected(each) for each in of_value]  # pyright: ignore[reportUnknownVariableType]
            case dict():
                pairs: list[tuple[str, Any]] = list(of_value.items())  # pyright: ignore[reportUnknownArgumentType]
                return {expected(name): expected(each) for name, each in pairs}
            case _:
                return of_value

    text = json.dumps(value, ensure_ascii=ascii_only).encode("utf-8", "surrogatepass")
    after = json.loads(of(PLAIN, ODD).json(text).decode("utf-8", "surrogatepass"))
    assert after == expected(value)


# -- what a quest is told --------------------------------------------------------------------------

KEYRING = HostKeyring(environment={"T": PLAIN})
REFERENCES = {"token": "env:T"}


def kept(message: Any) -> Any:
    return redacted(message, REFERENCES, KEYRING)


def test_results_failures_and_log_lines_are_redacted() -> None:
    done = Completed("q", 3, encode_json([PLAIN]), 5, model=f"m-{PLAIN}")
    outcome = kept(AttemptEnded(3, done)).outcome
    assert (outcome.result, outcome.model) == (b'["[secret token]"]', f"m-{MARK}")
    failed = Failed("q", 3, Failure(PLAIN, f"no: {PLAIN}", retry_after_ms=5), 5, 7, 0.5, PLAIN)
    told = Failed("q", 3, Failure(MARK, f"no: {MARK}", retry_after_ms=5), 5, 7, 0.5, MARK)
    assert kept(AttemptEnded(3, failed)).outcome == told
    lines = (LogLine(1, f"got {PLAIN}", encode_json({"x": PLAIN})),)
    assert kept(AttemptWrote(3, lines)).lines == (
        LogLine(1, f"got {MARK}", b'{"x":"[secret token]"}'),
    )


def test_what_a_person_says_is_redacted_too() -> None:
    reply = ReplyTo(None, 1)
    resolve = ResolveTask("a", "complete", f"me {PLAIN}", encode_json([PLAIN]))
    assert kept(AskQuest(resolve, reply)) == AskQuest(
        ResolveTask("a", "complete", f"me {MARK}", b'["[secret token]"]'), reply
    )
    cancel = AskQuest(CancelQuest("enough", "me"), reply)
    assert kept(cancel) == cancel


def test_what_holds_no_secret_is_left_as_it_is() -> None:
    done = AttemptEnded(3, Completed("q", 3, b'{"a":1.0}', 5, model="m"))
    assert kept(done).outcome is done.outcome
    cancelled = AttemptEnded(3, Cancelled("q", 3))
    assert kept(cancelled).outcome is cancelled.outcome
    assert kept("another message") == "another message"


def test_a_mark_that_is_longer_than_its_secret_leaves_everything_bounded() -> None:
    keyring = HostKeyring(environment={"T": "abcd"})
    message = "abcd" * (MESSAGE_MAX // 4)
    ended = AttemptEnded(3, Failed("q", 3, Failure("x", message), 5))
    assert len(redacted(ended, REFERENCES, keyring).outcome.failure.message) == MESSAGE_MAX
    result = encode_json("abcd" * ((PAYLOAD_MAX_BYTES - 2) // 4))
    done = Completed("q", 3, result, 5, 7, 0.5)
    outcome = redacted(AttemptEnded(3, done), REFERENCES, keyring).outcome
    assert (outcome.tokens, outcome.cost) == (7, 0.5)
    assert outcome.failure == Failure(
        "too_large", "the result is too large once its secrets are taken out", None, False
    )
