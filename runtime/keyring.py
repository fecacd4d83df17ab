"""Where secrets are: a reference becomes a value here, at dispatch. What was given out is remembered, to be taken out of what tools say.

``env:NAME`` is the daemon's environment, ``file:/PATH`` a file that the daemon can read, ``secret:NAME`` what questd.toml names
under ``[secrets]``. Nothing of it is ever written down. Must not know of quests.
"""

import os
import stat
import threading
from collections import OrderedDict
from collections.abc import Mapping
from pathlib import Path
from typing import Final, Protocol

from questd.runtime.errors import SecretUnavailable

SECRET_MIN_CHARACTERS: Final = 4
"""A shorter one would be found in every other word, and taken out of it."""
SECRET_MAX_BYTES: Final = 16 * 1024
REMEMBERED_REFERENCES: Final = 10_000
REMEMBERED_VALUES: Final = 4
"""Of one reference: a secret that was changed while its tool ran must still be recognised."""


class Keyring(Protocol):
    """What a house is given to find secrets with."""

    def value(self, reference: str) -> str:
        """The secret as it is now. SecretUnavailable says why not, and never what was found."""
        ...

    def known(self, reference: str) -> tuple[str, ...]:
        """Every value that it may have stood for while this daemon runs, the latest last; empty if none can be had."""
        ...

    def fault(self, reference: str) -> str | None:
        """Why there is no such secret now; None where there is. What was found is forgotten."""
        ...


class Remembering:
    """Remembers what each reference gave: the latest values, of the references that were used last."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._given: OrderedDict[str, tuple[str, ...]] = OrderedDict()

    def read(self, reference: str) -> str:
        """The value as it is now, from wherever it is."""
        raise NotImplementedError

    def value(self, reference: str) -> str:
        """The secret as it is now, remembered."""
        return self._remember(reference, self.read(reference))

    def _remember(self, reference: str, found: str) -> str:
        with self._lock:
            before = self._given.pop(reference, ())
            others = tuple(each for each in before if each != found)
            self._given[reference] = (*others, found)[-REMEMBERED_VALUES:]
            if len(self._given) > REMEMBERED_REFERENCES:
                self._given.popitem(last=False)
        return found

    def known(self, reference: str) -> tuple[str, ...]:
        """After a restart nothing is remembered: then it is looked up."""
        given = self._given.get(reference)
        if given is not None:
            return given
        try:
            return (self._remember(reference, self.read(reference)),)
        except SecretUnavailable:
            return ()

    def fault(self, reference: str) -> str | None:
        """Looked up, and not remembered: nobody was given it."""
        try:
            self.read(reference)
        except SecretUnavailable as error:
            return error.why
        return None


class HostKeyring(Remembering):
    """Secrets of this host. ``names``: references by name, from the settings."""

    def __init__(
        self, names: Mapping[str, str] | None = None, environment: Mapping[str, str] | None = None
    ) -> None:
        super().__init__()
        self._names = dict(names or {})
        self._environment = os.environ if environment is None else environment

    def read(self, reference: str) -> str:
        """From the environment or a file."""
        scheme, _, name = reference.partition(":")
        if scheme == "secret":
            named = self._names.get(name)
            if named is None:
                raise SecretUnavailable(reference, "is not named under [secrets] in questd.toml")
            scheme, _, name = named.partition(":")
        text = self._environment.get(name) if scheme == "env" else _text_of_file(reference, name)
        if text is None:
            raise SecretUnavailable(reference, "is not set in the daemon's environment")
        return _fit(reference, text)


def _fit(reference: str, text: str) -> str:
    if len(text) < SECRET_MIN_CHARACTERS:
        message = f"holds fewer than {SECRET_MIN_CHARACTERS} characters: too few to be recognised"
        raise SecretUnavailable(reference, message)
    try:
        size = len(text.encode())
    except UnicodeEncodeError:
        raise SecretUnavailable(reference, "is not UTF-8") from None
    if size > SECRET_MAX_BYTES:
        raise SecretUnavailable(reference, f"holds more than {SECRET_MAX_BYTES} bytes")
    return text


def _text_of_file(reference: str, path: str) -> str:
    """Its text without the line end that editors put there."""
    try:
        data = _bytes_of_file(reference, Path(path))
    except OSError as error:
        raise SecretUnavailable(reference, f"cannot be read: {error.strerror}") from None
    except ValueError:
        raise SecretUnavailable(reference, "is no name of a file") from None
    try:
        return data.decode().removesuffix("\n").removesuffix("\r")
    except UnicodeDecodeError:
        raise SecretUnavailable(reference, "is not UTF-8") from None


def _bytes_of_file(reference: str, path: Path) -> bytes:
    """Only of a plain file, since a pipe would hold up the daemon, and only of one that is kept from others, as a token's is."""
    descriptor = os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC)
    with os.fdopen(descriptor, "rb") as file:
        mode = os.fstat(descriptor).st_mode
        if not stat.S_ISREG(mode):
            raise SecretUnavailable(reference, "is no plain file")
        if mode & 0o077:
            found = f"may be read by others (mode {stat.S_IMODE(mode):04o}): chmod 600 {path}"
            raise SecretUnavailable(reference, found)
        return file.read(SECRET_MAX_BYTES + 3)
