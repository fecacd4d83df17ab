"""The parts of docs/ that are made from the code: ``python -m tests.docs.generated`` writes them anew.

A block stands between ``<!-- generated: KIND ARGUMENT -->`` and ``<!-- end -->``. Names, order, types, defaults and
values come from the code; the last columns of a table (what a field means) are written by hand and kept.
"""

import importlib
import re
import sys
import tempfile
import typing
from collections.abc import Callable, Iterable, Mapping
from pathlib import Path
from types import ModuleType, NoneType, UnionType
from typing import Any, Final

import msgspec
from msgspec import Struct

from questd.actors.control.roles import NEEDED, ROLES
from tests.docs.keys import expression_names, keys, later
from tests.limits.tested import SETTINGS_TESTED, TESTED

ROOT: Final = Path(__file__).parents[2]
LIMITS_PAGE: Final = ROOT / "docs" / "limits.md"
PAGES: Final = sorted((ROOT / "docs").glob("*.md"))
BLOCK: Final = re.compile(r"<!-- generated: (\S+) (.*?) -->\n(.*?)<!-- end -->", re.DOTALL)
PLAIN: Final = {bytes: "bin", str: "str", int: "int", float: "float", bool: "bool", NoneType: "nil"}

Kept = Mapping[str, str]
"""The hand-written last column, by the first cell that names its row."""


def regenerate(page: Path) -> str:
    """The text of the page as the code would have it."""
    return BLOCK.sub(_block, page.read_text(encoding="utf-8"))


def _block(found: "re.Match[str]") -> str:
    kind, argument, body = found.groups()
    made = MAKERS[kind](argument, kept(body))
    return f"<!-- generated: {kind} {argument} -->\n{made}\n<!-- end -->"


def blocks(page: Path, kind: str) -> set[str]:
    """The arguments of the page's blocks of this kind."""
    found = BLOCK.finditer(page.read_text(encoding="utf-8"))
    return {block[2] for block in found if block[1] == kind}


def kept(body: str) -> Kept:
    """The last cell of each row, by the cell in backquotes."""
    rows = (line.strip("|").split(" | ") for line in body.splitlines() if line.startswith("|"))
    return {
        cell.strip(): row[-1].strip()
        for row in rows
        for cell in row[:2]
        if cell.strip().startswith("`")
    }


def table(columns: Iterable[str], rows: Iterable[Iterable[str]]) -> str:
    """A table in Markdown."""
    titles = list(columns)
    lines = [titles, ["---"] * len(titles), *(list(row) for row in rows)]
    return "\n".join(f"| {' | '.join(line)} |" for line in lines)


# -- messages --------------------------------------------------------------------------------------


def message(argument: str, meanings: Kept) -> str:
    """The fields of ``module.Struct``, in order."""
    module, _, name = argument.rpartition(".")
    struct: type[Struct] = getattr(importlib.import_module(f"questd.messages.{module}"), name)
    config = struct.__struct_config__
    fields = msgspec.structs.fields(struct)
    rows = [
        (
            f"`{field.name}`",
            wire_type(field.type),
            _default(field),
            meanings.get(f"`{field.name}`", ""),
        )
        for field in fields
    ]
    if not config.array_like:
        if config.tag is not None:
            rows.insert(0, ("`type`", f'str, `"{config.tag}"`', "required", "The kind of message."))
        return table(("field", "type", "default", "meaning"), rows)
    first = 0 if config.tag is None else 1
    numbered = [(str(first + n), *row) for n, row in enumerate(rows)]
    if config.tag is not None:
        numbered.insert(0, ("0", "", f'str, `"{config.tag}"`', "required", "The kind of message."))
    return table(("place", "field", "type", "default", "meaning"), numbered)


