"""The other side of a door: asks, waits, and gets one answer.

Invariants: a request that was handed to nng is sent at most once (a lost link raises, nothing is re-sent behind
the caller's back: only the caller knows whether asking twice is safe); waiting on the main thread can be
interrupted by a signal. Knows nothing of what the bytes mean.

Two races in nng 1.11 abort the process (tests/nng/test_closing.py): its timer calls back into a context that is being
closed, so nng gets no timeout; and a context that ends while its socket is closed uses the socket afterwards, so all
contexts are closed first, each once, and their threads have left before the socket is closed.
"""

import threading
from collections.abc import Callable
from functools import partial
from queue import Empty, SimpleQueue
from time import monotonic
from typing import Any

from questd.runtime.errors import BadSettings, Refused, Unreachable
from questd.runtime.nng.address import TLSSettings, check_url, client_tls
from questd.runtime.nng.goodbye import close_at_exit
from questd.runtime.nng.library import (
    ADDRESS_INVALID,
    CLOSED,
    HEADER_SLACK_BYTES,
    NngError,
    body_of,
    check,
    ffi,
    lib,
    message,
    pynng,
)
from questd.runtime.nng.timekeeper import Timekeeper

RECONNECT_MIN_MS = 20
RECONNECT_MAX_MS = 1_000
NEVER_RESEND = -1
LEAVE_S = 5.0
INTERRUPTIBLE_SLACK_S = 1.0

Answer = bytes | Unreachable


