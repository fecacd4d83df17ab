"""A definition made ready to run: its graph, and each step's expressions compiled.

Compiling decides what a step names; whether it *may* is ``checks``. A quest actor compiles once a
definition (by digest) and renders when it dispatches.
"""

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field, replace
from typing import Any

from msgspec import Struct

from questd.actors.graph.graph import Graph, graph_of
from questd.actors.graph.plain import walk
from questd.actors.graph.problems import HINTED_MAX, At, nearest_name
from questd.actors.graph.using import arguments_field
from questd.messages.definition import QuestDefinition, StepDefinition
from questd.runtime.errors import BadExpression
from questd.runtime.expressions import (
    Names,
    Template,
    compile_expression,
    compile_text,
    compile_value,
)
from questd.runtime.expressions.names import Kind

STEP_EXTRAS = frozenset({"round", "feedback"})
"""Reserved names that the expressions of a step may use; who renders must give each a value."""
RESULT_EXTRAS = STEP_EXTRAS | {"result"}
"""Those of what is looked at when the step has a result."""
ITEM_EXTRAS = frozenset({"item", "index"})
"""Those that the arguments of a step with ``for_each`` may use beside them."""

Report = Callable[[At, BadExpression], None]


class CompiledStep(Struct, frozen=True):
    """``prompt`` and ``arguments`` are None where the document has none; both None: the implicit input.

    ``steps``, ``inputs`` and ``rounds``: what its arguments name (its other expressions say themselves what they name).
    ``dependencies`` are in document order, whatever order they were written in: the implicit input
    is so.
    """

    key: str
    number: int
    dependencies: tuple[str, ...]
    prompt: Template | None
    arguments: Template | None
    steps: tuple[str, ...]
    inputs: tuple[str, ...]
    when: Template | None = None
    for_each: Template | None = None
    rounds: tuple[str, ...] = ()
    until: Template | None = None
    feedback: Template | None = None

    @property
    def bare(self) -> tuple[tuple[str, Template], ...]:
        """Its bare expressions by field: they are looked at before its arguments are."""
        both = (("when", self.when), ("for_each", self.for_each))
        return tuple((field, each) for field, each in both if each is not None)

    @property
    def judging(self) -> tuple[Template, ...]:
        """What is looked at when it has a result."""
        return tuple(each for each in (self.until, self.feedback) if each is not None)

    @property
    def named(self) -> tuple[str, ...]:
        """All the steps that it names, wherever it does."""
        others = (*(each for _, each in self.bare), *self.judging)
        return tuple(dict.fromkeys((*self.steps, *(key for each in others for key in each.steps))))

    @property
    def implicit(self) -> bool:
        """Does it pass on its dependencies' results, for want of arguments of its own?"""
        return self.prompt is None and self.arguments is None

    def render(
        self, *, steps: Mapping[str, Any], inputs: Mapping[str, Any], extras: Mapping[str, Any]
    ) -> dict[str, Any] | None:
        """The tool's arguments by name, or None for the implicit input.

        BadExpression when a name has no such value.
        """
        if self.implicit:
            return None
        rendered: dict[str, Any] = {}
        if self.arguments is not None:
            rendered.update(self.arguments.render(steps=steps, inputs=inputs, extras=extras))
        if self.prompt is not None:
            rendered["prompt"] = self.prompt.render(steps=steps, inputs=inputs, extras=extras)
        return rendered


class CompiledQuest(Struct, frozen=True):
    """``steps`` in document order.

    ``inputs``: names of inputs in expressions, in order of first mention.

    ``names``: what the expressions of its steps may name.
    """

    graph: Graph
    steps: dict[str, CompiledStep]
    output: Template | None
    inputs: tuple[str, ...]
    names: Names


def compile_steps(definition: QuestDefinition) -> CompiledQuest:
    """Of a definition that passed ``check``.

    BadExpression otherwise, or ValueError where a key stands twice.
    """
    compiled = compile_reporting(definition, _raise)
    if len(compiled.steps) != len(definition.steps):
        raise ValueError("two steps have the same key")
    return compiled


def compile_reporting(definition: QuestDefinition, report: Report) -> CompiledQuest:
    """The same, telling each bad expression; it is then left out.

    Of steps with the same key the last stays.
    """
    graph = graph_of(definition.steps)
    names = names_of(definition, STEP_EXTRAS)
    steps = {
        step.key: _compile_step(number, step, graph, names, report)
        for number, step in enumerate(definition.steps)
    }
    output = None
    if definition.output is not None:
        output = _compile_value(definition.output, ("output",), names_of(definition), report)
    inputs = _inputs_of(steps, output)
    return CompiledQuest(graph, steps, output, inputs, names)


