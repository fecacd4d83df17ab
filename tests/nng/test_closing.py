"""Closing while calls are pending or just time out. nng panics if its own timer fires then, so it never gets one."""

import random
import subprocess
import sys
import threading
import time
from pathlib import Path

from questd.runtime.errors import QuestdError
from questd.runtime.nng import Caller, Door
from questd.runtime.nng.timekeeper import Timekeeper

CALLERS = """
import random, sys, threading, time
from questd.runtime.errors import QuestdError
from questd.runtime.nng import Caller, Door

door = Door(lambda route, body: None, frame_max=1000, name="mute")
url = door.listen(sys.argv[1])
door.start()
chance = random.Random(1)

def ask(caller, timeout_s):
    try:
        caller.request(b"x", timeout_s)
    except QuestdError:
        pass

for _ in range(150):
    caller = Caller(url, frame_max=1000)
    timeout_s = chance.choice([0.005, 0.01, 5])
    threads = [threading.Thread(target=ask, args=(caller, timeout_s)) for _ in range(3)]
    [thread.start() for thread in threads]
    time.sleep(chance.choice([0.002, 0.0045, 0.005, 0.0055, 0.0097, 0.01, 0.0103]))
    caller.close()
    [thread.join() for thread in threads]
door.stop()
"""


def test_closing_a_caller_while_its_requests_time_out_never_panics(tmp_path: Path) -> None:
    done = subprocess.run(
        [sys.executable, "-c", CALLERS, f"ipc://{tmp_path}/d"], check=False, capture_output=True
    )
    assert done.returncode == 0, done.stderr.decode()


def test_stopping_a_door_under_fire_never_hangs(tmp_path: Path) -> None:
    url = f"ipc://{tmp_path}/d"
    caller = Caller(url, frame_max=1000)
    over = threading.Event()

    def ask() -> None:
        while not over.is_set():
            try:
                caller.request(b"x", 0.5)
            except QuestdError:
                time.sleep(0.001)

    threads = [threading.Thread(target=ask) for _ in range(3)]
    for thread in threads:
        thread.start()
    for _ in range(30):
        heard = threading.Event()
        door = Door(lambda _route, _body, heard=heard: heard.set(), frame_max=1000, name="x")  # type: ignore[misc]
        door.listen(url)
        door.start()
        assert heard.wait(10)
        door.stop()
    over.set()
    caller.close()
    for thread in threads:
        thread.join(10)
        assert not thread.is_alive()


def test_every_turn_is_either_in_time_or_late() -> None:
    keeper = Timekeeper()
    chance = random.Random(1)
    late: list[int] = []
    in_time: list[int] = []

    def take_turns() -> None:
        for _ in range(50):
            name = chance.getrandbits(64)
            turn = keeper.begin(time.monotonic() + 0.001, lambda name=name: late.append(name))  # type: ignore[misc]
            time.sleep(chance.choice([0.0, 0.0009, 0.001, 0.0011, 0.002]))
            if keeper.end(turn):
                in_time.append(name)

    threads = [threading.Thread(target=take_turns) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    keeper.stop()
    keeper.stop()
    assert len(late) + len(in_time) == 200
    assert not set(late) & set(in_time)
