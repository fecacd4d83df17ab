"""Where a daemon can be found: the folder of its sockets, and the file in the data directory that names them."""

import hashlib
import json
import os
import stat
import tempfile
from pathlib import Path

from questd.runtime.errors import MachineError
from questd.views.times import rfc3339

FILE_NAME = "daemon.json"
FOLDER_NAME = "sockets"
PATH_MAX = 100
"""A socket path ends at 107 bytes, the name of the socket included."""


def socket_folder(data: Path) -> Path:
    """The private folder (0700) of this data directory's sockets, with a short name.

    The same at every start, as long as it can be used: agents dial on where they dialled before, and find the daemon that
    came after the one that died. The lock of the data directory is held.
    """
    owner = hashlib.sha256(os.fsencode(data.resolve())).hexdigest()[:8]
    known = remembered_folder(data / FOLDER_NAME, f"questd-{owner}-")
    if known is not None and is_private(known):
        return known
    runtime = os.environ.get("XDG_RUNTIME_DIR")
    bases = [Path(base) for base in (runtime, tempfile.gettempdir(), "/tmp") if base]  # noqa: S108
    for base in bases:
        if len(os.fsencode(base)) <= PATH_MAX - 26 and os.access(base, os.W_OK | os.X_OK):
            folder = Path(tempfile.mkdtemp(prefix=f"questd-{owner}-", dir=base))
            (data / FOLDER_NAME).write_text(f"{folder}\n")
            return folder
    raise MachineError(
        f"no folder short enough for sockets (tried {', '.join(map(str, bases))}); "
        f"set XDG_RUNTIME_DIR to one of at most {PATH_MAX - 26} bytes (data directory: {data})"
    )


def remembered_folder(file: Path, prefix: str) -> Path | None:
    """What an earlier daemon noted. None when it is nothing, or comes from where the data directory was copied from."""
    try:
        folder = Path(file.read_text().strip())
    except (OSError, UnicodeDecodeError):
        return None
    short = len(os.fsencode(folder)) <= PATH_MAX
    return folder if folder.name.startswith(prefix) and folder.is_absolute() and short else None


def is_private(folder: Path) -> bool:
    """Make it if it is gone. False when it cannot be made, or is not a folder of ours alone: others may write beside it."""
    try:
        folder.mkdir(mode=0o700, exist_ok=True)
        found = folder.lstat()
    except OSError:
        return False
    ours = stat.S_ISDIR(found.st_mode) and found.st_uid == os.geteuid()
    return ours and not found.st_mode & 0o077


class AddressFile:
    """``daemon.json``: written when the daemon can be asked, removed when it stops in order."""

    def __init__(self, data: Path) -> None:
        self._path = data / FILE_NAME

    def write(self, boot: str, version: str, now_us: int, addresses: dict[str, str]) -> None:
        """Replace the file in one step."""
        exchanges = [url for name, url in addresses.items() if name.startswith("exchange")]
        content = {
            "pid": os.getpid(),
            "boot": boot,
            "version": version,
            "started": rfc3339(now_us),
            "control": addresses["control"],
            "exchange": exchanges,
            "history": addresses.get("history"),
        }
        temporary = self._path.with_suffix(".new")
        temporary.write_text(json.dumps(content, indent=2) + "\n")
        temporary.chmod(0o600)
        temporary.replace(self._path)

    def remove(self) -> None:
        """The daemon cannot be asked any more."""
        self._path.unlink(missing_ok=True)
