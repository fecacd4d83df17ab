"""Where a daemon can be found: the folder of its sockets, and the file in the data directory that names them."""

import json
import os
import tempfile
from pathlib import Path

from questd.daemon.times import rfc3339
from questd.runtime.errors import MachineError

FILE_NAME = "daemon.json"
PATH_MAX = 100
"""A socket path ends at 107 bytes, the name of the socket included."""


def socket_folder(data: Path, boot: str) -> Path:
    """A new private folder (0700) with a short name, under $XDG_RUNTIME_DIR or else the temporary folder."""
    runtime = os.environ.get("XDG_RUNTIME_DIR")
    bases = [Path(base) for base in (runtime, tempfile.gettempdir(), "/tmp") if base]  # noqa: S108
    for base in bases:
        if len(os.fsencode(base)) <= PATH_MAX - 24 and os.access(base, os.W_OK | os.X_OK):
            return Path(tempfile.mkdtemp(prefix=f"questd-{boot[:6]}-", dir=base))
    raise MachineError(
        f"no folder short enough for sockets (tried {', '.join(map(str, bases))}); "
        f"set XDG_RUNTIME_DIR to one of at most {PATH_MAX - 24} bytes (data directory: {data})"
    )


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
