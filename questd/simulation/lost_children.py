"""Breakages by which parents and children lose each other: for ``saboteurs``."""

from collections.abc import Callable
from typing import Any

from questd.actors.mail import Attached

Broken = Callable[..., Any]


def never_there(whole: Broken) -> Broken:
    """Children are begun anew."""

    def standing_of(store: Any, *rest: Any) -> Any:
        return whole(_Headless(store), *rest)

    return standing_of


class _Headless:
    """A journal that knows of no quest."""

    def __init__(self, store: Any) -> None:
        self._store = store

    def head(self, _quest: str) -> None:
        return None

    def __getattr__(self, name: str) -> Any:
        return getattr(self._store, name)


def only_attach(_: Any) -> Broken:
    """Children that have ended are not asked how."""

    def on_standing(self: Any, _child: str, watch: Any, _found: Any) -> None:
        watch.step.tell(Attached(self.ref))

    return on_standing
