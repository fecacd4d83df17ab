"""Templates: documents that the daemon keeps under name and version, and what a submit needs of them.

A version never changes once it is there, and a quest is submitted with the digests of all that it may come to use: it and its children
run on those, whatever becomes of the templates meanwhile. Runs on the house's worker; nothing here blocks an actor.
"""

import re
from typing import Final, assert_never

import msgspec
from msgspec import Struct, structs

from questd.actors.control.submitting import compiled
from questd.actors.graph.problems import nearest_name
from questd.actors.graph.using import may_be_template, used_by
from questd.actors.quest.plans import PlanCache, ReadyPlan
from questd.messages import control as ctl
from questd.messages import templates as tp
from questd.messages.control import Error, Reply
from questd.messages.definition import (
    TEMPLATE_PATTERN,
    QuestDefinition,
    decode_definition,
    definition_digest,
)
from questd.messages.payload import Blob
from questd.runtime.errors import JournalError
from questd.runtime.shelf import Shelf

TEMPLATES_MAX: Final = 1_000
USE_DEPTH_MAX: Final = 10
USED_MAX: Final = 100
TEMPLATES_USED_MAX_BYTES: Final = 16 * 1024 * 1024


class Stored(Struct, frozen=True):
    """One template as it lies on the shelf. ``definition``: canonical bytes."""

    name: str
    version: str
    description: str
    digest: str
    added_us: int
    definition: bytes
    archived: bool = False

    @property
    def label(self) -> str:
        """``name@version``."""
        return f"{self.name}@{self.version}"


class Library(Struct, frozen=True):
    """What a quest may come to use: digests by the names that documents say, and the texts of those digests."""

    uses: dict[str, str] = {}
    blobs: tuple[Blob, ...] = ()


NOTHING: Final = Library()
_LABEL: Final = re.compile(f"{TEMPLATE_PATTERN}@{TEMPLATE_PATTERN}")
_encoder = msgspec.msgpack.Encoder()
_decoder = msgspec.msgpack.Decoder(Stored)


def answer(shelf: Shelf, plans: PlanCache, now_us: int, request: tp.TemplateRequest) -> Reply:
    """One request of a client."""
    try:
        return _answer(shelf, plans, now_us, request)
    except JournalError as error:
        return Error("internal", str(error))


def _answer(shelf: Shelf, plans: PlanCache, now_us: int, request: tp.TemplateRequest) -> Reply:
    match request:
        case tp.AddTemplate(data):
            return _add(shelf, plans, now_us, data)
        case tp.ListTemplates(archived):
            rows = [_row(stored) for stored in _all(shelf) if archived or not stored.archived]
            return tp.Templates(tuple(rows))
        case tp.ReadTemplate(name):
            stored = _found(shelf, name)
            if isinstance(stored, Error):
                return stored
            return tp.TemplateText(_row(stored), stored.definition)
        case tp.ArchiveTemplate(name, archived):
            return _archive(shelf, name, archived=archived)
        case tp.RemoveTemplate(name):
            if name not in _labels(shelf):  # not read: a damaged one can be removed too
                return _unknown(shelf, name)
            shelf.remove(name)
            return ctl.Done()
        case _:
            assert_never(request)


def library_of(shelf: Shelf, plans: PlanCache, ready: ReadyPlan) -> Library | Error:
    """All that a quest of this plan may come to use, through its children too; or everything that is wrong with it."""
    gathering = _Gathering(shelf, plans)
    try:
        gathering.gather(ready.plan.definition, ())
    except JournalError as error:
        return Error("internal", str(error))
    if gathering.faults:
        return Error("invalid", "the templates do not fit", details=tuple(gathering.faults))
    return Library(gathering.uses, tuple(gathering.blobs.items()))


class _Gathering:
    """The templates of one quest and of its children, each looked at once."""

    def __init__(self, shelf: Shelf, plans: PlanCache) -> None:
        self._shelf = shelf
        self._plans = plans
        self._known: dict[str, Stored] = {}
        self._size = 0
        self.uses: dict[str, str] = {}
        self.blobs: dict[str, bytes] = {}
        self.faults: list[str] = []

    def gather(self, definition: QuestDefinition, above: tuple[str, ...]) -> None:
        """``above``: the templates that led here, the first one first."""
        if len(above) > USE_DEPTH_MAX:
            self.faults.append(f"{' → '.join(above)}: deeper than {USE_DEPTH_MAX}")
            return
        fresh: list[Stored] = []
        for use in used_by(definition):
            stored = self._known.get(use) or self._take(use)
            if stored is not None:
                self._check_inputs(definition, use, stored, above)
                fresh.append(stored)
        for stored in dict.fromkeys(fresh):
            self._go_deeper(stored, above)

    def _go_deeper(self, stored: Stored, above: tuple[str, ...]) -> None:
        if self.faults:
            return
        if stored.label in above:
            self.faults.append(f"{' → '.join((*above, stored.label))}: uses itself")
        else:
            self.gather(self._definition(stored), (*above, stored.label))

    def _take(self, use: str) -> Stored | None:
        stored = _found(self._shelf, use)
        if isinstance(stored, Error):
            self.faults.append(stored.message)
            return None
        self._known[use] = stored
        self.uses[use] = stored.digest
        if stored.digest not in self.blobs:
            self.blobs[stored.digest] = stored.definition
            self._size += len(stored.definition)
        over = self._over()
        if over is not None and over not in self.faults:
            self.faults.append(over)
        return stored if over is None else None

    def _over(self) -> str | None:
        """Which bound is passed."""
        if len(self.uses) > USED_MAX:
            return f"uses more than {USED_MAX} templates"
        if self._size > TEMPLATES_USED_MAX_BYTES:
            return f"uses templates of more than {TEMPLATES_USED_MAX_BYTES} bytes"
        return None

    def _definition(self, stored: Stored) -> QuestDefinition:
        return self._plans.load(stored.definition, trusted=True).plan.definition

    def _check_inputs(
        self, definition: QuestDefinition, use: str, stored: Stored, above: tuple[str, ...]
    ) -> None:
        """The names only: what the values are is known when the step runs."""
        ready = self._plans.load(stored.definition, trusted=True)
        declared = ready.plan.definition.inputs
        needed = ready.compiled.inputs
        known = tuple(needed if declared is None else declared)
        required = tuple(
            needed if declared is None else (n for n, one in declared.items() if one.required)
        )
        where = f"{above[-1]}: " if above else ""
        for number, step in enumerate(definition.steps):
            if step.use != use:
                continue
            given = step.arguments or {}
            at = f"{where}steps[{number}].inputs"
            for name in given:
                if name not in known:
                    near = nearest_name(name, known)
                    hint = (
                        f"did you mean {near}?"
                        if near
                        else f"it has: {', '.join(known[:20]) or 'none'}"
                    )
                    self.faults.append(f"{at}.{name}: {stored.label} has no such input; {hint}")
            self.faults += [
                f"{at}.{name}: is missing, and {stored.label} needs it"
                for name in required
                if name not in given
            ]


