"""A daemon speaks the protocols n and n-1: real daemons and agents of today and of tomorrow meet."""

import threading
from collections.abc import Generator, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, cast

import msgspec
import pynng
import pytest

from questd.actors.exchange.protocols import unspoken
from questd.agent.effects import EXIT_DENIED
from questd.cli.version import VERSION
from questd.client.link import DaemonLink
from questd.messages import control as ctl
from questd.messages import exchange
from questd.messages.exchange import PROTOCOL_VERSION, PROTOCOLS_SPOKEN, Denied
from questd.runtime.errors import BadFrame
from tests.protocol.wire import ONE_STEP, Control, Dialer, RawAgent, definition, encode, hello
from tests.upgrades.past import CHAIN, Present


class Tomorrow(Present):
    """A place whose daemon is of the next version."""

    module = "tests.upgrades.tomorrow_daemon"

    def start_tomorrows_agent(self) -> Any:
        """An agent of the next version."""
        arguments = [self.addresses["exchange"]]
        env = {**self.agent_env, "AGENT": "golden"}
        return self._start("tests.upgrades.tomorrow_worker", arguments, "agent", env)


@pytest.fixture(scope="module")
def tomorrow(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Tomorrow]:
    place = Tomorrow(Path(tmp_path_factory.mktemp("tomorrow")))
    try:
        place.start_daemon()
        yield place
    finally:
        place.close()


@pytest.fixture(scope="module")
def today(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Tomorrow]:
    place = Tomorrow(Path(tmp_path_factory.mktemp("today")))
    place.module = Present.module
    try:
        place.start_daemon()
        yield place
    finally:
        place.close()


# -- the rule ----------------------------------------------------------------------------------------


def test_a_daemon_speaks_its_own_protocol_and_the_one_before() -> None:
    assert PROTOCOLS_SPOKEN[-1] == PROTOCOL_VERSION
    assert len(PROTOCOLS_SPOKEN) == min(2, PROTOCOL_VERSION)


