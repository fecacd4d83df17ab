"""Makes a golden journal with this version: ``python -m tests.upgrades.make NAME`` (docs/upgrades.md says when).

Writes tests/golden/journals/NAME and adds it to SHA256SUMS. What is there is never touched.
"""

import re
import shutil
import sys
import tempfile
import time
from pathlib import Path

from questd.runtime.journal.backup import back_up
from tests.upgrades.golden import (
    JOURNALS,
    SUMS,
    copy_of,
    digest_of,
    history_of,
    shows_of,
    write,
)
from tests.upgrades.past import story

FILES = ("journal.db", "journal.head", "shows.json", "history.json")


def make(target: Path) -> None:
    """The whole folder, or nothing."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        copied = folder / "copied"
        (folder / "past").mkdir()
        with story(folder / "past") as place:
            back_up(place.data, copied, clock_us=lambda: time.time_ns() // 1_000)
        (folder / "looked").mkdir()
        data = copy_of(copied, folder / "looked")
        write(copied / "shows.json", shows_of(data))
        write(copied / "history.json", history_of(data, folder))
        target.mkdir(parents=True)
        for file in FILES:
            shutil.copyfile(copied / file, target / file)
    with SUMS.open("a") as sums:
        for file in FILES:
            path = target / file
            sums.write(f"{digest_of(path)}  {path.relative_to(JOURNALS)}\n")


def main() -> None:
    (name,) = sys.argv[1:] or [""]
    target = JOURNALS / name
    if not re.fullmatch(r"v[0-9.]+", name):
        sys.exit("usage: python -m tests.upgrades.make NAME (v2, v2.1)")
    if target.exists():
        sys.exit(
            f"{target} is there already, and a golden journal is never changed: choose another name"
        )
    make(target)
    sys.stdout.write(f"{target} written\n")


if __name__ == "__main__":
    main()
