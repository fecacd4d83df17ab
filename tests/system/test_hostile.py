"""Agents that lie and clients that babble: each hears what is wrong or is hung up on, and the honest go on working."""

import secrets
import threading
from collections.abc import Callable
from typing import Any

import msgspec
import pytest

from questd.messages import control as ctl
from questd.messages import events as ev
from questd.messages.control import decode_reply
from questd.messages.definition import QuestDefinition, RetryPolicy, encode_definition
from questd.messages.events import LogLine
from questd.messages.exchange import (
    Completed,
    Denied,
    Exchange,
    Failed,
    Invocation,
    Logged,
    Outcome,
    Progress,
    Resync,
    ToolSpec,
    Welcome,
    Work,
    encode_frame,
)
from questd.messages.failure import Failure
from questd.messages.heads import ListFilter
from questd.messages.history import HistoryInfo, HistoryStatus
from questd.messages.payload import encode_json
from questd.runtime.errors import Unreachable
from questd.runtime.nng import Caller
from tests.system.liar import Liar
from tests.system.place import Place, chain, single, step, until
from tests.system.rules import check

HUGE = 2**64 - 1


def lie(**more: Any) -> QuestDefinition:
    """A quest for the liar."""
    retry = RetryPolicy(attempts=1)
    return QuestDefinition("lie", (step("only", "lie", agent="liar", retry=retry, **more),))


def test_junk_from_agents_is_answered_or_cut_off_while_honest_work_goes_on(place: Place) -> None:
    place.start_daemon()
    agent = place.start_agent()
    gated = place.submit(single("gated"))
    place.await_calls(1)
    epoch = place.kinds(gated).index("attempt.started") + 1
    liar = Liar(place)
    before = liar.send(encode_frame(Exchange(liar.incarnation, "no such boot", 1)))
    assert isinstance(before, Resync)
    assert isinstance(liar.greet(), Welcome)
    strangers: list[Outcome] = [
        Completed(gated, epoch, b'"a lie"'),
        Completed(gated, 999, b'"a lie"'),
        Failed(gated, epoch, Failure("exception", "a lie", None, False)),
        Completed("q_nosuch", 1, b"1"),
        Completed("", -1, b"1"),
        Completed("\x00\n%s", HUGE, b"not json"),
    ]
    for outcome in strangers:
        liar.say(outcome)
    for n in range(5):
        liar.say(*(Completed(f"q_junk{n}_{m}", m, b"null") for m in range(2_000)))
    quests = [place.submit(chain(3)) for _ in range(20)]
    place.await_end(quests)
    assert place.head(gated).status == "running"
    place.gate.touch()
    assert place.await_end([gated])[gated].status == "completed"
    assert place.output(gated) == b'"through"'
    assert agent.popen.poll() is None
    assert set(place.heads()) == {gated, *quests}
    check(place, [gated, *quests])


def test_bytes_that_are_no_frame_get_an_answer_or_a_closed_link(place: Place) -> None:
    place.start_daemon()
    place.start_agent()
    quests = [place.submit(chain(3)) for _ in range(10)]
    liar = Liar(place)
    for junk in (b"", b"\xc1", b"\x93", secrets.token_bytes(1_000), b"\x91" * 100_000):
        answer = liar.send(junk)
        assert isinstance(answer, Denied), answer
        assert not answer.fatal
    wrong_types = msgspec.msgpack.encode(["exchange", 1, 2, "three"])
    assert isinstance(liar.send(wrong_types), Denied)
    with pytest.raises(Unreachable):
        liar.send(b"\x00" * (5 * 1024 * 1024))
    assert isinstance(liar.greet(), Welcome)
    place.await_end(quests)
    check(place, quests)


def test_introductions_that_cannot_be_are_refused_with_their_fault(place: Place) -> None:
    place.start_daemon()
    liar = Liar(place)
    assert "protocol 1" in liar.denied(protocol=99)
    assert "name" in liar.denied(agent="")
    assert "name" in liar.denied(agent="a\x00b")
    assert "incarnation" in liar.denied(incarnation="../../etc")
    assert "capacity" in liar.denied(capacity=10**9)
    assert "schemas" in liar.denied(tools=(ToolSpec("x", input_schema=b"{"),))
    assert "timeout" in liar.denied(tools=(ToolSpec("x", timeout_ms=HUGE),))
    assert "timeout" in liar.denied(tools=(ToolSpec("x", timeout_ms=-1),))
    assert isinstance(liar.greet(), Welcome)