@pytest.mark.parametrize(
    ("spoken", "protocol", "expected"),
    [
        (range(1, 2), 1, None),
        (range(1, 2), 2, "this daemon speaks protocol 1, the agent speaks 2: upgrade the daemon"),
        (range(1, 3), 1, None),
        (range(1, 3), 2, None),
        (range(1, 3), 3, "protocol 1 and 2, the agent speaks 3: upgrade the daemon, always before"),
        (range(4, 6), 3, "protocol 4 and 5, the agent speaks 3: install a newer questd for the"),
        (range(1, 3), -1, "protocol 1 and 2, the agent speaks -1: install a newer"),
    ],
)
def test_who_is_denied_hears_both_protocols_and_what_to_do(
    spoken: range, protocol: int, expected: str | None, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(exchange, "PROTOCOLS_SPOKEN", spoken)
    denied = unspoken(protocol)
    if expected is None:
        assert denied is None
    else:
        assert denied == Denied("protocol", denied.message if denied else "", fatal=True)
        assert denied is not None
        assert expected in denied.message


# -- agents ------------------------------------------------------------------------------------------


@pytest.mark.parametrize("protocol", [1, 2])
def test_an_agent_of_either_protocol_works_and_hears_its_own(
    protocol: int, tomorrow: Tomorrow
) -> None:
    with (
        RawAgent(
            tomorrow.addresses["exchange"], agent=f"raw{protocol}", protocol=protocol
        ) as agent,
        Control(tomorrow.addresses["control"]) as control,
    ):
        assert agent.welcome[:2] == ["welcome", protocol]
        quest = control.submit(definition({"key": "a", "agent": f"raw{protocol}"}))
        agent.finish(["completed", quest, agent.next_item()[3], b"1"])
        control.events(quest, until="quest.completed")


@pytest.mark.parametrize("protocol", [0, 3])
def test_an_agent_of_no_protocol_spoken_is_denied_for_good(
    protocol: int, tomorrow: Tomorrow
) -> None:
    with Dialer(tomorrow.addresses["exchange"]) as link:
        tag, kind, message, fatal = link.ask(hello(protocol=protocol))
    assert (tag, kind, fatal) == ("denied", "protocol", True)
    assert f"this daemon speaks protocol 1 and 2, the agent speaks {protocol}" in message


def test_a_hello_of_a_far_protocol_is_denied_for_its_protocol_and_not_for_its_looks(
    tomorrow: Tomorrow,
) -> None:
    with Dialer(tomorrow.addresses["exchange"]) as link:
        strange = ["hello", 9, {"agent": "a map"}, [["tool"]]]
        assert link.ask(strange)[1:2] == ["protocol"]
        spoken = ["hello", 2, {"agent": "a map"}, [["tool"]]]
        assert link.ask(spoken)[1:2] == ["validation"]


def test_an_unknown_frame_is_answered_and_the_session_goes_on(tomorrow: Tomorrow) -> None:
    with RawAgent(tomorrow.addresses["exchange"], agent="curious") as agent:
        tag, kind, message, fatal = agent.link.ask(["of_tomorrow", agent.incarnation])
        assert (tag, kind, fatal) == ("denied", "validation", False)
        assert "Invalid value 'of_tomorrow'" in message
        agent.poll()


def test_todays_agent_works_for_tomorrows_daemon(tomorrow: Tomorrow) -> None:
    tomorrow.start_named("golden")
    quest = tomorrow.submit(CHAIN, inputs=b'{"n":7}')
    tomorrow.await_end([quest])
    assert tomorrow.output(quest) == b'{"all":[7,null,1.5,"\xc3\xa9"],"m":"default","n":7}'


def test_tomorrows_agent_ends_at_todays_daemon_and_says_why(today: Tomorrow) -> None:
    agent = today.start_tomorrows_agent()
    assert agent.wait() == EXIT_DENIED
    assert "this daemon speaks protocol 1, the agent speaks 2: upgrade the daemon" in agent.said()


# -- clients -----------------------------------------------------------------------------------------


def test_a_request_of_tomorrow_is_answered_with_the_daemons_version(today: Tomorrow) -> None:
    with Control(today.addresses["control"]) as control:
        reply = control.ask({"type": "of_tomorrow", "quest": "q"})
        assert (reply["type"], reply["kind"]) == ("error", "invalid")
        said = f"this daemon is questd {VERSION} and knows no request 'of_tomorrow'"
        assert reply["message"].startswith(said)
        assert control.ask({"type": "cancel"})["message"].startswith("these bytes are no request")


def test_a_definition_that_asks_for_more_than_is_known_is_refused(today: Tomorrow) -> None:
    body = definition({"key": "a", "agent": "raw", "telepathy": "{{ false }}"}, notify="ann")
    with Control(today.addresses["control"]) as control:
        reply = control.ask({"type": "submit", "definition": body})
        assert (reply["type"], reply["kind"]) == ("error", "invalid")
        assert [each.split(" ", 1)[0] for each in reply["details"]] == [
            "steps[0].telepathy",
            "notify",
        ]
        assert "older than the client" in reply["details"][0]
        assert control.ask({"type": "submit", "definition": ONE_STEP})["type"] == "submitted"


@contextmanager
def answering(url: str, **replies: Any) -> Generator[None]:
    """Somebody who answers as a daemon of another version might: by the tag of the request."""
    with pynng.Rep0(recv_timeout=100, send_timeout=5_000, listen=url) as socket:
        over = threading.Event()

        def serve() -> None:
            while not over.is_set():
                try:
                    request: Any = msgspec.msgpack.decode(cast("Any", socket).recv())
                except pynng.Timeout:
                    continue
                socket.send(encode(replies[request["type"]]))

        thread = threading.Thread(target=serve)
        thread.start()
        try:
            yield
        finally:
            over.set()
            thread.join()


@pytest.mark.parametrize("strange", [{"type": "of_tomorrow"}, {"type": "heads", "heads": {"a": 1}}])
def test_a_reply_that_cannot_be_read_names_both_versions(
    strange: dict[str, Any], tmp_path: Path
) -> None:
    url = f"ipc://{tmp_path}/c"
    newer = {"type": "daemon", "version": "9.0.0", "boot": ["not", "as", "now"]}
    link = DaemonLink(lambda: url)
    try:
        with answering(url, list=strange, ping=newer), pytest.raises(BadFrame) as raised:
            link.ask(ctl.ListQuests(), ctl.Heads)
    finally:
        link.close()
    said = str(raised.value)
    assert said.startswith(f"the daemon's answer cannot be read by questd {VERSION} (")
    assert "the daemon is questd 9.0.0. Use that version's client, or restart the daemon" in said
