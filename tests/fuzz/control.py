"""The control door under strangers: they submit, read, cancel, resolve and babble, while an honest client works.

When they come one quest waits for an agent that is not there, one for a decision, and one has ended. What they submit is run by
an agent that gives back what it is given.
"""

from typing import Final

import msgspec

from questd.messages import control as ctl
from questd.messages import exchange as ex
from questd.messages.definition import (
    Awaited,
    InputDefinition,
    QuestDefinition,
    QuestLimits,
    RetryPolicy,
    StepDefinition,
    encode_definition,
)
from questd.messages.heads import ListFilter
from questd.simulation.chance import Chance
from questd.simulation.daemon import insides
from tests.fuzz.changing import changed_script
from tests.fuzz.doors import (
    BOOT,
    HONEST,
    SECOND,
    Client,
    Ground,
    HonestAgent,
    Route,
    all_answered,
    all_readable,
    completed_with,
    quest_id,
    restarts,
)
from tests.fuzz.place import Fault
from tests.fuzz.script import LINES, Hang, Say, Step, Wait, read, write

NAME: Final = "control"
WAITING, OPEN, ENDED, PATIENCE = quest_id(1), quest_id(2), quest_id(3), quest_id(4)
WAIT_MAX_S: Final = 62
"""A little longer than a reader may wait."""


def step(key: str, *dependencies: str, **fields: object) -> StepDefinition:
    """A step of the honest agent."""
    return StepDefinition(key, agent="worker", dependencies=dependencies, **fields)  # type: ignore[arg-type]


ALONE = QuestDefinition("alone", (step("only", arguments={"x": 1}),))
NOBODY = QuestDefinition("waiting", (StepDefinition("a", agent="nobody"),), labels={"team": "core"})
ONCE = QuestDefinition("once", (StepDefinition("once", agent="frail", idempotent=False),))


def change(data: bytes, chance: Chance, words: tuple[bytes, ...]) -> bytes:
    """A script like this one."""
    return changed_script(data, chance, words)


def one(data: bytes) -> None:
    """Fault when strangers with this script do harm."""
    ground = Ground()
    honest = HonestAgent(ground, "worker", HONEST, 80)
    client = Client(ground)
    furnish(ground, client)
    others = ground.clients.heard

    def heard(route: Route, body: bytes) -> None:
        _check_reply(route, body)
        others(route, body)

    ground.clients.heard = heard
    for each in read(data):
        do(ground, each)
    ground.run(WAIT_MAX_S * SECOND)
    all_answered(ground.clients, range(LINES))
    honest.leave()
    ground.run(5 * SECOND)
    HonestAgent(ground, "worker", HONEST[::-1], 82)
    own = client.submit(ALONE)
    ground.run(SECOND)
    completed_with(ground.store, own, b'{"x":1}')
    _nothing_is_left(ground)
    all_readable(ground.store)
    restarts(ground)


