"""A process that writes a journal on a faulty disk and says what was answered: ``python -m tests.disk.writer DIRECTORY COMMITS HOW``.

Everything that a daemon's journal does to the disk is done within a few commits: checkpoints, the WAL begun again, retention. ``HOW``
it ends: close (as a daemon does, whatever happened) or die. Exit codes: 0 done · 3 the journal broke, by name · 4 it would not open, by
name; anything else is a fault of ours.
"""

import os
import sys
from pathlib import Path

from questd.runtime.errors import JournalBroken, JournalError
from questd.runtime.journal import sqlite, upkeep
from questd.runtime.journal.sqlite import SqliteStore
from questd.runtime.journal.store import Appended
from tests.journal.making import make_append

upkeep.WAL_ROOM_BYTES = 128 * 1024
sqlite.WAL_RESTART_BYTES = 96 * 1024
BODY = b"\xc4\x02" + b"b" * 300


def say(line: str) -> None:
    sys.stdout.write(line + "\n")
    sys.stdout.flush()


def commit(store: SqliteStore, turn: int, stands: dict[str, int]) -> None:
    quests = [f"q_{(turn * 3 + i) % 7}" for i in range(3)]
    for answer in store.commit([make_append(q, stands.get(q, 0), 2, body=BODY) for q in quests]):
        assert isinstance(answer, Appended)
        stands[answer.quest] = answer.version
        say(f"{answer.quest} {answer.version}")


def retire(store: SqliteStore, turn: int) -> None:
    """A quest of its own begins, ends and goes."""
    quest = f"q_gone_{turn}"
    store.commit([make_append(quest, 0, 3, status="completed", finished_us=1)])
    store.retire(before_us=2, keep=100, watermark=1 << 60)


def write(store: SqliteStore, commits: int) -> None:
    stands = {head.quest: head.version for head in store.heads()}
    checkpointer = upkeep.open_checkpointer(store.path)
    try:
        store.count_deaths()
        for turn in range(commits):
            commit(store, turn, stands)
            if turn % 3 == 2:
                store.tend(checkpointer)
            if turn % 8 == 7:
                retire(store, turn)
        store.forgive_deaths()
    finally:
        checkpointer.close()


def main() -> int:
    directory, commits, how = Path(sys.argv[1]), int(sys.argv[2]), sys.argv[3]
    try:
        store = SqliteStore(directory, clock_us=lambda: 1_000, new_id=lambda: "j_1", upkeep_s=None)
    except JournalError as error:
        say(f"refused {error}")
        return 4
    code = 0
    try:
        write(store, commits)
    except JournalBroken as error:
        say(f"broken {error}")
        code = 3
    if how == "die":
        os._exit(code)
    store.close()
    return code


if __name__ == "__main__":
    sys.exit(main())
