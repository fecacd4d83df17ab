"""YAML text, read by the rules of YAML 1.2's core schema (yaml.org/spec/1.2.2, §10.3).

libyaml gives events only; what they mean is decided here: ``no`` and ``on`` are text, no tag makes
an object, and ``<<`` is a key like any other. (PyYAML's own constructors follow YAML 1.1, and take
eight times as long.)
"""

import re
from collections.abc import Iterator
from typing import Any

import yaml

from questd.documents.faults import Fault
from questd.documents.tree import Place, TreeBuilder, Unreadable

_LOADER: Any = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
_TAG = "tag:yaml.org,2002:"
_STARTS = frozenset("0123456789+-.~ntfNTF")
_CONSTANTS = {
    **dict.fromkeys(("", "~", "null", "Null", "NULL")),
    **dict.fromkeys(("true", "True", "TRUE"), True),
    **dict.fromkeys(("false", "False", "FALSE"), False),
}
_INTEGER = re.compile(r"[-+]?[0-9]+|0o[0-7]+|0x[0-9a-fA-F]+")
_FLOAT = re.compile(r"[-+]?(\.[0-9]+|[0-9]+(\.[0-9]*)?)([eE][-+]?[0-9]+)?")
_NOT_FINITE = re.compile(r"[-+]?\.(inf|Inf|INF)|\.(nan|NaN|NAN)")
_DIGITS_MAX = 400
_KINDS: dict[str, tuple[type, ...]] = {
    "null": (type(None),),
    "bool": (bool,),
    "int": (int,),
    "float": (int, float),
}


def read_yaml(text: str, builder: TreeBuilder) -> None:
    """Tell the builder what stands in the text.

    Unreadable where it is no YAML, or not exactly one document.
    """
    try:
        _read(yaml.parse(text, Loader=_LOADER), builder)
    except yaml.MarkedYAMLError as error:
        raise Unreadable(_fault_of(error)) from error
    except yaml.YAMLError as error:
        raise Unreadable(Fault("", 1, 1, f"is not YAML: {error}")) from error


def _read(events: Iterator[Any], builder: TreeBuilder) -> None:
    documents = 0
    for event in events:
        place = event.start_mark.line + 1, event.start_mark.column + 1
        match event:
            case yaml.ScalarEvent():
                _scalar(event, place, builder)
            case yaml.MappingStartEvent():
                _check_tag(event.tag, "map", place, builder)
                builder.open(place, mapping=True, anchor=event.anchor)
            case yaml.SequenceStartEvent():
                _check_tag(event.tag, "seq", place, builder)
                builder.open(place, mapping=False, anchor=event.anchor)
            case yaml.MappingEndEvent() | yaml.SequenceEndEvent():
                builder.close()
            case yaml.AliasEvent():
                builder.alias(event.anchor or "", place)
            case yaml.DocumentStartEvent():
                documents += 1
                if documents > 1:
                    raise Unreadable(
                        Fault("", *place, "a file holds one document; here begins another")
                    )
            case _:
                pass


def _scalar(event: Any, place: Place, builder: TreeBuilder) -> None:
    text: str = event.value
    tag = event.tag
    if tag is None:
        value = resolve(text) if event.implicit[0] else text
    elif tag in ("!", _TAG + "str"):
        value = text
    else:
        value = _tagged(tag, text, place, builder)
    if isinstance(value, _Refused):
        builder.refuse(place, value.message)
        value = None
    builder.scalar(value, text, place, event.anchor)


class _Refused:
    """A plain scalar that means something which cannot be had."""

    def __init__(self, message: str) -> None:
        self.message = message


def resolve(text: str) -> Any:
    """What a plain scalar means."""
    if text and text[0] not in _STARTS:
        return text
    if text in _CONSTANTS:
        return _CONSTANTS[text]
    if _INTEGER.fullmatch(text):
        if len(text) > _DIGITS_MAX:
            return _Refused("does not fit 64 bits: write it as text")
        return int(text, 0) if text[:2] in ("0o", "0x") else int(text)
    if _FLOAT.fullmatch(text):
        return float(text)
    if _NOT_FINITE.fullmatch(text):
        return _Refused("is not a number that JSON can say")
    return text


def _tagged(tag: str, text: str, place: Place, builder: TreeBuilder) -> Any:
    kinds = _KINDS.get(tag.removeprefix(_TAG)) if tag.startswith(_TAG) else None
    if kinds is None:
        _refuse_tag(tag, place, builder)
        return text
    value = resolve(text)
    if not isinstance(value, _Refused) and type(value) not in kinds:
        return _Refused(f"is not {tag.removeprefix(_TAG)}, as its tag says")
    return float(value) if tag == _TAG + "float" and isinstance(value, int) else value


def _check_tag(tag: str | None, own: str, place: Place, builder: TreeBuilder) -> None:
    if tag not in (None, "!", _TAG + own):
        _refuse_tag(tag or "", place, builder)


def _refuse_tag(tag: str, place: Place, builder: TreeBuilder) -> None:
    shown = tag.replace(_TAG, "!!", 1)[:80]
    builder.refuse(place, f"the tag {shown} is not allowed", "a quest is plain data")


def _fault_of(error: yaml.MarkedYAMLError) -> Fault:
    mark = error.problem_mark or error.context_mark
    place = (mark.line + 1, mark.column + 1) if mark is not None else (1, 1)
    said = ", ".join(part for part in (error.context, error.problem) if part)
    return Fault("", *place, f"is not YAML: {said}")
