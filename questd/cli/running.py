"""``run`` and ``call``: start a quest or go on with one, follow it to its end, and print what it gave.

A daemon that answers is used, else one is brought along for as long as this takes. Ctrl-C lets go of the quest, it does not end it.
"""

import argparse
import os
import shlex
import shutil
import signal
import sys
import time
from collections.abc import Callable, Generator
from contextlib import contextmanager
from pathlib import Path
from types import FrameType
from typing import Final

from questd.cli.asking import ask_choice, can_ask, questions_of
from questd.cli.codes import DONE, INTERRUPTED, OF_STATUS, WAITING
from questd.cli.missing import Missing
from questd.cli.opening import client_of, home_of
from questd.cli.output import Out
from questd.cli.progress import progress_for
from questd.client.client import Client
from questd.client.errors import InvalidInput
from questd.client.following import Following
from questd.client.home import Home
from questd.client.session import Session
from questd.messages.control import Submit
from questd.views.shapes import QuestView

POLL_MS: Final = 500
AWAITED_S: Final = 30.0


def run(options: argparse.Namespace, out: Out) -> int:
    """The exit code of the quest's end; 4 when it waits for a person and there is none."""
    if (options.document is None) == (options.go_on is None):
        raise InvalidInput("say what to run: quest run FILE, or quest run --continue ID")
    request = None if options.document is None else _request(options)
    return _run(options, out, request, options.go_on)


def call(options: argparse.Namespace, out: Out) -> int:
    """As ``run``, of a quest that is one call."""
    from questd.cli.quests import call_of_options  # noqa: PLC0415 - 80 ms

    return _run(options, out, call_of_options(options), None)


def _run(options: argparse.Namespace, out: Out, request: Submit | None, go_on: str | None) -> int:
    home = home_of(options)
    with let_go_by_signal():
        run_ = _Run(options, out, home, request, go_on)
        try:
            with Session(home, out.say) as session:
                run_.follow(session)
        except KeyboardInterrupt:
            run_.tell_how_to_go_on()
            return INTERRUPTED
    return run_.finish()


def _request(options: argparse.Namespace) -> Submit:
    from questd.cli.quests import request_of  # noqa: PLC0415 - 80 ms, not needed to go on

    return request_of(options)


@contextmanager
def let_go_by_signal() -> Generator[None, None, None]:
    """A closed terminal and a TERM are as Ctrl-C: what was started here must be ended in order."""

    def interrupt(_: int, __: FrameType | None) -> None:
        raise KeyboardInterrupt

    before = {one: signal.signal(one, interrupt) for one in (signal.SIGTERM, signal.SIGHUP)}
    try:
        yield
    finally:
        for one, handler in before.items():
            signal.signal(one, handler)


class _Run:
    """One run of the command."""

    def __init__(
        self,
        options: argparse.Namespace,
        out: Out,
        home: Home,
        request: Submit | None,
        quest: str | None,
    ) -> None:
        self._options = options
        self._out = out
        self._home = home
        self._request = request
        self._quest = quest
        self._embedded = False
        self._view: QuestView | None = None
        self._waiting = False

    def follow(self, session: Session) -> None:
        """Until it has ended, or waits for a person who is not there."""
        self._embedded = session.embedded
        client = client_of(self._options, self._home)
        if self._request is not None:
            submitted = client.submit_request(self._request)
            self._quest = submitted.id
            if not submitted.created:
                self._out.say(f"known by its key: this is {submitted.id}")
        assert self._quest is not None
        following = Following(self._home.daemon(), self._quest)
        self._quest = following.id
        missing = Missing(self._home, session, self._out)
        while not self._followed(following, missing):
            if not self._ask(client, following):
                self._waiting = True
                break
        self._view = following.view()

    def _followed(self, following: Following, missing: Missing) -> bool:
        """Whether it has ended; else it waits for a person."""
        with progress_for(following, self._out) as picture:
            while not following.ended:
                picture.show(following.poll(POLL_MS), missing.look(following))
                if _wants_person(following):
                    return False
            picture.show([], [])
        return True

    def _ask(self, client: Client, following: Following) -> bool:
        """Whether somebody answered."""
        if self._out.as_json or not can_ask():
            return False
        question = questions_of(following.fold.state)[0]
        answer = ask_choice(question, self._out)
        if answer is None:
            return False
        client.resolve(following.id, answer.choice, task=question.task, result=answer.result)
        _await(lambda: question not in questions_of(following.fold.state), following)
        return True

    def finish(self) -> int:
        """Print what it gave; the exit code."""
        view = self._view
        assert view is not None
        if self._out.as_json:
            self._out.document(view)
        elif view.status == "completed":
            self._out.value(view.output)
        if self._waiting:
            self._tell_waiting(view)
            return WAITING
        if not self._out.as_json:
            self._tell_end(view)
        return OF_STATUS.get(view.status, DONE)

    def _tell_waiting(self, view: QuestView) -> None:
        asked = [wait for wait in view.waiting_for if wait.what == "breakpoint"]
        for wait in asked:
            self._out.say(f"{view.id} waits for a person: {wait.name}", style="bold yellow")
        self._out.say(f"answer it: {self._again('run', '--continue', view.id)}")

    def _tell_end(self, view: QuestView) -> None:
        if self._out.quiet and view.status == "completed":
            return
        if view.error is not None:
            at = f" at {view.error.task}" if view.error.task else ""
            verb = "was cancelled" if view.status == "cancelled" else "failed"
            self._out.fault(f"{view.id} {verb}{at} ({view.error.kind}): {view.error.message}")
        if view.failed_steps:
            self._out.say(f"went on without: {', '.join(view.failed_steps)}", style="yellow")
        query = f"from attempts where quest = '{view.id}'"  # DuckDB's short form of select *
        self._out.say(f"each step:  {self._again('show', view.id)}", style="dim")
        self._out.say(f'history:    {self._again("sql")} "{query}"', style="dim")

    def tell_how_to_go_on(self) -> None:
        """After Ctrl-C."""
        if self._quest is None:
            self._out.say("nothing was started")
            return
        go_on = self._again("run", "--continue", self._quest)
        if self._embedded:
            self._out.say(
                f"\nlet go of {self._quest}: it rests until a daemon runs. Go on: {go_on}"
            )
        else:
            self._out.say(f"\nlet go of {self._quest}: it goes on without you. Watch it: {go_on}")

    def _again(self, *words: str) -> str:
        """A command with the same directory."""
        same = [
            part
            for name in ("data", "config", "connect")
            if (value := getattr(self._options, name)) is not None
            for part in (f"--{name}", value)
        ]
        return shlex.join([own_name(), *same, *words])


def own_name() -> str:
    """What to type to call this program again: its name when the shell would find it, else its path."""
    called = Path(sys.argv[0])
    found = shutil.which("quest")
    if called.name != "quest" or (found and Path(found).absolute() == called.absolute()):
        return "quest"
    return os.path.relpath(called)


def _wants_person(following: Following) -> bool:
    """Whether nothing moves any more, and a question is open."""
    state = following.fold.state
    return state.status == "waiting" and bool(questions_of(state))


def _await(come: Callable[[], bool], following: Following) -> None:
    """Until the answer that was just given is in the events."""
    until_s = time.monotonic() + AWAITED_S
    while not come() and time.monotonic() < until_s:
        following.poll(POLL_MS)
