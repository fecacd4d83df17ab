"""The other side of a door: asks, waits, and gets one answer.

Invariants: a request that was handed to nng is sent at most once (a lost link raises, nothing is re-sent behind
the caller's back: only the caller knows whether asking twice is safe); waiting on the main thread can be
interrupted by a signal. Knows nothing of what the bytes mean.
"""

import threading
from collections.abc import Callable
from queue import Empty, SimpleQueue
from time import monotonic
from typing import Any

from questd.runtime.errors import BadSettings, Refused, Unreachable
from questd.runtime.nng.address import TLSSettings, check_url, client_tls
from questd.runtime.nng.library import (
    ADDRESS_INVALID,
    CLOSED,
    HEADER_SLACK_BYTES,
    TIMED_OUT,
    NngError,
    body_of,
    check,
    ffi,
    lib,
    message,
    pynng,
)

RECONNECT_MIN_MS = 20
RECONNECT_MAX_MS = 1_000
NEVER_RESEND = -1
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
        self._lock = threading.Lock()
        self._closed = False
        self._idle: list[Any] = []
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
        with self._lock:
            first, self._closed = not self._closed, True
            threads = self._errand_threads
            contexts, self._idle = self._idle, []
        if not first:
            return
        for context in contexts:
            lib.nng_ctx_close(context)
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
        ends = monotonic() + timeout_s
        try:
            self._send(context, body, timeout_s)
            return self._receive(context, ends - monotonic(), timeout_s)
        finally:
            self._give_back(context)

    def _send(self, context: Any, body: bytes, timeout_s: float) -> None:
        request = message(body)
        lib.nng_ctx_set_ms(context, b"send-timeout", max(1, int(timeout_s * 1000)))
        code = lib.nng_ctx_sendmsg(context, request, 0)
        if code:
            lib.nng_msg_free(request)
            raise self._unreachable(code, f"nobody listens there (waited {timeout_s:g} s)")

    def _receive(self, context: Any, left_s: float, timeout_s: float) -> bytes:
        slot = ffi.new("nng_msg **")
        lib.nng_ctx_set_ms(context, b"recv-timeout", max(1, int(left_s * 1000)))
        code = lib.nng_ctx_recvmsg(context, slot, 0)
        if code:
            raise self._unreachable(code, f"no answer within {timeout_s:g} s")
        body = body_of(slot[0])
        lib.nng_msg_free(slot[0])
        return body

    def _unreachable(self, code: int, when_timed_out: str) -> Unreachable:
        if code == TIMED_OUT:
            return Unreachable(f"{self.url}: {when_timed_out}")
        if code == CLOSED or self._closed:
            return Unreachable(f"{self.url}: this caller is closed")
        return Unreachable(f"{self.url}: the link broke before the answer ({NngError(code)})")

    def _take_context(self) -> Any:
        with self._lock:
            if self._closed:
                raise Unreachable(f"{self.url}: this caller is closed")
            if self._idle:
                return self._idle.pop()
        slot = ffi.new("nng_ctx *")
        code = lib.nng_ctx_open(slot, self._socket.socket)
        if code:
            raise self._unreachable(code, "")
        return slot[0]

    def _give_back(self, context: Any) -> None:
        with self._lock:
            if not self._closed:
                self._idle.append(context)
                return
        lib.nng_ctx_close(context)

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
        with self._lock:
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
            with self._lock:
                self._idle_errand_threads += 1
