"""Questions to the journal: asked on its reader thread, or by a client that reads a directory without a daemon. Pure reading."""

from collections.abc import Callable, Sequence

from msgspec import msgpack, structs

from questd.actors.mail import StartQuest
from questd.messages import control as ctl
from questd.messages.control import Error
from questd.messages.events import Record
from questd.messages.heads import TERMINAL, Head
from questd.messages.schedules import is_schedule
from questd.runtime.journal.selection import END_KINDS
from questd.runtime.journal.store import JournalStore
from questd.runtime.keyring import Keyring

READ_BYTES_MAX = 2 * 1024 * 1024


def whole_id(store: JournalStore, given: str) -> str | Error:
    """The only quest whose id starts so."""
    found = store.resolve_prefix(given) if given else []
    if len(found) == 1:
        return found[0]
    if not found:
        return Error("not_found", f"there is no quest {given!r}")
    return Error("invalid", f"{given!r} is the start of several ids, {', '.join(found)} among them")


def look_for_secrets(
    start: StartQuest, keyring: Keyring
) -> Callable[[JournalStore], StartQuest | Error]:
    """Are the secrets of a quest there that is to begin? Who submits again by a known key is answered even if not."""

    def look(store: JournalStore) -> StartQuest | Error:
        command = start.submission
        found = [(name, keyring.fault(at)) for name, at in command.secrets.items()]
        details = tuple(
            f"inputs.{name}: the secret {command.secrets[name]} {why}" for name, why in found if why
        )
        if not details or (command.key is not None and store.holder(command.key) is not None):
            return start
        return Error("invalid", "not all secrets are there", details=details)

    return look


def read_quest(store: JournalStore, request: ctl.ReadQuest) -> ctl.QuestRecords | Error:
    """The head and as many events as fit one answer."""
    head = None if is_schedule(request.quest) else store.head(request.quest)
    if head is None:
        return Error("not_found", f"there is no quest {request.quest}")
    definition = store.definition(head.definition) if request.definition else None
    room = READ_BYTES_MAX - (0 if definition is None else len(definition))
    found = store.events(request.quest, request.after, request.limit)
    # A definition of the largest size leaves no room for an event of the largest size.
    records = bounded(found, room) if room > 0 else ()
    last = records[-1].n if records else request.after
    return ctl.QuestRecords(lean(head), records, last < head.version, definition)


def lean(head: Head) -> Head:
    """Without what only the daemon needs: the wants of a quest can be as large as its definition."""
    return structs.replace(head, wants=()) if head.wants else head


def bounded(records: Sequence[Record], room: int) -> tuple[Record, ...]:
    """The first of them, at least one, up to that many bytes of bodies."""
    for count, record in enumerate(records):
        room -= len(record.body)
        if room < 0 and count:
            return tuple(records[:count])
    return tuple(records)


def last_of(records: Sequence[Record]) -> tuple[Record, ...]:
    """As ``bounded``, from the end."""
    return bounded(records[::-1], READ_BYTES_MAX)[::-1]


def read_blobs(store: JournalStore, digests: tuple[str, ...]) -> ctl.Blobs:
    """As many as fit, at least the first."""
    texts: dict[str, bytes] = {}
    room = READ_BYTES_MAX
    for digest in digests:
        text = store.blob(digest)
        if text is None:
            continue
        room -= len(text)
        if room < 0 and texts:
            break
        texts[digest] = text
    return ctl.Blobs(texts)


def list_quests(store: JournalStore, request: ctl.ListQuests) -> ctl.Heads:
    """Heads with the first event of each and, of ended ones, the last."""
    heads: list[Head] = []
    first: list[Record] = []
    last: list[Record | None] = []
    room = READ_BYTES_MAX
    selected = store.select(request.wanted)
    for head in selected:
        begun = store.events(head.quest, 0, 1)
        if not begun:
            continue  # retention took it between the two questions
        ended = last_event(store, head)
        head = lean(head)  # noqa: PLW2901
        room -= len(begun[0].body) + (0 if ended is None else len(ended.body))
        room -= len(msgpack.encode(head))
        if room < 0 and heads:
            break
        heads.append(head)
        first.append(begun[0])
        last.append(ended)
    cut = len(heads) < len(selected) or len(heads) == request.wanted.limit
    after = heads[-1].quest if heads and cut else None
    return ctl.Heads(tuple(heads), tuple(first), tuple(last), after)


def last_event(store: JournalStore, head: Head) -> Record | None:
    """The event that ended the quest: among its last few, since late results are refused after it."""
    if head.status not in TERMINAL:
        return None
    records = store.events(head.quest, max(0, head.version - 20), 20)
    ends = [record for record in records if record.kind in END_KINDS]
    return ends[-1] if ends else None
