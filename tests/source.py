"""The source of the house as it stands, read and parsed once, for the tests of its own rules."""

import ast
from collections.abc import Iterator
from functools import cache
from pathlib import Path

ROOT = Path(__file__).parents[1]
ROOMS = ("messages", "runtime", "actors", "analytics", "questd")
LINKS = ("messages", "runtime", "actors", "analytics")


@cache
def sources() -> tuple[str, ...]:
    """Every Python file of the product, from the root, each once (the rooms in questd are links)."""
    found = [path for room in ROOMS for path in sorted((ROOT / room).rglob("*.py"))]
    names = [str(path.relative_to(ROOT)) for path in found]
    return tuple(n for n in names if not n.startswith(tuple(f"questd/{link}/" for link in LINKS)))


@cache
def sources_of_tests() -> tuple[str, ...]:
    found = sorted((ROOT / "tests").rglob("*.py"))
    return tuple(str(path.relative_to(ROOT)) for path in found)


@cache
def tree(name: str) -> ast.Module:
    return ast.parse((ROOT / name).read_text(), name)


def imported(node: ast.AST) -> Iterator[str]:
    """The full names that an import statement names, those of ``from a import b`` as a.b."""
    if isinstance(node, ast.Import):
        yield from (alias.name for alias in node.names)
    elif isinstance(node, ast.ImportFrom):
        yield from (f"{node.module}.{alias.name}" for alias in node.names)


@cache
def imports(name: str) -> tuple[tuple[int, str], ...]:
    """(line, full name) of every import in the file, at any depth."""
    nodes = [node for node in ast.walk(tree(name)) if isinstance(node, ast.Import | ast.ImportFrom)]
    return tuple((node.lineno, each) for node in nodes for each in imported(node))


def room_of(full_name: str) -> str | None:
    """The room that a module of ours stands in; the doors for what is questd's own."""
    parts = full_name.split(".")
    if parts[0] != "questd":
        return None
    return parts[1] if len(parts) > 1 and parts[1] in LINKS else "doors"


def tags_of(name: str) -> list[tuple[str, object]]:
    """(class, what its tag is said to be) of every tagged Struct of a file."""
    found: list[tuple[str, object]] = []
    for node in ast.walk(tree(name)):
        for keyword in node.keywords if isinstance(node, ast.ClassDef) else ():
            if keyword.arg == "tag":
                tag = ast.literal_eval(keyword.value)
                assert isinstance(node, ast.ClassDef)
                found.append((node.name, tag))
    return found


def functions(name: str) -> Iterator[ast.FunctionDef | ast.AsyncFunctionDef]:
    for node in ast.walk(tree(name)):
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
            yield node


def length(node: ast.FunctionDef | ast.AsyncFunctionDef) -> int:
    assert node.end_lineno is not None
    return node.end_lineno - node.lineno + 1


def module_name(name: str) -> str:
    dotted = name.removesuffix(".py").removesuffix("/__init__").replace("/", ".")
    return dotted if dotted.startswith("questd") else f"questd.{dotted}"
