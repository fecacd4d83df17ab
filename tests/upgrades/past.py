"""Quests of all kinds, brought by real processes to where a version may leave them when it is killed."""

import json
from collections.abc import Generator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from questd.messages import control as ctl
from questd.messages.definition import (
    InputDefinition,
    QuestDefinition,
    QuestLimits,
    RetryPolicy,
    StepDefinition,
)
from tests.protocol.wire import RawAgent
from tests.system.place import LIMITS, Place, Process, until

HOUR_MS = 3_600_000


def step(key: str, tool: str = "say", *after: str, **more: Any) -> StepDefinition:
    agent = "payer" if tool == "pay" else "golden"
    fields: dict[str, Any] = {"agent": agent, "tool": tool, "dependencies": after, **more}
    return StepDefinition(key, **fields)


def quest(name: str, *steps: StepDefinition, **more: Any) -> QuestDefinition:
    return QuestDefinition(name, steps, **more)


CHAIN = quest(
    "chain",
    step("first", arguments={"value": "{{ n }}"}),
    step("second", "say", "first", arguments={"value": ["{{ first.result }}", None, 1.5, "é"]}),
    step("alone", "say", "second", parallel=False, arguments={"value": {"a": {"b": True}}}),
    step("last", "say", "alone", arguments={"value": "{{ second.result }}"}, priority=9),
    description="one after the other",
    version="2.1",
    labels={"team": "core", "area": "risk"},
    deadline="2h",
    total_timeout_ms=HOUR_MS,
    inputs={"n": InputDefinition({"type": "integer"}), "m": InputDefinition({}, False, "default")},
    output={"all": "{{ last.result }}", "n": "{{ n }}", "m": "{{ m }}"},
)
FAN_OUT = quest(
    "fan-out",
    step("begin", arguments={"value": 0}),
    *(step(f"part{n}", "say", "begin", arguments={"value": n}) for n in range(6)),
    step("join", "say", *(f"part{n}" for n in range(6)), capabilities=("gold",), agent=None),
    limits=QuestLimits(parallel=3),
)
RETRY = quest("retry", step("only", "flaky", retry=RetryPolicy(3, 10)))
FAILING = quest("failing", step("good", "obedient"), step("bad", "broken"))
CONTINUED = quest(
    "continued",
    step("bad", "broken", on_error="continue"),
    step("passed", "broken", on_error="continue_with_input", arguments={"value": 1}),
    step("after", "say", "bad", "passed", arguments={"value": "{{ bad.result }}"}),
)
CANCELLED = quest("cancelled", step("only", "obedient"), step("never", "say", "only"))
BLOB = quest(
    "blob",
    step("large", "large", arguments={"size": 9_000}),
    step("measure", "measure", "large", arguments={"text": "{{ large.result }}"}),
)
BY_HAND = quest("by-hand", step("only", "pay"), step("after", "say", "only"))
LATE = quest("late", StepDefinition("only", agent="zombie", tool="work"))

ABSENT = quest("absent", step("begin"), step("only", "say", "begin", agent="absent"))
ASKING = quest("asking", step("only", "say", agent=None, capabilities=("gold", "rare")))
RETRYING = quest(
    "retrying", step("only", "flaky", retry=RetryPolicy(3, HOUR_MS, max_delay_ms=HOUR_MS))
)
LOST = quest("lost", step("begin"), step("only", "pay", "begin"))
MIDWAY = quest("midway", step("begin"), step("now", "gated", "begin"), step("then", "say", "now"))
WIDE = quest(
    "wide",
    *(step(f"done{n}", arguments={"value": n}) for n in range(3)),
    *(step(f"now{n}", "gated", f"done{n}", arguments={"value": n}) for n in range(3)),
    step("join", "say", "now0", "now1", "now2"),
    limits=QuestLimits(parallel=2),
    output="{{ join.result }}",
)
CANCELLING = quest("cancelling", step("begin"), step("deaf", "gated", "begin"), step("never", "say", "deaf"))  # fmt: skip


