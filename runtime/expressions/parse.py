"""From tokens to a tree: the grammar of MiniJinja's expressions, without what cannot be bounded or misleads.

Binding, loosest first: ``A if C else B``; ``or``; ``and``; ``not``; comparisons; ``+ -``; ``~``; ``* / // %``; ``**``; unary minus;
``| is``; ``. []``. All operators group from the left, ``**`` too, and a filter behind a unary minus takes the
negated value: so it is in Jinja. Refused, since they mislead or cannot be bounded: chained comparisons, calls (``range``
excepted), repeated texts, object keys without quotes.
"""

from typing import Any, Final

from questd.runtime.expressions.calls import (
    FILTER_NAMES,
    FUNCTION_NAMES,
    Arguments,
    filter_node,
    function_node,
    test_arity,
    test_node,
)
from questd.runtime.expressions.cursor import Cursor
from questd.runtime.expressions.names import KEYWORDS, Names
from questd.runtime.expressions.operations import (
    COMPARISONS,
    add,
    concatenate,
    cut,
    make_list,
    make_object,
    multiply,
)
from questd.runtime.expressions.references import read_attribute, read_reference
from questd.runtime.expressions.syntax import Apply, Choice, Constant, Member, Native, Node
from questd.runtime.expressions.tokens import Token

_CONSTANTS: Final[dict[str, Any]] = {
    "true": True,
    "True": True,
    "false": False,
    "False": False,
    "none": None,
    "None": None,
    "null": None,
}
_NOT: Final = 3
_COMPARISON: Final = 4
_BINDING: Final[dict[str, int]] = {
    "or": 1,
    "and": 2,
    **dict.fromkeys(COMPARISONS, _COMPARISON),
    "+": 5,
    "-": 5,
    "~": 6,
    "*": 7,
    "/": 7,
    "//": 7,
    "%": 7,
    "**": 8,
}


def parse(source: str, tokens: list[Token], names: Names) -> Node:
    """The tree of one whole expression. BadExpression, with the offset of what is wrong."""
    cursor = Cursor(source, tokens)
    if cursor.at_end():
        raise cursor.error("an expression is missing")
    node = _Parser(cursor, names).choice(top=True)
    if not cursor.at_end():
        raise cursor.unexpected()
    return node


