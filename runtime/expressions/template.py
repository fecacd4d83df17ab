"""Templates: texts, nested values and bare expressions, compiled once and rendered often.

A lone reference or a constant never reaches MiniJinja: it keeps its type and value (1.0 stays 1.0) and costs under two
microseconds. A value is put into text and never read as a template again.
"""

from collections.abc import Mapping, Sequence
from typing import Any, Final

from questd.runtime.errors import BadExpression
from questd.runtime.expressions.bounds import (
    CONSTANT_WORK_MAX,
    EXPRESSIONS_MAX,
    SOURCE_MAX_CHARACTERS,
    VALUE_DEPTH_MAX,
    Meter,
)
from questd.runtime.expressions.kinds import is_list, is_object
from questd.runtime.expressions.names import Names, Reference, Values
from questd.runtime.expressions.parse import parse
from questd.runtime.expressions.parts import (
    Bounded,
    Computed,
    Fixed,
    ListOfParts,
    Lone,
    ObjectOfParts,
    Part,
    Text,
)
from questd.runtime.expressions.program import Program
from questd.runtime.expressions.segments import Segment, read_segments
from questd.runtime.expressions.syntax import Choice, Constant, Node, references
from questd.runtime.expressions.tokens import Token, scan

_NOTHING: Final[Mapping[str, Any]] = {}


class Template:
    """Something to render. Immutable, and any number of threads may render it at once.

    ``steps``, ``inputs``, ``extras``: what it names, sorted; ``rounds``: the steps whose rounds it names. ``constant``: it names nothing
    and always gives the same. ``worked``: the inputs that do not stand there as they are, but something is made of them.
    What it gives may be (part of) what it was given, or of the document: do not change it.
    """

    __slots__ = ("_part", "constant", "extras", "inputs", "rounds", "steps", "worked")

    def __init__(
        self, part: Part, named: set[Reference], worked: set[Reference], *, constant: bool
    ) -> None:
        self._part = part
        self.steps = _names(named, "steps")
        self.inputs = _names(named, "inputs")
        self.extras = _names(named, "extras")
        self.worked = _names(worked, "inputs")
        self.rounds = _names({each for each in named if each.parts[:1] == ("rounds",)}, "steps")
        self.constant = constant

    def render(
        self,
        *,
        steps: Mapping[str, Mapping[str, Any]],
        inputs: Mapping[str, Any],
        extras: Mapping[str, Any] = _NOTHING,
    ) -> Any:
        """The value. ``steps``, ``inputs`` and ``extras`` need to hold what it names only; plain JSON data.

        BadExpression, without any value in it, when something is missing or does not fit.
        """
        part = self._part
        if isinstance(part, Fixed):
            return part.constant
        return part.build(Values(steps, inputs, extras), Meter())


def compile_value(value: Any, names: Names) -> Template:
    """A nested JSON value whose texts may hold ``{{ }}``. A text that is one lone ``{{ }}`` gives a value of any type.

    BadExpression with ``where`` ("files[0].name") set.
    """
    compiler = _Compiler(names)
    return compiler.template(compiler.nested(value, "", 0))


def compile_text(text: str, names: Names) -> Template:
    """A text with ``{{ }}`` in it, for ``prompt``: always gives text, at most TEXT_MAX_BYTES of it."""
    compiler = _Compiler(names)
    return compiler.template(compiler.text(_checked(text)))


def compile_expression(source: str, names: Names) -> Template:
    """A bare expression, for ``when``, ``for_each``, checks and rules; one enclosing ``{{ }}`` is accepted."""
    compiler = _Compiler(names)
    return compiler.template(compiler.bare(_checked(source)))


def _names(named: set[Reference], kind: str) -> tuple[str, ...]:
    return tuple(sorted({each.name for each in named if each.kind == kind}))


def _checked(source: str) -> str:
    if len(source) > SOURCE_MAX_CHARACTERS:
        raise BadExpression(f"a text has more than {SOURCE_MAX_CHARACTERS} characters")
    if not source.isascii():
        try:
            source.encode()
        except UnicodeEncodeError as error:
            raise BadExpression("half of a surrogate pair", offset=error.start) from None
    return source