def test_an_instance_that_takes_anothers_name_does_not_keep_it_from_working(place: Place) -> None:
    place.start_daemon()
    place.start_agent()

    def honest() -> str | None:
        reply = place.ask(ctl.ListAgents())
        assert isinstance(reply, ctl.Agents)
        return reply.instances[0].instance if reply.instances else None

    liar = Liar(place, name="worker")
    liar.incarnation = until("the agent is there", honest)
    quest = place.submit(single("gated"))
    place.await_calls(1)
    assert isinstance(liar.greet(), Welcome)
    place.gate.touch()
    place.await_end([quest])
    check(place, [quest])


ABSURD: dict[str, Callable[[Invocation], Outcome]] = {
    "huge": lambda w: Completed(
        w.quest, w.epoch, b"1", HUGE, HUGE, float("nan"), "m" * 9_999, 1e308
    ),
    "negative": lambda w: Completed(
        w.quest, w.epoch, b"1", -(2**63), -(2**63), float("inf"), "\x00", -1.0
    ),
    "not-utf8": lambda w: Completed(w.quest, w.epoch, b"\xff\xfe"),
    "deep": lambda w: Completed(w.quest, w.epoch, b"[" * 100_000 + b"]" * 100_000),
    "infinite": lambda w: Completed(w.quest, w.epoch, b"1e999"),
    "surrogate": lambda w: Completed(w.quest, w.epoch, b'"\\ud800"'),
    "long": lambda w: Failed(w.quest, w.epoch, Failure("k" * 99_999, "m" * 3_000_000), HUGE),
    "never": lambda w: Failed(w.quest, w.epoch, Failure("", "\x00", "other", True, HUGE), -1),
    "past": lambda w: Failed(w.quest, w.epoch, Failure("rate_limit", "x", None, True, -(2**63))),
}


def absurd_news(work: Invocation) -> dict[str, Any]:
    """Of an attempt that runs: nothing in it is as it should be."""
    attempt = (work.quest, work.epoch)
    lines = [LogLine(number, "t" * 999_999, b"{no json") for number in (HUGE, -(2**63))]
    return {
        "started": (attempt, ("q_other", 1)),
        "beats": (attempt,),
        "progress": (Progress(*attempt, float("nan"), "\x00" * 100_000),),
        "logs": tuple(Logged(*attempt, (line,)) for line in lines),
    }


def test_absurd_numbers_and_texts_end_their_quest_and_reach_the_history(place: Place) -> None:
    daemon = place.start_daemon(history=True)
    liar = Liar(place)
    assert isinstance(liar.greet(), Welcome)
    quests: list[str] = []
    for kind, answer in ABSURD.items():
        quests.append(place.submit(lie()))
        work = liar.take_work()
        liar.say(**absurd_news(work))
        liar.say(answer(work))
        assert place.await_end(quests[-1:]), kind
        assert not daemon.notes("quest.failed"), kind
        assert not daemon.notes("session.failed"), kind
    quests.append(place.submit(lie()))
    again = liar.take_work()
    liar.say(Completed(again.quest, again.epoch, encode_json("fine")))
    assert place.await_end(quests)[quests[-1]].status == "completed"
    check(place, quests)
    history_catches_up(place)
    assert not daemon.notes("process.ended")


def history_catches_up(place: Place) -> HistoryInfo:
    def level() -> HistoryInfo | None:
        try:
            info = place.history(HistoryStatus())
        except Unreachable:
            return None
        assert isinstance(info, HistoryInfo), info
        return info if info.seq == info.journal_seq else None

    return until("the history is level with the journal", level)


def test_an_invocation_too_large_for_its_agent_fails_and_is_not_sent_again(place: Place) -> None:
    place.start_daemon()
    liar = Liar(place)
    liar.greet(frame_max=200_000)
    quest = place.submit(lie(arguments={"value": "x" * 500_000}))
    stopped = threading.Event()
    seen: list[Work] = []

    def listen() -> None:
        while not stopped.is_set():
            seen.append(liar.say())

    thread = threading.Thread(target=listen)
    thread.start()
    place.await_end([quest])
    stopped.set()
    thread.join()
    assert not any(isinstance(item, Invocation) for work in seen for item in work.items)
    last = place.events(quest)[-1]
    assert isinstance(last, ev.QuestFailed)
    assert last.failure.kind == "too_large"


