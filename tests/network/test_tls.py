"""Agents over TLS, from ``quest serve`` to ``quest agent run``: both sides show a certificate, and whoever cannot gets no work."""

import json
import subprocess
from pathlib import Path

import pytest

from questd.messages import control as ctl
from questd.messages.control import Reply, Request, decode_reply, encode_control
from questd.messages.definition import encode_definition
from questd.messages.exchange import FRAME_MAX_BYTES
from questd.runtime.nng import Caller
from tests.network.ground import TOKEN, Ground
from tests.system.place import Process, chain, until

AGENT = "tests.system.agents.worker:agent"


def certificates(folder: Path) -> None:
    """Of the daemon and of an agent, by one authority; and an agent's by another that nobody knows."""
    script = """
    set -e
    authority() {
      openssl req -x509 -newkey rsa:2048 -nodes -days 2 -keyout $1.key -out $1.pem -subj /CN=$1
    }
    signed() {
      openssl req -newkey rsa:2048 -nodes -keyout $1.key -out $1.csr -subj /CN=$1
      printf "subjectAltName=DNS:$1" > $1.ext
      openssl x509 -req -in $1.csr -CA $2.pem -CAkey $2.key -CAcreateserial -days 2 -out $1.pem -extfile $1.ext
    }
    authority ours
    authority theirs
    signed localhost ours
    signed worker ours
    signed stranger theirs
    """
    subprocess.run(["sh", "-c", script], cwd=folder, check=True, capture_output=True)


class Served:
    """``quest serve`` with a TLS listener that asks agents for a certificate too."""

    def __init__(self, ground: Ground) -> None:
        self.ground = ground
        self.folder = ground.folder
        certificates(self.folder)
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
