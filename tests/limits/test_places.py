"""Paths of sockets, values in the log, pages of a list: what people meet at the edges of the house."""

import io
import tempfile
from pathlib import Path

import pytest

from questd.client.errors import InvalidInput
from questd.client.filters import LIMIT_MAX, filter_of
from questd.daemon import address, notes
from questd.runtime.clock import SystemClock
from questd.runtime.errors import BadSettings, MachineError
from questd.runtime.nng.address import IPC_PATH_MAX_BYTES, check_url


def test_the_path_of_a_socket_has_an_end() -> None:
    check_url("ipc:///" + "p" * (IPC_PATH_MAX_BYTES - 1), None)
    with pytest.raises(BadSettings, match=str(IPC_PATH_MAX_BYTES)):
        check_url("ipc:///" + "p" * IPC_PATH_MAX_BYTES, None)


def folder_of(length: int) -> Path:
    """A folder whose path has that many bytes."""
    made = Path(tempfile.mkdtemp(prefix="q-", dir="/tmp"))
    folder = made / ("f" * (length - len(str(made)) - 1))
    folder.mkdir()
    return folder


def test_sockets_go_where_their_path_is_short_enough(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    most = address.PATH_MAX - 26
    fits, beyond = folder_of(most), folder_of(most + 1)
    for base, inside in ((fits, True), (beyond, False)):
        monkeypatch.setenv("XDG_RUNTIME_DIR", str(base))
        data = tmp_path / base.name
        data.mkdir()
        found = address.socket_folder(data)
        assert (found.parent == base) == inside
        assert len(str(found)) <= address.PATH_MAX
        found.rmdir()
    monkeypatch.setattr(tempfile, "tempdir", str(beyond))
    monkeypatch.setattr(address, "PATH_MAX", 29)
    empty = tmp_path / "empty"
    empty.mkdir()
    with pytest.raises(MachineError, match="set XDG_RUNTIME_DIR to one of at most 3 bytes"):
        address.socket_folder(empty)
    for base in (fits, beyond):
        base.rmdir()
        base.parent.rmdir()


def test_a_value_in_the_log_is_cut() -> None:
    said = io.StringIO()
    note = notes.note_writer(SystemClock(), to=said)
    note("a.happened", value="x" * notes.VALUE_MAX)
    note("a.happened", value="x" * (notes.VALUE_MAX + 1))
    fits, beyond = said.getvalue().splitlines()
    assert fits.endswith("=" + "x" * notes.VALUE_MAX)
    assert beyond.endswith("=" + "x" * notes.VALUE_MAX + "…")


def test_a_page_of_a_list_has_an_end() -> None:
    assert filter_of(now_us=0, limit=LIMIT_MAX).limit == LIMIT_MAX
    for limit in (0, LIMIT_MAX + 1):
        with pytest.raises(InvalidInput, match=f"--limit {limit}: it is 1 to {LIMIT_MAX}"):
            filter_of(now_us=0, limit=limit)
