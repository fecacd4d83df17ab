"""Why something failed, in the same words everywhere: agent, journal, history, command line."""

from typing import Final

from msgspec import Struct

VALIDATION: Final = "validation"
AUTH: Final = "auth"
RATE_LIMIT: Final = "rate_limit"
TIMEOUT: Final = "timeout"
CANCELLED: Final = "cancelled"
AGENT_LOST: Final = "agent_lost"
TOO_LARGE: Final = "too_large"
UNSERIALISABLE: Final = "unserialisable"
EXCEPTION: Final = "exception"
BUDGET: Final = "budget"
INTERNAL: Final = "internal"

FAILURE_KINDS: Final = (
    VALIDATION,
    AUTH,
    RATE_LIMIT,
    TIMEOUT,
    CANCELLED,
    AGENT_LOST,
    TOO_LARGE,
    UNSERIALISABLE,
    EXCEPTION,
    BUDGET,
    INTERNAL,
)
"""The kinds that questd itself uses; a tool may name its own beside them."""


class Failure(Struct, frozen=True, array_like=True):
    """One failure. ``retry_after_ms`` is the tool's own wish and overrides the policy's delay."""

    kind: str
    message: str
    task: str | None = None
    retryable: bool = True
    retry_after_ms: int | None = None