class Caller:
    """A REQ peer of one address. Dials in the background and again whenever the link is lost.

    Any number of threads may ask at once. ``frame_max`` bounds both directions, in bytes.
    """

    def __init__(self, url: str, *, tls: TLSSettings | None = None, frame_max: int) -> None:
        check_url(url, tls)
        self.url = url
        self._frame_max = frame_max
        self._left = threading.Condition()
        self._closed = False
        self._idle: list[_Context] = []
        self._busy: set[_Context] = set()
        self._timekeeper = Timekeeper()
        self._errands: SimpleQueue[Callable[[], None] | None] = SimpleQueue()
        self._errand_threads = 0
        self._idle_errand_threads = 0
        self._socket: Any = pynng.Req0(
            recv_max_size=frame_max + HEADER_SLACK_BYTES,
            recv_buffer_size=64,
            send_buffer_size=64,
            reconnect_time_min=RECONNECT_MIN_MS,
            reconnect_time_max=RECONNECT_MAX_MS,
            resend_time=NEVER_RESEND,
        )
        self._dial(tls)
        close_at_exit(self, Caller.close)

    @property
    def connected(self) -> bool:
        """Whether a link stands at this moment (a half-open one counts)."""
        return bool(self._socket.pipes)

    def request(self, body: bytes, timeout_s: float) -> bytes:
        """Ask once. Unreachable when nobody answers in time or the link breaks: then it may or may not have been heard."""
        if len(body) > self._frame_max:
            raise Refused(
                f"a message of {len(body)} bytes exceeds the limit of {self._frame_max} bytes",
                kind="too_large",
            )
        if threading.current_thread() is threading.main_thread():
            return self._request_interruptibly(body, timeout_s)
        return self._request(body, timeout_s)

    def hang_up(self) -> None:
        """Close the link; every open request fails and the address is dialled again."""
        for pipe in self._socket.pipes:
            lib.nng_pipe_close(pipe.pipe)

    def close(self) -> None:
        """End it; every open request fails. Closing twice is fine."""
        with self._left:
            first, self._closed = not self._closed, True
            for turn in [*self._busy, *self._idle]:
                turn.close()
            self._idle.clear()
            gone = self._left.wait_for(lambda: not self._busy, LEAVE_S)
            threads = self._errand_threads
        if not first:
            return
        self._timekeeper.stop()
        if gone:
            self._socket.close()
        for _ in range(threads):
            self._errands.put(None)

    def _dial(self, tls: TLSSettings | None) -> None:
        config = None if tls is None else client_tls(tls, self.url)
        slot = ffi.new("nng_dialer *")
        try:
            check(lib.nng_dialer_create(slot, self._socket.socket, self.url.encode()))
            if not self.url.startswith(("ipc:", "inproc:")):
                check(lib.nng_dialer_set_bool(slot[0], b"tcp-keepalive", True))
            if config is not None:
                check(lib.nng_dialer_set_ptr(slot[0], b"tls-config", config._tls_config))  # noqa: SLF001
            check(lib.nng_dialer_start(slot[0], lib.NNG_FLAG_NONBLOCK))
        except NngError as error:
            self._socket.close()
            kind = BadSettings if error.code in ADDRESS_INVALID else Unreachable
            raise kind(f"cannot dial {self.url}: {error}") from None

    def _request(self, body: bytes, timeout_s: float) -> bytes:
        context = self._take_context()
        turn = self._timekeeper.begin(monotonic() + timeout_s, partial(self._abort, context))
        try:
            code, answer = _ask(context.handle, body)
        finally:
            in_time = self._timekeeper.end(turn)
            self._give_back(context)
        if not in_time:
            raise Unreachable(f"{self.url}: {self._why_late()} (waited {timeout_s:g} s)")
        if answer is None:
            raise self._unreachable(code)
        return answer

    def _why_late(self) -> str:
        return "no answer" if self.connected else "nobody listens there"

    def _unreachable(self, code: int) -> Unreachable:
        if code == CLOSED or self._closed:
            return Unreachable(f"{self.url}: this caller is closed")
        return Unreachable(f"{self.url}: the link broke before the answer ({NngError(code)})")

    def _take_context(self) -> "_Context":
        with self._left:
            if self._closed:
                raise Unreachable(f"{self.url}: this caller is closed")
            context = self._idle.pop() if self._idle else _Context(self._socket.socket)
            self._busy.add(context)
            return context

    def _abort(self, context: "_Context") -> None:
        with self._left:
            context.close()

    def _give_back(self, context: "_Context") -> None:
        with self._left:
            self._busy.discard(context)
            if not context.closed:
                self._idle.append(context)
            self._left.notify_all()

    def _request_interruptibly(self, body: bytes, timeout_s: float) -> bytes:
        """Wait in Python: a signal is not seen while the main thread is inside nng, and a shorter receive timeout would drop a late answer."""
        answers: SimpleQueue[Answer] = SimpleQueue()
        self._run_errand(lambda: answers.put(self._answer(body, timeout_s)))
        try:
            answer = answers.get(timeout=timeout_s + INTERRUPTIBLE_SLACK_S)
        except Empty:
            raise Unreachable(f"{self.url}: no answer within {timeout_s:g} s") from None
        if isinstance(answer, Unreachable):
            raise answer
        return answer

    def _answer(self, body: bytes, timeout_s: float) -> Answer:
        try:
            return self._request(body, timeout_s)
        except Unreachable as error:
            return error

    def _run_errand(self, errand: Callable[[], None]) -> None:
        with self._left:
            needed = not self._idle_errand_threads
            if needed:
                self._errand_threads += 1
            else:
                self._idle_errand_threads -= 1
        if needed:
            threading.Thread(target=self._do_errands, name="caller", daemon=True).start()
        self._errands.put(errand)

    def _do_errands(self) -> None:
        while (errand := self._errands.get()) is not None:
            errand()
            with self._left:
                self._idle_errand_threads += 1


class _Context:
    """nng's context of one request at a time. Its owner's lock guards ``close``."""

    def __init__(self, socket: Any) -> None:
        slot = ffi.new("nng_ctx *")
        check(lib.nng_ctx_open(slot, socket))
        self.handle: Any = slot[0]
        self.closed = False

    def close(self) -> None:
        """Abort what it does; once."""
        if not self.closed:
            self.closed = True
            lib.nng_ctx_close(self.handle)


def _ask(context: Any, body: bytes) -> tuple[int, bytes | None]:
    """Send and receive, for as long as it takes; whoever closes the context ends it."""
    request = message(body)
    code = lib.nng_ctx_sendmsg(context, request, 0)
    if code:
        lib.nng_msg_free(request)
        return code, None
    slot = ffi.new("nng_msg **")
    code = lib.nng_ctx_recvmsg(context, slot, 0)
    if code:
        return code, None
    answer = body_of(slot[0])
    lib.nng_msg_free(slot[0])
    return 0, answer
