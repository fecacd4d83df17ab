"""What is given to the builder, as a definition has it: references printed, durations in milliseconds, plain data."""

from collections.abc import Iterable, Mapping, Sequence
from typing import Any, TypeGuard

from questd.actors.graph.durations import parse_duration
from questd.actors.graph.plain import DEPTH_MAX, is_list
from questd.actors.graph.problems import At
from questd.references import Reference, StepReference


def keys_of(dependencies: Iterable[str | StepReference]) -> tuple[str, ...]:
    """The keys of steps, each once."""
    needed = (one.key if isinstance(one, StepReference) else one for one in dependencies)
    return tuple(dict.fromkeys(needed))


def tags_of(capability: str | Sequence[str] | None) -> tuple[str, ...]:
    """One capability or several."""
    return (capability,) if isinstance(capability, str) else tuple(capability or ())


def text_of(field: str, value: Any) -> str | None:
    """A text, perhaps with references; TypeError for anything else."""
    if value is None:
        return None
    if isinstance(value, str | Reference):
        return str(value)
    raise TypeError(f"{field}: must be text, not {type(value).__name__}")


def length_of(text: str | None, at: At) -> int | None:
    """A duration as in "30s", in milliseconds; ValueError otherwise."""
    if text is None:
        return None
    try:
        return parse_duration(text)
    except (ValueError, TypeError) as error:
        reason = f"{text!r} {error}" if isinstance(error, ValueError) else "must be text, as in 30s"
        raise ValueError(f"{at[-1]}: {reason}") from error


def is_mapping(value: object) -> TypeGuard[Mapping[Any, Any]]:
    """Is it one?"""
    return isinstance(value, Mapping)


def plain_of(value: Any, at: At, depth: int = 0) -> Any:
    """A copy in plain data, references printed.

    What is no plain data stays, and the checks tell it.
    """
    if isinstance(value, Reference):
        return str(value)
    if isinstance(value, StepReference):
        raise TypeError(f"{at[-1]}: write {value.key}.result, not the step itself")
    if depth > DEPTH_MAX:
        raise ValueError(f"{at[-1]}: is nested deeper than {DEPTH_MAX}")
    if is_mapping(value):
        return {key: plain_of(inner, at, depth + 1) for key, inner in value.items()}
    if is_list(value):
        return [plain_of(inner, at, depth + 1) for inner in value]
    return value
