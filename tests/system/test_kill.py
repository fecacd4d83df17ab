"""kill -9 of daemon and agents: nothing that was acknowledged is lost, nothing completed is done again."""

import threading
import time

import pytest

from questd.actors.directory.actor import ON_TRIAL
from questd.messages import control as ctl
from questd.messages.definition import encode_definition
from questd.runtime.errors import Unreachable
from tests.system.place import Place, chain, single, until
from tests.system.rules import check


def calls_by_task(place: Place) -> dict[tuple[str, str], int]:
    counts: dict[tuple[str, str], int] = {}
    for call in place.calls():
        name = (call["quest"], call["task"])
        counts[name] = counts.get(name, 0) + 1
    return counts


def test_a_daemon_killed_again_and_again_costs_no_call(place: Place) -> None:
    place.start_daemon()
    agents = [place.start_agent(CAPACITY="4") for _ in range(2)]
    quests = [place.submit(chain(4, value="v", seconds=0.02)) for _ in range(60)]
    for n in range(1, 4):
        place.await_calls(n * 50)
        place.daemon.kill()
        place.daemon.wait()
        place.start_daemon()
    heads = place.await_end(quests)
    assert {head.status for head in heads.values()} == {"completed"}
    assert all(agent.popen.poll() is None for agent in agents)
    counts = calls_by_task(place)
    assert len(counts) == 240
    assert set(counts.values()) == {1}
    check(place, quests)


@pytest.mark.parametrize("tool", ["gated", "pay"])
def test_results_that_come_while_the_daemon_is_down_are_delivered_to_the_next(
    place: Place, tool: str
) -> None:
    place.start_daemon()
    place.start_agent()
    quests = [place.submit(single(tool)) for _ in range(4)]
    place.await_calls(4)
    place.daemon.kill()
    place.daemon.wait()
    place.gate.touch()
    time.sleep(0.3)
    place.start_daemon()
    heads = place.await_end(quests)
    assert {head.status for head in heads.values()} == {"completed"}
    assert len(place.calls()) == 4
    assert "attempt.lost" not in {kind for quest in quests for kind in place.kinds(quest)}
    check(place, quests)


def test_what_a_killed_agent_ran_is_run_by_another(place: Place) -> None:
    place.start_daemon()
    first = place.start_agent()
    quests = [place.submit(single("gated")) for _ in range(4)]
    place.await_calls(4)
    first.kill()
    place.start_agent()
    place.await_calls(8)
    place.gate.touch()
    heads = place.await_end(quests)
    assert {head.status for head in heads.values()} == {"completed"}
    for quest in quests:
        assert place.kinds(quest).count("attempt.lost") == 1
    check(place, quests)


def test_all_killed_at_once_and_started_again_finish(place: Place) -> None:
    place.start_daemon()
    agents = [place.start_agent() for _ in range(2)]
    quests = [place.submit(chain(4, value="v", seconds=0.02)) for _ in range(40)]
    place.await_calls(50)
    for process in (place.daemon, *agents):
        process.kill()
    place.start_daemon(limits={"reattach_grace_s": 1.0})
    place.start_agent()
    heads = place.await_end(quests)
    assert {head.status for head in heads.values()} == {"completed"}
    check(place, quests)


def test_one_idempotency_key_from_many_threads_over_kills_is_one_quest(place: Place) -> None:
    place.start_daemon()
    place.start_agent()
    request = ctl.Submit(encode_definition(chain(2)), key="the-one")
    answers: list[str] = []
    stopped = threading.Event()

    def keep_asking() -> None:
        heard = 0
        while not stopped.is_set() or not heard:
            try:
                reply = place.ask(request)
            except Unreachable:
                time.sleep(0.01)
                continue
            assert isinstance(reply, ctl.Submitted), reply
            heard += 1
            answers.append(reply.quest)
            time.sleep(0.005)

    threads = [threading.Thread(target=keep_asking) for _ in range(20)]
    for thread in threads:
        thread.start()
    for n in range(1, 4):
        until("more answers", lambda n=n: len(answers) >= n * 20)  # type: ignore[misc]
        place.daemon.kill()
        place.daemon.wait()
        place.start_daemon()
    stopped.set()
    for thread in threads:
        thread.join(60.0)
        assert not thread.is_alive()
    assert len(set(answers)) == 1
    place.await_end(answers[:1])
    assert list(place.heads()) == answers[:1]
    check(place, answers[:1])


