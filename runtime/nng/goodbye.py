"""Closes what is still open when the interpreter ends, before nng itself goes: it panics on requests still in flight."""

import atexit
import weakref
from collections.abc import Callable
from typing import Any

_closers: "weakref.WeakKeyDictionary[Any, Callable[[Any], None]]" = weakref.WeakKeyDictionary()


def close_at_exit(thing: Any, close: Callable[[Any], None]) -> None:
    """Call ``close(thing)`` at the end if it still lives; closing twice must be fine."""
    _closers[thing] = close


@atexit.register
def _close_all() -> None:
    for thing, close in list(_closers.items()):
        close(thing)
