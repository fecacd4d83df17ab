"""Asking: one request, one reply, errors raised. Of a daemon over its control door, or of its journal when there is none.

Invariant: a request that changes something is sent twice only when its second time changes nothing; what only reads is asked again
while the daemon restarts, and ``busy`` is waited out, both for a bounded time. Knows nothing of what a quest is.
"""

import time
from collections.abc import Callable
from pathlib import Path
from typing import Any, Final, Protocol, TypeVar, cast

import msgspec

from questd.client.credentials import Credentials, untrusted
from questd.client.errors import InternalFault, InvalidInput
from questd.messages import control as ctl
from questd.messages import templates as tp
from questd.messages.any_version import version_of
from questd.messages.control import Reply, Request, decode_reply, encode_control
from questd.messages.exchange import FRAME_MAX_BYTES
from questd.messages.remote import encode_borne
from questd.runtime.errors import BadFrame, Busy, NotFound, QuestdError, Refused, Unreachable
from questd.runtime.journal.store import JournalStore

ANSWER_S: Final = 30.0
ASK_AGAIN_S: Final = 4.0
PATIENCE_S: Final = 30.0
"""How long ``busy`` and a restart of the daemon are waited out."""
REDIAL_S: Final = 0.25
HANDSHAKE_S: Final = 10.0
LOOK_S: Final = 0.01
VERSION_S: Final = 2.0

_READING: Final = (
    ctl.Ping,
    ctl.ReadQuest,
    ctl.ReadBlobs,
    ctl.ListQuests,
    ctl.ListAgents,
    ctl.Missing,
    tp.ListTemplates,
    tp.ReadTemplate,
)
_SAME_TWICE: Final = (
    ctl.CancelQuest,
    ctl.DrainAgent,
    tp.AddTemplate,
    tp.ArchiveTemplate,
)

Wanted = TypeVar("Wanted", bound=msgspec.Struct)


class Link(Protocol):
    """Somebody to ask."""

    def ask(self, request: Request, kind: type[Wanted]) -> Wanted:
        """The reply, which is of that kind. NotFound, InvalidInput, Refused, Unreachable or InternalFault."""
        ...

    def close(self) -> None:
        """Hang up. Closing twice is fine."""
        ...


class DaemonLink:
    """Asks the daemon at ``find()``, which is asked again when the daemon was lost (it may have restarted elsewhere).

    A daemon that never answered is not waited for. ``credentials``: for addresses of other hosts. Any thread.
    """

    def __init__(
        self,
        find: Callable[[], str],
        *,
        patience_s: float = PATIENCE_S,
        credentials: Credentials | None = None,
    ) -> None:
        self._find = find
        self._patience_s = patience_s
        self._credentials = credentials or Credentials()
        self._token: str | None = None
        self._caller: Any = None
        self._answered = False
        self._sent = False

    def ask(self, request: Request, kind: type[Wanted]) -> Wanted:
        """The reply, which is of that kind."""
        body = encode_control(request)
        self._sent = False
        wait_s = request.wait_ms / 1_000 if isinstance(request, ctl.ReadQuest) else 0.0
        until_s = time.monotonic() + wait_s + self._patience_s
        while True:
            try:
                return expect(self._once(body, wait_s + self._answer_s(request)), kind)
            except Busy as busy:
                pause_s = max(busy.retry_after_ms, 10) / 1_000
                if time.monotonic() + pause_s > until_s:
                    raise
            except Unreachable as error:
                pause_s = REDIAL_S
                self.close()
                patient = self._answered and may_ask_again(request)
                if not patient or time.monotonic() > until_s:
                    raise (explained(error, request) if self._sent else error) from None
            time.sleep(pause_s)

    def _answer_s(self, request: Request) -> float:
        """A daemon that answered before and is silent now may be gone, its link not yet known to be: look for it again soon."""
        again = self._answered and may_ask_again(request)
        return ASK_AGAIN_S if again else ANSWER_S

    def close(self) -> None:
        """Hang up; the next question dials again."""
        caller, self._caller = self._caller, None
        if caller is not None:
            caller.close()

    def _once(self, body: bytes, timeout_s: float) -> Reply:
        if self._caller is not None and not self._caller.connected:
            self.close()  # it would dial the old address for as long as the answer may take
        if self._caller is None:
            self._caller = self._dial(self._find())
        self._sent = True
        try:
            reply = decode_reply(self._caller.request(self._borne(body), timeout_s))
        except (msgspec.DecodeError, UnicodeDecodeError) as error:
            raise BadFrame(misunderstood(error, self._version())) from error
        self._answered = True
        return reply

    def _dial(self, url: str) -> Any:
        """What is wrong with certificates is told by nobody: then there is no link, though somebody listens."""
        from questd.runtime.nng import Caller  # noqa: PLC0415 - 40 ms, and a local reader needs none

        self._token = self._credentials.token(url)
        tls = self._credentials.tls(url)
        caller = Caller(url, tls=tls, frame_max=FRAME_MAX_BYTES)
        until_s = time.monotonic() + HANDSHAKE_S
        while tls is not None and not caller.connected:
            if time.monotonic() > until_s:
                caller.close()
                raise Unreachable(f"{url}: {untrusted(HANDSHAKE_S)}")
            time.sleep(LOOK_S)
        return caller

    def _version(self) -> str | None:
        """Of the daemon that just answered."""
        try:
            ping = self._borne(encode_control(ctl.Ping()))
            return version_of(self._caller.request(ping, VERSION_S))
        except QuestdError:
            return None

    def _borne(self, body: bytes) -> bytes:
        """The request with the token, where one is asked for."""
        if self._token is None:
            return body
        return encode_borne(self._token, body)


