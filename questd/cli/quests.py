"""``submit``, ``cancel`` and ``resolve``, and what ``run`` and ``call`` submit."""

import argparse
import sys
import time
from typing import Any

from questd.cli.asking import ask_choice
from questd.cli.codes import DONE
from questd.cli.inputs import given_value, input_values, pairs
from questd.cli.opening import client_of, definition_at
from questd.cli.output import Out
from questd.client.client import Client
from questd.client.errors import InvalidInput
from questd.messages.control import Submit
from questd.messages.definition import QuestDefinition
from questd.runtime.errors import NotFound


def request_of(options: argparse.Namespace) -> Submit:
    """The submit that the options ask for: everything that can be wrong with it is said here."""
    definition = definition_at(options.document, options)
    return _request(options, definition, input_values(options.inputs, definition.inputs))


def call_of_options(options: argparse.Namespace) -> Submit:
    """The submit of a direct call."""
    from questd.client.calling import call_of  # noqa: PLC0415 - 80 ms

    arguments = input_values(options.inputs, None)
    capabilities = tuple(options.capabilities)
    return _request(options, *call_of(options.agent, options.tool, arguments, capabilities))


def _request(
    options: argparse.Namespace, definition: QuestDefinition, inputs: dict[str, Any]
) -> Submit:
    from questd.client.submitting import submit_of  # noqa: PLC0415 - 80 ms

    return submit_of(
        definition,
        inputs,
        now_us=time.time_ns() // 1_000,
        key=options.key,
        project=options.project,
        labels=pairs("--label", options.labels),
        priority=options.priority,
        deadline=options.deadline,
        timeout=options.timeout,
    )


def submit(options: argparse.Namespace, out: Out) -> int:
    """Prints the id alone, for scripts."""
    request = request_of(options)
    with client_of(options) as client:
        submitted = client.submit_request(request)
    if out.as_json:
        out.document(submitted)
        return DONE
    out.text(submitted.id)
    if not submitted.created:
        out.say(f"this quest was submitted before with --key {options.key}")
    elif sys.stderr.isatty():
        out.say(f"quest watch {submitted.id}", style="dim")
    return DONE


def cancel(options: argparse.Namespace, out: Out) -> int:
    """By ids, or all that pass the filters."""
    with client_of(options) as client:
        quests = options.quests or _filtered(options, client)
        changed = {quest: client.cancel(quest, reason=options.reason) for quest in quests}
    if out.as_json:
        out.document(
            {"cancelled": [{"id": quest, "changed": was} for quest, was in changed.items()]}
        )
        return DONE
    for quest, was in changed.items():
        out.say(
            f"{quest} is being cancelled"
            if was
            else f"{quest} had ended, or was cancelled, already"
        )
    return DONE


def _filtered(options: argparse.Namespace, client: Client) -> list[str]:
    """Never all quests by mistake: some filter must be given; what has ended is left out."""
    from questd.cli.looking import listed  # noqa: PLC0415

    given = (options.status, options.template, options.project, options.labels, options.since)
    if not any((*given, options.text, options.waiting_longer_than)):
        raise InvalidInput("which quests? Give ids, or filters such as --status waiting")
    page = listed(options, client, payloads=False)
    return [row.id for row in page.quests if row.finished_at is None]


def resolve(options: argparse.Namespace, out: Out) -> int:
    """Answers with CHOICE, or asks for it on a terminal."""
    with client_of(options) as client:
        choice, task, result = options.choice, options.task, given_value(options.result)
        if choice is None:
            waiting = open_questions(client, options.quest, task)
            asked = ask_choice(waiting[0], out)
            if asked is None:
                raise InvalidInput("say what to answer: quest resolve ID CHOICE")
            task, choice, result = waiting[0].task, asked.choice, asked.result
        client.resolve(options.quest, choice, task=task, result=result)
    if out.as_json:
        out.document({"id": options.quest, "task": task, "choice": choice})
    else:
        out.say(f"answered: {choice}")
    return DONE


def open_questions(client: Client, quest: str, task: str | None) -> "list[Any]":
    """What the quest asks. NotFound when it asks nothing (of that task)."""
    from questd.cli.asking import questions_of  # noqa: PLC0415

    following = client.follow(quest)
    found = [one for one in questions_of(following.fold.state) if task in (None, one.task)]
    if not found:
        where = f"task {task} of " if task else ""
        raise NotFound(f"{where}{following.id} waits for no answer")
    return found
