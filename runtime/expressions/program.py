"""A tree becomes a MiniJinja expression, and is evaluated.

MiniJinja is given text that we wrote, never the author's: it decides (``and or not if``) and calculates (``- / // % **``,
with its own checks of range), and calls back for everything that touches data. It sees variables we named (``v3``): constants,
``Reference`` objects that only our operations open, and the operations. So it can neither reach a Python attribute, nor build
anything unmetered, nor print a value into an error.

One MiniJinja environment serves all threads; it holds nothing but its settings.
"""

from collections.abc import Callable
from typing import Any, Final, assert_never

import minijinja

from questd.runtime.errors import BadExpression
from questd.runtime.expressions.bounds import FUEL, Meter
from questd.runtime.expressions.names import Missing, Reference, Values
from questd.runtime.expressions.operations import element, in_range
from questd.runtime.expressions.syntax import (
    Apply,
    Choice,
    Constant,
    Default,
    Defined,
    Member,
    Native,
    Node,
)

_ENVIRONMENT: Final = minijinja.Environment(
    debug=False, fuel=FUEL, undefined_behavior="strict", pycompat=False
)
_ABSENT: Final = object()
_KINDS: Final = ("unsupported types", "unsupported type", "not callable")


class Run:
    """One evaluation: the values, the meter, and what ``default`` keeps while it decides."""

    __slots__ = ("kept", "meter", "values")

    def __init__(self, values: Values, meter: Meter) -> None:
        self.values = values
        self.meter = meter
        self.kept: dict[int, Any] = {}


class Program:
    """A compiled expression. Immutable; any number of threads may run it at once."""

    __slots__ = ("_offset", "_source", "_text", "_variables")

    def __init__(self, node: Node, source: str, offset: int) -> None:
        self._source = source
        self._offset = offset
        writer = _Writer()
        self._text = writer.operand(node)
        self._variables = writer.variables
        self._check()

    def run(self, values: Values, meter: Meter) -> Any:
        """The value. BadExpression, without any value in it, when there is none."""
        try:
            run = Run(values, meter)
            found = _ENVIRONMENT.eval_expr(self._text, run=run, **self._variables)
            return in_range(_opened(run, (found,))[0])
        except BadExpression as error:
            raise self._located(error) from None
        except minijinja.TemplateError as error:
            raise self._located(_translated(error)) from None
        except RecursionError:
            raise self._located(BadExpression("a value nests too deep")) from None
        except (ArithmeticError, ValueError, TypeError, MemoryError):
            raise self._located(BadExpression("these values do not fit")) from None

    def _check(self) -> None:
        try:
            _ENVIRONMENT.undeclared_variables_in_str("{{ " + self._text + " }}")
        except minijinja.TemplateError:
            raise self._located(BadExpression("the expression is too involved")) from None

    def _located(self, error: BadExpression) -> BadExpression:
        if error.offset is None:
            error.offset = self._offset
        error.source = self._source
        return error


def _translated(error: minijinja.TemplateError) -> BadExpression:
    """MiniJinja's messages may hold operands (``7 % 0``): only those about kinds are passed on."""
    kinds = error.message.removeprefix("invalid operation: ").split(" (in <", 1)[0]
    if "tried to use" in kinds and any(kind in kinds for kind in _KINDS):
        return BadExpression(kinds)
    return BadExpression("this cannot be calculated: no numbers, a division by 0, or out of range")


def _opened(run: Run, operands: tuple[Any, ...]) -> list[Any]:
    return [
        each.value(run.values) if type(each) is Reference or type(each) is Constant else each
        for each in operands
    ]


def _strict(operation: Callable[..., Any], offset: int) -> Callable[..., Any]:
    """The operation, for MiniJinja to call and to work on its value."""

    def call(run: Run, *operands: Any) -> Any:
        try:
            return in_range(operation(run.meter, *_opened(run, operands)))
        except BadExpression as error:
            if error.offset is None:
                error.offset = offset
            raise

    return call


def _sealed(operation: Callable[..., Any], offset: int) -> Callable[..., Any]:
    """The same for another operation of ours, or as the result: a float is sealed, as MiniJinja turns 1.0 into 1."""
    strict = _strict(operation, offset)

    def call(run: Run, *operands: Any) -> Any:
        found = strict(run, *operands)
        return Constant(found) if type(found) is float else found

    return call


def _forgiving(operation: Callable[..., Any], offset: int) -> Callable[..., Any]:
    """The same, but what is missing, or comes of what is missing, is ``_ABSENT``."""
    sealed = _sealed(operation, offset)

    def call(run: Run, *operands: Any) -> Any:
        if operands[0] is _ABSENT:
            return _ABSENT
        try:
            return sealed(run, *operands)
        except Missing:
            return _ABSENT

    return call


