"""The history door: requests from sockets, answers from cursors of the historian's database.

Invariants: the receiving thread only posts; at most ``askers`` questions run at once and as many again wait, further ones are
answered busy at once; every request gets one answer, whatever its bytes are. It never writes.
"""

import logging
import threading
import time
from collections.abc import Callable
from functools import partial
from queue import SimpleQueue
from typing import Final, Protocol, assert_never

import duckdb
import msgspec

from questd.analytics.guard import BadQuery
from questd.analytics.progress import Progress
from questd.analytics.query import DamagedHistory, Deadline, LimitReached, Limits, ask
from questd.messages.exchange import FRAME_MAX_BYTES
from questd.messages.history import (
    HistoryError,
    HistoryInfo,
    HistoryReply,
    HistoryRequest,
    HistoryStatus,
    Query,
    Rows,
    decode_history_request,
    encode_history,
)
from questd.runtime.descriptors import raise_limit, share
from questd.runtime.errors import Busy, JournalError
from questd.runtime.nng import UNANSWERED_MAX_BYTES, Door, Route

ENVELOPE_BYTES: Final = 128 * 1024
"""Left in a frame for column names, types and the rest of the answer."""
TIME_LIMIT_MAX_MS: Final = 600_000
WAIT_MAX_MS: Final = 60_000
ASKERS_MAX: Final = 4
"""Questions that run at once; as many again may wait."""
STATUSES_WAITING: Final = 64
QUESTIONS_CREDIT: Final = 100
"""Questions on one connection without an answer; more than wait at all are answered busy long before."""

log = logging.getLogger("questd.history")
REST_S: Final = 1.0
"""After memory ran short no question is begun for so long: what is behind catches up first."""
RETRY_AFTER_MS: Final = 1_000
STOPPING: Final = "the history is stopping"
SHORT: Final = "the history needs its memory to keep up: try again, and ask for less"
Job = tuple[Route, HistoryRequest]


class _Desk:
    """Requests of one kind: ``places`` bounds those that run or wait."""

    def __init__(self, places: int) -> None:
        self.limit = places
        self.places = threading.BoundedSemaphore(places)
        self.jobs: SimpleQueue[Job | None] = SimpleQueue()


class Archive(Protocol):
    """The database as the door sees it."""

    @property
    def rebuilt(self) -> str | None:
        """Why it was built anew, if it was."""
        ...

    def cursor(self) -> duckdb.DuckDBPyConnection:
        """A connection of its own."""
        ...