def furnish(ground: Ground, client: Client) -> None:
    """A quest that waits for nobody, one that waits for a decision, and one that ends."""
    client.submit(NOBODY)
    client.submit(ONCE)
    hello = ex.Hello(1, "frail", "frail000", tools=(ex.ToolSpec("work"),), counter=1)
    taken = ex.Exchange("frail000", BOOT, 3, ack=1, started=((OPEN, 3),))
    for frame in (hello, ex.Exchange("frail000", BOOT, 2), taken):
        ground.agent_says(83, ex.encode_frame(frame))
        ground.run(SECOND // 10)
    ground.agents.hang_up(83)
    ground.run(5 * SECOND)
    client.submit(ALONE)


def _check_reply(route: Route, body: bytes) -> None:
    reply = ctl.decode_reply(body)
    if isinstance(reply, ctl.Error) and reply.kind not in {"invalid", "not_found", "refused"}:
        raise Fault(f"request {route.number} is answered {reply}")


def do(ground: Ground, each: Step) -> None:
    """One step of a script."""
    match each:
        case Say(line, frame, at_once):
            ground.client_says(line, frame)
            if not at_once:
                ground.run(20_000)
        case Hang(line):
            ground.clients.hang_up(line)
        case Wait(root):
            ground.run(root * root * 1_000)


def _nothing_is_left(ground: Ground) -> None:
    control = ground.inside("control")
    if found := control["_open"]:
        raise Fault(f"the control actor keeps requests: {found}")
    watches = insides(control["_watches"])
    if watches["_requests"] or watches["_by_quest"]:
        raise Fault(f"watchers that nobody is: {watches}")
    if found := ground.inside("directory")["_watched"]:
        raise Fault(f"quests are watched by nobody: {found}")


# -- a corpus to begin with ------------------------------------------------------------------------

RICH = QuestDefinition(
    "rich",
    (
        step("a", arguments={"n": "{{ number + 1 }}", "t": "{{ text | upper }}-{{ number }}"}, timeout_ms=5_000),
        step("b", "a", prompt="{{ a.result.n * 2 }} {% raw %}", priority=7, retry=RetryPolicy(2, jitter=0.0)),
        step("c", "a", prompt="n is {{ a.result.n }} of {{ inputs.text | length }}", on_error="continue_with_input"),
        step("d", "b", "c", total_timeout_ms=9_000, parallel=False, on_error="continue"),
    ),
    "what it is", "1.2", "proj", {"team": "core"}, 3, "2h", 60_000, QuestLimits(2), 10_000, RetryPolicy(5),
    {"number": InputDefinition({"type": "integer", "minimum": 0}, False, 7), "text": InputDefinition({"type": "string", "pattern": "^a+$"})},
    {"all": "{{ a.result }}", "last": ["{{ d.status }}", "{{ c.error }}"]},
)  # fmt: skip
GOOD = QuestDefinition(
    "good",
    (
        step("a", arguments={"n": "{{ number + 1 }}", "t": "{{ text | upper }}-{{ number }}", "items": [1, "2", {"deep": "{{ text }}"}]}),
        step("b", "a", arguments={"sum": "{{ a.result.n * 2 }}", "all": "{{ a.result }}"}, on_error="continue_with_input"),
        step("c", "a", arguments={"text": "n is {{ a.result.n }} of {{ inputs.text | length }}"}, on_error="continue"),
        step("d", "b", "c"),
    ),
    inputs={"number": InputDefinition({"type": "integer", "minimum": 0}, False, 7), "text": InputDefinition({"type": "string", "pattern": "^a+$"})},
    output={"all": "{{ a.result }}", "last": ["{{ d.status }}", "{{ c.error }}"]},
)  # fmt: skip
PATIENT = QuestDefinition(
    "patient",
    (
        StepDefinition("nap", sleep_ms=50),
        StepDefinition("go", wait_for=Awaited("go", False, [1]), timeout_ms=9_000, dependencies=("nap",)),
    ),
)  # fmt: skip
REQUESTS: Final[dict[str, tuple[ctl.Request, ...]]] = {
    "ping": (ctl.Ping(), ctl.Missing(), ctl.ListAgents(), ctl.ListAgents("worker"), ctl.StopDaemon()),
    "submit": (ctl.Submit(encode_definition(GOOD), b'{"text":"aaa"}'),),
    "rich": (ctl.Submit(encode_definition(RICH), b'{"text":"aaa"}'),),
    "alone": (ctl.Submit(encode_definition(ALONE), b"{}", "key", "p", {"a": "b"}, 9, 1_750_000_100_000_000, 5_000),) * 2,
    "read": (ctl.ReadQuest(ENDED, 0, 3), ctl.ReadQuest("q_", 0), ctl.ReadQuest(WAITING, 2, 10, 9_000, definition=True)),
    "watch": (ctl.ReadQuest(WAITING, 99, wait_ms=99_000), ctl.ReadQuest(WAITING, 0, wait_ms=999_999, until_end=True), ctl.CancelQuest(WAITING, "enough", "ann")),
    "progress": (ctl.ReadQuest(OPEN, 50, wait_ms=100, seen_progress=5), ctl.ReadQuest(ENDED, 50, wait_ms=100)),
    "blobs": (ctl.ReadBlobs(("0" * 64, "a" * 64)), ctl.ReadBlobs(())),
    "list": (ctl.ListQuests(), ctl.ListQuests(ListFilter(("waiting", "completed"), "alone", "default", {"team": "core"}, 1, "a", 2_000_000_000_000_000, 2, ENDED))),
    "cancel": (ctl.CancelQuest(OPEN, "r", "ann"), ctl.CancelQuest(OPEN, "r", "ann"), ctl.CancelQuest("q_000000000000000009", "r", "ann")),
    "resolve": (ctl.ResolveTask(OPEN, "complete", "ann", "once", b'{"n":1}'), ctl.ResolveTask(OPEN, "retry", "bob")),
    "retry": (ctl.ResolveTask(OPEN, "retry", "ann"), ctl.ResolveTask(OPEN, "fail", "bob", "once")),
    "signal": (
        ctl.Submit(encode_definition(PATIENT)), ctl.SendSignal(PATIENCE, "go", b'{"n":1}', "ann", "k"), ctl.SendSignal(PATIENCE, "go", b"1", "bob"),
        ctl.SendSignal(WAITING, "go"), ctl.SendSignal(ENDED, "go", b"\xff"),
    ),
    "drain": (ctl.DrainAgent("worker"), ctl.DrainAgent("worker", HONEST[:6]), ctl.DrainAgent("none")),
}  # fmt: skip


def seeds() -> dict[str, bytes]:
    """Scripts that go deep, by name."""
    found = {
        name: write(Say(number % 2, ctl.encode_control(request)) for number, request in enumerate(requests))
        for name, requests in REQUESTS.items()
    }  # fmt: skip
    found["left"] = found["watch"][:60] + write([Hang(0), Wait(80)]) + found["read"]
    found["junk"] = write(
        [
            Say(0, b"\xc1"),
            Say(1, b""),
            Say(2, b"\x91" * 3_000),
            Say(3, msgspec.msgpack.encode({"type": "later", "x": 1})),
        ]
    )
    return found  # fmt: skip


WORDS: Final = (
    *(tag.encode() for tag in sorted(ctl.REQUEST_TAGS)), *(name.encode() for name in ctl.Submit.__struct_fields__), b"type", b"name", b"steps",
    *(name.encode() for name in StepDefinition.__struct_fields__), *(name.encode() for name in ctl.ReadQuest.__struct_fields__),
    WAITING.encode(), OPEN.encode(), ENDED.encode(), b"q_0", b"once", b"complete", b"fail", b"worker", b"nobody", b"a", b"b", b"text",
    b"number", b"{{ a.result }}", b"{{ a.result.n }}", b"{{ text }}", b"{{ 1 / 0 }}", b"{{ [1] * 9 }}", b"{{ 'x' * 9 }}", b"integer", b"pattern",
    b"(a+)+$", b"$ref", b"#", b"allOf", b"2h", b"tomorrow", b"2030-01-01T00:00:00Z", b"stop", b"continue", b"continue_with_input",
)  # fmt: skip
