"""A process that writes a journal and says what was answered: ``python -m tests.journal.writing_process DIRECTORY …``.

Ends without closing anything, as a killed one does.
"""

import os
import resource
import signal
import sys
from itertools import count
from pathlib import Path

from questd.runtime.errors import JournalBroken
from questd.runtime.journal.head_file import write_durable_head
from questd.runtime.journal.sqlite import SqliteStore
from questd.runtime.journal.store import Appended
from tests.journal.making import make_append


def say(line: str) -> None:
    sys.stdout.write(line + "\n")
    sys.stdout.flush()


def write(directory: Path, commits: int, upkeep_s: float | None, file_limit: int) -> None:
    store = SqliteStore(directory, clock_us=lambda: 1_000, new_id=lambda: "j_1", upkeep_s=upkeep_s)
    if file_limit:
        signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
        resource.setrlimit(resource.RLIMIT_FSIZE, (file_limit, file_limit))
    stands = {head.quest: head.version for head in store.heads()}
    for turn in count():
        if turn == commits:
            break
        quests = [f"q_{(turn * 3 + i) % 10}" for i in range(3)]
        items = [make_append(q, stands.get(q, 0), 2, body=b"\xc0" * 300) for q in quests]
        try:
            answers = store.commit(items)
        except JournalBroken as error:
            say(f"broken {error}")
            os._exit(3)
        for answer in answers:
            assert isinstance(answer, Appended)
            stands[answer.quest] = answer.version
            say(f"{answer.quest} {answer.version}")
    write_durable_head(directory, store.durable)
    os._exit(0)


if __name__ == "__main__":
    write(
        Path(sys.argv[1]),
        commits=int(sys.argv[2]),
        upkeep_s=float(sys.argv[3]) or None,
        file_limit=int(sys.argv[4]),
    )
