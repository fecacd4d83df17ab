"""``python -m tests.soak [chaos|keys|overload|all] --minutes N``: hours of bad luck in N minutes; exit 1 when anything is wrong.

``chaos``: everything is killed and frozen while quests run. ``keys``: many clients, one idempotency key at a time, over kills. ``all``: both.
``overload``: ten times what the agents can take.
"""

import argparse
import contextlib
import json
import os
import shutil
import sys
import tempfile
from collections.abc import Callable, Generator
from pathlib import Path

from msgspec import structs

from tests.soak import chaos, keys, overload
from tests.soak.house import say

WRONG = "wrong.txt"


def main(arguments: list[str] | None = None) -> int:
    """Exit code: 0 when everything is right."""
    parser = argparse.ArgumentParser(prog="python -m tests.soak", description=__doc__)
    parser.add_argument("what", choices=("chaos", "keys", "overload", "all"), nargs="?")
    parser.add_argument("--minutes", type=float, default=10.0)
    parser.add_argument("--quests", type=int, default=5_000, help="of the chaos")
    parser.add_argument("--seed", type=int, default=1, help="of the chaos")
    parser.add_argument("--keys", type=int, default=1_000)
    parser.add_argument("--clients", type=int, default=100, help="with the same key")
    parser.add_argument("--kills", type=int, default=50, help="while keys are submitted")
    parser.add_argument(
        "--times", type=float, default=10.0, help="what the overload offers; 0: as much as goes"
    )
    limits = 'of the overloaded daemon, as JSON: {"submits_in_flight": 64}'
    parser.add_argument("--limits", type=json.loads, default={}, help=limits)
    parser.set_defaults(what="all")
    given = parser.parse_args(arguments)
    os.nice(5)
    right = [part(given) for name, part in PARTS.items() if name in ORDER[given.what]]
    return 0 if all(right) else 1


@contextlib.contextmanager
def evidence() -> Generator[Path]:
    """A folder that stays when something was wrong (``told`` marks it), or raised."""
    folder = Path(tempfile.mkdtemp(prefix="soak-"))
    try:
        yield folder
    except BaseException:
        say(f"what is left is in {folder}")
        raise
    if not (folder / WRONG).exists():
        shutil.rmtree(folder)


def told(report: str, wrong: list[str], folder: Path) -> bool:
    """Say it; keep all of what is wrong, beside what it was found in."""
    sys.stdout.write(report + "\n")
    if wrong:
        (folder / WRONG).write_text("\n".join(wrong) + "\n")
        say(f"what is left is in {folder}")
    return not wrong


def run_chaos(given: argparse.Namespace) -> bool:
    plan = chaos.Plan(seconds=given.minutes * 60, quests=given.quests)
    say(f"chaos: {plan.quests} quests, {given.minutes:g} minutes, seed {given.seed}")
    with evidence() as folder:
        outcome = chaos.run(folder, plan, given.seed)
        return told(chaos.report(outcome), outcome.wrong, folder)


def run_keys(given: argparse.Namespace) -> bool:
    say(f"keys: {given.clients} clients, {given.keys} keys, {given.kills} kills")
    sizes = {"keys": given.keys, "clients": given.clients, "kills": given.kills}
    with evidence() as folder:
        outcome = keys.run(folder, **sizes)
        return told(keys.report(outcome), outcome.wrong, folder)


def run_overload(given: argparse.Namespace) -> bool:
    say(f"overload: {given.minutes:g} minutes")
    plan = overload.Plan(given.minutes * 60, times=given.times)
    plan = structs.replace(plan, limits={**plan.limits, **given.limits})
    with evidence() as folder:
        outcome = overload.run(folder, plan)
        return told(overload.report(outcome), outcome.wrong, folder)


Part = Callable[[argparse.Namespace], bool]
PARTS: dict[str, Part] = {"chaos": run_chaos, "keys": run_keys, "overload": run_overload}
ORDER = {"all": ("chaos", "keys"), **{name: (name,) for name in PARTS}}

if __name__ == "__main__":
    sys.exit(main())
