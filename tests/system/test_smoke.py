from tests.system.place import Place, chain


def test_quests_run_to_their_end(place: Place) -> None:
    place.start_daemon()
    place.start_agent()
    quests = [place.submit(chain(3)) for _ in range(10)]
    heads = place.await_end(quests)
    assert {head.status for head in heads.values()} == {"completed"}
    assert len(place.calls()) == 30