class Past(Place):
    """A place whose daemon and agents are those of golden journals."""

    module = "tests.upgrades.past_daemon"

    def launch_daemon(self, **plan: Any) -> Process:
        """Start one and do not wait for it."""
        plan = {**plan, "limits": {**LIMITS, **plan.get("limits", {})}}
        arguments = [str(self.data), json.dumps(plan)]
        return self._start(self.module, arguments, "daemon", {"XDG_RUNTIME_DIR": self._sockets})

    def start_named(self, name: str, **more: str) -> Process:
        """An agent with the golden tools."""
        env = {**self.agent_env, "AGENT": name, **more}
        return self._start("tests.upgrades.worker", [self.addresses["exchange"]], name, env)

    def await_running(self, quest: str, count: int = 1) -> None:
        """Until so many tools of the quest have been called and have not ended."""

        def running() -> bool:
            kinds = self.kinds(quest)
            calls = [call["quest"] for call in self.calls()].count(quest)
            ended = kinds.count("attempt.completed") + kinds.count("attempt.failed")
            return calls - ended >= count

        until(f"{count} tools of {quest} run", running)


class Present(Past):
    """The same with a daemon of today."""

    module = "tests.system.daemon_process"


@contextmanager
def story(folder: Path) -> Generator[Past]:
    """A journal of all that can be, left by processes that were killed."""
    place = Past(folder)
    try:
        place.start_daemon(limits={"rest_in_queue_s": 0.5})
        golden, payer = place.start_named("golden"), place.start_named("payer")
        _tell_what_ends(place)
        _tell_what_is_lost(place, payer)
        _tell_a_late_result(place)
        _tell_what_is_open(place)
        place.daemon.kill()
        place.daemon.wait()
        golden.kill()
        yield place
    finally:
        place.close()


def _tell_what_ends(place: Past) -> None:
    ended = [
        place.submit(CHAIN, inputs=b'{"n":7}', key="a key", project="payments", priority=8),
        *(place.submit(each) for each in (FAN_OUT, RETRY, FAILING, CONTINUED, BLOB)),
        place.submit(CHAIN, inputs=b'{"n":8,"m":[1]}', labels={"team": "other", "more": "x"}),
    ]
    cancelled = place.submit(CANCELLED)
    place.await_running(cancelled)
    place.ask(ctl.CancelQuest(cancelled, "not needed", "ann"))
    place.await_end([*ended, cancelled])


def _tell_what_is_lost(place: Past, payer: Process) -> None:
    by_hand, lost = place.submit(BY_HAND), place.submit(LOST)
    for each in (by_hand, lost):
        place.await_kind(each, "attempt.started", 1 if each == by_hand else 2)
        place.await_running(each)
    payer.kill()
    for each in (by_hand, lost):
        place.await_kind(each, "breakpoint.opened")
    done = place.ask(ctl.ResolveTask(by_hand, "complete", "ann", result=b'{"paid":"by hand"}'))
    assert isinstance(done, ctl.Done), done
    place.await_end([by_hand])


def _tell_a_late_result(place: Past) -> None:
    late = place.submit(LATE)
    url = place.addresses["exchange"]
    with RawAgent(url, agent="zombie") as first:
        epoch = first.next_item()[3]
        first.poll(started=[[late, epoch]])
        incarnation = first.incarnation
    place.await_kind(late, "attempt.lost")
    with RawAgent(url, agent="zombie") as second:
        again = second.next_item()[3]
        second.poll(started=[[late, again]])
        outcome = ["completed", late, epoch, b'"too late"']
        with RawAgent(url, agent="zombie", incarnation=incarnation, outcomes=[outcome], counter=99):
            place.await_kind(late, "attempt.refused")
        second.finish(["completed", late, again, b'"in time"'])
    place.await_end([late])


def _tell_what_is_open(place: Past) -> None:
    asking = place.submit(ASKING)
    absent, retrying = place.submit(ABSENT), place.submit(RETRYING, key="open", project="slow")
    midway, wide, cancelling = (place.submit(each) for each in (MIDWAY, WIDE, CANCELLING))
    place.await_kind(absent, "attempt.completed")
    place.await_kind(retrying, "attempt.failed")
    place.await_running(midway)
    place.await_running(wide, 2)
    place.await_running(cancelling)
    place.ask(ctl.CancelQuest(cancelling, "changed my mind", "ann"))
    place.await_kind(cancelling, "quest.cancel_requested")
    # Who waits gives its actor up after half a second: its head then says what it waits for.
    resting = (absent, retrying, asking)
    until("they rest", lambda: all(place.head(each).waits for each in resting))