def wire_type(kind: Any) -> str:
    """A type in the words of the document."""
    origin, arguments = typing.get_origin(kind), typing.get_args(kind)
    if kind in PLAIN:
        return PLAIN[kind]
    if kind in {Any, msgspec.Raw}:
        return "any"
    if origin is tuple:
        if arguments[-1] is ...:
            return f"array of {wire_type(arguments[0])}"
        return f"[{', '.join(wire_type(each) for each in arguments)}]"
    if origin is dict:
        return f"map of str to {wire_type(arguments[1])}"
    if origin in {typing.Union, UnionType}:
        return " or ".join(wire_type(each) for each in arguments)
    if origin is typing.Literal:
        return "str"
    return str(kind.__name__)


def _default(field: Any) -> str:
    if field.required:
        return "required"
    value = field.default
    if value is msgspec.NODEFAULT:
        value = field.default_factory()
    match value:
        case None:
            return "nil"
        case bool():
            return str(value).lower()
        case bytes():
            return f"`{value.decode()}`"
        case str():
            return f'`"{value}"`'
        case tuple():
            return "[]"
        case Struct() | dict():
            return "{}"
        case _:
            return str(value)


# -- bytes -----------------------------------------------------------------------------------------


def frame(argument: str, _: Kept) -> str:
    """A frame, written as JSON with ``{"bin": text}`` for bytes, as the bytes on the wire."""
    data = msgspec.msgpack.encode(_with_bytes(msgspec.json.decode(argument)))
    pairs = [data[n : n + 1].hex() for n in range(len(data))]
    lines = [" ".join(pairs[n : n + 16]) for n in range(0, len(pairs), 16)]
    return "\n".join(["```text", *lines, "```"])


def _with_bytes(value: Any) -> Any:
    match value:
        case {"bin": str(text)}:
            return text.encode()
        case dict():
            return {name: _with_bytes(each) for name, each in typing.cast("Any", value).items()}
        case list():
            return [_with_bytes(each) for each in typing.cast("Any", value)]
        case _:
            return value


# -- transition tables -----------------------------------------------------------------------------


def moves(argument: str, _: Kept) -> str:
    """The table ``QUEST_MOVES`` or ``TASK_MOVES`` as a diagram."""
    module = "state" if argument == "QUEST_MOVES" else "task"
    tables: Any = importlib.import_module(f"questd.actors.quest.{module}")
    edges: dict[tuple[str, str], list[str]] = {}
    for (before, event), after in getattr(tables, argument).items():
        for each in (after,) if isinstance(after, str) else after:
            edges.setdefault((before, each), []).append(event)
    lines = ["```mermaid", "stateDiagram-v2", "    [*] --> pending"]
    if argument == "TASK_MOVES":
        lines.append("    pending --> ready: every dependency has ended")
    lines += [f"    {before} --> {after}: {', '.join(by)}" for (before, after), by in edges.items()]
    return "\n".join(
        [*lines, *(f"    {phase} --> [*]" for phase in ("completed", "failed", "cancelled")), "```"]
    )


# -- the history -----------------------------------------------------------------------------------


def relations(argument: str, _: Kept) -> str:
    """``tables`` with their columns, or ``views``, from their comments in the schema."""
    from questd.analytics.database import open_database

    with tempfile.TemporaryDirectory() as folder:
        database = open_database(Path(folder) / "history.duckdb", "j", 0)
        cursor = database.cursor()
        try:
            return _tables(cursor) if argument == "tables" else _views(cursor)
        finally:
            cursor.close()
            database.close()


def _tables(cursor: Any) -> str:
    parts: list[str] = []
    names = "SELECT table_name, comment FROM duckdb_tables() ORDER BY table_oid"
    columns = (
        "SELECT column_name, data_type, is_nullable, comment FROM duckdb_columns()"
        " WHERE table_name = $1 ORDER BY column_index"
    )
    for name, comment in cursor.execute(names).fetchall():
        rows = [
            (f"`{column}`", kind, "yes" if nullable else "", meaning)
            for column, kind, nullable, meaning in cursor.execute(columns, [name]).fetchall()
        ]
        head = f"### {name}\n\n{comment}\n"
        parts.append(f"{head}\n{table(('column', 'type', 'may be null', 'meaning'), rows)}")
    return "\n\n".join(parts)


