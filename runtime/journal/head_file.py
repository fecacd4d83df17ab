"""The side file: what is known to be durable, written apart from the database.

SQLite takes a damaged WAL frame for the end of the WAL and drops every later commit without a word, and a restored
backup looks like any journal. Both stand behind the seq that this file holds. It may lag behind the journal by
a second; it is never ahead of it.
"""

import os
from pathlib import Path

import msgspec
from msgspec import Struct

from questd.runtime.descriptors import reserved
from questd.runtime.errors import JournalForeign, JournalNewer

HEAD_NAME = "journal.head"


HEAD_VERSION = 1


class DurableHead(Struct, frozen=True):
    """Journal ``journal`` has had event ``seq`` on disk, whose CRC was ``crc`` (both 0 when it was empty)."""

    journal: str
    seq: int
    crc: int


class _Stamped(Struct, frozen=True):
    """Of any version of the side file, ours first of all: this one field stays as it is."""

    version: int = 1


def read_durable_head(directory: Path) -> DurableHead | None:
    """The side file's word; None when there is no side file. JournalForeign when it is damaged, JournalNewer when a newer program wrote it."""
    path = directory / HEAD_NAME
    try:
        text = path.read_bytes()
    except FileNotFoundError:
        return None
    try:
        version = msgspec.json.decode(text, type=_Stamped).version
        if version > HEAD_VERSION:
            raise JournalNewer(
                f"{path} has version {version}; this program knows {HEAD_VERSION}: "
                "it was written by a newer questd. Install that version"
            )
        return msgspec.json.decode(text, type=DurableHead)
    except ValueError as error:  # msgspec's, or of text that is no UTF-8
        raise JournalForeign(
            f"{path} is damaged ({error}). Run `quest doctor`; if the journal beside it is whole, delete "
            f"this file and start again: it is written anew."
        ) from error


def write_durable_head(directory: Path, head: DurableHead) -> None:
    """Replace the side file, atomically and durably. OSError when that cannot be."""
    path = directory / HEAD_NAME
    fresh = path.with_suffix(".head.new")
    with open(fresh, "wb", opener=_private) as file:
        file.write(msgspec.json.encode(head) + b"\n")
        file.flush()
        os.fsync(file.fileno())
    fresh.replace(path)
    sync_directory(directory)


def sync_directory(directory: Path) -> None:
    """Make names that were added or replaced in a directory durable."""
    with reserved():
        file = os.open(directory, os.O_RDONLY)
    try:
        os.fsync(file)
    finally:
        os.close(file)


def _private(path: str, flags: int) -> int:
    with reserved():
        return os.open(path, flags, 0o600)
