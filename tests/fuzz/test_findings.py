"""What the fuzzing found, as claims: each was once otherwise."""

import msgspec
import pytest

from questd.messages import exchange as ex
from questd.runtime.errors import BadExpression
from questd.runtime.expressions import compile_value
from tests.fuzz import exchange
from tests.fuzz.doors import Ground
from tests.fuzz.exchange import ATTEMPT, HELLO
from tests.fuzz.expressions import NAMES
from tests.fuzz.script import Say, write


def said(*frames: ex.AgentFrame, at_once: bool = False) -> bytes:
    return write(Say(0, ex.encode_frame(frame), at_once) for frame in frames)


NO_VALUE = [b"1e999", b'{"n":-1e999}', b"1" * 5_000, b'{"files":[1e400]}']
"""JSON by its grammar, but too large for any number of ours."""


@pytest.mark.parametrize("result", NO_VALUE)
def test_a_result_that_no_value_stands_for_fails_the_step_that_reads_it(result: bytes) -> None:
    """It killed the reading step's actor, five times."""
    done = ex.Completed(*ATTEMPT, result)
    exchange.one(said(HELLO, exchange.exchange(2), exchange.exchange(3, ack=1, outcomes=(done,))))


@pytest.mark.parametrize("schema", NO_VALUE)
@pytest.mark.parametrize("field", ["input_schema", "output_schema"])
def test_a_schema_that_no_value_stands_for_is_denied_at_hello(schema: bytes, field: str) -> None:
    """Whoever looked at the agents killed the session."""
    tool = msgspec.structs.replace(HELLO.tools[0], **{field: schema})
    ground = Ground()
    heard: list[ex.DaemonFrame] = []
    ground.agents.heard = lambda _, body: heard.append(ex.decode_daemon_frame(body))
    ground.agent_says(0, ex.encode_frame(msgspec.structs.replace(HELLO, tools=(tool,))))
    ground.run(10_000)
    assert [type(each) for each in heard] == [ex.Denied]


def test_a_name_that_is_half_a_surrogate_pair_is_refused_as_a_text_is() -> None:
    """It was let through, and the value could not be sent."""
    with pytest.raises(BadExpression, match="surrogate"):
        compile_value({"a\udc9b": ["{{ n }}"]}, NAMES)


@pytest.mark.parametrize("at_once", [False, True])
def test_whoever_says_goodbye_or_hello_has_its_open_exchange_answered(at_once: bool) -> None:
    """It was never answered, and neither was what came in the same turn as the goodbye."""
    goodbye = ex.Goodbye(HELLO.incarnation, "boot")
    exchange.one(said(HELLO, exchange.exchange(2), goodbye, exchange.exchange(3), at_once=at_once))
    again = msgspec.structs.replace(HELLO, counter=3)
    exchange.one(said(HELLO, exchange.exchange(2), again, exchange.exchange(4), at_once=at_once))
    exchange.one(said(HELLO, goodbye, again, exchange.exchange(4), goodbye, at_once=at_once))
