"""From the global options to a client, and from a FILE to a definition."""

import argparse
import getpass
import sys
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING

from questd.client.home import Home
from questd.messages.definition import QuestDefinition
from questd.runtime.errors import MachineError, NotFound

if TYPE_CHECKING:
    from questd.client.client import Client


def home_of(options: argparse.Namespace) -> Home:
    """Where to turn to; looks for nothing yet."""
    return Home(
        data=None if options.data is None else Path(options.data),
        config=None if options.config is None else Path(options.config),
        connect=options.connect,
    )


def client_of(options: argparse.Namespace, home: Home | None = None) -> "Client":
    """A client in the name of whoever calls."""
    from questd.client.client import Client  # noqa: PLC0415

    return Client(home=home or home_of(options), actor=actor())


def actor() -> str:
    """Who is asking, for the history."""
    with suppress(KeyError, OSError):
        return getpass.getuser()
    return "unknown"


def definition_at(name: str, options: argparse.Namespace) -> QuestDefinition:
    """The definition in a file, from standard input (``-``), or of a stored template. InvalidDocument; NotFound."""
    from questd.documents import DOCUMENT_MAX_BYTES, load, load_file  # noqa: PLC0415 - 80 ms

    if name == "-":
        return load(sys.stdin.buffer.read(DOCUMENT_MAX_BYTES + 1))
    if Path(name).exists():
        return load_file(name)
    if _is_path(name):
        raise NotFound(f"there is no file {name}")
    try:
        with client_of(options) as client:
            return client.template_show(name)
    except (NotFound, MachineError) as error:
        raise NotFound(f"there is no file {name}, and no template: {error}") from error


def _is_path(name: str) -> bool:
    return "/" in name or name.endswith((".yaml", ".yml", ".json"))
