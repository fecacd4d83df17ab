"""Looking at files: one suite for the disk and for the memory that simulations use."""

import os
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from questd.runtime.files import (
    ENTRIES_PER_FILE,
    DiskFiles,
    Files,
    MemoryFiles,
    Sight,
    fault_of_pattern,
)

MOST = 1_000


class Folder:
    """A folder on the disk, or one that a memory believes in."""

    def __init__(self, root: Path | None) -> None:
        self.root = "/w" if root is None else str(root)
        self.memory = MemoryFiles()
        self.files: Files = self.memory if root is None else DiskFiles()
        self._on_disk = root is not None

    def write(self, name: str, text: str = "x", at_ns: int = 5_000) -> None:
        path = Path(self.root, name)
        if self._on_disk:
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(text)
            os.utime(path, ns=(at_ns, at_ns))
        else:
            self.memory.write(str(path), len(text), at_ns)

    def remove(self, name: str) -> None:
        if self._on_disk:
            Path(self.root, name).unlink()
        else:
            self.memory.remove(f"{self.root}/{name}")

    def look(self, *patterns: str, most: int = MOST) -> Sight:
        return self.files.look(tuple(f"{self.root}/{one}" for one in patterns), most)

    def names(self, *patterns: str) -> list[str]:
        return [path.removeprefix(f"{self.root}/") for path in self.look(*patterns).files]


@pytest.fixture(params=["disk", "memory"])
def folder(request: pytest.FixtureRequest, tmp_path: Path) -> Folder:
    return Folder(tmp_path if request.param == "disk" else None)


@pytest.fixture
def disk(tmp_path: Path) -> Folder:
    return Folder(tmp_path)


@pytest.mark.parametrize(
    ("pattern", "found"),
    [
        ("a.md", ["a.md"]),
        ("*.md", ["a.md", "b.md"]),
        ("?.md", ["a.md", "b.md"]),
        ("[!a].md", ["b.md"]),
        ("**", ["a.md", "b.md", "c.txt", "in/a.md", "in/deep/d.md", "in/deep/e.txt"]),
        ("**/", ["a.md", "b.md", "c.txt", "in/a.md", "in/deep/d.md", "in/deep/e.txt"]),
        ("**/*.md", ["a.md", "b.md", "in/a.md", "in/deep/d.md"]),
        ("**/**/a.md", ["a.md", "in/a.md"]),
        ("in/**/d.md", ["in/deep/d.md"]),
        ("*/deep/*", ["in/deep/d.md", "in/deep/e.txt"]),
        ("in", []),
        ("*", ["a.md", "b.md", "c.txt"]),
        (".*", [".hidden"]),
        (".git/*", [".git/head"]),
        ("**/.hidden", [".hidden"]),
        ("nowhere/**/x", []),
        ("a.md/x", []),
    ],
)
def test_a_pattern_matches_as_in_a_shell(folder: Folder, pattern: str, found: list[str]) -> None:
    names = ("a.md", "b.md", "c.txt", ".hidden", ".git/head", "in/a.md", "in/deep/d.md")
    for name in (*names, "in/deep/e.txt"):
        folder.write(name)
    assert folder.names(pattern) == found


def test_a_mark_is_the_size_and_the_time_of_the_last_change(folder: Folder) -> None:
    folder.write("a", "12345", 7_000)
    assert folder.look("a").files == {f"{folder.root}/a": (5, 7_000)}
    folder.remove("a")
    sight = folder.look("a")
    assert (sight.files, sight.troubles) == ({}, (f"no file matches {folder.root}/a",))


def test_a_file_that_matches_twice_is_there_once(folder: Folder) -> None:
    folder.write("a.md")
    assert folder.names("*", "*.md", "a.md") == ["a.md"]


def test_so_many_files_are_looked_at_and_one_more_is_too_many(folder: Folder) -> None:
    for number in range(4):
        folder.write(f"in/{number}")
    assert not folder.look("**", most=4).too_many
    assert folder.look("**", most=3).too_many


