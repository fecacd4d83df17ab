import pytest

from benchmarks.conditions import FileSystem, file_system_of, why_refused

MOUNTS = r"""
27 1 254:0 / / rw,relatime - ext4 /dev/vda rw,errors=remount-ro
25 24 0:23 / /dev/shm rw,nosuid - tmpfs tmpfs rw,size=24684092k
40 27 0:50 / /home rw,relatime - btrfs /dev/vdb rw,space_cache=v2
41 27 0:51 / /home/a\040b rw - xfs /dev/disk\040c rw
42 27 0:52 / /box rw - overlay overlay rw,lowerdir=/l,upperdir=/u,volatile
43 27 0:53 / /box rw - ext4 /dev/vdc rw
this line is no mount
"""
DISK_US = 180.0


@pytest.mark.parametrize(
    ("path", "kind", "mount"),
    [
        ("/work/data", "ext4", "/"),
        ("/", "ext4", "/"),
        ("/dev/shm", "tmpfs", "/dev/shm"),
        ("/dev/shm/deep/down", "tmpfs", "/dev/shm"),
        ("/dev/shmoo", "ext4", "/"),
        ("/home/me", "btrfs", "/home"),
        ("/home/a b/c", "xfs", "/home/a b"),
    ],
)
def test_a_directory_lies_on_its_nearest_mount(path: str, kind: str, mount: str) -> None:
    found = file_system_of(path, MOUNTS)
    assert (found.kind, found.mount) == (kind, mount)


def test_of_two_mounts_at_one_place_the_later_one_is_seen() -> None:
    assert file_system_of("/box/data", MOUNTS).device == "/dev/vdc"


def test_names_with_blanks_are_read() -> None:
    assert file_system_of("/home/a b", MOUNTS).device == "/dev/disk c"


def test_options_of_the_mount_and_of_the_file_system_are_kept() -> None:
    assert "relatime" in file_system_of("/x", MOUNTS).options
    assert "errors=remount-ro" in file_system_of("/x", MOUNTS).options


def test_without_a_list_of_mounts_the_file_system_is_unknown() -> None:
    assert file_system_of("/x", "").kind == "unknown"


@pytest.mark.parametrize("kind", ["tmpfs", "ramfs"])
def test_a_file_system_in_memory_is_refused(kind: str) -> None:
    refused = why_refused(FileSystem(kind, "none", "/dev/shm"), DISK_US)
    assert refused is not None
    assert "memory" in refused
    assert "--data" in refused


def test_an_overlay_that_never_syncs_is_refused() -> None:
    volatile = FileSystem("overlay", "overlay", "/box", ("rw", "volatile"))
    assert "never syncs" in (why_refused(volatile, DISK_US) or "")


def test_an_overlay_that_syncs_is_taken() -> None:
    assert why_refused(FileSystem("overlay", "overlay", "/", ("rw",)), DISK_US) is None


def test_a_sync_that_takes_no_time_is_refused() -> None:
    refused = why_refused(FileSystem("ext4", "/dev/vda", "/"), 0.8)
    assert refused is not None
    assert "nothing reaches a disk" in refused


def test_a_disk_is_taken() -> None:
    assert why_refused(FileSystem("ext4", "/dev/vda", "/"), DISK_US) is None
