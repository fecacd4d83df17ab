"""Documents, configuration and agents name each other rightly. Read as text: no agent is started here."""

import ast
import tomllib
from typing import Any

import pytest
import yaml

from .diffs import EXAMPLE

CONFIG = tomllib.loads((EXAMPLE / "questd.toml").read_text("utf-8"))
DOCUMENTS = ("code-review.yaml", "code-review-workflow.yaml")


def document(name: str) -> dict[str, Any]:
    loaded: dict[str, Any] = yaml.safe_load((EXAMPLE / name).read_text("utf-8"))
    return loaded


def tools(agent: str) -> dict[str, ast.FunctionDef]:
    """The tools in an agent's file by name."""
    tree = ast.parse((EXAMPLE / f"{agent}.py").read_text("utf-8"))
    functions = [node for node in tree.body if isinstance(node, ast.FunctionDef)]
    return {one.name: one for one in functions if one.decorator_list}


@pytest.mark.parametrize("agent", ["backend", "security", "quality", "product"])
def test_each_agent_is_configured_and_takes_a_prompt(agent: str) -> None:
    assert CONFIG["agents"][agent]["python"] == f"{agent}:agent"
    assert [argument.arg for argument in tools(agent)["run"].args.args] == ["prompt"]
    assert f'Agent("{agent}"' in (EXAMPLE / f"{agent}.py").read_text("utf-8")


@pytest.mark.parametrize("name", DOCUMENTS)
def test_each_document_names_agents_that_are_configured(name: str) -> None:
    agents = {step["agent"] for step in document(name)["steps"] if "agent" in step}
    assert agents <= set(CONFIG["agents"])


def test_the_typed_document_passes_the_arguments_that_the_tools_have() -> None:
    for step in document("code-review.yaml")["steps"]:
        agent, tool = step.get("agent", "security"), step.get("tool", "audit")
        parameters = {argument.arg for argument in tools(agent)[tool].args.args}
        assert set(step["with"]) == parameters, step["key"]
