"""The exchange under strangers: four connections that say anything, while an honest agent works.

Two quests are under way when they come: one with the honest agent, whose result nobody else may touch, and one whose first steps
are the strangers' to answer, so that what they give flows through expressions, journal, history and views.
"""

from typing import Final

from questd.messages import control as ctl
from questd.messages import exchange as ex
from questd.messages.definition import QuestDefinition, RetryPolicy, StepDefinition
from questd.messages.events import LogLine
from questd.messages.failure import Failure
from questd.messages.heads import TERMINAL
from questd.simulation.chance import Chance
from tests.fuzz.changing import changed_script
from tests.fuzz.doors import (
    BOOT,
    HONEST,
    SECOND,
    SILENCE_S,
    Client,
    Ground,
    HonestAgent,
    all_answered,
    all_readable,
    completed_with,
    head_of,
    quest_id,
    restarts,
)
from tests.fuzz.place import Fault
from tests.fuzz.script import LINES, Hang, Say, Step, Wait, read, write

NAME: Final = "exchange"
STRANGER: Final = "stranger0001"
OWN, THEIRS = quest_id(1), quest_id(2)
REFUSALS_MAX: Final = 64
"""More events than one script of strangers may write into somebody else's quest."""

ALONE = QuestDefinition("alone", (StepDefinition("only", agent="honest", arguments={"x": 1}),))
TAINTED = QuestDefinition(
    "tainted",
    (
        StepDefinition("a", agent="stranger", on_error="continue", retry=RetryPolicy(2, delay_ms=100)),
        StepDefinition("b", agent="stranger", on_error="continue_with_input", dependencies=("a",)),
        StepDefinition(
            "c",
            agent="honest",
            arguments={
                "whole": "{{ a.result }}",
                "text": "a says {{ a.result }} {{ a.error.message | default('well') }}",
                "sum": "{{ a.result.n + 1 if a.result.n is defined else 0 }}",
                "joined": "{{ a.result.files | default([]) | join(',') }}",
            },
            dependencies=("a",),
            on_error="continue",
        ),
        StepDefinition("d", agent="honest", dependencies=("b", "c")),
    ),
    output={"a": "{{ a.result }}", "c": "{{ c.result }}", "status": "{{ b.status }} {{ d.status }}"},
)  # fmt: skip


def change(data: bytes, chance: Chance, words: tuple[bytes, ...]) -> bytes:
    """A script like this one."""
    return changed_script(data, chance, words)


def one(data: bytes) -> None:
    """Fault when strangers with this script do harm."""
    ground = Ground()
    honest = HonestAgent(ground, "honest", HONEST, 80)
    honest.holds = True
    client = Client(ground)
    client.submit(ALONE)
    client.submit(TAINTED)
    for step in read(data):
        _do(ground, step)
    ground.run(int(LIMITS_S * SECOND))
    all_answered(ground.agents, range(LINES))
    _honest_work_goes_on(ground, honest, client)
    for line in range(LINES):
        ground.agents.hang_up(line)
    ground.run(int(SILENCE_S * SECOND))
    _nothing_is_left(ground)
    _the_tainted_quest_ends(ground)
    all_readable(ground.store)
    restarts(ground)


LIMITS_S: Final = 6.0
"""A little longer than an exchange is held."""


def _do(ground: Ground, step: Step) -> None:
    match step:
        case Say(line, frame, at_once):
            ground.agent_says(line, frame)
            if not at_once:
                ground.run(20_000)
        case Hang(line):
            ground.agents.hang_up(line)
        case Wait(root):
            ground.run(root * root * 1_000)


def _honest_work_goes_on(ground: Ground, honest: HonestAgent, client: Client) -> None:
    honest.work_on()
    ground.run(SECOND)
    completed_with(ground.store, OWN, b'{"x":1}')
    written = head_of(ground.store, OWN).version
    if written > REFUSALS_MAX:
        raise Fault(f"strangers wrote {written} events into {OWN}")
    reply = client.ask(ctl.ListAgents())
    names = [view.agent for view in reply.instances] if isinstance(reply, ctl.Agents) else []
    if "honest" not in names:
        raise Fault(f"the honest agent is not connected any more: {reply}")


def _nothing_is_left(ground: Ground) -> None:
    """Of strangers that are gone the exchange knows counters only, the router nothing."""
    agents = list(ground.inside("exchange")["_agents"])
    if agents != [HONEST]:
        raise Fault(f"instances that are gone are still there: {agents}")
    for attribute in ("_names", "_pipe_of", "_instances_on"):
        if len(found := ground.inside("exchange")[attribute]) != 1:
            raise Fault(f"the exchange keeps {attribute}: {found}")
    router = ground.inside("router")["_state"]
    if list(router.instances) != [HONEST]:
        raise Fault(f"the router keeps instances: {list(router.instances)}")


