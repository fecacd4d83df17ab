"""Child processes, supervised as actors are: started from a spec, restarted by rule and intensity, parked when they die too often.

One keeper actor a process. Starting and waiting block, so a thread of the process's own does both and answers by message.
A child gets a process group of its own and is ended as a group: TERM, a grace, KILL. Processes are started by
``subprocess`` only: a fork after a socket was opened aborts nng.
"""

import os
import signal
import subprocess
import threading
from collections.abc import Callable, Mapping
from contextlib import suppress
from pathlib import Path
from typing import Any, Final

from msgspec import Struct

from questd.runtime.actor import Actor, Ref
from questd.runtime.clock import Clock, Timers
from questd.runtime.descriptors import reserved
from questd.runtime.logs import LOG_LOOK_S, is_full, open_log, put_aside
from questd.runtime.supervision import Intensity, Restart, restarts

RESTART_DELAY_S: Final = 0.25
KILL_AFTER_S: Final = 5.0


class ProcessSpec(Struct, frozen=True):
    """How to start a process. ``pipe_stdin``: it ends when this process does, by the end of its standard input.

    ``log``: the file that its output is appended to; None: it writes where this process does.
    """

    name: str
    command: tuple[str, ...]
    env: Mapping[str, str]
    restart: Restart = "permanent"
    directory: str | None = None
    pipe_stdin: bool = False
    most_restarts: int = 3
    within_s: float = 5.0
    kill_after_s: float = KILL_AFTER_S
    log: Path | None = None


class Started(Struct, frozen=True):
    """From the process's thread: it runs."""

    pid: int


class Ended(Struct, frozen=True):
    """From the process's thread: its exit code (negative: the signal), or why it could not be started."""

    code: int | None
    error: str | None = None


class StartAgain(Struct, frozen=True):
    """To itself: the delay is over."""


class LookAtLog(Struct, frozen=True):
    """To itself: has the process written too much?"""


class KillNow(Struct, frozen=True):
    """To itself: it had time enough to end."""


class EndProcess(Struct, frozen=True):
    """End the process and do not start it again. ``done`` is called when it is gone."""

    done: Callable[[], None]


class ProcessKeeper(Actor):
    """Keeps one process alive. ``note(event, **fields)`` writes a log event."""

    def __init__(
        self,
        spec: ProcessSpec,
        *,
        clock: Clock,
        timers: Timers,
        note: Callable[..., None],
        parent: Ref | None = None,
    ) -> None:
        super().__init__(parent=parent, name=spec.name)
        self._spec = spec
        self._clock = clock
        self._timers = timers
        self._note = note
        self._intensity = Intensity(spec.most_restarts, spec.within_s)
        self._process: subprocess.Popen[bytes] | None = None
        self._alive = False
        self._ending: Callable[[], None] | None = None
        self._watches_log = False

    @property
    def pid(self) -> int | None:
        """The running process, if there is one."""
        process = self._process
        return process.pid if process is not None and self._alive else None

    def on_start(self) -> None:
        self._spawn()

    def on_receive(self, message: Any) -> None:
        match message:
            case Started(pid):
                self._note("process.started", name=self.name, pid=pid)
                self._watch_log()
                if self._ending is not None:
                    self._signal(signal.SIGTERM)
            case Ended(code, error):
                self._on_ended(code, error)
            case StartAgain():
                if self._ending is None:
                    self._spawn()
            case LookAtLog():
                self._look_at_log()
            case EndProcess(done):
                self._end(done)
            case KillNow():
                self._signal(signal.SIGKILL)
            case _:
                raise AssertionError(f"{self.name} got {message!r}")

    def _spawn(self) -> None:
        self._alive = True
        threading.Thread(target=self._live, name=f"process-{self.name}", daemon=True).start()

    def _watch_log(self) -> None:
        if self._spec.log is not None and not self._watches_log:
            self._watches_log = True
            self._timers.after(LOG_LOOK_S, self.ref, LookAtLog())

    def _look_at_log(self) -> None:
        """Copying blocks, so a thread does it."""
        path = self._spec.log
        self._watches_log = False
        if path is not None and is_full(path):
            threading.Thread(target=put_aside, args=(path,), name="log", daemon=True).start()
        if self._alive:
            self._watch_log()

    def _live(self) -> None:
        """On the process's own thread."""
        spec = self._spec
        try:
            with reserved(), open_log(spec.log) as output:
                process = subprocess.Popen(  # noqa: S603 - the command comes from the owner's settings
                    spec.command,
                    env=dict(spec.env),
                    cwd=spec.directory,
                    stdin=subprocess.PIPE if spec.pipe_stdin else subprocess.DEVNULL,
                    stdout=output,
                    stderr=output,
                    start_new_session=True,
                )
        except OSError as error:
            self.ref.tell(Ended(None, str(error)))
            return
        self._process = process
        self.ref.tell(Started(process.pid))
        code = process.wait()
        if process.stdin is not None:
            process.stdin.close()
        self.ref.tell(Ended(code))

    def _on_ended(self, code: int | None, error: str | None) -> None:
        self._alive = False
        self._note("process.ended", name=self.name, code=code, error=error)
        if self._ending is not None:
            self._finish()
            return
        if not restarts(self._spec.restart, failed=code != 0):
            return
        if self._intensity.allows(self._clock.monotonic_s()):
            self._timers.after(RESTART_DELAY_S, self.ref, StartAgain())
        else:
            self._note("process.parked", name=self.name, restarts=self._spec.most_restarts)

    def _end(self, done: Callable[[], None]) -> None:
        self._ending = done
        if not self._alive:
            self._finish()
            return
        self._signal(signal.SIGTERM)
        self._timers.after(self._spec.kill_after_s, self.ref, KillNow())

    def _finish(self) -> None:
        assert self._ending is not None
        self._ending()
        self._stop()

    def _signal(self, number: int) -> None:
        """To the whole group, which the process leads."""
        if self._process is not None and self._alive:
            with suppress(ProcessLookupError):  # it ended just now
                os.killpg(self._process.pid, number)