def test_a_tcp_listener_admits_nobody_without_its_token(place: Place) -> None:
    place.start_daemon(listen=[["tcp://127.0.0.1:0", "s3cret-token"]])
    url = place.addresses["exchange_tcp_0"]
    liar = Liar(place, url)
    assert "token" in liar.denied()
    assert "token" in liar.denied(token="wrong")
    assert "token" in liar.denied(token="s3cret-tokeñ")
    frame = Exchange(liar.incarnation, "boot", 1)
    assert isinstance(liar.send(encode_frame(frame)), Resync)
    token = place.folder / "token"
    token.write_text("s3cret-token\n")
    token.chmod(0o600)
    place.start_agent(url, QUESTD_TOKEN_FILE=str(token))
    quest = place.submit(chain(2))
    place.await_end([quest])
    assert "s3cret" not in place.daemon.said()
    assert isinstance(liar.greet(token="s3cret-token"), Welcome)


def test_two_hundred_clients_that_babble_do_not_keep_others_from_working(place: Place) -> None:
    place.start_daemon()
    place.start_agent()
    quests = [place.submit(chain(3)) for _ in range(20)]
    callers = [place.caller(place.addresses["control"]) for _ in range(200)]
    heard: list[ctl.Reply] = []

    def ask(caller: Caller, junk: bytes) -> None:
        heard.append(decode_reply(caller.request(junk, 60.0)))

    def babble(n: int) -> None:
        for caller in callers[n::20]:
            for junk in (secrets.token_bytes(200), b"", msgspec.msgpack.encode({"type": "submit"})):
                ask(caller, junk)

    threads = [threading.Thread(target=babble, args=(n,)) for n in range(20)]
    for thread in threads:
        thread.start()
    place.await_end(quests)
    for thread in threads:
        thread.join(60.0)
    assert len(heard) == 600
    assert {reply.kind for reply in heard if isinstance(reply, ctl.Error)} == {"invalid"}
    assert all(isinstance(reply, ctl.Error) for reply in heard)
    check(place, quests)


GOOD = encode_definition(chain(1))


ABSURD_REQUESTS: tuple[ctl.Request, ...] = (
    ctl.Submit(b"no definition"),
    ctl.Submit(GOOD, priority=HUGE),
    ctl.Submit(GOOD, priority=-1),
    ctl.Submit(GOOD, deadline_us=HUGE),
    ctl.Submit(GOOD, deadline_us=-(2**63)),
    ctl.Submit(GOOD, total_timeout_ms=HUGE),
    ctl.Submit(GOOD, total_timeout_ms=-1),
    ctl.Submit(GOOD, key="k" * 1_000_000),
    ctl.Submit(GOOD, project="p" * 1_000_000),
    ctl.Submit(GOOD, labels={"a" * 10_000: "b" * 100_000}),
    ctl.Submit(GOOD, labels={str(n): "" for n in range(100_000)}),
    ctl.Submit(GOOD, inputs=b"[" * 100_000),
    ctl.Submit(b"\xc1" * 1_000_000, inputs=b"\xff"),
    ctl.ReadQuest("q_" + "x" * 1_000_000),
    ctl.ReadQuest("", after=-(2**63), limit=-1, wait_ms=-1),
    ctl.ReadBlobs(("no digest", "\x00")),
    ctl.ListQuests(ListFilter(limit=-1)),
    ctl.ListQuests(ListFilter(text="%_\x00'", since_us=HUGE, after="\x00")),
    ctl.CancelQuest("q_nosuchquestthereis00", "r" * 1_000_000, "a" * 1_000_000),
    ctl.ResolveTask("q_nosuchquestthereis00", "", ""),
    ctl.DrainAgent("nobody", "\x00"),
)


def test_absurd_requests_are_answered_and_the_daemon_lives(place: Place) -> None:
    place.start_daemon()
    for request in ABSURD_REQUESTS:
        reply = place.ask(request)
        shown = f"{request!r:.200} is answered by {reply!r:.200}"
        assert isinstance(reply, ctl.Error | ctl.Heads | ctl.Blobs), shown
        assert not (isinstance(reply, ctl.Error) and reply.kind == "internal"), shown
    assert isinstance(place.ask(ctl.Ping()), ctl.DaemonInfo)
    assert not place.heads()