def _add(shelf: Shelf, plans: PlanCache, now_us: int, data: bytes) -> Reply:
    ready = compiled(plans, data)
    if isinstance(ready, Error):
        return ready
    definition = ready.plan.definition
    fault = may_be_template(definition)
    if fault is not None:
        return Error("invalid", fault)
    library = library_of(shelf, plans, ready)
    if isinstance(library, Error):
        return library
    stored = Stored(
        definition.name,
        definition.version,
        definition.description,
        definition_digest(data),
        now_us,
        data,
    )
    return _put_new(shelf, stored)


def _put_new(shelf: Shelf, stored: Stored) -> Reply:
    label = stored.label
    there = _read(shelf, label)
    if there is not None and there.digest == stored.digest:
        return tp.TemplateAdded(_row(there), created=False)
    if there is not None:
        message = f"there is a {label} already, and it says something else: give this one a version of its own"
        return Error("refused", message)
    names = _labels(shelf)
    for name in names:
        if name.casefold() == label.casefold():
            return Error("refused", f"there is a {name} already: {label} differs in case only")
    if len(names) >= TEMPLATES_MAX:
        return Error("refused", f"there are {len(names)} templates; {TEMPLATES_MAX} are allowed")
    shelf.put(label, _encoder.encode(stored))
    return tp.TemplateAdded(_row(stored), created=True)


def _archive(shelf: Shelf, name: str, *, archived: bool) -> Reply:
    stored = _exactly(shelf, name)
    if isinstance(stored, Error):
        return stored
    if stored.archived == archived:
        return ctl.Done(changed=False)
    shelf.put(stored.label, _encoder.encode(structs.replace(stored, archived=archived)))
    return ctl.Done()


def _found(shelf: Shelf, name: str) -> Stored | Error:
    """The template of that name and version; of a bare name the newest that is not archived."""
    plain, mark, _ = name.partition("@")
    if mark:
        return _exactly(shelf, name)
    versions = [stored for stored in _all(shelf, plain) if not stored.archived]
    if versions:
        return max(versions, key=lambda stored: (stored.added_us, stored.version))
    return _unknown(shelf, name)


def _exactly(shelf: Shelf, name: str) -> Stored | Error:
    stored = _read(shelf, name) if name in _labels(shelf) else None
    return _unknown(shelf, name) if stored is None else stored


def _unknown(shelf: Shelf, name: str) -> Error:
    labels = _labels(shelf)
    plain, mark, _ = name.partition("@")
    versions = [label for label in labels if label.startswith(f"{plain}@")]
    if versions:
        of = "no such version" if mark else "only archived versions"
        return Error(
            "not_found", f"template {name}: there is {of}; there are {', '.join(versions)}"
        )
    near = nearest_name(plain, [label.partition("@")[0] for label in labels])
    hint = f"did you mean {near}?" if near else "`quest template add FILE` stores one"
    return Error("not_found", f"there is no template {name}: {hint}")


def _all(shelf: Shelf, name: str | None = None) -> list[Stored]:
    labels = (label for label in _labels(shelf) if name is None or label.startswith(f"{name}@"))
    return [stored for label in labels if (stored := _read(shelf, label)) is not None]


def _labels(shelf: Shelf) -> tuple[str, ...]:
    """What else lies there is none of ours."""
    return tuple(name for name in shelf.names() if _LABEL.fullmatch(name))


def _read(shelf: Shelf, label: str) -> Stored | None:
    data = shelf.get(label)
    try:
        return None if data is None else _decoder.decode(data)
    except msgspec.DecodeError as error:
        advice = f"`quest template remove {label}`, then add it again"
        raise JournalError(f"template {label} is damaged: {error}. {advice}") from error


def _row(stored: Stored) -> tp.TemplateRow:
    definition = decode_definition(stored.definition)
    return tp.TemplateRow(
        stored.name,
        stored.version,
        stored.description,
        len(definition.steps),
        stored.added_us,
        stored.archived,
    )
