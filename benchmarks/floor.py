"""The floor: what a step costs without quests. ``python -m benchmarks.floor DATA`` serves what the daemon serves.

The same doors, the same frames to the same agent program, the same journal with events and heads of the same size, as many
appends a step, and pooled actors that pass as many messages by the same ways: control → directory → quest ⇄ router, quest → step
→ agent actor → agent, and back. Numbering and repeating of frames is the daemon's own code: frames do cross. What is missing is what a
quest *is*: no definition, no checks, no state to fold, no expressions, no routing, no recovery, no time limits. A floor process
runs for one measurement and forgets everything.
"""

import argparse
import json
import secrets
import signal
import sys
import tempfile
import threading
from pathlib import Path
from types import FrameType

from benchmarks.floor_agent import Instances
from benchmarks.floor_house import Control, Directory, Router
from benchmarks.floor_mail import Arrived, Place
from benchmarks.processes import end_with_parent
from questd.daemon.service import SWITCH_INTERVAL_S
from questd.messages.control import decode_request
from questd.messages.exchange import (
    FRAME_MAX_BYTES,
    decode_agent_frame,
)
from questd.runtime.clock import SystemClock
from questd.runtime.dispatch import PooledDispatcher
from questd.runtime.journal.service import StoreJournal
from questd.runtime.journal.sqlite import SqliteStore
from questd.runtime.nng import Door, Route


class Floor:
    """All of it on one data directory and one folder of sockets."""

    def __init__(self, data: Path, folder: Path) -> None:
        data.mkdir(mode=0o700, parents=True, exist_ok=True)
        clock = SystemClock()
        self._store = SqliteStore(data, clock_us=clock.now_us, new_id=lambda: secrets.token_hex(16))
        dispatcher = PooledDispatcher()
        self._journal = StoreJournal(
            self._store, dispatcher.schedule_late, alarm=lambda error: print(error, file=sys.stderr)
        )
        self._place = place = Place(self._journal, dispatcher)
        place.control = Control(place).launch(dispatcher)
        place.directory = Directory(place).launch(dispatcher)
        place.router = Router(place).launch(dispatcher)
        place.exchange = Instances(place).launch(dispatcher)
        control = Door(self._on_request, frame_max=FRAME_MAX_BYTES, name="control")
        exchange = Door(self._on_frame, frame_max=FRAME_MAX_BYTES, name="exchange")
        self._control, self._exchange = control, exchange
        self.addresses = {
            "control": control.listen(f"ipc://{folder}/c"),
            "exchange": exchange.listen(f"ipc://{folder}/e"),
        }

    def start(self) -> None:
        """Serve."""
        for part in (self._journal, self._place.dispatcher, self._control, self._exchange):
            part.start()

    def stop(self) -> None:
        """End."""
        for part in (self._control, self._exchange, self._place.dispatcher, self._journal):
            part.stop()
        self._store.close()

    def _on_request(self, route: Route, body: bytes) -> None:
        self._place.control.tell(Arrived(self._control, route, decode_request(body)))

    def _on_frame(self, route: Route, body: bytes) -> None:
        self._place.exchange.tell(Arrived(self._exchange, route, decode_agent_frame(body)))


def main() -> None:
    """Serve until SIGTERM, or until whoever started it is gone."""
    parser = argparse.ArgumentParser()
    parser.add_argument("data", type=Path)
    given = parser.parse_args()
    sys.setswitchinterval(SWITCH_INTERVAL_S)
    over = threading.Event()

    def on_term(_number: int, _frame: FrameType | None) -> None:
        over.set()

    signal.signal(signal.SIGTERM, on_term)
    with tempfile.TemporaryDirectory(prefix="floor-") as folder:
        floor = Floor(given.data, Path(folder))
        floor.start()
        end_with_parent()
        print(json.dumps(floor.addresses), flush=True)
        while not over.wait(1.0):
            pass
        floor.stop()


if __name__ == "__main__":
    main()
