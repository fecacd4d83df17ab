"""The house's own rules: who imports whom, what a core may not know, how long things may be.

They read the source as it stands; nothing is imported but where a rule is about importing.
"""

import ast
import subprocess
import sys
from collections import Counter
from pathlib import Path

import pytest

from tests.source import (
    LINKS,
    ROOT,
    functions,
    imports,
    length,
    module_name,
    room_of,
    sources,
    sources_of_tests,
    tags_of,
    tree,
)

ABOVE = {
    "messages": ("runtime", "actors", "analytics", "doors"),
    "runtime": ("actors", "analytics", "doors"),
    "actors": ("analytics", "doors"),
    "analytics": ("actors", "doors"),
    "questd": (),
}
"""What each room may not import. The doors are all that stands in questd itself."""

FUNCTION_MAX = 60
FILE_MAX = 400
IMPURE = frozenset({
    "time", "datetime", "random", "uuid", "secrets", "logging", "threading", "queue", "sqlite3",
    "pykka", "pynng", "duckdb", "os", "socket", "subprocess", "signal", "asyncio", "io",
    "pathlib", "shutil", "tempfile", "select", "ssl", "urllib", "http",
})  # fmt: skip
MAY_SAY_WHEN = {"actors/graph/durations.py": {"datetime"}}
"""Reads and writes moments; "now" comes in."""

PURE_FOLDERS = ("actors/graph",)
PURE_FILES = frozenset({
    "admission", "attempts", "decide", "evolve", "facts", "fallback", "items", "item_materials", "moving", "planning", "state", "task", "outstanding", "retrying", "rounds", "budgets", "usage", "round_materials", "timing", "told",
    "commands", "edge", "rendering", "roles", "signals", "standing", "waiting", "alarms",
})  # fmt: skip
"""Beside every core.py: the parts that a core is made of."""


def is_pure(name: str) -> bool:
    path = Path(name)
    if path.name == "core.py" or name.startswith(PURE_FOLDERS):
        return True
    return name.startswith("actors/") and path.stem in PURE_FILES


def none_of(found: list[str]) -> None:
    assert not found, "\n" + "\n".join(found)


# -- who imports whom ------------------------------------------------------------------------------


def test_imports_point_one_way() -> None:
    none_of(
        [
            f"{name}:{line} imports {each}"
            for name in sources()
            for line, each in imports(name)
            if room_of(each) in ABOVE[name.split("/", maxsplit=1)[0]]
        ]
    )


def test_messages_import_nothing_of_ours_but_messages() -> None:
    none_of(
        [
            f"{name}:{line} imports {each}"
            for name in sources()
            for line, each in imports(name)
            if name.startswith("messages/") and room_of(each) not in {None, "messages"}
        ]
    )


def test_nobody_imports_a_room_without_questd() -> None:
    """It would make a second copy of every class."""
    none_of(
        [
            f"{name}:{line} imports {each}"
            for name in (*sources(), *sources_of_tests())
            for line, each in imports(name)
            if each.split(".", maxsplit=1)[0] in LINKS
        ]
    )


def test_imports_are_absolute() -> None:
    none_of(
        [
            f"{name}:{node.lineno}"
            for name in sources()
            for node in ast.walk(tree(name))
            if isinstance(node, ast.ImportFrom) and node.level
        ]
    )


def test_actors_know_each_others_messages_and_not_each_others_code() -> None:
    """A parent names the child that it starts; the pure graph, cores and plans are nobody's actor."""
    parents = {
        "actors/directory": {"quest"},
        "actors/quest": {"step"},
        "actors/exchange": {"agent"},
    }
    found: list[str] = []
    for name in sources():
        folder = str(Path(name).parent)
        if not folder.startswith("actors/"):
            continue
        own = folder.split("/")[1]
        for line, each in imports(name):
            parts = each.split(".")
            other = parts[2] if parts[:2] == ["questd", "actors"] and len(parts) > 3 else own
            if parts[3:4] == ["actor"] and other not in {own, *parents.get(folder, ())}:
                found.append(f"{name}:{line} imports {each}")
    none_of(found)


# -- what a core may not know ------------------------------------------------------------------------


