"""`quest doctor` on real data directories: names the damage in plain words, repairs on demand, and quests go on after it."""

from pathlib import Path

from questd.cli import codes
from tests.cli.processes import Place


def flip(path: Path, text: bytes) -> bytes:
    """Flip a bit of a text that is in the file; what the file was made to be."""
    data = bytearray(path.read_bytes())
    at = data.find(text)
    assert at > 0
    data[at] ^= 1
    path.write_bytes(data)
    return bytes(data)


def test_a_damaged_event_is_explained_then_repaired_and_the_damaged_file_kept(
    tmp_path: Path,
) -> None:
    place = Place(tmp_path)
    place.quest("run", "say.yaml")
    damaged = flip(place.data / "journal.db", b"# hello")
    said = place.quest("doctor")
    assert said.returncode == codes.FAILED
    for word in ("is not what was written", "quest doctor --repair", "restore a backup"):
        assert word in said.stdout
    mended = place.quest("doctor", "--repair")
    assert mended.returncode == codes.DONE, mended.stdout + mended.stderr
    assert "are lost: what they said will happen again" in mended.stdout
    (aside,) = place.data.glob("damaged-*")
    assert str(aside) in mended.stdout
    assert (aside / "journal.db").read_bytes() == damaged
    assert place.json("doctor")["healthy"] is True
    (quest,) = place.json("list")["quests"]
    assert quest["status"] == "running"
    assert place.json("sql", "select status from quests")["rows"] != [["completed"]]
    with place.serving():
        place.quest("run", "say.yaml", "-i", "text=again")
        place.until(lambda: place.step(quest["id"]) == "completed")


def test_a_lost_row_costs_nothing(tmp_path: Path) -> None:
    place = Place(tmp_path)
    place.quest("run", "say.yaml")
    flip(place.data / "journal.db", b"one-say1.0.0default")
    assert place.json("doctor")["healthy"] is False
    told = place.json("doctor", "--repair")
    assert (told["healthy"], told["repair"]["losses"]) == (True, [])
    assert told["repair"]["rebuilt"] is True
    assert place.json("list")["quests"][0]["name"] == "one-say"


def test_a_journal_in_use_is_not_repaired(tmp_path: Path) -> None:
    place = Place(tmp_path)
    place.quest("run", "say.yaml")
    with place.serving():
        refused = place.quest("doctor", "--repair")
    assert refused.returncode == codes.REFUSED
    assert "is held by process" in refused.stderr
    whole = place.json("doctor", "--repair")
    assert (whole["healthy"], whole["repair"]) == (True, None)


def test_what_nothing_is_left_of_is_said_and_left(tmp_path: Path) -> None:
    place = Place(tmp_path)
    place.quest("run", "say.yaml")
    (place.data / "journal.db").write_bytes(b"\xff" * 50_000)
    tried = place.quest("doctor", "--repair")
    assert tried.returncode == codes.FAILED
    assert "nothing can be saved: restore a backup" in tried.stderr
    assert "Traceback" not in tried.stderr
    assert (place.data / "journal.db").read_bytes() == b"\xff" * 50_000
