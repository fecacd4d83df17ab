"""Where settings and data lie, when nobody says so. Reads the environment and looks at the disk; changes nothing."""

import os
from pathlib import Path

FILE_NAME = "questd.toml"
FOLDER_NAME = ".questd"
DATA_VARIABLE = "QUESTD_DATA"


def find_file(start: Path) -> Path | None:
    """The nearest questd.toml, in ``start`` or any folder above it."""
    for folder in (start, *start.parents):
        path = folder / FILE_NAME
        if path.is_file():
            return path
    return None


def state_home() -> Path:
    """``$XDG_STATE_HOME/questd``, or ``~/.local/state/questd`` (a relative value does not count, by the XDG rules)."""
    given = os.environ.get("XDG_STATE_HOME", "")
    base = Path(given) if given.startswith("/") else Path.home() / ".local" / "state"
    return base / "questd"


def data_directory(given: Path | None, file: Path | None, written: str | None) -> Path:
    """The first that is said: ``--data``, $QUESTD_DATA, the file's ``data``, ``.questd/`` beside the file, the state home.

    Absolute. ``written``: what the file says, relative to its folder.
    """
    if given is not None:
        return given.expanduser().absolute()
    if told := os.environ.get(DATA_VARIABLE):
        return Path(told).expanduser().absolute()
    if file is None:
        return state_home()
    return (file.parent / Path(written or FOLDER_NAME).expanduser()).absolute()