class _Parser:
    def __init__(self, cursor: Cursor, names: Names) -> None:
        self._cursor = cursor
        self._names = names

    def choice(self, *, top: bool = False) -> Node:
        cursor = self._cursor
        node = self._binary(1)
        asked = cursor.take("if")
        if asked is None:
            return node
        condition = self._binary(1)
        cursor.enter()
        otherwise = self.choice() if cursor.take("else") else None
        cursor.leave()
        if otherwise is None and not top:
            raise cursor.error("this `if` needs an `else`", at=asked.start)
        return cursor.made(Choice(condition, node, otherwise, asked.start))

    def _binary(self, loosest: int) -> Node:
        cursor = self._cursor
        cursor.enter()
        node = self._negation() if loosest <= _NOT and cursor.is_next("not") else self._unary()
        while (operator := self._operator())[1] >= loosest:
            word, binding, tokens = operator
            start = cursor.skip(tokens).start
            node = self._combined(word, node, self._binary(binding + 1), start)
            if binding == _COMPARISON and self._operator()[1] == _COMPARISON:
                hint = "write A < B and B < C, or brackets"
                raise cursor.error("comparisons cannot be chained", hint=hint)
        cursor.leave()
        return node

    def _operator(self) -> tuple[str, int, int]:
        """The operator at the cursor, how tight it binds (0: none is there), and of how many tokens it is."""
        token = self._cursor.next
        if token.kind not in ("operator", "name"):
            return "", 0, 0
        if token.value == "not" and self._cursor.after(1).value == "in":
            return "not in", _COMPARISON, 2
        word = str(token.value)
        return word, _BINDING.get(word, 0), 1

    def _combined(self, word: str, left: Node, right: Node, start: int) -> Node:
        made = self._cursor.made
        if word in COMPARISONS:
            return made(Apply(COMPARISONS[word], (left, right), start))
        if word == "*":
            self._refuse_repetition((left, right), start)
            return made(Apply(multiply, (left, right), start))
        if word in ("+", "~"):
            joined = add if word == "+" else concatenate
            same = isinstance(left, Apply) and left.operation is joined
            operands = left.operands if same and isinstance(left, Apply) else (left,)
            return made(Apply(joined, (*operands, right), start))
        if word in ("and", "or") and isinstance(left, Native) and left.operator == word:
            return made(Native(word, (*left.operands, right), start))
        return made(Native(word, (left, right), start))

    def _refuse_repetition(self, operands: tuple[Node, Node], start: int) -> None:
        for node in operands:
            text = isinstance(node, Constant) and isinstance(node.constant, str)
            if text or (isinstance(node, Apply) and node.operation in (make_list, concatenate)):
                message = "`*` multiplies numbers only, it does not repeat"
                raise self._cursor.error(message, at=start)

    def _negation(self) -> Node:
        start = self._cursor.skip().start
        return self._cursor.made(Native("not", (self._binary(_NOT),), start))

    def _unary(self) -> Node:
        cursor = self._cursor
        signs: list[int] = []
        while sign := cursor.take("-"):
            signs.append(sign.start)
        node = self._primary()
        for start in reversed(signs):
            node = self._negated(node, start)
        while cursor.is_next("|", "is"):
            node = self._filtered(node) if cursor.next.value == "|" else self._tested(node)
        return node

    def _negated(self, node: Node, start: int) -> Node:
        if isinstance(node, Constant) and type(node.constant) in (int, float):
            return self._cursor.made(Constant(-node.constant))
        return self._cursor.made(Native("-", (node,), start))

    def _filtered(self, subject: Node) -> Node:
        cursor = self._cursor
        start = cursor.expect("|").start
        name = self._word("a filter's name")
        arguments = self._arguments() if cursor.is_next("(") else Arguments()
        return cursor.made(
            cursor.located(start, lambda: filter_node(name, subject, arguments, start))
        )

    def _tested(self, subject: Node) -> Node:
        cursor = self._cursor
        start = cursor.expect("is").start
        negated = cursor.take("not") is not None
        name = self._word("a test's name")
        arguments = self._test_arguments(name, start)
        node = cursor.made(
            cursor.located(start, lambda: test_node(name, subject, arguments, start))
        )
        return cursor.made(Native("not", (node,), start)) if negated else node

    def _test_arguments(self, name: str, start: int) -> Arguments:
        cursor = self._cursor
        if cursor.is_next("("):
            return self._arguments()
        arity = cursor.located(start, lambda: test_arity(name))
        return Arguments((self._primary(),)) if arity else Arguments()

    def _word(self, what: str) -> str:
        if self._cursor.next.kind != "name":
            raise self._cursor.unexpected(f"{what} is missing")
        return str(self._cursor.skip().value)

    def _arguments(self) -> Arguments:
        cursor = self._cursor
        cursor.expect("(")
        placed: list[Node] = []
        named: dict[str, Node] = {}
        while not cursor.is_next(")"):
            if cursor.next.kind == "name" and cursor.after(1).value == "=":
                self._named_argument(named)
            elif named:
                raise cursor.error("an argument by place cannot follow one by name")
            else:
                placed.append(self.choice())
            if not cursor.take(","):
                break
        cursor.expect(")")
        return Arguments(placed, named)

    def _named_argument(self, named: dict[str, Node]) -> None:
        name = str(self._cursor.next.value)
        if name in named:
            raise self._cursor.error(f"`{name}` is given twice")
        self._cursor.skip(2)
        named[name] = self.choice()

    # -- what stands alone --------------------------------------------------------------------------

    def _primary(self) -> Node:
        cursor = self._cursor
        token = cursor.next
        match token.kind:
            case "number" | "text":
                cursor.skip()
                node = cursor.made(Constant(token.value))
            case "name":
                node = self._named(token)
            case "operator" if token.value in ("(", "[", "{"):
                node = self._bracketed(str(token.value))
            case _:
                raise cursor.unexpected()
        if isinstance(node, Constant) and cursor.is_next(".", "["):
            raise cursor.unexpected("a literal has no parts")
        while cursor.is_next(".", "["):
            node = self._behind(node)
        return node

    def _named(self, token: Token) -> Node:
        cursor = self._cursor
        word = str(token.value)
        if word in _CONSTANTS:
            cursor.skip()
            return cursor.made(Constant(_CONSTANTS[word]))
        if word in KEYWORDS:
            raise cursor.unexpected()
        if cursor.after(1).kind == "operator" and cursor.after(1).value == "(":
            return self._called(word)
        return cursor.made(read_reference(cursor, self._names))

    def _called(self, word: str) -> Node:
        cursor = self._cursor
        start = cursor.next.start
        if word not in FUNCTION_NAMES:
            hint = f"write VALUE|{word}" if word in FILTER_NAMES else "the only function is range"
            raise cursor.error(f"there is no function `{word}`", hint=hint)
        cursor.skip()
        arguments = self._arguments()
        return cursor.made(cursor.located(start, lambda: function_node(arguments, start)))

    def _bracketed(self, opening: str) -> Node:
        cursor = self._cursor
        start = cursor.skip().start
        if opening == "{":
            return self._object(start)
        closing = ")" if opening == "(" else "]"
        elements: list[Node] = []
        comma = None
        while not cursor.is_next(closing):
            elements.append(self.choice())
            comma = cursor.take(",")
            if comma is None:
                break
        cursor.expect(closing)
        if opening == "(" and len(elements) == 1 and comma is None:
            return elements[0]
        return cursor.made(Apply(make_list, tuple(elements), start))

    def _object(self, start: int) -> Node:
        cursor = self._cursor
        operands: list[Node] = []
        while not cursor.is_next("}"):
            if cursor.next.kind != "text":
                raise cursor.unexpected("an object's key must be a text in quotes")
            operands.append(cursor.made(Constant(cursor.skip().value)))
            cursor.expect(":")
            operands.append(self.choice())
            if not cursor.take(","):
                break
        cursor.expect("}")
        return cursor.made(Apply(make_object, tuple(operands), start))

    def _behind(self, subject: Node) -> Node:
        cursor = self._cursor
        start = cursor.next.start
        if cursor.is_next("."):
            part = cursor.made(Constant(read_attribute(cursor)))
            return cursor.made(Member(subject, part, start))
        cursor.expect("[")
        bounds: list[Node] = [self._bound()]
        while len(bounds) < 3 and cursor.take(":"):
            bounds.append(self._bound())
        if len(bounds) == 1 and cursor.is_next("]") and cursor.before.value == "[":
            raise cursor.unexpected()
        cursor.expect("]")
        if len(bounds) == 1:
            return cursor.made(Member(subject, bounds[0], start))
        bounds += [Constant(None)] * (3 - len(bounds))
        return cursor.made(Apply(cut, (subject, *bounds), start))

    def _bound(self) -> Node:
        return Constant(None) if self._cursor.is_next(":", "]") else self.choice()