def _the_tainted_quest_ends(ground: Ground) -> None:
    """As soon as somebody decent of the strangers' name comes; and a quest that comes now runs as ever."""
    HonestAgent(ground, "stranger", "decent" + "01" * 10, 81)
    client = Client(ground)
    later = client.submit(ALONE)
    ground.run(60 * SECOND)
    completed_with(ground.store, later, b'{"x":1}')
    head = head_of(ground.store, THEIRS)
    if head.status not in TERMINAL or head.parked is not None:
        raise Fault(f"{THEIRS} does not end: {head}")
    held = ground.inside("router")["_state"].held
    if held:
        raise Fault(f"places are held by nobody: {held}")


# -- a corpus to begin with ------------------------------------------------------------------------

HELLO = ex.Hello(
    1,
    "stranger",
    STRANGER,
    tools=(ex.ToolSpec("work", (ex.Parameter("x", False),), ("code",), 5_000, any_parameters=True),),
    capabilities=("code",),
    labels={"gpu": 1, "zone": "a"},
    capacity=2,
    counter=1,
)  # fmt: skip
ATTEMPT = (THEIRS, 3)
DONE = ex.Completed(*ATTEMPT, b'{"n":1,"files":["a"]}', 5, 6, 0.5, "model", 0.9)
BROKE = ex.Failed(*ATTEMPT, Failure("exception", "it broke", None, True, 10), 5)


def exchange(counter: int, **fields: object) -> ex.Exchange:
    """The stranger's exchange."""
    return ex.Exchange(STRANGER, BOOT, counter, **fields)  # type: ignore[arg-type]


def seeds() -> dict[str, bytes]:
    """Scripts that go deep, by name."""
    talks: dict[str, list[ex.AgentFrame]] = {
        "work": [HELLO, exchange(2), exchange(3, ack=1, started=(ATTEMPT,)), exchange(4, ack=1, outcomes=(DONE,))],
        "failure": [HELLO, exchange(2), exchange(3, ack=1, outcomes=(BROKE,)), exchange(4, ack=1)],
        "chatter": [
            HELLO,
            exchange(2),
            exchange(3, ack=1, beats=(ATTEMPT,), progress=(ex.Progress(*ATTEMPT, 0.5, "half"),)),
            exchange(4, logs=(ex.Logged(*ATTEMPT, (LogLine(1, "said", b'{"n":1}'),)),), stuck=1),
        ],
        "goodbye": [HELLO, exchange(2), ex.Goodbye(STRANGER, BOOT, "enough"), exchange(3)],
        "twice": [HELLO, exchange(2), HELLO, exchange(1), exchange(9, open=(2, 3))],
        "liar": [HELLO, exchange(2, outcomes=(ex.Completed(OWN, 3, b"1"), ex.Cancelled(OWN, 3), ex.Completed("q_", -1, b"1")))],
        "resync": [ex.Exchange(STRANGER, "another boot", 1), ex.Hello(1, "stranger", STRANGER, held=(ATTEMPT, (OWN, 3)), outcomes=(DONE,), counter=2), exchange(3)],
        "newer": [ex.Hello(7, "stranger", STRANGER)],
        "poison": [HELLO, exchange(2), exchange(3, ack=1, outcomes=(ex.Completed(*ATTEMPT, b'{"n":18446744073709551616}'),))],
        "cancelled": [HELLO, exchange(2), exchange(3, ack=1, outcomes=(ex.Cancelled(*ATTEMPT),)), exchange(4, draining=True)],
    }  # fmt: skip
    found = {
        name: write(Say(number % 1, ex.encode_frame(frame)) for number, frame in enumerate(frames))
        for name, frames in talks.items()
    }
    found["lost"] = found["work"][:] + write([Hang(0), Wait(120)]) + found["resync"]
    found["silent"] = write(
        [Say(0, ex.encode_frame(HELLO)), Say(0, ex.encode_frame(exchange(2))), Wait(200)]
    )
    found["two"] = write(
        [
            Say(0, ex.encode_frame(HELLO)),
            Say(1, ex.encode_frame(HELLO)),
            Say(0, ex.encode_frame(exchange(2))),
        ]
    )
    found["junk"] = write(
        [Say(0, b"\xc1"), Say(1, b""), Say(2, b"\x91" * 3_000), Say(3, b"\x92\xa5hello\xff")]
    )
    return found


WORDS: Final = (
    b"hello", b"exchange", b"goodbye", b"completed", b"failed", b"cancelled", BOOT.encode(), STRANGER.encode(), b"stranger0002",
    b"stranger", b"honest", OWN.encode(), THEIRS.encode(), b"work", b"a", b"b", b"code", b'{"n":1}', b"1e999", b"validation",
    b"timeout", b"\xc0", b"\x91", b"\xdd\xff\xff\xff\xff", b"\xcf\xff\xff\xff\xff\xff\xff\xff\xff", b"\xcb\x7f\xf8\0\0\0\0\0\0",
)  # fmt: skip
