"""Renderings of ``for_each``: the list that it gives, the list of the items' results, and the list as it was given."""

from collections.abc import Iterable
from typing import Any, Final

from msgspec import Struct

from questd.actors.quest.commands import Command, ContinueTask, ExpandTask, FailTask, GatherTask
from questd.actors.quest.items import ITEMS_MAX
from questd.actors.quest.state import QuestState
from questd.actors.quest.task import Completed, Failed, Items, Task
from questd.actors.rendering import (
    Material,
    TextMissing,
    Texts,
    payloads_of,
    render_template,
    rendering_failure,
    text_of,
)
from questd.messages.failure import TOO_LARGE, VALIDATION, Failure
from questd.messages.payload import (
    NULL,
    PAYLOAD_MAX_BYTES,
    Blob,
    Payload,
    encode_json,
    hold,
    size_of,
)
from questd.runtime.errors import BadExpression
from questd.runtime.expressions import Template

_WORDS: Final = (
    (bool, "true or false"),
    (dict, "an object"),
    (str, "text"),
    (int | float, "a number"),
)


class ListRendering(Struct, frozen=True):
    """The items that a step's ``for_each`` gives."""

    payloads: tuple[Payload, ...]
    key: str
    for_each: Template
    material: Material

    def finish(self, texts: Texts) -> tuple[Command, tuple[Blob, ...]]:
        """A failure of the step where there is no list, or it is too large."""
        try:
            value = render_template(self.for_each, self.material, texts)
        except (BadExpression, TextMissing) as error:
            return FailTask(self.key, rendering_failure(error)), ()
        if not isinstance(value, list | tuple):
            message = f"for_each must give a list, and gives {_word_for(value)}"
            return FailTask(self.key, Failure(VALIDATION, message, None, False)), ()
        items: list[Any] = list(value)
        if len(items) > ITEMS_MAX:
            return FailTask(self.key, _too_large(f"{len(items)} items; {ITEMS_MAX}")), ()
        return self._expand([encode_json(item) for item in items])

    def _expand(self, items: list[bytes]) -> tuple[Command, tuple[Blob, ...]]:
        size = _size_of_list(map(len, items))
        if size > PAYLOAD_MAX_BYTES:
            return FailTask(
                self.key, _too_large(f"a list of {size} bytes; {PAYLOAD_MAX_BYTES}")
            ), ()
        held = [hold(item) for item in items]
        blobs = tuple(blob for _, blobs in held for blob in blobs)
        return ExpandTask(self.key, tuple(payload for payload, _ in held)), blobs


class Gathering(Struct, frozen=True):
    """The items' results as one list. ``payloads`` is empty where they are too large to be read."""

    payloads: tuple[Payload, ...]
    key: str
    results: tuple[Payload, ...]
    size: int

    def finish(self, texts: Texts) -> tuple[Command, tuple[Blob, ...]]:
        """A failure of the step where the list is too large."""
        if self.size > PAYLOAD_MAX_BYTES:
            message = f"results of {self.size} bytes; {PAYLOAD_MAX_BYTES}"
            return FailTask(self.key, _too_large(message)), ()
        try:
            text = _list_of(self.results, texts)
        except TextMissing as error:
            return FailTask(self.key, rendering_failure(error)), ()
        payload, blobs = hold(text)
        return GatherTask(self.key, payload), blobs


class GivenItems(Struct, frozen=True):
    """What a failed step with ``for_each`` was given: its list."""

    payloads: tuple[Payload, ...]
    key: str

    def finish(self, texts: Texts) -> tuple[Command, tuple[Blob, ...]]:
        """It was small enough to be made, so it is small enough to be passed on."""
        try:
            payload, blobs = hold(_list_of(self.payloads, texts))
        except TextMissing:
            payload, blobs = NULL, ()
        return ContinueTask(self.key, payload), blobs


def material_for_list(task: str, for_each: Template, material: Material) -> ListRendering:
    """To render its ``for_each``."""
    payloads = tuple(payloads_of(material, bool(for_each.inputs)))
    return ListRendering(payloads, task, for_each, material)


def material_for_gathering(state: QuestState, task: Task) -> Gathering:
    """To put its items' results together."""
    results = tuple(_result_of(item) for item in items_of(state, task))
    size = _size_of_list(size_of(result) for result in results)
    read = results if size <= PAYLOAD_MAX_BYTES else ()
    return Gathering(read, task.key, results, size)


def material_for_items(state: QuestState, task: Task) -> GivenItems:
    """To pass its list on."""
    given = tuple(item.item.value for item in items_of(state, task) if item.item is not None)
    return GivenItems(given, task.key)


def items_of(state: QuestState, task: Task) -> list[Task]:
    """The tasks of its items, in order."""
    items = task.items
    return [] if items is None else state.tasks[items.first : items.first + items.count]


def failed_of(state: QuestState, items: Items) -> tuple[tuple[int, Failure], ...]:
    """Number and failure of each item that failed, by number."""
    tasks = ((number, state.tasks[items.first + number].state) for number in sorted(items.failed))
    return tuple((number, task.failure) for number, task in tasks if isinstance(task, Failed))


def some_failed(items: Items, failed: tuple[tuple[int, Failure], ...]) -> Failure:
    """What the error of a step is that went on without some of its items: of the first one's kind."""
    first = failed[0][1]
    message = f"{len(failed)} of {items.count} items failed; the first: {first.message}"
    return Failure(first.kind, message, first.task, False)


def _result_of(item: Task) -> Payload:
    return item.state.result if isinstance(item.state, Completed) else NULL


def _list_of(payloads: tuple[Payload, ...], texts: Texts) -> bytes:
    return b"[" + b",".join(text_of(payload, texts) for payload in payloads) + b"]"


def _size_of_list(sizes: Iterable[int]) -> int:
    """Of the JSON text of a list: brackets, and a comma between two."""
    each = list(sizes)
    return sum(each) + len(each) + 1


def _too_large(what: str) -> Failure:
    return Failure(TOO_LARGE, f"{what} are allowed", None, False)


def _word_for(value: object) -> str:
    return next((word for kind, word in _WORDS if isinstance(value, kind)), "null")
