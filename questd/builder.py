"""Quests built in Python: the same definition that a document gives.

A reference (``parse.result["files"]``) prints as ``{{ … }}``, so it may stand in any text; the
steps that a step's texts name become its dependencies. Building runs nothing and loads neither the
daemon, the journal nor DuckDB.
"""

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import msgspec
from msgspec import Struct
from msgspec.structs import replace

from questd.actors.graph.checks import check
from questd.actors.graph.compiled import compile_reporting
from questd.actors.graph.problems import At
from questd.documents.export import to_json, to_yaml
from questd.documents.faults import InvalidDocument, faults_of
from questd.given import is_mapping, keys_of, length_of, plain_of, tags_of, text_of
from questd.messages.definition import (
    ROUNDS_MAX,
    Awaited,
    InputDefinition,
    OnError,
    OnExhausted,
    Partial,
    QuestDefinition,
    QuestLimits,
    RetryPolicy,
    StepDefinition,
)
from questd.messages.definition import (
    Fallback as FallbackDefinition,
)
from questd.messages.definition import (
    Repeat as RepeatDefinition,
)
from questd.references import Reference, StepReference
from questd.runtime.errors import BadExpression


class Retry(Struct, frozen=True, kw_only=True):
    """A step's retries. What is not given is as in the quest's ``retry``.

    ``attempts`` counts the first; delays as in "30s".
    """

    attempts: int | None = None
    delay: str | None = None
    backoff: float | None = None
    max_delay: str | None = None
    jitter: float | None = None
    no_retry_on: Sequence[str] | None = None

    def over(self, base: RetryPolicy, at: At = ("retry",)) -> RetryPolicy:
        """The policy: what is given here, the rest from ``base``."""
        given: dict[str, Any] = {
            "attempts": self.attempts,
            "delay_ms": length_of(self.delay, (*at, "delay")),
            "backoff": None if self.backoff is None else float(self.backoff),
            "max_delay_ms": length_of(self.max_delay, (*at, "max_delay")),
            "jitter": None if self.jitter is None else float(self.jitter),
            "no_retry_on": None if self.no_retry_on is None else tuple(self.no_retry_on),
        }
        return replace(base, **{name: value for name, value in given.items() if value is not None})


class Fallback(Struct, frozen=True, kw_only=True):
    """Who else may do a step. ``timeout`` of one attempt, as in "2m"; without one the step's counts."""

    agent: str | None = None
    capability: str | Sequence[str] | None = None
    tool: str | None = None
    timeout: str | None = None

    def defined(self, at: At) -> FallbackDefinition:
        """As the definition has it."""
        length_ms = length_of(self.timeout, (*at, "timeout"))
        return FallbackDefinition(self.agent, tags_of(self.capability), self.tool, length_ms)


class Repeat(Struct, frozen=True, kw_only=True):
    """When a step's result does not stand: from ``back_to`` (a key or step; else the step itself) on, everything runs again.

    ``until`` is an expression about ``result`` and ``round``; ``feedback`` is what the next round is told, else the result.
    """

    until: str | Reference
    back_to: str | StepReference | None = None
    max_rounds: int = 3
    feedback: Any = None
    on_exhausted: OnExhausted = "stop"

    def defined(self, at: At) -> RepeatDefinition:
        """As the definition has it."""
        target = self.back_to
        return RepeatDefinition(
            str(self.until),
            target.key if isinstance(target, StepReference) else target,
            self.max_rounds,
            None if self.feedback is None else plain_of(self.feedback, (*at, "feedback")),
            self.on_exhausted,
        )


class _Step(Struct):
    """A step as it was given, before the quest's defaults are known."""

    definition: StepDefinition
    retry: Retry | None


