"""An agent that was frozen past its lease and comes back: what it had only fetched, others have done meanwhile."""

import signal
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.system.place import Place, single
from tests.system.rules import check

SHORT_LEASE = {"hold_s": 0.5, "lease_s": 1.5}


@pytest.fixture
def place(tmp_path: Path) -> Iterator[Place]:
    found = Place(tmp_path)
    try:
        yield found
    finally:
        found.close()


def test_what_a_frozen_agent_had_only_fetched_is_not_begun_when_it_wakes(place: Place) -> None:
    place.start_daemon(limits=SHORT_LEASE)
    frozen = place.start_agent(CAPACITY="1", PREFETCH="1")
    runs = place.submit(single("work", arguments={"value": 1, "seconds": 1.0}))
    place.await_calls(1)
    fetched = place.submit(single("work", arguments={"value": 2}))
    place.await_kind(fetched, "attempt.started")
    frozen.signal(signal.SIGSTOP)
    place.await_kind(fetched, "attempt.lost")
    place.start_agent()
    place.await_end([runs, fetched])
    frozen.signal(signal.SIGCONT)
    place.await_kind(runs, "attempt.refused")
    check(place, [runs, fetched])
