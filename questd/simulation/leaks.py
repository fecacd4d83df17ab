"""Breakages by which secrets get out, or do not come in: for ``saboteurs``."""

from collections.abc import Callable
from typing import Any

from questd.actors.redaction import Redactor
from questd.messages.payload import encode_json
from questd.simulation.concealed import VALUES

Broken = Callable[..., Any]


def hand_out_none(_: Any) -> Broken:
    """Tools get references."""

    def secrets_for(*_whatever: Any) -> Any:
        return {}

    return secrets_for


def look_for_none(_: Any) -> Broken:
    """What is said is not searched."""

    def redactor_of(*_whatever: Any) -> Any:
        return Redactor(())

    return redactor_of


def first_argument(_: Any) -> Broken:
    """What was said is passed on."""

    def broken(first: Any, *_others: Any) -> Any:
        return first

    return broken


def only_remembered(_: Any) -> Broken:
    """A daemon that begins knows no secret."""

    def known(self: Any, reference: str) -> tuple[str, ...]:
        given: tuple[str, ...] = self._given.get(reference, ())
        return given

    return known


def look_up_once(whole: Broken) -> Broken:
    """A secret that has changed is not noticed."""

    def value(self: Any, reference: str) -> Any:
        given = self._given.get(reference)
        return given[-1] if given else whole(self, reference)

    return value


def write_secrets_down(whole: Broken) -> Broken:
    """What a step was given is written with the value."""

    def given_to(step: Any, material: Any, texts: Any) -> Any:
        text = whole(step, material, texts)
        for reference, value in VALUES.items():
            text = text.replace(reference.encode(), encode_json(value)[1:-1])
        return text

    return given_to