def _read(run: Run, reference: Reference) -> Any:
    return reference.value(run.values)


def _is_there(run: Run, subject: Any) -> bool:
    if type(subject) is Reference:
        return subject.is_given(run.values)
    return subject is not _ABSENT


def _keep(run: Run, slot: int, also_false: bool, subject: Any) -> bool:
    """Remember what ``default`` looks at; true when it stands."""
    if not _is_there(run, subject):
        return False
    found = run.kept[slot] = _opened(run, (subject,))[0]
    return bool(found) or not also_false


def _kept(run: Run, slot: int) -> Any:
    return run.kept[slot]


def _kept_sealed(run: Run, slot: int) -> Any:
    return Constant(run.kept[slot])


class _Writer:
    """Writes MiniJinja text; ``variables`` is what its names stand for."""

    def __init__(self) -> None:
        self.variables: dict[str, Any] = {
            "read": _read,
            "finite": in_range,
            "is_there": _is_there,
            "keep": _keep,
            "kept": _kept,
            "kept_sealed": _kept_sealed,
        }
        self._slots = 0

    def native(self, node: Node) -> str:
        """Text whose value MiniJinja itself may work on."""
        match node:
            case Reference():
                return f"read(run, {self._variable(node)})"
            case Constant():
                return self._variable(node.constant)
            case Member():
                return self._call(_strict(element, node.offset), (node.subject, node.part))
            case Apply():
                return self._call(_strict(node.operation, node.offset), node.operands)
            case Native():
                return self._native_operator(node)
            case Choice():
                return self._choice(node, self.native)
            case Default():
                return self._default(node, "kept", self.native)
            case Defined():
                return f"is_there(run, {self._guarded(node.subject)})"
        assert_never(node)

    def operand(self, node: Node) -> str:
        """Text whose value only operations of ours open: it passes MiniJinja unchanged."""
        match node:
            case Reference() | Constant():
                return self._variable(node)
            case Member():
                return self._call(_sealed(element, node.offset), (node.subject, node.part))
            case Apply():
                return self._call(_sealed(node.operation, node.offset), node.operands)
            case Choice():
                return self._choice(node, self.operand)
            case Default():
                return self._default(node, "kept_sealed", self.operand)
            case Native() | Defined():
                return self.native(node)
        assert_never(node)

    def _guarded(self, node: Node) -> str:
        """As ``operand``, where it is no error that nothing is there."""
        match node:
            case Member():
                return self._guarded_call(element, (node.subject, node.part), node.offset)
            case Apply() if node.operands:
                return self._guarded_call(node.operation, node.operands, node.offset)
            case _:
                return self.operand(node)

    def _guarded_call(
        self, operation: Callable[..., Any], operands: tuple[Node, ...], offset: int
    ) -> str:
        function = self._variable(_forgiving(operation, offset))
        rest = "".join(f", {self.operand(each)}" for each in operands[1:])
        return f"{function}(run, {self._guarded(operands[0])}{rest})"

    def _variable(self, value: Any) -> str:
        name = f"v{len(self.variables)}"
        self.variables[name] = value
        return name

    def _call(self, function: Callable[..., Any], operands: tuple[Node, ...]) -> str:
        written = "".join(f", {self.operand(each)}" for each in operands)
        return f"{self._variable(function)}(run{written})"

    def _native_operator(self, node: Native) -> str:
        operands = [self.native(each) for each in node.operands]
        if len(operands) == 1:
            return f"({node.operator} {operands[0]})"
        if node.operator in ("and", "or"):
            return _balanced(node.operator, operands)
        return f"finite({operands[0]} {node.operator} {operands[1]})"

    def _choice(self, node: Choice, write: Callable[[Node], str]) -> str:
        otherwise = '""' if node.otherwise is None else write(node.otherwise)
        return f"({write(node.then)} if {self.native(node.condition)} else {otherwise})"

    def _default(self, node: Default, kept: str, write: Callable[[Node], str]) -> str:
        self._slots += 1
        slot, also_false = self._slots, str(node.also_false).lower()
        held = f"keep(run, {slot}, {also_false}, {self._guarded(node.subject)})"
        return f"({kept}(run, {slot}) if {held} else {write(node.fallback)})"


def _balanced(operator: str, operands: list[str]) -> str:
    """``and`` and ``or`` may be grouped at will; a chain of hundreds must not nest as deep."""
    if len(operands) == 1:
        return operands[0]
    middle = len(operands) // 2
    left, right = _balanced(operator, operands[:middle]), _balanced(operator, operands[middle:])
    return f"({left} {operator} {right})"
