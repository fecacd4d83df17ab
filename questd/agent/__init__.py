"""The agent SDK: offer functions as tools to a questd daemon."""

from questd.agent.agent import Agent
from questd.agent.context import Context
from questd.agent.errors import ToolError
from questd.agent.load import load_agent

__all__ = ["Agent", "Context", "ToolError", "load_agent"]
