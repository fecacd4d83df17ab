"""What importing costs, and how agents are found."""

import subprocess
import sys
import textwrap
from pathlib import Path

import pytest

from questd.agent import Agent, load_agent
from questd.runtime.errors import BadSettings


def test_importing_agent_loads_no_history_no_actors_no_journal_and_no_sockets() -> None:
    code = """
    import sys
    from questd.agent import Agent, Context, ToolError
    heavy = ("duckdb", "pykka", "pynng", "asyncio", "yaml", "minijinja", "sqlite3")
    ours = ("questd.actors", "questd.analytics", "questd.runtime.journal")
    bad = [m for m in sys.modules if m.split(".")[0] in heavy or m.startswith(ours)]
    sys.exit(str(bad) if bad else 0)
    """
    subprocess.run([sys.executable, "-c", textwrap.dedent(code)], check=True)


def test_running_an_agent_loads_no_history_no_actors_and_no_journal() -> None:
    code = """
    import sys
    import questd.agent.start
    bad = [m for m in sys.modules if m.startswith(("duckdb", "pykka", "questd.runtime.journal"))]
    sys.exit(str(bad) if bad else 0)
    """
    subprocess.run([sys.executable, "-c", textwrap.dedent(code)], check=True)


def test_importing_agent_is_quick() -> None:
    code = """
    import time
    began = time.process_time()
    from questd.agent import Agent
    print(time.process_time() - began)
    """
    runs = [
        float(subprocess.check_output([sys.executable, "-c", textwrap.dedent(code)]))
        for _ in range(3)
    ]
    assert min(runs) < 0.15


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setattr(sys, "path", list(sys.path))
    (tmp_path / "some_tools.py").write_text(
        "from questd.agent import Agent\nreviewer = Agent('r')\nclass Box:\n    inner = reviewer\nnumber = 1\n"
    )
    (tmp_path / "broken_tools.py").write_text("1 / 0\n")
    (tmp_path / "needy_tools.py").write_text("import no_such_library\n")
    return tmp_path


def test_an_agent_is_found_by_module_and_attribute(folder: Path) -> None:
    assert load_agent("some_tools:reviewer", folder).name == "r"
    assert load_agent("some_tools:Box.inner", folder).name == "r"


@pytest.mark.parametrize(
    ("spec", "message"),
    [
        ("some_tools", "write module:attribute"),
        ("some_tools:", "write module:attribute"),
        ("some_tools:reviwer", "did you mean 'reviewer'"),
        ("some_tools:number", "is a int, not a questd.Agent; did you mean 'reviewer'"),
        ("no_such_tools:agent", "no module 'no_such_tools' in /"),
        ("broken_tools:agent", "ZeroDivisionError: division by zero"),
        ("needy_tools:agent", "needs the module 'no_such_library'"),
    ],
)
def test_a_wrong_name_is_refused_and_says_what_to_write(
    folder: Path, spec: str, message: str
) -> None:
    with pytest.raises(BadSettings, match=message):
        load_agent(spec, folder)


def test_an_agent_without_tools_or_address_does_not_start(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("QUESTD_CONNECT", raising=False)
    with pytest.raises(BadSettings, match=r"set \$QUESTD_CONNECT"):
        Agent("a").run()
    with pytest.raises(BadSettings, match="offers no tools"):
        Agent("a").run("ipc:///tmp/nowhere")
    with pytest.raises(BadSettings, match="token file"):
        Agent("a").run("ipc:///tmp/nowhere", token_file="/nowhere/token")


@pytest.mark.parametrize("timeout", ["2 minutes", "", "0s", 0, -1, float("nan"), float("inf")])
def test_a_wrong_timeout_is_refused(timeout: str | float) -> None:
    with pytest.raises(BadSettings, match="timeout"):
        Agent("a").tool(timeout=timeout)(print_nothing)


def print_nothing() -> None: ...


def test_a_tool_stays_the_function_it_was_and_has_one_name() -> None:
    agent = Agent("a")
    assert agent.tool(print_nothing) is print_nothing
    assert agent.tool(name="other", timeout="2m")(print_nothing) is print_nothing
    assert agent.tools["other"].spec.timeout_ms == 120_000
    with pytest.raises(BadSettings, match="two tools named 'other'"):
        agent.tool(name="other")(print_nothing)


def test_what_can_never_be_called_is_refused_when_it_is_offered() -> None:
    def yields() -> object:
        yield 1

    def stars(*numbers: int) -> None: ...

    def inner() -> None: ...

    agent = Agent("a")
    with pytest.raises(TypeError, match="yields"):
        agent.tool(yields)
    with pytest.raises(TypeError, match=r"\*numbers is never filled"):
        agent.tool(stars)
    with pytest.raises(TypeError, match="top level"):
        agent.tool(isolate=True)(inner)
