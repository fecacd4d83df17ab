"""The daemon's side of a socket: REP in raw mode, so that requests are answered in any order, whenever it suits.

Invariants: one thread receives and calls back; nothing here blocks whoever sends; no exception and no peer's
bytes end the receiving thread. Knows nothing of what the bytes mean.

A send succeeds even when nng drops it (dead pipe, or 64 answers queued on it): who needs to be sure numbers its
answers and waits for the acknowledgement.

A receive that begins while its socket is closed is not refused by nng 1.11 and never woken; if it has a timeout, that
calls back into freed memory and aborts the process (tests/nng/test_closing.py). Hence the receiving thread leaves
first, and then the socket is closed.
"""

import logging
import threading
from collections import deque
from collections.abc import Callable
from time import monotonic, sleep
from typing import Any, NamedTuple
from urllib.parse import urlsplit

from questd.runtime.errors import BadSettings, MachineError
from questd.runtime.nng.address import TLSSettings, check_url, server_tls
from questd.runtime.nng.goodbye import close_at_exit
from questd.runtime.nng.library import (
    ADDRESS_INVALID,
    AGAIN,
    CLOSED,
    HEADER_SLACK_BYTES,
    NngError,
    body_of,
    bytes_sent,
    check,
    ffi,
    header_of,
    lib,
    message,
    pipe_handle,
    pipe_of,
    pipe_text,
    pynng,
)
from questd.runtime.nng.peers import Silence, Unread
from questd.runtime.nng.subject import name_in

RECEIVE_BUFFER = 64
"""Whole frames that nng holds for the receiving thread; each connection holds one more, and then its peer waits."""
SEND_BUFFER = 1024
RECEIVE_TIMEOUT_MS = 100
"""How long ``stop`` waits at most for the receiving thread to look up."""
LEAVE_S = 5.0
UNANSWERED_MAX = 1_000
UNANSWERED_MAX_BYTES = 256 * 1024 * 1024
"""Of all connections together: what has come in and waits for its answer is memory."""
CONNECTIONS_MAX = 4_096
FLOODERS_REMEMBERED = 1_024
LOOK_EVERY_S = 0.25
"""How often a door looks for silent connections."""
SEND_TRIES = 200
SEND_PAUSE_S = 0.0005
"""nng moves answers from the socket's buffer to the pipes and drops rather than waits there, so a full buffer is
empty again within microseconds; dropping at once would lose answers to living peers in a burst."""

log = logging.getLogger("questd.nng")


class Route(NamedTuple):
    """Where to answer: the pipe a request came by, and the header nng gave it."""

    pipe: int
    header: bytes


def _ignore_pipe(_pipe: int) -> None:
    """Stand in where nobody needs to know."""


