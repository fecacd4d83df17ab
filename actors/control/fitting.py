"""What one question may ask, and how its answer fits a frame: a larger one would break the asker's link. Pure."""

from typing import Final, get_args

from msgspec import msgpack, structs

from questd.actors.control.questions import READ_BYTES_MAX
from questd.actors.graph.checks import LABELS_MAX, NAME_MAX
from questd.actors.graph.problems import nearest_name, shorten
from questd.messages.control import (
    Agents,
    Error,
    InstanceView,
    ListQuests,
    MissingAgents,
    ReadBlobs,
    Reply,
    encode_control,
)
from questd.messages.exchange import FRAME_MAX_BYTES
from questd.messages.heads import ListFilter, QuestStatus

LIST_MAX: Final = 1_000
DIGESTS_MAX: Final = 1_000
TIME_MAX_US: Final = 2**63 - 1
STATUSES: Final[tuple[str, ...]] = get_args(QuestStatus)


def refusal_of_blobs(request: ReadBlobs) -> Error | None:
    """Looking for each takes time, there or not."""
    count = len(request.digests)
    if count <= DIGESTS_MAX:
        return None
    return Error("invalid", f"digests: {count} texts are asked for; {DIGESTS_MAX} are allowed")


def refusal_of_list(request: ListQuests) -> Error | None:
    """Everything in a filter that no quest could pass, or the journal could not take."""
    wanted = request.wanted
    if not 1 <= wanted.limit <= LIST_MAX:
        return Error("invalid", f"--limit is 1 to {LIST_MAX}")
    faults = [*_faults_of_words(wanted), *_faults_of_times(wanted)]
    return Error("invalid", faults[0], details=tuple(faults)) if faults else None


def _faults_of_words(wanted: ListFilter) -> list[str]:
    faults: list[str] = []
    if len(wanted.status) > len(STATUSES):
        faults.append(
            f"status: {len(wanted.status)} are named; {len(STATUSES)} are allowed, each once"
        )
    for word in wanted.status[: len(STATUSES)]:
        if word not in STATUSES:
            nearest = nearest_name(word, STATUSES) or ", ".join(STATUSES)
            faults.append(f"status: there is no {shorten(word)}; did you mean {nearest}?")
    faults += [
        f"{field}: is longer than {NAME_MAX} characters"
        for field in ("name", "project", "text", "after")
        if len(getattr(wanted, field) or "") > NAME_MAX
    ]
    if len(wanted.labels) > LABELS_MAX:
        faults.append(f"labels: {len(wanted.labels)} are named; {LABELS_MAX} are allowed")
    return faults


def _faults_of_times(wanted: ListFilter) -> list[str]:
    times = {"since": wanted.since_us, "waiting since": wanted.waiting_since_us}
    return [
        f"{name}: is not between {-TIME_MAX_US} and {TIME_MAX_US} µs since 1970"
        for name, time_us in times.items()
        if time_us is not None and abs(time_us) > TIME_MAX_US
    ]


def encode_fitting(reply: Reply) -> bytes:
    """Its bytes. What does not fit a frame loses its details, where it has any, or becomes an error that says so."""
    body = encode_control(reply)
    if len(body) <= FRAME_MAX_BYTES:
        return body
    match reply:
        case Agents(instances):
            for leaner in (_without_schemas, _without_tools, _without_words):
                instances = tuple(leaner(view) for view in instances)
                body = encode_control(Agents(instances))
                if len(body) <= FRAME_MAX_BYTES:
                    return body
        case MissingAgents(wanted):
            return encode_control(MissingAgents(_first_of(wanted)))
        case _:
            pass
    message = f"the answer has {len(body)} bytes, and a frame takes {FRAME_MAX_BYTES}: ask for less"
    return encode_control(Error("refused", message))


def _without_schemas(view: InstanceView) -> InstanceView:
    tools = tuple(
        structs.replace(tool, input_schema={}, output_schema={}, description="")
        for tool in view.tools
    )
    return structs.replace(view, tools=tools)


def _without_tools(view: InstanceView) -> InstanceView:
    return structs.replace(view, tools=())


def _without_words(view: InstanceView) -> InstanceView:
    return structs.replace(view, labels={}, capabilities=())


Wanted = tuple[tuple[str, tuple[str, ...], int, int], ...]


def _first_of(wanted: Wanted) -> Wanted:
    """Those that wait longest."""
    room = READ_BYTES_MAX
    kept: list[tuple[str, tuple[str, ...], int, int]] = []
    for each in sorted(wanted, key=lambda one: one[3]):
        room -= len(msgpack.encode(each))
        if room < 0:
            break
        kept.append(each)
    return tuple(kept)
