"""The common name in a certificate's subject, as nng passes it on. Pure.

nng gives what stands behind the first ``CN=`` of the whole subject: with the attributes that follow it, and with the escapes of RFC
4514. An ``=``, ``,`` or ``+`` of a value is always escaped there, so no value can look like a name.
"""

import re
from typing import Final

_NAME: Final = re.compile(r"(?:\\.|[^\\,+ ]| (?!\+))*")
"""Up to the comma before the next attribute, or the plus of one that stands beside it."""
_ESCAPED: Final = re.compile(rb"\\([0-9A-Fa-f]{2})|\\(.)")


def name_in(told: str) -> str:
    """The name alone; "" of a subject without one."""
    found = _NAME.match(told)
    written = b"" if found is None else found[0].encode()
    return _ESCAPED.sub(_plain, written).decode("utf-8", "replace")


def _plain(escaped: re.Match[bytes]) -> bytes:
    return escaped[2] or bytes.fromhex(escaped[1].decode())