class Door:
    """``receive(route, body)`` runs on the receiving thread, ``pipe_closed(pipe)`` on nng's: both must only post a message.

    A pipe's last requests may be received after its ``pipe_closed``. Bodies longer than ``frame_max`` bytes close
    their pipe unread; so does asking
    ``credit`` times without waiting for an answer. Beyond ``connections`` further ones are hung up on.

    While ``UNANSWERED_MAX_BYTES`` have come in without an answer, what comes is answered ``busy`` and not handed on; without ``busy``
    it is not answered. Who does not read its answers is hung up on when too many bytes of them wait (``UNREAD_MAX_BYTES``), and so
    is who has said nothing for ``silence_s``: a link that is broken without a word would stay for hours.
    """

    def __init__(
        self,
        receive: Callable[[Route, bytes], None],
        *,
        pipe_closed: Callable[[int], None] = _ignore_pipe,
        frame_max: int,
        name: str,
        credit: int = UNANSWERED_MAX,
        connections: int = CONNECTIONS_MAX,
        busy: bytes | None = None,
        silence_s: float | None = None,
    ) -> None:
        self.name = name
        self.hung_up = 0
        """How many pipes were closed because they asked more than ``credit`` times without waiting for answers."""
        self.turned_away = 0
        """How many connections were refused because there were enough."""
        self.overflowed = 0
        """How many requests were answered ``busy`` because too many bytes waited."""
        self.unread = 0
        """How many pipes were closed because their peers did not read what they were answered."""
        self.silent = 0
        """How many pipes were closed because nothing came by them."""
        self._credit = credit
        self._connections = min(connections, CONNECTIONS_MAX)
        self._busy = busy
        self._pipes: set[int] = set()
        self._flooders: deque[int] = deque(maxlen=FLOODERS_REMEMBERED)
        self._unanswered: dict[int, dict[bytes, int]] = {}
        self._waiting_bytes = 0
        self._unread = Unread()
        self._silence = None if silence_s is None else Silence(silence_s, monotonic())
        self._counting = threading.Lock()
        self.failures = 0
        """How often a callback raised."""
        self.unsent = 0
        """Answers that nng did not take; those it drops itself are not known."""
        self._receive = receive
        self._pipe_closed = pipe_closed
        self._look_s = 0.0
        self._lock = threading.Lock()
        self._thread: threading.Thread | None = None
        self._stopped = False
        self._socket: Any = pynng.Socket(
            opener=lib.nng_rep0_open_raw,
            recv_max_size=frame_max + HEADER_SLACK_BYTES,
            recv_buffer_size=RECEIVE_BUFFER,
            send_buffer_size=SEND_BUFFER,
            recv_timeout=RECEIVE_TIMEOUT_MS,
        )
        self._handle: Any = self._socket.socket
        self._socket.add_pre_pipe_connect_cb(self._on_pipe_opening)
        self._socket.add_post_pipe_remove_cb(self._on_pipe_closed)
        close_at_exit(self, Door.stop)

    def listen(self, url: str, *, tls: TLSSettings | None = None) -> str:
        """Take calls at this address too; the answer is the bound URL (tcp port 0 resolved).

        BadSettings for an address that cannot be, MachineError when it is taken.
        """
        check_url(url, tls)
        config = None if tls is None else server_tls(tls)
        slot = ffi.new("nng_listener *")
        try:
            check(lib.nng_listener_create(slot, self._handle, url.encode()))
            return _start_listener(slot[0], url, config)
        except NngError as error:
            kind = BadSettings if error.code in ADDRESS_INVALID else MachineError
            raise kind(f"cannot listen on {url}: {error}") from None

    def start(self) -> None:
        """Begin to receive. A door once stopped stays shut."""
        with self._lock:
            if self._thread is not None or self._stopped:
                return
            self._thread = threading.Thread(target=self._run, name=self.name, daemon=True)
            self._thread.start()

    def stop(self) -> None:
        """Close every pipe and end the thread; answers that nng still queues may be lost."""
        with self._lock:
            first, self._stopped = not self._stopped, True
            thread = self._thread
        if thread is not None and thread is not threading.current_thread():
            thread.join(LEAVE_S)
            if thread.is_alive():
                return
        if first:
            self._socket.close()

    def send(self, route: Route, body: bytes) -> None:
        """Answer one request, once, from any thread. Nothing happens when its pipe is dead or the door stopped."""
        with self._counting:
            open_requests = self._unanswered.get(route.pipe)
            if open_requests is not None:
                self._waiting_bytes -= open_requests.pop(route.header, 0)
                if not open_requests:
                    del self._unanswered[route.pipe]
            many = route.pipe in self._pipes and self._unread.give(route.pipe, len(body))
        self._send(message(body, route.header))
        if many:
            self._hang_up_on_the_slow()

    def _send(self, reply: Any) -> None:
        for _ in range(SEND_TRIES):
            code = lib.nng_sendmsg(self._handle, reply, lib.NNG_FLAG_NONBLOCK)
            if not code:
                return
            if code != AGAIN:
                break
            sleep(SEND_PAUSE_S)
        lib.nng_msg_free(reply)
        self.unsent += 1

    def _hang_up_on_the_slow(self) -> None:
        sent = bytes_sent(lib.nng_socket_id(self._handle))
        with self._counting:
            slow = self._unread.settle(sent)
        self.unread += len(slow)
        for pipe in slow:
            self.close_pipe(pipe)

    def close_pipe(self, pipe: int) -> None:
        """Hang up on one peer; it may dial again."""
        lib.nng_pipe_close(pipe_handle(pipe))

    def certificate_name(self, pipe: int) -> str | None:
        """The common name of the certificate that the peer showed: "" without one; None without TLS, or when the pipe is dead."""
        told = pipe_text(pipe, b"tls-peer-cn")
        return None if told is None else name_in(told)

    def _run(self) -> None:
        slot = ffi.new("nng_msg **")
        handle, receive_message = self._handle, lib.nng_recvmsg
        while not self._stopped:
            code = receive_message(handle, slot, 0)
            if code == CLOSED:
                return
            if not code:
                self._take(slot[0])
            if self._silence is not None:
                self._hang_up_on_the_silent(self._silence)

    def _hang_up_on_the_silent(self, silence: Silence) -> None:
        now_s = monotonic()
        if now_s < self._look_s:
            return
        self._look_s = now_s + LOOK_EVERY_S
        with self._counting:
            silent = silence.look(now_s)
        self.silent += len(silent)
        for pipe in silent:
            self.close_pipe(pipe)

    def _take(self, received: Any) -> None:
        route = Route(pipe_of(received), header_of(received))
        body = body_of(received)
        lib.nng_msg_free(received)
        if not self._grant(route, len(body)):
            return
        try:
            self._receive(route, body)
        except Exception:
            self.failures += 1
            log.exception("door.receive_failed", extra={"door": self.name, "pipe": route.pipe})

    def _grant(self, route: Route, size: int) -> bool:
        """Has the peer credit for one more request? One that floods is hung up on: what waits for actors stays bounded."""
        with self._counting:
            if route.pipe not in self._pipes:
                # It came before its pipe closed: nobody waits for the answer, but it may be worth something.
                return route.pipe not in self._flooders
            if self._silence is not None:
                self._silence.hear(route.pipe, monotonic())
            requests = self._unanswered.setdefault(route.pipe, {})
            full = self._waiting_bytes + size > UNANSWERED_MAX_BYTES
            before = requests.get(route.header, 0)
            requests[route.header] = 0 if full else size
            self._waiting_bytes += requests[route.header] - before
            open_requests = len(requests)
        if open_requests > self._credit:
            if open_requests == self._credit + 1:
                self.hung_up += 1
                self._flooders.append(route.pipe)
                self.close_pipe(route.pipe)
            return False
        if full:
            self.overflowed += 1
            if self._busy is not None:
                self.send(route, self._busy)
        return not full

    def _on_pipe_opening(self, pipe: Any) -> None:
        """Closing it here keeps it from ever being one."""
        with self._counting:
            room = len(self._pipes) < self._connections
            if room:
                self._pipes.add(int(pipe.id))
                if self._silence is not None:
                    self._silence.hear(int(pipe.id), monotonic())
            else:
                self.turned_away += 1
        if not room:
            pipe.close()

    def _on_pipe_closed(self, pipe: Any) -> None:
        with self._counting:
            self._pipes.discard(int(pipe.id))
            self._unread.forget(int(pipe.id))
            if self._silence is not None:
                self._silence.forget(int(pipe.id))
            self._waiting_bytes -= sum(self._unanswered.pop(int(pipe.id), {}).values())
        try:
            self._pipe_closed(int(pipe.id))
        except Exception:
            self.failures += 1
            log.exception("door.pipe_closed_failed", extra={"door": self.name})


def held_at_most(connections: int, frame_max: int) -> int:
    """Bytes of frames that a door can hold: whole or half ones in nng, and what has come in and is not answered."""
    return (connections + RECEIVE_BUFFER) * (frame_max + HEADER_SLACK_BYTES) + UNANSWERED_MAX_BYTES


def _start_listener(listener: Any, url: str, tls_config: Any) -> str:
    over_tcp = not url.startswith(("ipc:", "inproc:"))
    try:
        if over_tcp:
            check(lib.nng_listener_set_bool(listener, b"tcp-keepalive", True))
        if tls_config is not None:
            check(lib.nng_listener_set_ptr(listener, b"tls-config", tls_config._tls_config))  # noqa: SLF001
        check(lib.nng_listener_start(listener, 0))
    except NngError:
        lib.nng_listener_close(listener)
        raise
    return _with_port(url, listener) if over_tcp else url


def _with_port(url: str, listener: Any) -> str:
    slot = ffi.new("int *")
    check(lib.nng_listener_get_int(listener, b"tcp-bound-port", slot))
    parts = urlsplit(url)
    host = parts.netloc.rpartition(":")[0]
    return parts._replace(netloc=f"{host}:{slot[0]}").geturl()
