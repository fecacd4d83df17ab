"""Agents over TLS, from ``quest serve`` to ``quest agent run``: both sides show a certificate, and whoever cannot, or whose is another's, gets no work."""

import json

import pytest
from msgspec.structs import replace

from questd.agent.effects import EXIT_DENIED
from questd.messages import control as ctl
from questd.messages.control import Reply, Request, decode_reply, encode_control
from questd.messages.definition import encode_definition
from questd.messages.exchange import (
    FRAME_MAX_BYTES,
    PROTOCOL_VERSION,
    DaemonFrame,
    Denied,
    Hello,
    Welcome,
    decode_daemon_frame,
    encode_frame,
)
from questd.runtime.nng import Caller, TLSSettings
from tests.certificates import make_certificates
from tests.network.ground import TOKEN, Ground
from tests.system.place import Process, chain, until

AGENT = "tests.system.agents.worker:agent"
CERTIFICATES = (
    ("worker", "ours", "/O=Acme/CN=worker/OU=team"),
    ("other", "ours", "/CN=other"),
    ("nameless", "ours", "/O=worker"),
    ("stranger", "theirs", "/CN=worker"),
)
"""Of agents: each one's file, authority and subject."""


class Served:
    """``quest serve`` with a TLS listener that asks agents for a certificate too."""

    def __init__(self, ground: Ground) -> None:
        self.ground = ground
        self.folder = ground.folder
        make_certificates(self.folder, *CERTIFICATES)
        token = self.folder / "token"
        token.write_text(TOKEN)
        token.chmod(0o600)
        (self.folder / "questd.toml").write_text(
            f'data = "{ground.data}"\n'
            '[listen]\ntcp = "tls+tcp://127.0.0.1:0"\ntoken_file = "token"\n'
            'tls_certificate = "localhost.pem"\ntls_key = "localhost.key"\ntls_authority = "ours.pem"\n'
            "[history]\nenabled = false\n"
        )
        self.daemon = self._quest("serve", "--config", str(self.folder / "questd.toml"))
        ready = self.daemon.line()
        self.url = ready.partition("agents may dial ")[2].strip()
        assert self.url.startswith("tls+tcp://127.0.0.1:"), ready
        ground.addresses["exchange_tcp_0"] = self.url
        found = json.loads((ground.data / "daemon.json").read_text())
        self._control = Caller(found["control"], frame_max=FRAME_MAX_BYTES)
        ground.keep(self._control)

    def _quest(self, *arguments: str) -> Process:
        return self.ground._start("questd", list(arguments), "quest", self.ground.agent_env)  # pyright: ignore[reportPrivateUsage]

    def agent(
        self, certificate: str | None, authority: str = "ours", url: str | None = None
    ) -> Process:
        """``quest agent run``, with these files."""
        arguments = ["agent", "run", AGENT, "--connect", url or self.url]
        arguments += ["--token-file", str(self.folder / "token")]
        arguments += ["--tls-authority", str(self.folder / f"{authority}.pem")]
        arguments += ["--tls-server-name", "localhost"]
        if certificate is not None:
            arguments += ["--tls-certificate", str(self.folder / f"{certificate}.pem")]
            arguments += ["--tls-key", str(self.folder / f"{certificate}.key")]
        return self._quest(*arguments)

    def caller(self, certificate: str) -> Caller:
        """An agent made by hand, with this certificate."""
        pair = self.folder / f"{certificate}.pem", self.folder / f"{certificate}.key"
        tls = TLSSettings(*pair, self.folder / "ours.pem", "localhost")
        caller = Caller(self.url, tls=tls, frame_max=FRAME_MAX_BYTES)
        self.ground.keep(caller)
        return caller

    def ask(self, request: Request) -> Reply:
        return decode_reply(self._control.request(encode_control(request), 30))

    def submit(self) -> str:
        reply = self.ask(ctl.Submit(encode_definition(chain(3))))
        assert isinstance(reply, ctl.Submitted), reply
        return reply.quest

    def completed(self, quest: str) -> bool:
        reply = self.ask(ctl.ReadQuest(quest))
        assert isinstance(reply, ctl.QuestRecords), reply
        return reply.head.status == "completed"

    def agents(self) -> int:
        reply = self.ask(ctl.ListAgents())
        assert isinstance(reply, ctl.Agents), reply
        return len(reply.instances)


@pytest.fixture
def served(ground: Ground) -> Served:
    return Served(ground)


def test_an_agent_with_a_certificate_works_over_tls(served: Served) -> None:
    agent = served.agent("worker")
    quest = served.submit()
    until("the quest is completed", lambda: served.completed(quest))
    assert TOKEN not in served.daemon.said()
    assert TOKEN not in agent.said()


@pytest.mark.parametrize(
    ("certificate", "authority"),
    [(None, "ours"), ("stranger", "ours"), ("worker", "theirs")],
    ids=["no certificate", "a certificate of strangers", "a daemon that it does not trust"],
)
def test_who_cannot_show_or_trust_a_certificate_gets_no_work(
    served: Served, certificate: str | None, authority: str
) -> None:
    """It goes on trying; the honest agent beside it works, so the door is open to others all the time."""
    network = served.ground.network("bytes")
    served.agent(certificate, authority, f"tls+{network.url}")
    until("it has tried more than once", lambda: network.counts()["connected"] > 2)
    assert served.agents() == 0
    honest = served.agent("worker")
    quest = served.submit()
    until("the quest is completed", lambda: served.completed(quest))
    assert served.agents() == 1
    assert {call["pid"] for call in served.ground.calls()} == {honest.pid}


@pytest.mark.parametrize(
    ("certificate", "said"),
    [
        ("other", "its certificate names 'other'"),
        ("nameless", "its certificate has no common name"),
    ],
)
def test_an_agent_is_denied_whose_certificate_has_another_name(
    served: Served, certificate: str, said: str
) -> None:
    """The authority says who it is, not the agent: work for others would be its own to see."""
    agent = served.agent(certificate)
    assert agent.wait() == EXIT_DENIED
    assert f"the agent calls itself 'worker' and {said}" in agent.said()
    assert "whose common name (CN) is 'worker'" in agent.said()
    assert "agent.denied agent=worker" in served.daemon.said()
    assert said in served.daemon.said()
    assert served.agents() == 0


def test_an_instance_stays_the_agent_that_it_was(served: Served) -> None:
    """Whoever learns its incarnation and has a certificate of another name cannot go on in its place."""
    honest, other = served.caller("worker"), served.caller("other")
    hello = Hello(PROTOCOL_VERSION, "worker", "i" * 32, TOKEN)
    assert isinstance(greet(honest, hello), Welcome)
    denied = greet(other, replace(hello, agent="other"))
    assert isinstance(denied, Denied)
    assert (denied.kind, denied.fatal) == ("auth", True)
    assert "under another agent's name" in denied.message
    assert isinstance(greet(honest, hello), Welcome)
    assert isinstance(greet(other, replace(hello, agent="other", incarnation="o" * 32)), Welcome)


def test_a_wrong_token_is_not_made_good_by_a_certificate(served: Served) -> None:
    denied = greet(served.caller("worker"), Hello(PROTOCOL_VERSION, "worker", "i" * 32, "guess"))
    assert isinstance(denied, Denied)
    assert "token" in denied.message


def greet(caller: Caller, hello: Hello) -> DaemonFrame:
    return decode_daemon_frame(caller.request(encode_frame(hello), 30))