# -- the disk only -----------------------------------------------------------------------------------


def test_entries_that_do_not_match_are_bounded_as_well(disk: Folder) -> None:
    for number in range(ENTRIES_PER_FILE + 1):
        disk.write(f"in/{number}.txt")
    assert disk.look("in/*.md", most=1).too_many
    assert not disk.look("in/*.md", most=2).too_many


def test_links_that_lead_in_a_circle_end(disk: Folder) -> None:
    disk.write("in/a.md")
    Path(disk.root, "in", "up").symlink_to(disk.root)
    Path(disk.root, "me").symlink_to(Path(disk.root, "me"))
    sight = disk.look("**/*")
    assert [path.removeprefix(disk.root) for path in sight.files] == ["/in/a.md"]
    assert any("/me: " in trouble for trouble in sight.troubles)


def test_a_link_is_followed_where_it_is_named(disk: Folder) -> None:
    disk.write("there/a.md")
    Path(disk.root, "link").symlink_to(Path(disk.root, "there"))
    Path(disk.root, "b.md").symlink_to(Path(disk.root, "there", "a.md"))
    assert disk.names("link/*.md") == ["link/a.md"]
    assert disk.names("*/a.md") == ["link/a.md", "there/a.md"]
    assert disk.names("**/*.md") == ["b.md", "there/a.md"]


def test_what_is_no_file_is_passed_over(disk: Folder) -> None:
    os.mkfifo(Path(disk.root, "pipe"))
    Path(disk.root, "broken").symlink_to(Path(disk.root, "nowhere"))
    assert disk.look("*").files == {}


def test_a_tree_may_be_deeper_than_the_call_stack(disk: Folder) -> None:
    deep = disk.root + "/d" * 1_200
    folders = [deep[: len(disk.root) + 2 * depth] for depth in range(1, 1_201)]
    for folder in folders:
        Path(folder).mkdir()
    Path(deep, "a.md").write_text("x")
    try:
        assert disk.look("**/*.md", most=10_000).files.keys() == {f"{deep}/a.md"}
    finally:
        Path(deep, "a.md").unlink()
        for folder in reversed(folders):
            Path(folder).rmdir()


@pytest.mark.skipif(os.geteuid() == 0, reason="nothing is forbidden to root")
def test_a_folder_that_may_not_be_read_is_told(disk: Folder) -> None:
    disk.write("shut/a.md")
    shut = Path(disk.root, "shut")
    shut.chmod(0)
    try:
        sight = disk.look("**")
    finally:
        shut.chmod(0o700)
    assert (sight.blind, sight.troubles) == ((str(shut),), (f"{shut}: Permission denied",))


@pytest.mark.skipif(sys.platform != "linux", reason="other disks refuse such a name")
def test_a_name_that_is_no_utf_8_is_told_so_that_it_can_be_kept(disk: Folder) -> None:
    Path(os.fsdecode(os.fsencode(disk.root) + b"/\xff.md")).write_text("x")
    assert disk.names("*.md") == ["\\xff.md"]


@pytest.mark.parametrize(
    ("pattern", "fault"),
    [
        ("src/*", "is not an absolute path"),
        ("/src/../x", "leads back with .."),
        ("/", "names nothing"),
        ("/a\0b", "names nothing"),
        ("/src/**", None),
    ],
)
def test_a_pattern_is_looked_at_before_it_is_kept(pattern: str, fault: str | None) -> None:
    assert fault_of_pattern(pattern) == fault


def test_it_rests_longer_than_it_looks(monkeypatch: pytest.MonkeyPatch, disk: Folder) -> None:
    slept: list[float] = []
    wait: Callable[[float], None] = slept.append
    monkeypatch.setattr("questd.runtime.files.time.sleep", wait)
    monkeypatch.setattr(
        "questd.runtime.files.time.monotonic", iter((0.0, 1.0, 1.1, 1.1, 1.1, 1.1)).__next__
    )
    disk.look("*")
    disk.look("*")
    assert slept == [0.0, pytest.approx(1.9)]
