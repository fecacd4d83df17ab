"""Values of DuckDB as JSON.

Times are RFC 3339, UTC, with exactly six decimals and Z. Whole numbers and decimals are JSON numbers of any size, NaN and the
infinities null, blobs base64, intervals ISO 8601 durations, structs and maps objects.
"""

from collections.abc import Callable, Sequence
from datetime import datetime
from decimal import Decimal
from typing import Any, Final, TypeGuard

import msgspec

PLAIN_TYPES: Final = frozenset(
    {
        *("BOOLEAN", "TINYINT", "SMALLINT", "INTEGER", "BIGINT"),
        *("UTINYINT", "USMALLINT", "UINTEGER", "UBIGINT"),
        *("FLOAT", "DOUBLE", "VARCHAR", "JSON", "DATE", "TIME", "UUID", "BLOB", "INTERVAL"),
    }
)
"""Their Python values are encoded as they are."""

_encoder = msgspec.json.Encoder(enc_hook=str)

Converter = Callable[[Any], Any]


def converter(kind: str) -> Converter | None:
    """What to do with the values of a column of this type before they are encoded; None: nothing."""
    return None if kind in PLAIN_TYPES else plain


def plain(value: Any) -> Any:
    """A value that ``encode_row`` knows how to write."""
    match value:
        case datetime():
            return f"{value.replace(tzinfo=None).isoformat(timespec='microseconds')}Z"
        case Decimal():
            return msgspec.Raw(format(value, "f").encode()) if value.is_finite() else None
        case bool() | str() | bytes() | None:
            return value
        case int():
            small = -(2**63) <= value < 2**63
            return value if small else msgspec.Raw(str(value).encode())
        case _:
            return _nested(value)


def _nested(value: Any) -> Any:
    if is_list(value):
        return [plain(item) for item in value]
    if is_object(value):
        return {_name(key): plain(item) for key, item in value.items()}
    return value


def is_list(value: object) -> TypeGuard[Sequence[Any]]:
    """Whether it is a list or an array."""
    return isinstance(value, list | tuple)


def is_object(value: object) -> TypeGuard[dict[Any, Any]]:
    """Whether it is a struct, a map or a JSON object."""
    return isinstance(value, dict)


def encode_row(values: list[Any]) -> bytes:
    """A JSON array."""
    return _encoder.encode(values)


def _name(key: Any) -> str:
    key = plain(key)
    return key if isinstance(key, str) else encode_row(key).decode()
