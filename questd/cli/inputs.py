"""``-i key=value`` and other words that carry values (docs/interface.md).

The declared type decides: text for a string is verbatim, anything else is JSON. Undeclared: JSON if it parses, else text. ``@FILE`` and ``@-``
are verbatim text unless an object or array is declared; ``@@`` is a plain ``@``.
"""

import sys
from collections.abc import Callable, Iterable, Mapping
from pathlib import Path
from typing import Any, Final

from questd.client.errors import InvalidInput
from questd.messages.definition import InputDefinition
from questd.messages.payload import PAYLOAD_MAX_BYTES, decode_json

_STRUCTURED: Final = frozenset({"object", "array"})


def input_values(
    given: Iterable[str],
    declared: Mapping[str, InputDefinition] | None,
    read: Callable[[str], str] | None = None,
) -> dict[str, Any]:
    """The values by name. ``read``: gives the text of a file by its name. InvalidInput with every fault."""
    read = read or FileReader()
    values: dict[str, Any] = {}
    faults: list[str] = []
    for one in given:
        name, separator, text = one.partition("=")
        if not separator or not name:
            faults.append(f"-i {one}: write KEY=VALUE, or KEY=@FILE")
        elif name in values:
            faults.append(f"-i {name}: is given twice")
        else:
            kinds = declared_types(declared, name)
            try:
                values[name] = value_of(text, kinds, read)
            except InvalidInput as error:
                faults.append(f"-i {name}: {error}")
    if faults:
        raise InvalidInput("the inputs cannot be read:", tuple(faults))
    return values


def declared_types(declared: Mapping[str, InputDefinition] | None, name: str) -> frozenset[str]:
    """The JSON types that the document allows; empty where it says nothing."""
    if declared is None or name not in declared:
        return frozenset()
    kind = declared[name].schema.get("type", ())
    return frozenset([kind] if isinstance(kind, str) else kind)


def value_of(text: str, kinds: frozenset[str], read: Callable[[str], str]) -> Any:
    """The value of one text. InvalidInput when it cannot be of the declared kinds."""
    if text.startswith("@") and not text.startswith("@@"):
        content = read(text[1:])
        return _json(content, kinds) if kinds & _STRUCTURED and "string" not in kinds else content
    if text.startswith("@@"):
        text = text[1:]
    if kinds == frozenset({"string"}):
        return text
    if not kinds or "string" in kinds:
        return json_or_text(text)
    return _json(text, kinds)


def json_or_text(text: str) -> Any:
    """JSON if it parses, else the text."""
    try:
        return decode_json(text.encode())
    except (ValueError, RecursionError):
        return text


def _json(text: str, kinds: frozenset[str]) -> Any:
    try:
        return decode_json(text.encode())
    except (ValueError, RecursionError) as error:
        wanted = " or ".join(sorted(kinds))
        shown = text if len(text) <= 60 else text[:59] + "…"
        raise InvalidInput(f"{shown!r} is no JSON, but {wanted} is declared ({error})") from None


def pairs(option: str, given: Iterable[str]) -> dict[str, str]:
    """``NAME=VALUE`` texts as a mapping."""
    found: dict[str, str] = {}
    for one in given:
        name, separator, value = one.partition("=")
        if not separator or not name:
            raise InvalidInput(f"{option} {one}: write NAME=VALUE")
        found[name] = value
    return found


class FileReader:
    """Reads texts by name; ``-`` is standard input, which can be read once."""

    def __init__(self) -> None:
        self._stdin_read = False

    def __call__(self, name: str) -> str:
        """The text. InvalidInput says why it cannot be had."""
        data = self.bytes_of(name)
        if len(data) > PAYLOAD_MAX_BYTES:
            raise InvalidInput(f"{_named(name)} is larger than {PAYLOAD_MAX_BYTES} bytes")
        try:
            return data.decode()
        except UnicodeDecodeError as error:
            raise InvalidInput(
                f"{_named(name)} is not UTF-8 (byte 0x{data[error.start]:02x} at {error.start})"
            ) from None

    def bytes_of(self, name: str) -> bytes:
        """The bytes, one more than may be at most."""
        if name == "-":
            if self._stdin_read:
                raise InvalidInput("standard input was read already: only one thing can be @-")
            self._stdin_read = True
            return sys.stdin.buffer.read(PAYLOAD_MAX_BYTES + 1)
        if not name:
            raise InvalidInput(
                "@ needs the name of a file; a value that begins with @ is written @@…"
            )
        try:
            with Path(name).expanduser().open("rb") as file:
                return file.read(PAYLOAD_MAX_BYTES + 1)
        except OSError as error:
            raise InvalidInput(
                f"{name} cannot be read: {error.strerror} (a value that begins with @ is written @@…)"
            ) from None


def _named(name: str) -> str:
    return "standard input" if name == "-" else name


def given_value(given: str | None) -> Any:
    """The value of an argument: JSON, else text; ``@FILE`` and ``@-`` take a file's, ``@@`` is a plain @; None of none."""
    if given is None:
        return None
    if given.startswith("@") and not given.startswith("@@"):
        return json_or_text(FileReader()(given[1:]))
    return json_or_text(given.removeprefix("@") if given.startswith("@@") else given)