def _views(cursor: Any) -> str:
    names = "SELECT view_name, comment FROM duckdb_views() WHERE NOT internal ORDER BY view_oid"
    columns = "SELECT column_name FROM duckdb_columns() WHERE table_name = $1 ORDER BY column_index"
    rows: list[tuple[str, str, str]] = []
    for name, comment in cursor.execute(names).fetchall():
        found = cursor.execute(columns, [name]).fetchall()
        rows.append((f"`{name}`", comment, ", ".join(f"`{column}`" for (column,) in found)))
    return table(("view", "meaning", "columns"), rows)


# -- limits ----------------------------------------------------------------------------------------


def limits(argument: str, meanings: Kept) -> str:
    """The constants of a module that are limits, with their values, units and the files of their tests."""
    module = importlib.import_module(f"questd.{argument}")
    rows = [
        (
            f"`{name}`",
            f"{shown(value)}{unit_of(name, value)}",
            file_of(TESTED.get(argument, {}).get(name)),
            meanings.get(f"`{name}`", ""),
        )
        for name, value in limits_of(module).items()
    ]
    return table(("name", "value", "test", "what it bounds, and what happens there"), rows)


def settings(argument: str, meanings: Kept) -> str:
    """The settings of a table of questd.toml (``.``: those of no table), with their defaults."""
    from questd.settings.reading import _TABLES  # pyright: ignore[reportPrivateUsage]

    table_name = "" if argument == "." else argument
    prefix = {"": "", "agents": "agents.NAME."}.get(table_name, f"{table_name}.")
    rows: list[tuple[str, str, str, str]] = []
    for field in msgspec.structs.fields(_TABLES[table_name]):
        name = f"{prefix}{field.encode_name}"
        if name in SETTINGS_TESTED:
            default = _set_value(field)
            test = file_of(SETTINGS_TESTED[name])
            rows.append((f"`{name}`", default, test, meanings.get(f"`{name}`", "")))
    return table(("setting", "default", "test", "what it bounds, and what happens there"), rows)


def _set_value(field: Any) -> str:
    """Durations, which may be written in two ways, are seconds when they are numbers."""
    if field.default is None:
        return "none"
    is_duration = {str, int} <= set(typing.get_args(field.type))
    return f"{shown(field.default)}{' s' if is_duration else ''}"


def file_of(test: str | None) -> str:
    """A link to the test's file; a dash where there is no edge."""
    if test is None:
        return "–"
    path = test.partition("::")[0]
    name = path.removesuffix(".py").replace("test_", "")
    return f"[{name}](../tests/{path})"


UNITS: Final = {
    "BYTES": "bytes", "CHARACTERS": "characters", "S": "s", "MS": "ms", "US": "µs", "DAYS": "days",
}  # fmt: skip


def unit_of(name: str, value: float | str) -> str:
    """The unit that ends the name of a constant; of long times also in seconds."""
    unit = UNITS.get(name.rpartition("_")[2], "")
    if unit in {"ms", "µs"} and isinstance(value, int) and value >= 10_000:
        seconds = value / (1_000 if unit == "ms" else 1_000_000)
        whole = f"{seconds:,.0f} s" if seconds < 86_400 else f"{seconds / 86_400:,.0f} days"
        return f" {unit} ({whole})"
    if unit == "bytes" and isinstance(value, int) and value >= 1_024 * 1_024:
        return f" {unit} ({value / 1_048_576:g} MiB)"
    return f" {unit}" if unit else ""


