"""Run one hostile case within limits of time and memory: ``python attack.py NAME``. Prints how it ended."""

import resource
import sys
import time
from collections.abc import Callable
from typing import Any

from questd.runtime.errors import BadExpression
from questd.runtime.expressions import Names, compile_expression, compile_text, compile_value

MEMORY_BYTES = 1 << 30
SECONDS = 10
BIG = "x" * 3_000_000
MANY = list(range(400_000))
NAMES = Names(frozenset({"a"}), frozenset({"big", "many", "deep", "n"}))


def _nested(depth: int) -> Any:
    value: Any = 1
    for _ in range(depth):
        value = [value]
    return value


def evaluate(source: str) -> Any:
    inputs = {"big": BIG, "many": MANY, "deep": _nested(100_000), "n": 2**64}
    return compile_expression(source, NAMES).render(steps={}, inputs=inputs)


SOURCES: dict[str, str] = {
    "forty doublings by concatenation": "~".join(["big"] * 150),
    "forty doublings by addition": "+".join(["big"] * 150),
    "lists added": "+".join(["many"] * 150),
    "a list of large values": "[" + ",".join(["big"] * 300) + "]",
    "nested lists of large values": "[[many,many,many],[many,many,many]]" + "|reverse" * 30,
    "a replace chain": '"aaaaaaaaaa"' + '|replace("a","aaaaaaaaaa")' * 30,
    "a replace of nothing": 'big|replace("", big)',
    "a join with a large separator": "many|join(big)",
    "a mapped default": "many|map(attribute='x', default=big)",
    "a mapped truncate": "many|map('string')|map('truncate', 0, end=big)|list",
    "a mapped replace": "many|map('string')|map('replace', '1', big)",
    "a mapped join": "range(10000)|map('string')|map('join', big)",
    "an indent": "big|indent(1000000000)",
    "an indent of many lines": "big|replace('x', '\n')|indent(1000)",
    "a wide range": "range(1000000000000)",
    "a range of ranges": "range(10000)|map('batch', 1)",
    "a repeated text": '"a" * 1000000000',
    "a repeated list": "[1] * 1000000000",
    "a repeated value": "big * n",
    "a repeated mapped text": "(many|list) * 1000000",
    "a huge power": "2 ** 100000",
    "a tower of powers": "9 ** 9 ** 9 ** 9",
    "a growing product": "*".join(["n"] * 100),
    "a huge input number": "n ** n",
    "sorts": "many" + "|sort" * 35,
    "uniques": "many" + "|unique" * 35,
    "comparisons": " and ".join(["many == (many|list)"] * 30),
    "searches": " or ".join(["-1 in many"] * 90),
    "searches of text": " or ".join(["'y' in big"] * 90),
    "tojson of tojson": 'big|replace("x", "\\"")' + "|tojson" * 30,
    "a format": '"%1000000000s"|format(1)',
    "deep values compared": "deep == deep",
    "a deep value as json": "deep|tojson",
    "a deep value copied": "[deep]",
    "a deep value searched": "n in deep",
    "a deep value reversed": "deep|reverse|unique|length",
    "a number of a million digits": "1" * 1_000_000,
    "100,000 brackets": "(" * 100_000 + "1" + ")" * 100_000,
    "100,000 square brackets": "[" * 100_000,
    "many brackets": "(" * 4_000 + "1" + ")" * 4_000,
    "many nots": "not " * 2_000 + "n",
    "many minuses": "-" * 8_000 + "n",
    "many ifs": "1 if n else " * 600 + "2",
    "many indices": "n" + "[n]" * 2_000,
    "many attributes": "n" + ".x" * 4_000,
    "many filters": "n" + "|abs" * 1_500,
    "many differences": "n" + "-n" * 3_000,
    "many dashes": "a" + "-" * 8_000 + "a",
    "a megabyte": "n + " * 250_000 + "n",
    "open quotes": "'" * 8_001,
    "backslashes": "'" + "\\" * 8_001,
    "python attributes": "n.__class__.__mro__",
    "python attributes of text": 'big.format("x")',
    "python attributes by filter": 'n|attr("__class__")',
    "python attributes by map": 'many|map(attribute="__class__")',
    "splitting": "big|split('x')|map('split','x')|map('join', big)",
    "a text of characters": "big|list|map('upper')|join(big)",
    "defaults": "n.x" + "|default(n.x" * 100 + ")" * 100,
}


def text_bomb() -> Any:
    return compile_text("{{ big }}" * 900, NAMES).render(steps={}, inputs={"big": BIG[:999_999]})


def value_bomb() -> Any:
    template = compile_value(["{{ many }}"] * 900, NAMES)
    return template.render(steps={}, inputs={"many": MANY})


def unclosed() -> Any:
    return compile_text("{{ " * 300_000, NAMES)


def braces() -> Any:
    return compile_text("{" * 1_000_000, NAMES)


def long_text() -> Any:
    return compile_text("{{n}}" * 200_000, NAMES)


def deep_document() -> Any:
    return compile_value(_nested(100_000), NAMES)


def wide_word() -> Any:
    return compile_text("{{ " + "a-" * 500_000 + " }}", NAMES)


def trimmed() -> Any:
    template = compile_text(("{{- n -}}" + " " * 1_000) * 900, NAMES)
    return template.render(steps={}, inputs={"n": 1})


CASES: dict[str, Callable[[], Any]] = {
    "a text of large values": text_bomb,
    "a value of large values": value_bomb,
    "unclosed braces": unclosed,
    "a megabyte of braces": braces,
    "many expressions": long_text,
    "a deep document": deep_document,
    "a megabyte of dashes": wide_word,
    "white space trimmed": trimmed,
}


def _run(name: str) -> str:
    try:
        value = CASES[name]() if name in CASES else evaluate(SOURCES[name])
    except BadExpression as error:
        if "xxxxxxxx" in str(error):
            raise AssertionError from None
        return f"refused: {str(error)[:200]}"
    return f"gave {type(value).__name__}"


if __name__ == "__main__":
    resource.setrlimit(resource.RLIMIT_AS, (MEMORY_BYTES, MEMORY_BYTES))
    for name in sys.argv[1:] or [*SOURCES, *CASES]:
        resource.setrlimit(resource.RLIMIT_CPU, (SECONDS + int(time.process_time()), -1))
        started = time.process_time()
        print(f"{name}: {_run(name)} {time.process_time() - started:.2f}", flush=True)  # noqa: T201
