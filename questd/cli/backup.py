"""``backup``: a copy of the journal, taken while the daemon runs or without one."""

import argparse
import time
from collections.abc import Callable
from typing import Final

from questd.cli.codes import DONE
from questd.cli.marks import length
from questd.cli.opening import client_of
from questd.cli.output import Out

TOLD_EVERY_S: Final = 1.0


def backup(options: argparse.Namespace, out: Out) -> int:
    """Says where it is, what is in it, and how to go on with it."""
    begun_s = time.monotonic()
    with client_of(options) as client:
        made = client.backup(options.target, told=Teller(out))
    if out.as_json:
        out.document(made)
        return DONE
    spent = length((time.monotonic() - begun_s) * 1_000)
    out.say(
        f"{made.quests} quests, {made.open_quests} of them open, up to event {made.seq}: "
        f"{_size(made.bytes)} in {spent}"
    )
    out.text(made.path)
    return DONE


class Teller:
    """A line for each second that it takes."""

    def __init__(self, out: Out, clock_s: Callable[[], float] = time.monotonic) -> None:
        self._out = out
        self._clock_s = clock_s
        self._next_s = self._worth_it_s = clock_s() + TOLD_EVERY_S

    def __call__(self, done: int, total: int) -> None:
        """Hear how many bytes of how many are copied."""
        now_s = self._clock_s()
        if done >= total and now_s >= self._worth_it_s:
            self._out.say("all is copied; looking whether the copy is whole")
        elif now_s >= self._next_s:
            self._next_s = now_s + TOLD_EVERY_S
            self._out.say(f"{done * 100 // max(total, 1)} % of {_size(total)} copied")


def _size(count: float) -> str:
    for unit in ("bytes", "KiB", "MiB"):
        if count < 1024:
            return f"{count:.0f} {unit}" if unit == "bytes" else f"{count:.1f} {unit}"
        count /= 1024
    return f"{count:.1f} GiB"
