"""The pure graph of a quest, and the checks of a definition.

Usable inside an actor: no text, no files, no clock.
"""

from questd.actors.graph.checks import DEFINITION_MAX_BYTES, STEPS_MAX, check
from questd.actors.graph.compiled import (
    STEP_EXTRAS,
    CompiledQuest,
    CompiledStep,
    compile_steps,
    required_inputs,
)
from questd.actors.graph.durations import (
    DURATION_MAX_MS,
    DURATION_PATTERN,
    format_duration,
    parse_deadline,
    parse_duration,
)
from questd.actors.graph.graph import Graph, graph_of
from questd.actors.graph.inputs import check_inputs
from questd.actors.graph.problems import At, Problem, path_of
from questd.actors.graph.secrecy import secrets_of

__all__ = [
    "DEFINITION_MAX_BYTES",
    "DURATION_MAX_MS",
    "DURATION_PATTERN",
    "STEPS_MAX",
    "STEP_EXTRAS",
    "At",
    "CompiledQuest",
    "CompiledStep",
    "Graph",
    "Problem",
    "check",
    "check_inputs",
    "compile_steps",
    "format_duration",
    "graph_of",
    "parse_deadline",
    "parse_duration",
    "path_of",
    "required_inputs",
    "secrets_of",
]
