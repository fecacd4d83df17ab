"""Starts an agent's process and ends it: the only place that may leave without the interpreter's goodbyes.

Loaded when an agent runs, not when it is imported: it brings the sockets.
"""

import logging
import os
import socket
import sys
import uuid
from typing import TYPE_CHECKING, Final, NoReturn

from questd.agent.effects import EXIT_STUCK, Exit, Offer
from questd.agent.pace import FRAME_OVERHEAD_BYTES
from questd.agent.runner import Runner, quick_switches, signals
from questd.messages.exchange import FRAME_MAX_BYTES
from questd.runtime.errors import BadSettings
from questd.runtime.nng import TLSSettings

if TYPE_CHECKING:
    from questd.agent.agent import Agent

BOOT_VARIABLE: Final = "QUESTD_BOOT"
SDK: Final = f"questd-python {sys.version_info.major}.{sys.version_info.minor}"
TOOLS_MAX_BYTES = FRAME_MAX_BYTES // 4

log = logging.getLogger("questd.agent")


def offer_of(agent: "Agent", token: str | None) -> Offer:
    """Say what this process offers, under a new incarnation. BadSettings when it has no tools, or too many for a frame."""
    if not agent.tools:
        raise BadSettings(
            f"agent {agent.name!r} offers no tools: decorate a function with @agent.tool"
        )
    specs = tuple(tool.spec for tool in agent.tools.values())
    size = sum(
        len(spec.input_schema) + len(spec.output_schema) + len(spec.description) for spec in specs
    )
    if size > TOOLS_MAX_BYTES - FRAME_OVERHEAD_BYTES:
        raise BadSettings(
            f"agent {agent.name!r}: its tools' schemas have {size} bytes, at most {TOOLS_MAX_BYTES} fit"
        )
    return Offer(
        agent=agent.name,
        incarnation=uuid.uuid4().hex,
        token=token,
        tools=specs,
        capabilities=agent.capabilities,
        labels=agent.labels,
        capacity=agent.capacity,
        prefetch=agent.prefetch,
        host=socket.gethostname(),
        pid=os.getpid(),
        sdk=SDK,
        started_by=os.environ.get(BOOT_VARIABLE) or None,
        ahead=agent.prefetch,
    )


def start(agent: "Agent", url: str, tls: TLSSettings | None, token: str | None) -> None:
    """Run it until it ends. Returns after a drain; SystemExit otherwise."""
    runner = Runner(offer_of(agent, token), agent.tools, url, tls)
    with quick_switches(), signals(runner):
        ended = runner.run()
    _show(agent.name, ended)
    if ended.code == EXIT_STUCK or runner.busy or (tls is not None and not runner.link_stands):
        # A stuck tool may hang the interpreter's own exit; closing a TLS dialer whose handshake failed can abort it.
        _leave_now(ended.code)
    runner.close()
    if ended.code:
        raise SystemExit(ended.code)


def _show(name: str, ended: Exit) -> None:
    level = logging.ERROR if ended.code else logging.INFO
    log.log(level, "agent.ended: %s: %s", name, ended.reason)


def _leave_now(code: int) -> NoReturn:
    sys.stdout.flush()
    sys.stderr.flush()
    logging.shutdown()
    os._exit(code)