class Quest:
    """A quest being built.

    ``timeout`` and ``retry`` are what steps have that say nothing else; durations as in "5m".

    ``parallel``, ``steps`` and ``rounds`` bound the quest: tasks at once, steps in all, and how often it is sent back.
    """

    def __init__(
        self,
        name: str,
        *,
        version: str = "1",
        description: str = "",
        project: str = "default",
        labels: Mapping[str, str] | None = None,
        priority: int = 5,
        deadline: str | None = None,
        total_timeout: str | None = None,
        timeout: str | None = None,
        retry: Retry | None = None,
        parallel: int | None = None,
        steps: int = 10_000,
        rounds: int = ROUNDS_MAX,
        tokens: int | None = None,
        cost: float | None = None,
    ) -> None:
        self._base = QuestDefinition(
            name=name,
            steps=(),
            description=description,
            version=version,
            project=project,
            labels=dict(labels or {}),
            priority=priority,
            deadline=deadline,
            total_timeout_ms=length_of(total_timeout, ("total_timeout",)),
            limits=QuestLimits(parallel, steps, rounds, tokens, cost and float(cost)),
            default_timeout_ms=length_of(timeout, ("defaults", "timeout")),
            default_retry=None
            if retry is None
            else retry.over(RetryPolicy(), ("defaults", "retry")),
        )
        self._steps: list[_Step] = []
        self._inputs: dict[str, InputDefinition] = {}
        self._output: Any = None

    def input(
        self, name: str, schema: Any = Any, *, secret: bool = False, **default: Any
    ) -> Reference:
        """Declare an input. ``schema``: a type, or JSON Schema.

        With ``default=…`` it need not be given. ``secret``: what is given is a reference, as in "env:TOKEN".
        """
        if name in self._inputs:
            raise ValueError(f"the input {name} is declared already")
        if unknown := set(default) - {"default"}:
            raise TypeError(f"input() has no argument {', '.join(sorted(unknown))}")
        written = schema if is_mapping(schema) else msgspec.json.schema(schema)
        required = "default" not in default
        value = None if required else plain_of(default["default"], ("inputs", name, "default"))
        plain = plain_of(written, ("inputs", name))
        self._inputs[name] = InputDefinition(plain, required, value, secret)
        return Reference(name)

    def step(
        self,
        key: str,
        *,
        agent: str | None = None,
        capability: str | Sequence[str] | None = None,
        tool: str | None = None,
        prompt: str | Reference | None = None,
        args: Mapping[str, Any] | None = None,
        dependencies: Iterable[str | StepReference] = (),
        parallel: bool = True,
        timeout: str | None = None,
        heartbeat_timeout: str | None = None,
        total_timeout: str | None = None,
        retry: Retry | None = None,
        on_error: OnError = "stop",
        idempotent: bool = True,
        priority: int | None = None,
        when: str | Reference | None = None,
        allow_skipped: bool = False,
        fallback: Sequence[Fallback] = (),
        repeat: Repeat | None = None,
        for_each: str | Reference | None = None,
        max_parallel: int | None = None,
        partial: Partial = "fail",
        plan: int | None = None,
    ) -> StepReference:
        """Add a step. ``args`` are the tool's arguments (``with`` in a document); ``plan``: how many steps its result may add.

        Steps that its texts name are added to ``dependencies``.
        """
        at: At = ("steps", len(self._steps))
        others = tuple(each.defined((*at, "fallback", n)) for n, each in enumerate(fallback))
        definition = StepDefinition(
            key=key,
            agent=agent,
            capabilities=tags_of(capability),
            tool=tool,
            prompt=text_of("prompt", prompt),
            arguments=None if args is None else plain_of(args, (*at, "with")),
            dependencies=keys_of(dependencies),
            parallel=parallel,
            timeout_ms=length_of(timeout, (*at, "timeout")),
            heartbeat_timeout_ms=length_of(heartbeat_timeout, (*at, "heartbeat_timeout")),
            total_timeout_ms=length_of(total_timeout, (*at, "total_timeout")),
            on_error=on_error,
            idempotent=idempotent,
            priority=priority,
            when=text_of("when", when),
            allow_skipped=allow_skipped,
            fallback=others,
            repeat=None if repeat is None else repeat.defined((*at, "repeat")),
            for_each=text_of("for_each", for_each),
            max_parallel=max_parallel,
            partial=partial,
            plan_steps=plan,
        )
        self._steps.append(_Step(definition, retry))
        return StepReference(key)

    def use(
        self,
        key: str,
        template: str,
        *,
        inputs: Mapping[str, Any] | None = None,
        dependencies: Iterable[str | StepReference] = (),
        timeout: str | None = None,
        retry: Retry | None = None,
        on_error: OnError = "stop",
        when: str | Reference | None = None,
        for_each: str | Reference | None = None,
    ) -> StepReference:
        """Add a step that is a quest of its own, by a stored template (``name`` or ``name@version``); ``timeout`` is each such quest's."""
        at: At = ("steps", len(self._steps))
        definition = StepDefinition(
            key=key,
            use=template,
            arguments=None if inputs is None else plain_of(inputs, (*at, "inputs")),
            dependencies=keys_of(dependencies),
            timeout_ms=length_of(timeout, (*at, "timeout")),
            on_error=on_error,
            when=text_of("when", when),
            for_each=text_of("for_each", for_each),
        )
        self._steps.append(_Step(definition, retry))
        return StepReference(key)

    def wait_for(
        self,
        key: str,
        signal: str,
        *,
        timeout: str | None = None,
        dependencies: Iterable[str | StepReference] = (),
        total_timeout: str | None = None,
        on_error: OnError = "stop",
        when: str | Reference | None = None,
        allow_skipped: bool = False,
        **default: Any,
    ) -> StepReference:
        """Add a step that waits for a signal, whose payload is its result.

        With ``default=…`` that is the result when none has come within ``timeout``; without, the step fails then.
        """
        if unknown := set(default) - {"default"}:
            raise TypeError(f"wait_for() has no argument {', '.join(sorted(unknown))}")
        value = plain_of(default.get("default"), ("steps", len(self._steps), "default"))
        self._add_wait(
            key,
            dependencies,
            wait_for=Awaited(signal, required="default" not in default, default=value),
            timeout=timeout,
            total_timeout=total_timeout,
            on_error=on_error,
            when=when,
            allow_skipped=allow_skipped,
        )
        return StepReference(key)

    def sleep(
        self,
        key: str,
        length: str,
        *,
        dependencies: Iterable[str | StepReference] = (),
        total_timeout: str | None = None,
        on_error: OnError = "stop",
        when: str | Reference | None = None,
        allow_skipped: bool = False,
    ) -> StepReference:
        """Add a step that does nothing for that long, as in "30s"."""
        self._add_wait(
            key,
            dependencies,
            sleep_ms=length_of(length, ("steps", len(self._steps), "sleep")),
            total_timeout=total_timeout,
            on_error=on_error,
            when=when,
            allow_skipped=allow_skipped,
        )
        return StepReference(key)

    def _add_wait(
        self,
        key: str,
        dependencies: Iterable[str | StepReference],
        *,
        when: str | Reference | None,
        total_timeout: str | None,
        timeout: str | None = None,
        **fields: Any,
    ) -> None:
        at: At = ("steps", len(self._steps))
        definition = StepDefinition(
            key,
            dependencies=keys_of(dependencies),
            timeout_ms=length_of(timeout, (*at, "timeout")),
            total_timeout_ms=length_of(total_timeout, (*at, "total_timeout")),
            when=text_of("when", when),
            **fields,
        )
        self._steps.append(_Step(definition, None))

    @property
    def output(self) -> Any:
        """The quest's result: a reference, a text, or any plain value with references in it.

        None: what the only last step gives.
        """
        return self._output

    @output.setter
    def output(self, value: Any) -> None:
        self._output = value

    def definition(self) -> QuestDefinition:
        """The checked definition. InvalidDocument with every fault."""
        definition = self._with_dependencies(self._assembled())
        if problems := check(definition):
            raise InvalidDocument(faults_of(problems), source=self._base.name)
        return definition

    def check(self) -> None:
        """InvalidDocument with every fault, if there is any."""
        self.definition()

    def to_yaml(self) -> str:
        """The quest as a YAML document."""
        return to_yaml(self.definition())

    def to_json(self) -> str:
        """The quest as a JSON document."""
        return to_json(self.definition())

    def _assembled(self) -> QuestDefinition:
        base = self._base.default_retry or RetryPolicy()
        steps = tuple(
            step.definition
            if step.retry is None
            else replace(step.definition, retry=step.retry.over(base, ("steps", n, "retry")))
            for n, step in enumerate(self._steps)
        )
        output = None if self._output is None else plain_of(self._output, ("output",))
        return replace(self._base, steps=steps, inputs=self._inputs or None, output=output)

    def _with_dependencies(self, definition: QuestDefinition) -> QuestDefinition:
        compiled = compile_reporting(definition, _left_to_the_checks)
        steps: list[StepDefinition] = []
        for number, step in enumerate(definition.steps):
            one = compiled.steps[step.key]
            named = one.named if one.number == number else ()
            extra = [key for key in named if key not in (step.key, *step.dependencies)]
            extra.sort(key=compiled.graph.numbers.__getitem__)
            steps.append(replace(step, dependencies=(*step.dependencies, *extra)))
        return replace(definition, steps=tuple(steps))


def _left_to_the_checks(at: At, error: BadExpression) -> None:
    """Bad expressions are told by ``check``, with all else."""
    del at, error
