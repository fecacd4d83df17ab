"""Finds an agent by "module:attribute", as the command line and questd.toml name it."""

import importlib
import sys
from difflib import get_close_matches
from pathlib import Path
from types import ModuleType

from questd.agent.agent import Agent
from questd.runtime.errors import BadSettings


def load_agent(spec: str, folder: Path | None = None) -> Agent:
    """Import the module (``folder``, default the current one, is looked into first) and fetch the Agent. BadSettings says what is wrong."""
    module_name, separator, attribute = spec.partition(":")
    if not separator or not module_name or not attribute:
        raise BadSettings(f"agent {spec!r}: write module:attribute, for example tools.review:agent")
    module = _import(spec, module_name, (folder or Path.cwd()).resolve())
    found: object = module
    for name in attribute.split("."):
        if not hasattr(found, name):
            raise BadSettings(
                f"agent {spec!r}: {module_name} has no {attribute!r}{_instead(module, attribute)}"
            )
        found = getattr(found, name)
    if not isinstance(found, Agent):
        raise BadSettings(
            f"agent {spec!r} is a {type(found).__name__}, not a questd.Agent{_instead(module, attribute)}"
        )
    return found


def _import(spec: str, name: str, folder: Path) -> ModuleType:
    if str(folder) not in sys.path:
        sys.path.insert(0, str(folder))
    try:
        return importlib.import_module(name)
    except ModuleNotFoundError as error:
        if error.name is not None and (name == error.name or name.startswith(f"{error.name}.")):
            raise BadSettings(
                f"agent {spec!r}: no module {error.name!r} in {folder} or installed"
            ) from None
        raise BadSettings(
            f"agent {spec!r}: {name} needs the module {error.name!r}, which is not installed"
        ) from error
    except Exception as error:
        raise BadSettings(
            f"agent {spec!r}: importing {name} failed: {type(error).__name__}: {error}"
        ) from error


def _instead(module: ModuleType, attribute: str) -> str:
    agents = [name for name, value in vars(module).items() if isinstance(value, Agent)]
    if not agents:
        return "; it holds no Agent at all"
    nearest = get_close_matches(attribute, agents, n=1) or agents[:1]
    return f"; did you mean {nearest[0]!r}?"