LIMIT: Final = re.compile(
    r"(MAX|MIN|LIMIT|MOST|WAITING|CREDIT|BUFFER|PATIENCE|GRACE|TIMEOUT|WITHIN|TRIES|CACHED|KNOWN"
    r"|REMEMBERED|UNANSWERED|BATCH|ITEMS|ACKS|QUESTS|TASKS|DEATHS|LOSSES|TOMBSTONE|FUEL|SPILL)"
)
"""What a constant is called that bounds something."""


def limits_of(module: ModuleType) -> dict[str, int | float | str]:
    """By name: the numbers that the module itself defines and calls a bound."""
    source = Path(str(module.__file__)).read_text(encoding="utf-8")
    own = re.findall(r"^([A-Z][A-Z0-9_]+)(?::[^=\n]+)? = ", source, re.MULTILINE)
    found: dict[str, int | float | str] = {}
    for name in own:
        value = getattr(module, name)
        if LIMIT.search(name) and isinstance(value, int | float) and not isinstance(value, bool):
            found[name] = value
    return found


ROOMS: Final = ("runtime", "actors", "analytics", "questd")
NOT_LIMITS: Final = re.compile(r"/(simulation|cli|views)/|/drawing\.py$|/__main__\.py$")
"""What bounds only a drawing, a table on a terminal or a test of ours."""


def modules_without_a_block() -> list[str]:
    """Modules that define a bound by the word MAX, and have no block in docs/limits.md."""
    described = blocks(LIMITS_PAGE, "limits")
    return [
        name for name in _modules_of_rooms() if name not in described and _defines_a_bound(name)
    ]


def _modules_of_rooms() -> list[str]:
    names: list[str] = []
    for room in ROOMS:
        for path in sorted((ROOT / room).rglob("*.py")):
            parts = path.relative_to(ROOT).with_suffix("").parts
            linked = room == "questd" and parts[1] in {"messages", *ROOMS}
            if not linked and not NOT_LIMITS.search(f"/{path.relative_to(ROOT)}"):
                names.append(".".join(parts if room != "questd" else parts[1:]))
    return names


def _defines_a_bound(name: str) -> bool:
    path = ROOT / "questd" / f"{name.replace('.', '/')}.py"
    if not re.search(r"^[A-Z][A-Z0-9_]*(?:_MAX|MAX_)", path.read_text("utf-8"), re.MULTILINE):
        return False
    return any("MAX" in limit for limit in limits_of(importlib.import_module(f"questd.{name}")))


# -- roles -----------------------------------------------------------------------------------------


def roles(_argument: str, meanings: Kept) -> str:
    """What each role may ask beside what those before it may, by the tags of the requests."""
    rows: list[tuple[str, str, str]] = []
    for role in ROLES:
        tags = [kind.__struct_config__.tag for kind, needed in NEEDED.items() if needed == role]
        requests = ", ".join(f"`{tag}`" for tag in tags)
        rows.append((f"`{role}`", requests, meanings.get(f"`{role}`", "")))
    return table(("role", "requests, beside those of the rows above", "so it may"), rows)


def shown(value: float | str) -> str:
    """A number as people read it."""
    return f"{value:,}" if isinstance(value, int | float) else value


MAKERS: Final[Mapping[str, Callable[[str, Kept], str]]] = {
    "message": message,
    "frame": frame,
    "moves": moves,
    "relations": relations,
    "limits": limits,
    "settings": settings,
    "keys": keys,
    "later": later,
    "expression": expression_names,
    "roles": roles,
}


def main() -> None:
    """Write every page anew; modules with new bounds get a block at the end of docs/limits.md."""
    for name in modules_without_a_block():
        with LIMITS_PAGE.open("a", encoding="utf-8") as file:
            file.write(
                f"\nIn `questd.{name}`:\n\n<!-- generated: limits {name} -->\n<!-- end -->\n"
            )
    for page in PAGES:
        fresh = regenerate(page)
        if fresh != page.read_text(encoding="utf-8"):
            page.write_text(fresh, encoding="utf-8")
            sys.stdout.write(f"{page.name} written anew\n")


if __name__ == "__main__":
    main()