def test_pure_modules_import_no_world() -> None:
    none_of(
        [
            f"{name}:{line} imports {each}"
            for name in sources()
            if is_pure(name)
            for line, each in imports(name)
            if each.split(".", maxsplit=1)[0] in IMPURE - MAY_SAY_WHEN.get(name, set())
        ]
    )


def test_there_are_pure_modules() -> None:
    pure = [name for name in sources() if is_pure(name)]
    assert "actors/quest/core.py" in pure
    assert len(pure) > 10


def test_pure_modules_iterate_no_set() -> None:
    """Its order differs from run to run. A name cannot tell what it holds, so this finds what is written down."""
    none_of(
        [
            f"{name}:{node.iter.lineno}"
            for name in sources()
            if is_pure(name)
            for node in ast.walk(tree(name))
            if isinstance(node, ast.For | ast.comprehension) and is_set(node.iter)
        ]
    )


def is_set(node: ast.expr) -> bool:
    if isinstance(node, ast.Call):
        return isinstance(node.func, ast.Name) and node.func.id in {"set", "frozenset"}
    return isinstance(node, ast.Set | ast.SetComp)


def test_nothing_is_evaluated() -> None:
    none_of(
        [
            f"{name}:{node.lineno} {node.func.id}"
            for name in sources()
            for node in ast.walk(tree(name))
            if isinstance(node, ast.Call)
            and isinstance(node.func, ast.Name)
            and node.func.id in {"eval", "exec", "compile", "__import__"}
        ]
    )


# -- tags ------------------------------------------------------------------------------------------


def test_every_tag_is_written_by_hand() -> None:
    none_of(
        [
            f"{name}: {kind} has the tag {tag!r}"
            for name in sources()
            for kind, tag in tags_of(name)
            if not isinstance(tag, str) or not tag
        ]
    )


@pytest.mark.parametrize("name", ["events", "exchange", "payload"])
def test_no_two_messages_of_a_file_have_one_tag(name: str) -> None:
    counted = Counter(tag for _, tag in tags_of(f"messages/{name}.py"))
    assert counted
    none_of([str(tag) for tag, times in counted.items() if times > 1])


def test_no_two_requests_and_no_two_replies_have_one_tag() -> None:
    from questd.messages import control, history

    unions = (control.Request, control.Reply, history.HistoryRequest, history.HistoryReply)
    for union in unions:
        tags = [kind.__struct_config__.tag for kind in union.__args__]
        assert len(set(tags)) == len(tags)


TAGS_FOR_EVER = frozenset({
    "attempt.cancelled", "attempt.completed", "attempt.failed", "attempt.logged",
    "attempt.lost", "attempt.refused", "attempt.started", "breakpoint.opened",
    "breakpoint.resolved", "quest.cancel_requested", "quest.cancelled", "quest.completed",
    "quest.failed", "quest.started", "quest.stopping", "quest.submitted", "task.completed",
    "task.failed",
})  # fmt: skip


def test_no_tag_of_an_event_has_gone_or_changed() -> None:
    assert {tag for _, tag in tags_of("messages/events.py")} >= TAGS_FOR_EVER


# -- how long --------------------------------------------------------------------------------------


def test_no_function_is_longer_than_60_lines() -> None:
    none_of(
        [
            f"{name}:{node.lineno} {node.name} has {length(node)} lines"
            for name in (*sources(), *sources_of_tests())
            for node in functions(name)
            if length(node) > FUNCTION_MAX
        ]
    )


