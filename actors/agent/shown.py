"""What an agent offers, as clients are shown it. Pure."""

from questd.messages.control import ToolView
from questd.messages.exchange import ToolSpec
from questd.messages.payload import decode_json


def tool_view(tool: ToolSpec) -> ToolView:
    """The tool with its schemas as values: that they can be read as such was checked at Hello (edge.py)."""
    return ToolView(
        tool.name,
        tool.capabilities,
        tool.timeout_ms,
        tool.idempotent,
        decode_json(tool.input_schema),
        decode_json(tool.output_schema),
        tool.description,
    )
