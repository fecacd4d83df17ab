"""The name in a certificate is what its authority put there, however strange the rest of the subject is."""

from pathlib import Path
from queue import SimpleQueue

import pytest

from questd.runtime.nng import Caller, Door, Route, TLSSettings
from questd.runtime.nng.subject import name_in
from tests.certificates import make_certificates

SUBJECTS = {
    "plain": ("/CN=worker", "worker"),
    "last": ("/C=DE/O=Acme/CN=worker", "worker"),
    "first": ("/CN=worker/O=Acme", "worker"),
    "comma": ("/CN=worker, O=Acme", "worker, O=Acme"),
    "umlaut": ("/CN=wörker/O=Acme", "wörker"),
    "spaces": ("/CN= a b ", " a b "),
    "nameless": ("/O=Acme", ""),
    "empty": ("/", ""),
    "pretender": ("/O=CN=admin/CN=worker", "worker"),
    "deceiver": ("/O=x, CN=admin", ""),
}
"""By file: the subject, and the name in it. No value of another attribute may pass for one."""


def test_the_name_is_read_from_the_certificate_that_was_shown(tmp_path: Path) -> None:
    files = [(file, "ours", subject) for file, (subject, _) in SUBJECTS.items()]
    make_certificates(tmp_path, *files)
    shown: SimpleQueue[str | None] = SimpleQueue()

    def receive(route: Route, body: bytes) -> None:
        shown.put(door.certificate_name(route.pipe))
        door.send(route, body)

    def tls(file: str) -> TLSSettings:
        pair = tmp_path / f"{file}.pem", tmp_path / f"{file}.key"
        return TLSSettings(*pair, tmp_path / "ours.pem", "localhost")

    door = Door(receive, frame_max=1000, name="names")
    url = door.listen("tls+tcp://127.0.0.1:0", tls=tls("localhost"))
    door.start()
    for file, (_, name) in SUBJECTS.items():
        caller = Caller(url, tls=tls(file), frame_max=1000)
        caller.request(b"x", 20)
        assert shown.get() == name, file
        caller.close()
    door.stop()


@pytest.mark.parametrize(
    ("told", "name"),
    [
        ("", ""),
        ("worker", "worker"),
        ("worker, O=Acme", "worker"),
        ("worker + OU=team, O=Acme", "worker"),
        (r"a\, b\+c\=d, CN=second", "a, b+c=d"),
        (r"w\C3\B6rker, O=x", "wörker"),
        (r"back\\C3, O=x", r"back\C3"),
        (r"\FF", "\ufffd"),
        ("cut\\", "cut"),
    ],
)
def test_a_name_ends_where_the_next_attribute_begins(told: str, name: str) -> None:
    assert name_in(told) == name
