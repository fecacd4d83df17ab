import ast
import json
import random
import textwrap
from pathlib import Path

import pytest

from examples.code_review.review.fragments import program_of, tree_of
from examples.code_review.review.model import ChangedFile, Hunk


def fragment(text: str, start: int = 10) -> ChangedFile:
    source = text.strip("\n")
    last = start + source.count("\n")
    return ChangedFile("a.py", "modified", "python", hunks=[Hunk(start, source, [(start, last)])])


def covered(text: str) -> list[int]:
    program = program_of(fragment(text))
    assert tree_of(program.text) is not None
    return [number for number in program.numbers if number]


@pytest.mark.parametrize(
    "text",
    [
        "        x = 1\n        return x\n",
        "        x = 1\n    y = 2\nz = 3\n",
        "        x = 1\n    else:\n        y = 2\n",
        "        x = 1\n    except ValueError:\n        pass\n",
        "    except ValueError:\n        pass\n    x = 1\n",
        "    elif y:\n        pass\n",
        "def f(a,\n      b):\n",
        "@decorated\n",
        "call(\n    1,\n    [2,\n",
        "def f():\n    '''A text that\n    goes on\n",
        "def f(\n    a,\n    b=(1,\n",
        "def f():\n    try:\n        try:\n            call(\n",
        "try:\n    x = 1\n    y = 2\n",
        "\tx = 1\n\treturn x\n",
        "\t\tx = 1\n\ty = 2\n\tif y:\n",
        "    # only a comment\n",
        "    await x\n    yield 1\n",
    ],
)
def test_a_hunk_that_starts_or_ends_inside_a_block_is_covered_entirely(text: str) -> None:
    assert covered(text) == list(range(10, 10 + text.count("\n")))


def test_lines_that_are_no_code_are_left_out_and_the_rest_is_kept() -> None:
    text = "the tail of a docstring, in prose\n    '''\n    x = eval(y)\n    return x\n"
    assert set(covered(text)) >= {12, 13}


def test_a_complete_file_is_kept_as_it_is_even_when_broken() -> None:
    file = ChangedFile("a.py", "added", "python", complete=True, hunks=[Hunk(1, "def f(:\n")])
    program = program_of(file)
    assert program.whole
    assert program.text.startswith("def f(:")


def test_any_hunk_of_real_code_parses_and_keeps_its_numbers() -> None:
    choice = random.Random(7)
    for module in (json, ast, textwrap, random):
        lines = Path(str(module.__file__)).read_text("utf-8").split("\n")
        for _ in range(12):
            start = choice.randrange(1, max(2, len(lines) - 10))
            text = lines[start - 1 : start - 1 + choice.choice([7, 12, 40])]
            program = program_of(fragment("\n".join(text), start))
            assert tree_of(program.text) is not None, f"{module.__name__} from line {start}"


@pytest.mark.parametrize("text", ["(" * 5000, "-" * 1500 + "1", "x = 'a\x0cb'", "a" * 2000])
def test_hostile_code_neither_parses_nor_harms(text: str) -> None:
    program_of(fragment(text))
