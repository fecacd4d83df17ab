"""A connected agent instance, as far as routing is concerned: what it can do, and who has its places. Pure."""

from typing import Any

from questd.messages.exchange import ToolSpec
from questd.messages.heads import Need

Holder = tuple[str, str]
"""(quest, task): who has a place."""


class Instance:
    """A connected agent instance, as far as routing is concerned."""

    __slots__ = (
        "address",
        "agent",
        "capabilities",
        "credit",
        "draining",
        "held",
        "id",
        "needs",
        "tools",
    )

    def __init__(
        self,
        id: str,  # noqa: A002 - it is its id
        agent: str,
        capabilities: frozenset[str],
        tools: tuple[ToolSpec, ...],
        credit: int,
        address: Any,
    ) -> None:
        self.id = id
        self.agent = agent
        self.capabilities = capabilities
        self.tools = tools
        self.credit = credit
        self.address = address
        self.held: dict[Holder, None] = {}
        self.draining = False
        self.needs: dict[Need, ToolSpec] = {}

    def tool_for(self, need: Need) -> ToolSpec | str:
        """The tool that it would run, or why it has none (document.md, "Who does it")."""
        agent, capabilities, tool = need
        if agent and self.agent != agent:
            return f"it is not {agent}"
        asked = frozenset(capabilities)
        able = [t for t in self.tools if asked <= (self.capabilities | frozenset(t.capabilities))]
        if tool is not None:
            able = [t for t in able if t.name == tool]
        if len(able) == 1:
            return able[0]
        for candidate in able:
            if candidate.name == "run":
                return candidate
        offered = ", ".join(t.name for t in self.tools) or "none"
        if not able:
            return f"agent {self.agent} has no such tool; its tools: {offered}"
        names = ", ".join(t.name for t in able)
        return f"agent {self.agent} has several tools for this and none named run; name one of: {names}"

    @property
    def free(self) -> bool:
        """May it be given more work?"""
        return len(self.held) < self.credit and not self.draining

    @property
    def load(self) -> float:
        """Share of the credit in use."""
        return len(self.held) / self.credit if self.credit else 1.0