class _Compiler:
    """Compiles one template; collects what it names."""

    def __init__(self, names: Names) -> None:
        self._names = names
        self._named: set[Reference] = set()
        self._worked: set[Reference] = set()
        self._expressions = 0
        self._meter = Meter(CONSTANT_WORK_MAX)

    def template(self, part: Part) -> Template:
        part = _bounded(part) if self._expressions > 1 else part
        return Template(part, self._named, self._worked, constant=isinstance(part, Fixed))

    def text(self, text: str) -> Part:
        """Always text; a lone expression too."""
        if "{" not in text:
            return Fixed(text)
        return self._mixed(text, read_segments(text, self._names.is_known))

    def bare(self, source: str) -> Part:
        """An expression without braces, or with one pair around it."""
        start = len(source) - len(source.lstrip())
        is_known = self._names.is_known
        if not source.startswith("{{", start):
            read = scan(source, 0, is_known, enclosed=False)
            return self._expression(source, read.tokens, start)
        trims = source.startswith("-", start + 2)
        read = scan(source, start + 2 + trims, is_known, enclosed=True)
        if source[read.stop :].strip():
            message = "only one `{{ }}` is accepted, around the whole"
            hint = "leave the braces away"
            raise BadExpression(message, source=source, offset=read.stop, hint=hint)
        return self._expression(source, read.tokens, start)

    def nested(self, value: Any, where: str, depth: int) -> Part:
        """Any JSON value, at ``where`` of the whole."""
        try:
            match value:
                case str():
                    return self._leaf(_checked(value))
                case _ if is_list(value):
                    return self._list(value, where, depth + 1)
                case _ if is_object(value):
                    return self._object(value, where, depth + 1)
                case None | bool() | int() | float():
                    return Fixed(value)
                case _:
                    return _refused(value)
        except BadExpression as error:
            error.where = error.where or where
            raise

    def _leaf(self, text: str) -> Part:
        if "{" not in text:
            return Fixed(text)
        segments = read_segments(text, self._names.is_known)
        lone = len(segments) == 2 and not segments[0].literal
        if lone and segments[0].tokens is not None and not segments[1].literal.strip("\n"):
            return self._expression(text, segments[0].tokens, segments[0].start)
        return self._mixed(text, segments)

    def _list(self, value: Sequence[Any], where: str, depth: int) -> Part:
        _check_depth(depth)
        parts = [self.nested(each, f"{where}[{at}]", depth) for at, each in enumerate(value)]
        if all(isinstance(part, Fixed) for part in parts):
            return Fixed(value)
        return ListOfParts(tuple(parts))

    def _object(self, value: dict[Any, Any], where: str, depth: int) -> Part:
        _check_depth(depth)
        members: list[tuple[str, Part]] = []
        for name, each in value.items():
            if not isinstance(name, str) or "{{" in name:
                raise BadExpression("a name in an object is a text without expressions")
            _checked(name)
            below = f"{where}.{name[:80]}" if where else name[:80]
            members.append((name, self.nested(each, below, depth)))
        if all(isinstance(part, Fixed) for _, part in members):
            return Fixed(value)
        return ObjectOfParts(tuple(members))

    def _mixed(self, text: str, segments: list[Segment]) -> Part:
        parts: list[Part] = []
        for segment in segments:
            if segment.literal:
                parts.append(Fixed(segment.literal))
            if segment.tokens is not None:
                part = self._expression(text, segment.tokens, segment.start, silent=True)
                parts.append(part)
        if all(isinstance(part, Fixed) for part in parts):
            return Fixed(Text(tuple(parts)).build(_NO_VALUES, Meter()))
        return Text(tuple(parts))

    def _expression(
        self, source: str, tokens: list[Token], start: int, *, silent: bool = False
    ) -> Part:
        self._expressions += 1
        if self._expressions > EXPRESSIONS_MAX:
            raise BadExpression(f"a value holds more than {EXPRESSIONS_MAX} expressions")
        try:
            node = parse(source, tokens, self._names)
            _check_silence(node, source, silent=silent)
            self._named |= references(node)
            if not isinstance(node, Reference) or node.parts:
                self._worked |= references(node)
            return self._part(node, source, start)
        except RecursionError:  # the caller's own stack was nearly used up
            message = "the expression nests too deep"
            raise BadExpression(message, source=source, offset=start) from None

    def _part(self, node: Node, source: str, start: int) -> Part:
        if isinstance(node, Constant):
            return Fixed(node.constant)
        if isinstance(node, Reference):
            return Lone(node, source)
        computed = Computed(Program(node, source, start))
        if references(node):
            return computed
        return Fixed(computed.build(_NO_VALUES, self._meter))


def _bounded(part: Part) -> Part:
    """Results that share one value are counted together; a single one is as large as it is."""
    match part:
        case ListOfParts():
            return ListOfParts(tuple(_bounded(each) for each in part.elements))
        case ObjectOfParts():
            return ObjectOfParts(tuple((name, _bounded(each)) for name, each in part.members))
        case Fixed():
            return part
        case _:
            return Bounded(part)


_NO_VALUES: Final = Values({}, {}, {})


def _refused(value: object) -> Part:
    raise BadExpression(f"a {type(value).__name__} is not plain JSON data")


def _check_silence(node: Node, source: str, *, silent: bool) -> None:
    """Text may print nothing where an ``if`` fails; a value must be something."""
    if isinstance(node, Choice) and node.otherwise is None and not silent:
        raise BadExpression("this `if` needs an `else`", source=source, offset=node.offset)


def _check_depth(depth: int) -> None:
    if depth > VALUE_DEPTH_MAX:
        raise BadExpression(f"a value nests deeper than {VALUE_DEPTH_MAX}")
