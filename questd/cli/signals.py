"""``signal``: who waits for which, and sending one."""

import argparse

from questd.cli.codes import DONE
from questd.cli.inputs import given_value
from questd.cli.marks import between, clock, length
from questd.cli.opening import client_of
from questd.cli.output import Out, table


def list_signals(options: argparse.Namespace, out: Out) -> int:
    """A table, by quest."""
    quest = getattr(options, "quest", None)  # not with the bare noun
    with client_of(options) as client:
        found = client.signal_list(quest)
    if out.as_json:
        out.document({"signals": found})
        return DONE
    if not found:
        nobody = "no resting quest" if quest is None else f"no step of {quest}"
        out.say(f"{nobody} waits for a signal")
        return DONE
    rows = [
        (each.signal, each.id, each.task, length(between(each.since, None)), clock(each.until))
        for each in found
    ]
    out.draw(table(("SIGNAL", "ID", "TASK", "FOR", "UNTIL"), rows, right=("FOR",)))
    return DONE


def send(options: argparse.Namespace, out: Out) -> int:
    """Says what became of it."""
    with client_of(options) as client:
        sent = client.signal_send(
            options.quest, options.name, given_value(options.payload), key=options.key
        )
    if out.as_json:
        out.document(sent)
    else:
        told = {"kept": "kept until a step waits for it", "taken": "a step took it"}
        out.say(f"{sent.signal}: {told.get(sent.state, sent.state)}")
    return DONE
