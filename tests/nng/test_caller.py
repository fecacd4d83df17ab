"""Callers without anybody, with somebody late, and with signals."""

import os
import signal
import subprocess
import sys
import threading
from pathlib import Path

import pytest

from questd.runtime.errors import BadSettings, Unreachable
from questd.runtime.nng import Caller, Door, Route, TLSSettings


def echo_door(url: str, tls: TLSSettings | None = None) -> tuple[Door, str]:
    def receive(route: Route, body: bytes) -> None:
        names.append(door.certificate_name(route.pipe))
        door.send(route, body)

    names: list[str | None] = []
    door = Door(receive, frame_max=1000, name="echo")
    bound = door.listen(url, tls=tls)
    door.start()
    door.names = names  # type: ignore[attr-defined]
    return door, bound


def test_nobody_there_is_unreachable_and_says_where(tmp_path: Path) -> None:
    caller = Caller(f"ipc://{tmp_path}/d", frame_max=1000)
    with pytest.raises(Unreachable, match="nobody listens there"):
        caller.request(b"x", 0.05)
    assert not caller.connected
    caller.close()


def test_a_host_without_a_name_is_unreachable_not_a_crash() -> None:
    with pytest.raises((Unreachable, BadSettings)):  # noqa: PT012 - either place may notice
        caller = Caller("tcp://host.invalid:1", frame_max=1000)
        caller.request(b"x", 0.2)


def test_a_caller_finds_a_door_that_opens_later(tmp_path: Path) -> None:
    url = f"ipc://{tmp_path}/d"
    caller = Caller(url, frame_max=1000)
    answer: list[bytes] = []
    thread = threading.Thread(target=lambda: answer.append(caller.request(b"x", 20)))
    thread.start()
    door, _ = echo_door(url)
    thread.join(20)
    assert answer == [b"x"]
    caller.close()
    door.stop()


def test_a_caller_finds_a_door_that_was_opened_anew(tmp_path: Path) -> None:
    url = f"ipc://{tmp_path}/d"
    caller = Caller(url, frame_max=1000)
    for _ in range(3):
        door, _ = echo_door(url)
        assert caller.request(b"x", 20) == b"x"
        door.stop()
    caller.close()


def test_closing_fails_open_requests_and_later_ones(tmp_path: Path) -> None:
    caller = Caller(f"ipc://{tmp_path}/d", frame_max=1000)
    caller.close()
    caller.close()
    with pytest.raises(Unreachable, match="closed"):
        caller.request(b"x", 5)


def test_waiting_on_the_main_thread_can_be_interrupted(tmp_path: Path) -> None:
    code = (
        "import sys\n"
        "from questd.runtime.nng import Caller\n"
        "caller = Caller(sys.argv[1], frame_max=1000)\n"
        "try: caller.request(b'x', 600)\n"
        "except KeyboardInterrupt: print('interrupted'); caller.close(); sys.exit(5)\n"
    )
    heard = threading.Event()
    door = Door(lambda _route, _body: heard.set(), frame_max=1000, name="mute")
    url = door.listen(f"ipc://{tmp_path}/d")
    door.start()
    with subprocess.Popen([sys.executable, "-c", code, url], stdout=subprocess.PIPE) as process:
        assert heard.wait(20)
        os.kill(process.pid, signal.SIGINT)
        assert process.wait(20) == 5
    door.stop()


def make_certificates(folder: Path) -> None:
    script = """
    set -e
    openssl req -x509 -newkey rsa:2048 -nodes -days 2 -keyout ca.key -out ca.pem -subj /CN=test-authority
    for name in localhost agent-7; do
      openssl req -newkey rsa:2048 -nodes -keyout $name.key -out $name.csr -subj /CN=$name
      printf "subjectAltName=DNS:$name" > $name.ext
      openssl x509 -req -in $name.csr -CA ca.pem -CAkey ca.key -CAcreateserial -days 2 \
        -out $name.pem -extfile $name.ext
    done
    """
    subprocess.run(["sh", "-c", script], cwd=folder, check=True, capture_output=True)


def test_tls_shows_the_door_who_calls(tmp_path: Path) -> None:
    make_certificates(tmp_path)
    server = TLSSettings(
        tmp_path / "localhost.pem", tmp_path / "localhost.key", tmp_path / "ca.pem"
    )
    client = TLSSettings(
        tmp_path / "agent-7.pem", tmp_path / "agent-7.key", tmp_path / "ca.pem", "localhost"
    )
    door, url = echo_door("tls+tcp://127.0.0.1:0", server)
    caller = Caller(url, tls=client, frame_max=1000)
    assert caller.request(b"x", 20) == b"x"
    assert door.names == ["agent-7"]  # type: ignore[attr-defined]
    caller.close()
    door.stop()


def test_tls_without_its_files_is_refused_with_the_files_name(tmp_path: Path) -> None:
    missing = TLSSettings(tmp_path / "no.pem", tmp_path / "no.key")
    door = Door(print, frame_max=1000, name="x")
    with pytest.raises(BadSettings, match=r"no\.pem"):
        door.listen("tls+tcp://127.0.0.1:0", tls=missing)
    with pytest.raises(BadSettings, match="authority"):
        Caller("tls+tcp://127.0.0.1:1", tls=missing, frame_max=1000)
    door.stop()
