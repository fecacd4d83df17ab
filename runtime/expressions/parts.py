"""What a template is made of. Each part builds its value on the meter of the whole rendering."""

from typing import Any, NamedTuple, Protocol

from questd.runtime.errors import BadExpression
from questd.runtime.expressions.bounds import TEXT_MAX_BYTES, VALUE_MAX_BYTES, Meter
from questd.runtime.expressions.names import Missing, Reference, Values
from questd.runtime.expressions.operations import text_of
from questd.runtime.expressions.program import Program


class Part(Protocol):
    """Something that gives a value."""

    def build(self, values: Values, meter: Meter, /) -> Any:
        """The value, for these values. BadExpression."""
        ...


class Fixed(NamedTuple):
    """A constant."""

    constant: Any

    def build(self, _values: Values, _meter: Meter) -> Any:
        """The constant itself."""
        return self.constant


class Lone(NamedTuple):
    """A reference alone: its value itself, whatever its size."""

    reference: Reference
    source: str

    def build(self, values: Values, _meter: Meter) -> Any:
        """The referenced value, unchanged."""
        try:
            return self.reference.value(values)
        except Missing as error:
            error.source = self.source
            raise


class Computed(NamedTuple):
    """An expression that has to be evaluated."""

    program: Program

    def build(self, values: Values, meter: Meter) -> Any:
        """Its value, no larger than a payload may be."""
        found = self.program.run(values, meter)
        if meter.weight(found) > VALUE_MAX_BYTES:
            raise BadExpression(f"an expression gives more than {VALUE_MAX_BYTES} bytes")
        return found


class Text(NamedTuple):
    """Parts joined as text, at most TEXT_MAX_BYTES of UTF-8."""

    parts: tuple[Part, ...]

    def build(self, values: Values, meter: Meter) -> str:
        """The text."""
        texts: list[str] = []
        size = 0
        for part in self.parts:
            text = text_of(meter, part.build(values, meter))
            size += len(text)
            if size > TEXT_MAX_BYTES:
                raise _too_much_text()
            texts.append(text)
        whole = "".join(texts)
        if not whole.isascii() and len(whole.encode("utf-8", "surrogatepass")) > TEXT_MAX_BYTES:
            raise _too_much_text()
        return whole


class ListOfParts(NamedTuple):
    """A list with expressions somewhere in it."""

    elements: tuple[Part, ...]

    def build(self, values: Values, meter: Meter) -> list[Any]:
        """A new list."""
        return [element.build(values, meter) for element in self.elements]


class ObjectOfParts(NamedTuple):
    """An object with expressions somewhere in it."""

    members: tuple[tuple[str, Part], ...]

    def build(self, values: Values, meter: Meter) -> dict[str, Any]:
        """A new object."""
        return {name: member.build(values, meter) for name, member in self.members}


class Bounded(NamedTuple):
    """A leaf of a nested value that has several: together they are no more than a payload may be."""

    part: Part

    def build(self, values: Values, meter: Meter) -> Any:
        """The leaf's value, counted."""
        found = self.part.build(values, meter)
        meter.counted(meter.weight(found))
        return found


def _too_much_text() -> BadExpression:
    return BadExpression(
        f"the text is larger than {TEXT_MAX_BYTES} bytes",
        hint="pass large values as an argument of their own, in `with`",
    )
