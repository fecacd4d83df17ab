"""``doctor --repair``: mends the journal, sets a history aside that has read what is gone, and says what was done."""

import secrets

from questd.cli.output import Out
from questd.client.home import Home
from questd.runtime.errors import JournalError, MachineError, Refused
from questd.runtime.journal.repair import Repair, repair

LOSSES_SHOWN = 20


def mend(home: Home, out: Out) -> Repair | None:
    """What was done; None when there was nothing to do, or nothing could be done (which is told).

    Refused while a daemon holds the directory, and when a person has to decide first.
    """
    from questd.runtime.clock import SystemClock  # noqa: PLC0415
    from questd.views.heads import head_told  # noqa: PLC0415

    if home.connect is not None:
        raise Refused("a journal is repaired on its own machine, with --data", kind="not_allowed")
    data = home.settings.data
    if not data.exists():
        return None
    try:
        done = repair(
            data,
            head_told,
            clock_us=SystemClock().now_us,
            new_id=lambda: secrets.token_hex(16),
        )
    except (JournalError, MachineError) as error:
        out.fault(str(error))
        return None
    if done is not None and done.lost:
        _set_history_aside(home)
    if done is not None and not out.as_json:
        _tell(done, out)
    return done


def _set_history_aside(home: Home) -> None:
    """It may have read events that are gone; what is left of them is projected again."""
    from questd.analytics.database import set_aside  # noqa: PLC0415 - loads DuckDB
    from questd.client.history import FILE_NAME  # noqa: PLC0415

    path = home.settings.data / FILE_NAME
    if path.exists():
        set_aside(path, "before-repair")


def _tell(done: Repair, out: Out) -> None:
    what = "rebuilt" if done.rebuilt else "whole; its side file was written anew"
    out.console.print(f"journal {what}: {done.quests} quests, {done.events} events", soft_wrap=True)
    out.console.print(f"what was there is kept in {done.aside}", soft_wrap=True)
    for quest in done.told[:LOSSES_SHOWN]:
        out.console.print(f"  {quest}: its row was written anew from its events")
    for loss in done.losses[:LOSSES_SHOWN]:
        why = f" ({loss.why})" if loss.why else ""
        gone = (
            f"lost, with {loss.had} events"
            if not loss.kept
            else f"its events {loss.kept + 1} to {loss.had} are lost: what they said will happen again"
            if loss.kept < loss.had
            else "not all of it could be saved"
        )
        out.console.print(f"  {loss.quest}: {gone}{why}", soft_wrap=True)
    if len(done.losses) > LOSSES_SHOWN:
        out.console.print(f"  … and {len(done.losses) - LOSSES_SHOWN} more quests (--json has all)")
    if done.acknowledged is not None and done.seq < done.acknowledged:
        out.console.print(
            f"  of what was acknowledged up to event {done.acknowledged}, nothing after {done.seq} could be saved",
            soft_wrap=True,
        )
    if not done.lost:
        out.console.print("nothing is lost")