def test_functions_are_short_in_the_median() -> None:
    lengths = sorted(length(node) for name in sources() for node in functions(name))
    assert lengths[len(lengths) // 2] <= 10
    assert lengths[len(lengths) * 9 // 10] <= 40


def test_no_file_is_longer_than_400_lines() -> None:
    found = [
        (name, len((ROOT / name).read_text().splitlines()))
        for name in (*sources(), *sources_of_tests())
    ]
    none_of([f"{name} has {lines} lines" for name, lines in found if lines > FILE_MAX])


# -- what stands in a module -------------------------------------------------------------------------


def test_every_module_says_what_it_is() -> None:
    none_of(
        [name for name in sources() if not ast.get_docstring(tree(name)) and tree(name).body != []]
    )


LAZY = frozenset({"questd/__init__.py", "questd/client/__init__.py"})
"""They load each name when it is asked for, as is tested below."""


def test_packages_only_re_export_and_in_order() -> None:
    found: list[str] = []
    for name in sources():
        if not name.endswith("__init__.py") or name in LAZY:
            continue
        for node in tree(name).body:
            match node:
                case ast.Expr(ast.Constant()) | ast.ImportFrom():
                    pass
                case ast.Assign([ast.Name("__all__")], value):
                    exported = ast.literal_eval(value)
                    if exported != sorted(exported, key=sorting):
                        found.append(f"{name}:{node.lineno} __all__ is not sorted")
                case _:
                    found.append(f"{name}:{node.lineno} is more than a re-export")
    none_of(found)


def sorting(exported: str) -> tuple[bool, bool, str]:
    """As ruff sorts: CONSTANTS, Classes, functions."""
    return not exported.isupper(), not exported[0].isupper(), exported


ENTRANCES = frozenset({
    "questd", "questd.__main__", "questd.cli", "questd.simulation.__main__",
})  # fmt: skip
"""Programs and what users import: nobody of ours need import them."""


def test_no_module_is_dead() -> None:
    """Somebody of ours imports it or names it ("module", "module:function"), or it is an entrance.

    What breaks the simulation on purpose is there for the tests.
    """
    named = {each for name in sources() for _, each in imports(name)}
    named |= {
        each
        for name in sources_of_tests()
        for _, each in imports(name)
        if each.startswith("questd.simulation.")
    }
    named |= {each.rpartition(".")[0] for each in named}
    texts = {
        str(node.value).partition(":")[0]
        for name in sources()
        for node in ast.walk(tree(name))
        if isinstance(node, ast.Constant) and isinstance(node.value, str)
    }
    alive = named | texts | ENTRANCES
    none_of(
        [name for name in sources() if module_name(name) not in alive and not holds(name, alive)]
    )


def holds(name: str, alive: set[str]) -> bool:
    """A package lives by what is in it, be it modules or data."""
    if not name.endswith("__init__.py"):
        return False
    data = [path for path in (ROOT / name).parent.iterdir() if path.suffix in {".sql", ".json"}]
    return bool(data) or any(each.startswith(f"{module_name(name)}.") for each in alive)


VAGUE = frozenset({
    "util", "utils", "common", "helper", "helpers", "manager", "managers", "misc",
})  # fmt: skip


def test_no_name_is_vague() -> None:
    found = [name for name in sources() if VAGUE & set(Path(name).with_suffix("").parts)]
    for name in sources():
        for node in ast.walk(tree(name)):
            if isinstance(node, ast.ClassDef | ast.FunctionDef | ast.AsyncFunctionDef):
                words = set(node.name.lower().strip("_").split("_"))
                vague = VAGUE & words or node.name.endswith(("Manager", "Helper", "Util"))
                if vague or node.name.startswith("maybe_"):
                    found.append(f"{name}:{node.lineno} {node.name}")
    none_of(found)


# -- what is loaded --------------------------------------------------------------------------------

HEAVY = (
    "duckdb",
    "pykka",
    "sqlite3",
    "questd.runtime.journal",
    "questd.daemon",
    "questd.analytics",
)


@pytest.mark.parametrize("names", ["Agent", "Agent, Context, ToolError", "Quest, Retry"])
def test_an_agent_loads_neither_history_nor_actors_nor_journal(names: str) -> None:
    program = f"import sys\nfrom questd import {names}\nprint(*sorted(sys.modules))"
    ran = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, check=True, cwd=ROOT
    )
    loaded = ran.stdout.split()
    none_of([each for each in loaded if each.startswith(HEAVY)])


def test_questd_exports_what_it_says_and_says_no_to_the_rest() -> None:
    program = (
        "import questd\n"
        "assert questd.__all__ == sorted(questd.__all__), questd.__all__\n"
        "for name in questd.__all__: assert getattr(questd, name).__name__\n"
        "try: questd.Nothing\n"
        "except AttributeError as error: print(error)\n"
    )
    ran = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, check=True, cwd=ROOT
    )
    assert ran.stdout.strip() == "module 'questd' has no attribute 'Nothing'"


def test_the_rooms_in_the_package_are_links_to_the_rooms_beside_it() -> None:
    for link in LINKS:
        path = ROOT / "questd" / link
        assert path.is_symlink()
        assert path.readlink() == Path("..") / link
