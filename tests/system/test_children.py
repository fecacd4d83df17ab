"""Agents that the daemon starts itself: restarted when they die, drained when their daemon did."""

import os
import signal

from questd.messages import control as ctl
from tests.system.place import Place, chain, command_of, single, until
from tests.system.rules import check


def pids(place: Place) -> set[int]:
    """Of the connected instances that take work."""
    reply = place.ask(ctl.ListAgents("worker"))
    assert isinstance(reply, ctl.Agents)
    return {view.pid for view in reply.instances if not view.draining}


def await_pids(place: Place, count: int) -> set[int]:
    def connected() -> set[int] | None:
        found = pids(place)
        return found if len(found) == count else None

    return until(f"{count} agents are connected", connected)


def test_orphans_of_a_killed_daemon_deliver_what_they_run_and_leave(place: Place) -> None:
    plan = {"agents": [place.kept(replicas=2)]}
    place.start_daemon(**plan)
    orphans = await_pids(place, 2)
    gated = [place.submit(single("gated")) for _ in range(4)]
    place.await_calls(4)
    place.daemon.kill()
    place.daemon.wait()
    place.start_daemon(**plan)
    fresh = until(
        "new replicas", lambda: found if len(found := pids(place) - orphans) == 2 else None
    )
    later = [place.submit(chain(2)) for _ in range(4)]
    place.await_end(later)
    place.gate.touch()
    place.await_end([*gated, *later])
    calls = place.calls()
    assert len(calls) == 12
    assert {call["pid"] for call in calls[:4]} <= orphans
    assert {call["pid"] for call in calls[4:]} <= fresh
    until("the orphans are gone", lambda: not any(command_of(pid) for pid in orphans))
    assert pids(place) == fresh
    check(place, [*gated, *later])


def test_a_killed_child_is_started_again_and_its_work_done(place: Place) -> None:
    place.start_daemon(agents=[place.kept()])
    (first,) = await_pids(place, 1)
    quest = place.submit(single("gated"))
    place.await_calls(1)
    os.kill(first, signal.SIGKILL)
    place.await_calls(2)
    place.gate.touch()
    assert place.await_end([quest])[quest].status == "completed"
    (second,) = await_pids(place, 1)
    assert second != first
    check(place, [quest])


def test_an_orderly_end_lets_children_finish_what_they_run(place: Place) -> None:
    daemon = place.start_daemon(agents=[place.kept()], drain_s=30.0)
    quest = place.submit(single("gated"))
    place.await_calls(1)
    daemon.signal(signal.SIGTERM)
    until("it has begun to end", lambda: not (place.data / "daemon.json").exists())
    place.gate.touch()
    assert daemon.wait() == 0
    assert all(not command_of(note["pid"]) for note in daemon.notes("process.started"))
    place.start_daemon()
    assert place.head(quest).status == "completed"
    assert len(place.calls()) == 1
    check(place, [quest])