class HistoryDoor:
    """Answers ``messages/history.py`` at the addresses it listens on.

    ``journal_seq`` is asked on other threads than the one that writes; ``hurry`` tells that one that somebody waits for it;
    ``stubborn`` is called when a question could not be stopped, and has been answered so; ``damaged`` that the file is: who asks is told to ask again.
    """

    def __init__(
        self,
        archive: Archive,
        progress: Progress,
        *,
        journal_seq: Callable[[], int],
        hurry: Callable[[], None],
        path: str,
        pid: int,
        askers: int = ASKERS_MAX,
        damaged: Callable[[DamagedHistory], None] = lambda _: None,
        stubborn: Callable[[str], None] = lambda _: None,
    ) -> None:
        self._parent = archive.cursor()
        self._rebuilt = archive.rebuilt
        self._progress = progress
        self._journal_seq = journal_seq
        self._hurry = hurry
        self._damaged = damaged
        self._stubborn = stubborn
        self._path = path
        self._pid = pid
        self._lock = threading.Lock()
        self._running: dict[int, Deadline] = {}
        self._stopping = False
        self._rest_until_s = 0.0
        self._questions = _Desk(2 * askers)
        self._statuses = _Desk(STATUSES_WAITING)
        self._workers = [self._worker(self._questions, f"history-asker-{n}") for n in range(askers)]
        self._workers.append(self._worker(self._statuses, "history-status"))
        said = f"{UNANSWERED_MAX_BYTES} bytes of questions wait: try again"
        busy = HistoryError("busy", said, RETRY_AFTER_MS)
        self._door = Door(
            self._receive,
            frame_max=FRAME_MAX_BYTES,
            name="history",
            credit=QUESTIONS_CREDIT,
            connections=share(raise_limit(), 1),
            busy=encode_history(busy),
        )

    def listen(self, url: str) -> str:
        """Take questions at this address; the answer is the bound URL."""
        return self._door.listen(url)

    def start(self) -> None:
        """Begin to answer."""
        for worker in self._workers:
            worker.start()
        self._door.start()

    def stop(self) -> None:
        """End running questions, answer all that wait, then end the threads. Once."""
        self._stopping = True
        self._progress.close()
        self.make_room(STOPPING)
        for _ in self._workers[:-1]:
            self._questions.jobs.put(None)
        self._statuses.jobs.put(None)
        for worker in self._workers:
            if worker.ident is not None:
                worker.join()
        self._door.stop()
        self._parent.close()

    def make_room(self, reason: str = SHORT) -> None:
        """End every question that runs now, and begin none for a moment."""
        with self._lock:
            self._rest_until_s = time.monotonic() + REST_S
            for deadline in self._running.values():
                deadline.end_now(reason)

    def _worker(self, desk: "_Desk", name: str) -> threading.Thread:
        return threading.Thread(target=self._work, args=(desk,), name=name, daemon=True)

    def _receive(self, route: Route, body: bytes) -> None:
        try:
            request = decode_history_request(body)
        except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
            self._answer(route, HistoryError("sql", f"this is no request to the history: {error}"))
            return
        desk = self._questions if isinstance(request, Query) else self._statuses
        if self._stopping:
            self._answer(route, HistoryError("busy", STOPPING, RETRY_AFTER_MS))
        elif desk.places.acquire(blocking=False):
            desk.jobs.put((route, request))
        else:
            said = f"{desk.limit} questions run or wait: try again in a second"
            self._answer(route, HistoryError("busy", said, RETRY_AFTER_MS))

    def _answer(self, route: Route, reply: HistoryReply) -> None:
        body = encode_history(reply)
        if len(body) > FRAME_MAX_BYTES:
            body = encode_history(HistoryError("limit", "the answer does not fit a frame"))
        self._door.send(route, body)

    def _work(self, desk: "_Desk") -> None:
        while (job := desk.jobs.get()) is not None:
            route, request = job
            self._answer(route, self._reply(route, request))
            desk.places.release()

    def _reply(self, route: Route, request: HistoryRequest) -> HistoryReply:
        try:
            match request:
                case Query():
                    return self._ask(route, request)
                case HistoryStatus():
                    return self._info()
                case _:
                    assert_never(request)
        except BadQuery as error:
            return HistoryError("sql", str(error)[:4_096])
        except LimitReached as error:
            return HistoryError("limit", str(error))
        except Busy as error:
            return HistoryError("busy", str(error), error.retry_after_ms)
        except DamagedHistory as error:
            self._damaged(error)
            return HistoryError("busy", str(error), RETRY_AFTER_MS)
        except JournalError as error:
            return HistoryError("internal", str(error))
        except Exception as error:
            log.exception("history.question_failed")
            return HistoryError("internal", f"{type(error).__name__}: {error}"[:4_096])

    def _give_up(self, route: Route, reason: str) -> None:
        """A question holds a thread, and perhaps much memory, and does not hear that it shall end."""
        said = f"{reason} (it could not be stopped: the historian is started anew)"
        self._answer(route, HistoryError("limit", said))
        self._stubborn(reason)

    def _info(self) -> HistoryInfo:
        journal_seq = self._journal_seq()
        return HistoryInfo(
            seq=self._progress.seq,
            journal_seq=journal_seq,
            lag_ms=self._progress.lag_ms(journal_seq),
            path=self._path,
            pid=self._pid,
            rebuilt=self._rebuilt,
        )

    def _ask(self, route: Route, query: Query) -> Rows:
        """The history as the journal stood when the question came, if it gets there in time."""
        asked = self._journal_seq()
        if self._progress.seq < asked:
            self._hurry()
            self._progress.wait_for(asked, min(max(0, query.wait_ms), WAIT_MAX_MS) / 1_000)
        limits = Limits(
            rows=query.row_limit,
            data_bytes=FRAME_MAX_BYTES - ENVELOPE_BYTES,
            time_ms=min(query.time_limit_ms, TIME_LIMIT_MAX_MS),
        )
        with self._lock:
            if self._stopping or time.monotonic() < self._rest_until_s:
                raise Busy(STOPPING if self._stopping else SHORT, retry_after_ms=RETRY_AFTER_MS)
            cursor = self._parent.cursor()
            deadline = Deadline(cursor, limits.time_ms, partial(self._give_up, route))
            self._running[id(cursor)] = deadline
        try:
            answer = ask(
                cursor,
                query.sql,
                query.parameters,
                fmt=query.fmt,
                limits=limits,
                deadline=deadline,
            )
        finally:
            with self._lock:
                del self._running[id(cursor)]
            cursor.close()
        lag = max(0, self._journal_seq() - self._progress.seq)
        return Rows(answer.columns, answer.types, answer.data, answer.rows, answer.truncated, lag)