@dataclass(frozen=True)
class _DocumentNames(Names):
    """Names of a document that may have 10,000 of them: only the first misspelt ones are compared with all."""

    hints_left: list[int] = field(default_factory=lambda: [HINTED_MAX], compare=False)

    def nearest(self, word: str, kinds: Iterable[Kind] = ("steps", "inputs", "extras")) -> str:
        """As always, while hints are left."""
        if self.hints_left[0] == 0:
            return ""
        self.hints_left[0] -= 1
        found = nearest_name(word, {name for kind in kinds for name in getattr(self, kind) or ()})
        return f"did you mean `{found}`?" if found else ""


def names_of(definition: QuestDefinition, extras: frozenset[str] = frozenset()) -> Names:
    """What expressions may name, as far as the expression alone can tell."""
    declared = None if definition.inputs is None else frozenset(definition.inputs)
    keys = frozenset(step.key for step in definition.steps)
    return _DocumentNames(steps=keys, inputs=declared, extras=extras)


def required_inputs(definition: QuestDefinition) -> tuple[str, ...]:
    """Inputs that a quest cannot start without.

    Those declared without a default; where none are declared, those that expressions name.
    """
    if definition.inputs is not None:
        return tuple(name for name, wanted in definition.inputs.items() if wanted.required)
    return compile_reporting(definition, _ignore).inputs


def _inputs_of(steps: Mapping[str, CompiledStep], output: Template | None) -> tuple[str, ...]:
    names = dict.fromkeys(
        name
        for step in steps.values()
        for name in (
            *(name for _, each in step.bare for name in each.inputs),
            *step.inputs,
            *(name for each in step.judging for name in each.inputs),
        )
    )
    names.update(dict.fromkeys(output.inputs if output is not None else ()))
    return tuple(names)


def _compile_step(
    number: int, step: StepDefinition, graph: Graph, names: Names, report: Report
) -> CompiledStep:
    prompt = arguments = None
    at: At = ("steps", number)
    bare = {field: _compile_bare(step, field, at, names, report) for field in ("when", "for_each")}
    until, feedback = _compile_repeat(step, at, names, report)
    if step.for_each is not None:
        names = replace(names, extras=names.extras | ITEM_EXTRAS)
    if step.prompt is not None:
        try:
            prompt = compile_text(step.prompt, names)
        except BadExpression as error:
            report((*at, "prompt"), error)
    given = step.arguments if step.use is None else step.arguments or {}
    if given is not None:
        arguments = _compile_value(given, (*at, arguments_field(step)), names, report)
    needed = sorted(step.dependencies, key=lambda key: graph.numbers.get(key, number))
    templates = [template for template in (prompt, arguments) if template is not None]
    return CompiledStep(
        step.key,
        number,
        tuple(needed),
        prompt,
        arguments,
        tuple(dict.fromkeys(key for template in templates for key in template.steps)),
        tuple(dict.fromkeys(name for template in templates for name in template.inputs)),
        bare["when"],
        bare["for_each"],
        tuple(dict.fromkeys(key for template in templates for key in template.rounds)),
        until,
        feedback,
    )


def _compile_repeat(
    step: StepDefinition, at: At, names: Names, report: Report
) -> tuple[Template | None, Template | None]:
    if step.repeat is None:
        return None, None
    names = replace(names, extras=RESULT_EXTRAS)
    until = feedback = None
    try:
        until = compile_expression(step.repeat.until, names)
    except BadExpression as error:
        report((*at, "repeat", "until"), error)
    if step.repeat.feedback is not None:
        feedback = _compile_value(step.repeat.feedback, (*at, "repeat", "feedback"), names, report)
    return until, feedback


def _compile_bare(
    step: StepDefinition, field: str, at: At, names: Names, report: Report
) -> Template | None:
    text: str | None = getattr(step, field)
    try:
        return None if text is None else compile_expression(text, names)
    except BadExpression as error:
        report((*at, field), error)
    return None


def _compile_value(value: Any, at: At, names: Names, report: Report) -> Template | None:
    try:
        return compile_value(value, names)
    except BadExpression as error:
        # The whole says only that something in it is bad: ask each text, so that all are told with their place.
        told = False
        for place, text in walk(value, at):
            if isinstance(text, str) and "{{" in text:
                told = _tell(text, place, names, report) or told
        if not told:
            report(at, error)
    return None


def _tell(text: str, at: At, names: Names, report: Report) -> bool:
    try:
        compile_value(text, names)
    except BadExpression as error:
        report(at, error)
        return True
    return False


def _raise(at: At, error: BadExpression) -> None:
    del at
    raise error


def _ignore(at: At, error: BadExpression) -> None:
    del at, error
