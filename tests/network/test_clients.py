"""Clients that want different things of one quest, or die while they ask: one of them is right, the others hear so, and no quest is wrong."""

import threading
from collections import Counter

from questd.messages import control as ctl
from questd.messages.control import Reply, Request, decode_reply, encode_control
from questd.messages.definition import encode_definition
from tests.network.ground import SCALE, Ground
from tests.network.raw import Wire
from tests.system.place import chain, single
from tests.system.rules import check

QUESTS = 20 * SCALE
SHORT = {"lease_s": 1.0, "closed_pipe_s": 0.3}


def ask_at_once(ground: Ground, requests: list[Request]) -> list[Reply]:
    """Each by a client of its own, as nearly at the same time as can be."""
    ready = threading.Barrier(len(requests))
    replies: dict[int, Reply] = {}

    def ask(number: int) -> None:
        with Wire(ground.addresses["control"]) as wire:
            ready.wait()
            replies[number] = decode_reply(wire.ask(encode_control(requests[number])))

    threads = [threading.Thread(target=ask, args=(number,)) for number in range(len(requests))]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return [replies[number] for number in range(len(requests))]


def test_of_two_decisions_and_a_cancel_at_once_the_journal_has_what_was_answered(
    ground: Ground,
) -> None:
    ground.begin(limits=SHORT)
    agent = ground.start_agent(CAPACITY=str(QUESTS))
    quests = [ground.submit(single("pay")) for _ in range(QUESTS)]
    untouched = ground.submit(single("pay"), key="untouched")
    ground.await_calls(QUESTS)
    agent.close()
    for quest in quests:
        ground.await_kind(quest, "breakpoint.opened")
    ends: Counter[str] = Counter()
    for quest in quests:
        one, other, cancel = ask_at_once(
            ground,
            [
                ctl.ResolveTask(quest, "complete", "ann", result=b'"by ann"'),
                ctl.ResolveTask(quest, "fail", "bob"),
                ctl.CancelQuest(quest, "enough", "eve"),
            ],
        )
        decided = [isinstance(reply, ctl.Done) for reply in (one, other)]
        assert sum(decided) <= 1, (one, other)
        status = ground.await_end([quest])[quest].status
        kinds = ground.counted(quest)
        assert kinds["breakpoint.resolved"] == sum(decided)
        assert kinds["quest.cancel_requested"] == isinstance(cancel, ctl.Done)
        assert kinds["task.completed"] == decided[0]
        assert status in {"completed", "failed", "cancelled"}
        ends[status] += 1
    check(ground, quests)
    assert sum(ends.values()) == QUESTS
    assert ground.head(untouched).status in {"running", "waiting"}


def test_a_client_that_dies_while_it_submits_and_asks_again_has_one_quest(ground: Ground) -> None:
    ground.begin()
    ground.start_agent()
    body = encode_definition(chain(2))
    for n in range(QUESTS):
        frame = encode_control(ctl.Submit(body, key=f"key-{n}"))
        dying = Wire(ground.addresses["control"])
        whole = dying.framed(frame)
        dying.socket.sendall(whole[: len(whole) // 2] if n % 2 else whole)
        dying.close()
    quests: set[str] = set()
    for n in range(QUESTS):
        first = ground.ask(ctl.Submit(body, key=f"key-{n}"))
        again = ground.ask(ctl.Submit(body, key=f"key-{n}"))
        assert isinstance(first, ctl.Submitted), first
        assert again == ctl.Submitted(first.quest, created=False)
        assert first.created or n % 2 == 0
        quests.add(first.quest)
    assert len(quests) == QUESTS
    assert set(ground.heads()) == quests
    ground.await_end(quests)
    check(ground, quests)


def test_a_short_id_that_means_several_quests_touches_none(ground: Ground) -> None:
    ground.begin()
    quests = [ground.submit(chain(1)) for _ in range(5)]
    for given in ("q_", "q_0", ""):
        reply = ground.ask(ctl.CancelQuest(given, "enough", "eve"))
        assert isinstance(reply, ctl.Error), (given, reply)
    assert {head.status for head in ground.heads().values()} <= {"running", "waiting"}
    ground.start_agent()
    ground.await_end(quests)
