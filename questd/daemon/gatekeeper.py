"""Who a client of another host is: each request brings a token, and the token makes it a viewer, an operator or an admin.

Nothing is kept of a connection but that its failure was noted. A token is never repeated, in no answer and no log. What a role may do
stands in actors/control/roles.py.
"""

import hmac
from collections.abc import Callable, Mapping
from typing import Final

from questd.messages.control import Error, Request
from questd.messages.remote import Bearer, Role
from questd.runtime.nng import CONNECTIONS_MAX

NOTHING_SHOWN: Final = (
    "this door serves other hosts and needs the daemon's token with each request: "
    "name the file that holds it in $QUESTD_TOKEN_FILE"
)
UNKNOWN: Final = (
    "this token is none of the daemon's: look into the file that $QUESTD_TOKEN_FILE names. "
    "The daemon reads its own when it starts"
)


class Gatekeeper:
    """Of one door, called by its receiving thread. ``note`` writes the log."""

    def __init__(self, tokens: Mapping[Role, str], door: str, note: Callable[..., None]) -> None:
        self._tokens: list[tuple[Role, bytes]] = [
            (role, token.encode()) for role, token in tokens.items()
        ]
        self._door = door
        self._note = note
        self._noted: dict[int, None] = {}

    def role_of(self, pipe: int, asked: Request | Bearer) -> Role | Error:
        """What the token makes of who asks, or why it is refused: noted once a connection, for a guesser has many tries."""
        if not isinstance(asked, Bearer):
            return self._refused(pipe, "no token", NOTHING_SHOWN)
        role = self._known(asked.token.encode())
        return role or self._refused(pipe, "a wrong token", UNKNOWN)

    def _known(self, given: bytes) -> Role | None:
        """Every token is compared to its end, so that the time tells nothing of any."""
        found: Role | None = None
        for role, token in self._tokens:
            if hmac.compare_digest(token, given):
                found = role
        return found

    def _refused(self, pipe: int, gave: str, said: str) -> Error:
        if pipe not in self._noted:
            if len(self._noted) >= CONNECTIONS_MAX:
                del self._noted[next(iter(self._noted))]
            self._noted[pipe] = None
            self._note("client.denied", door=self._door, gave=gave)
        return Error("refused", said)
