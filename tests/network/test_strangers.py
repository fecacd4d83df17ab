"""Strangers at the TCP door: without the daemon's token they get nothing, learn nothing, and keep nobody from working."""

import inspect
import threading

from questd.actors.exchange import actor as exchange
from questd.messages.exchange import Denied, Exchange, Resync, Welcome, encode_frame
from questd.runtime.descriptors import RESERVED
from tests.network.ground import SCALE, TOKEN, Ground, descriptors
from tests.network.raw import Wire, dial
from tests.system.liar import Liar
from tests.system.place import chain, until
from tests.system.rules import check

GUESSES = 1_000 * SCALE
GUESSERS = 4
PATIENT = {"hold_s": 0.4, "lease_s": 8.0}
"""Nobody is lost because the machine is slow; silent connections are closed after a lease."""


def test_a_thousand_wrong_guesses_get_no_work_and_hurt_nobody(ground: Ground) -> None:
    daemon = ground.begin(limits=PATIENT)
    ground.far_agent(ground.far)
    ground.await_end([ground.submit(chain(1))])
    denied: list[str] = []

    def guess(first: int) -> None:
        liar = Liar(ground, ground.far, name="worker")
        for n in range(first, GUESSES, GUESSERS):
            answer = liar.greet(token=f"{TOKEN[:-1]}{n}")
            assert isinstance(answer, Denied), answer
            denied.append(answer.kind)

    guessers = [threading.Thread(target=guess, args=(n,)) for n in range(GUESSERS)]
    for guesser in guessers:
        guesser.start()
    quests = [ground.submit(chain(3)) for _ in range(20)]
    ground.await_end(quests)
    for guesser in guessers:
        guesser.join()
    assert denied == ["auth"] * GUESSES
    assert not daemon.notes("agent.lost")
    check(ground, quests)
    said = daemon.said()
    assert TOKEN[:-1] not in said
    assert len(said) < 100_000
    assert "compare_digest" in inspect.getsource(exchange)


def test_a_stranger_with_anothers_incarnation_does_not_keep_it_out(ground: Ground) -> None:
    ground.begin()
    honest = Liar(ground, ground.far, name="honest")
    assert isinstance(honest.greet(token=TOKEN, counter=1), Welcome)
    honest.counter = 1
    stranger = Liar(ground, ground.far)
    forged = Exchange(honest.incarnation, honest.boot, 2**62)
    assert isinstance(stranger.send(encode_frame(forged)), Resync)
    stranger.denied(incarnation=honest.incarnation, counter=0)
    honest.say()
    assert isinstance(honest.greet(token=TOKEN, counter=honest.counter + 1), Welcome)
    assert "token" in stranger.denied(incarnation=honest.incarnation, counter=1)


def test_connections_that_say_nothing_are_closed_and_agents_come_in_beside_them(
    ground: Ground,
) -> None:
    daemon = ground.begin(limits=PATIENT)
    ground.heads()
    before = descriptors(daemon)
    wires = [Wire(ground.far) for _ in range(400 * SCALE)]
    plain = [dial(ground.far) for _ in range(400 * SCALE)]
    assert descriptors(daemon) > before
    agent = ground.far_agent(ground.far)
    quest = ground.submit(chain(3))
    ground.await_end([quest])
    for each in plain:
        each.close()
    ground.await_descriptors(before + 10)
    assert agent.popen.poll() is None
    for wire in wires:
        wire.close()
    ground.await_end([ground.submit(chain(1))])
    assert not daemon.notes("agent.lost")


def test_more_silent_connections_than_descriptors_do_not_end_the_daemon(ground: Ground) -> None:
    """They count before they have greeted, and the journal's side file found no descriptor."""
    daemon = ground.begin(descriptors=250)
    ground.start_agent()
    ground.await_end([ground.submit(chain(1))])
    crowd = [dial(ground.far) for _ in range(250)]
    until("no descriptor is left for them", lambda: descriptors(daemon) == 250 - RESERVED)
    side_file = ground.data / "journal.head"
    written = side_file.stat().st_mtime_ns
    quest = ground.submit(chain(2))
    assert ground.await_end([quest])[quest].status == "completed"
    until("the side file is written", lambda: written != side_file.stat().st_mtime_ns)
    for each in crowd:
        each.close()
    assert daemon.popen.poll() is None
    assert not daemon.notes("journal.broke")