def test_many_that_waited_for_an_absent_agent_over_a_restart_finish_when_it_comes(
    place: Place,
) -> None:
    place.start_daemon()
    quests = [place.submit(chain(2)) for _ in range(200)]
    place.daemon.kill()
    place.daemon.wait()
    place.start_daemon()

    def all_wait() -> bool:
        heads = [place.heads()[quest] for quest in quests]
        return all(any(w.what == "agent" for w in head.waits) for head in heads)

    until("all name the agent that they wait for", all_wait)
    missing = place.ask(ctl.Missing())
    assert isinstance(missing, ctl.MissingAgents)
    assert [(w[0], w[2]) for w in missing.wanted] == [("worker", 200)]
    place.start_agent()
    heads = place.await_end(quests)
    assert {head.status for head in heads.values()} == {"completed"}
    assert len(place.calls()) == 400
    check(place, quests)


def test_a_killed_attempt_that_must_not_be_repeated_waits_for_a_decision(place: Place) -> None:
    place.start_daemon()
    first = place.start_agent(CAPACITY="3")
    quests = [place.submit(single("pay")) for _ in range(3)]
    place.await_calls(3)
    first.kill()
    for quest in quests:
        place.await_kind(quest, "breakpoint.opened")
        until("it says so", lambda q=quest: [w.what for w in place.head(q).waits] == ["breakpoint"])  # type: ignore[misc]
    place.daemon.kill()
    place.daemon.wait()
    place.start_daemon()
    place.gate.touch()
    place.start_agent()
    for quest, choice in zip(quests, ("retry", "complete", "fail"), strict=True):
        wrong = place.ask(ctl.ResolveTask(quest, "perhaps", "me"))
        assert isinstance(wrong, ctl.Error)
        assert "retry, complete, fail" in wrong.message
        result = b'"by hand"' if choice == "complete" else None
        assert place.ask(ctl.ResolveTask(quest, choice, "me", result=result)) == ctl.Done()
        again = place.ask(ctl.ResolveTask(quest, "fail", "me"))
        assert isinstance(again, ctl.Error), again
    heads = place.await_end(quests)
    assert [heads[quest].status for quest in quests] == ["completed", "completed", "failed"]
    assert [place.output(quest) for quest in quests[:2]] == [b'"paid"', b'"by hand"']
    assert len(place.calls()) == 4
    check(place, quests)


def killed_four_times(place: Place) -> str:
    """A quest that four daemons in a row died with, each within its first seconds."""
    place.start_daemon()
    place.start_agent()
    quest = place.submit(single("gated"))
    place.await_calls(1)
    for _ in range(4):
        place.daemon.kill()
        place.daemon.wait()
        place.start_daemon()
    return quest


def test_a_quest_that_several_daemons_died_with_is_tried_alone_and_goes_on(place: Place) -> None:
    quest = killed_four_times(place)
    others = [place.submit(chain(2)) for _ in range(3)]
    assert {head.status for head in place.await_end(others).values()} == {"completed"}
    place.gate.touch()
    assert place.await_end([quest])[quest].status == "completed"
    check(place, [quest, *others])


def test_a_quest_that_a_daemon_died_alone_with_is_parked_and_the_others_go_on(place: Place) -> None:
    quest = killed_four_times(place)
    until("it is on trial", lambda: place.head(quest).deaths == ON_TRIAL)
    place.daemon.kill()
    place.daemon.wait()
    place.start_daemon()
    until("it is parked", lambda: place.head(quest).parked)
    assert "the last time alone" in str(place.head(quest).parked)
    others = [place.submit(chain(2)) for _ in range(3)]
    assert {head.status for head in place.await_end(others).values()} == {"completed"}
    check(place, others)