def misunderstood(error: Exception, version: str | None) -> str:
    """What to say of an answer that cannot be read; ``version``: the daemon's, if it could be asked."""
    from questd.cli.version import VERSION  # noqa: PLC0415 - only for this

    said = f"the daemon's answer cannot be read by questd {VERSION} ({error})"
    if version in (None, VERSION):
        return said
    return f"{said}: the daemon is questd {version}. Use that version's client, or restart the daemon with this one"


def may_ask_again(request: Request) -> bool:
    """Whether asking a second time is the same as once."""
    if isinstance(request, ctl.Submit | ctl.SendSignal):
        return request.key is not None
    return isinstance(request, _READING + _SAME_TWICE)


def explained(error: Unreachable, request: Request) -> Unreachable:
    """The error, with what it means for a request that may not be repeated."""
    if isinstance(request, ctl.Submit) and not may_ask_again(request):
        return Unreachable(
            f"{error}. The quest may or may not have started: look with `quest list`. "
            "With --key it could be asked again without starting twice"
        )
    if isinstance(request, ctl.SendSignal) and not may_ask_again(request):
        return Unreachable(
            f"{error}. The signal may or may not have come: look with `quest show`. "
            "With --key it could be sent again without coming twice"
        )
    return error


def expect(reply: Reply, kind: type[Wanted]) -> Wanted:
    """The reply if it is of that kind, else the error that it says."""
    if isinstance(reply, kind):
        return reply
    if isinstance(reply, ctl.Error):
        raise error_of(reply)
    raise BadFrame(f"the daemon answered {type(reply).__name__} where {kind.__name__} was due")


def error_of(error: ctl.Error) -> QuestdError:
    """The exception for what the daemon said."""
    match error.kind:
        case "not_found":
            return NotFound(error.message)
        case "invalid":
            return InvalidInput(error.message, error.details)
        case "busy":
            return Busy(error.message, retry_after_ms=error.retry_after_ms or 200)
        case "internal":
            return InternalFault(error.message)
        case kind:
            return Refused(error.message, kind=kind)


class JournalLink:
    """Answers reading requests from the journal in ``data``, with the daemon's own functions. Takes no lock, changes nothing."""

    def __init__(self, data: Path) -> None:
        from questd.runtime.journal.sqlite import SqliteStore  # noqa: PLC0415 - only without a daemon

        self._data = data
        self._reader = SqliteStore.open_reader(data)

    def ask(self, request: Request, kind: type[Wanted]) -> Wanted:
        """The reply, which is of that kind. Unreachable for what only a daemon can do."""
        from questd.actors.control import questions  # noqa: PLC0415 - only without a daemon

        # The functions ask only what a reader can answer.
        store = cast("JournalStore", self._reader)
        reply: Any
        match request:
            case ctl.ReadQuest():
                quest = questions.whole_id(store, request.quest)
                whole = msgspec.structs.replace(request, quest=quest)
                reply = (
                    quest if isinstance(quest, ctl.Error) else questions.read_quest(store, whole)
                )
            case ctl.ReadBlobs(digests):
                reply = questions.read_blobs(store, digests)
            case ctl.ListQuests():
                reply = questions.list_quests(store, request)
            case tp.ListTemplates() | tp.ReadTemplate():
                reply = self._template(request)
            case _:
                raise Unreachable(f"no daemon serves {self._data}: start one with `quest serve`")
        return expect(cast("Reply", reply), kind)

    def _template(self, request: tp.ListTemplates | tp.ReadTemplate) -> Reply:
        from questd.actors.control.templates import answer  # noqa: PLC0415 - only without a daemon
        from questd.actors.quest.plans import PlanCache  # noqa: PLC0415
        from questd.runtime.shelf import SHELF_NAME, FileShelf  # noqa: PLC0415

        return answer(FileShelf(self._data / SHELF_NAME), PlanCache(), 0, request)

    def close(self) -> None:
        """Close the file."""
        self._reader.close()
