"""Where secrets are found, and what is said when they are not."""

import os
from pathlib import Path

import pytest

from questd.runtime.errors import SecretUnavailable
from questd.runtime.keyring import (
    REMEMBERED_REFERENCES,
    REMEMBERED_VALUES,
    SECRET_MAX_BYTES,
    SECRET_MIN_CHARACTERS,
    HostKeyring,
)


def kept(path: Path, text: str | bytes, mode: int = 0o600) -> str:
    """A file of that content; the reference to it."""
    path.write_bytes(text if isinstance(text, bytes) else text.encode())
    path.chmod(mode)
    return f"file:{path}"


def why(reference: str, keyring: HostKeyring | None = None) -> str:
    with pytest.raises(SecretUnavailable) as caught:
        (keyring or HostKeyring(environment={})).value(reference)
    assert caught.value.reference == reference
    assert reference in str(caught.value)
    return caught.value.why


def test_a_secret_is_in_the_environment_in_a_file_or_named_by_the_settings(tmp_path: Path) -> None:
    at = kept(tmp_path / "t", "from a file")
    names = {"a": "env:TOKEN", "b": at}
    keyring = HostKeyring(names, {"TOKEN": "from outside"})
    assert keyring.value("env:TOKEN") == "from outside"
    assert keyring.value(at) == "from a file"
    assert keyring.value("secret:a") == "from outside"
    assert keyring.value("secret:b") == "from a file"


def test_what_is_not_there_is_told_by_its_reference(tmp_path: Path) -> None:
    assert why("env:NOBODY") == "is not set in the daemon's environment"
    assert why("secret:nobody") == "is not named under [secrets] in questd.toml"
    assert why(f"file:{tmp_path}/none") == "cannot be read: No such file or directory"
    assert why(f"file:{tmp_path}") == "cannot be read: Is a directory"
    assert why("file:/a\0b") == "is no name of a file"
    keyring = HostKeyring({"a": "env:GONE"}, {})
    assert why("secret:a", keyring) == "is not set in the daemon's environment"


def test_a_pipe_holds_nobody_up(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe", 0o600)
    assert why(f"file:{tmp_path}/pipe") == "is no plain file"


@pytest.mark.parametrize("mode", [0o640, 0o604, 0o622, 0o644, 0o610])
def test_a_file_that_others_may_read_is_refused(tmp_path: Path, mode: int) -> None:
    at = kept(tmp_path / "t", "hunter2", mode)
    said = why(at)
    assert said == f"may be read by others (mode {mode:04o}): chmod 600 {tmp_path}/t"
    (tmp_path / "t").chmod(0o400)
    assert HostKeyring().value(at) == "hunter2"


def test_the_line_end_that_editors_put_there_is_no_part_of_it(tmp_path: Path) -> None:
    for text, value in (("word\n", "word"), ("word\r\n", "word"), (" a b \n\n", " a b \n")):
        assert HostKeyring().value(kept(tmp_path / "t", text)) == value


def test_a_secret_has_so_many_characters_and_bytes(tmp_path: Path) -> None:
    assert HostKeyring(environment={"A": "x" * SECRET_MIN_CHARACTERS}).value("env:A")
    few = HostKeyring(environment={"A": "x" * (SECRET_MIN_CHARACTERS - 1)})
    assert why("env:A", few) == "holds fewer than 4 characters: too few to be recognised"
    at = kept(tmp_path / "t", "x" * SECRET_MAX_BYTES + "\n")
    assert len(HostKeyring().value(at)) == SECRET_MAX_BYTES
    assert why(kept(tmp_path / "t", "x" * (SECRET_MAX_BYTES + 1))) == "holds more than 16384 bytes"
    assert why(kept(tmp_path / "t", "x" * (SECRET_MAX_BYTES + 9))) == "holds more than 16384 bytes"
    assert why(kept(tmp_path / "t", b"\xff\xfe\xff\xfe")) == "is not UTF-8"


def test_it_is_looked_up_anew_each_time_and_what_was_given_out_is_remembered(
    tmp_path: Path,
) -> None:
    keyring = HostKeyring()
    values = [f"word-{n}" for n in range(REMEMBERED_VALUES + 2)]
    at = kept(tmp_path / "t", values[0])
    for value in (*values, values[-2]):
        kept(tmp_path / "t", value)
        assert keyring.value(at) == value
    assert keyring.known(at) == (*values[2:4], values[5], values[4])
    (tmp_path / "t").unlink()
    assert values[5] in keyring.known(at)


def test_after_a_restart_it_is_looked_up() -> None:
    keyring = HostKeyring(environment={"A": "word"})
    assert keyring.known("env:A") == ("word",)
    assert keyring.known("env:B") == ()


def test_who_only_asks_whether_it_is_there_leaves_nothing_behind() -> None:
    environment = {"A": "word"}
    keyring = HostKeyring(environment=environment)
    assert keyring.fault("env:A") is None
    assert keyring.fault("env:B") == "is not set in the daemon's environment"
    environment["A"] = "other"
    assert keyring.known("env:A") == ("other",)


def test_the_references_that_were_used_last_are_remembered() -> None:
    environment = {f"A{n}": f"word {n}" for n in range(REMEMBERED_REFERENCES + 1)}
    keyring = HostKeyring(environment=environment)
    for name in environment:
        keyring.value(f"env:{name}")
    environment.clear()
    assert keyring.known("env:A0") == ()
    assert keyring.known("env:A1") == ("word 1",)
