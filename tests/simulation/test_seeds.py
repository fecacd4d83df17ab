"""The whole house under a thousand seeds, a crash at every append, and the same history from the same seed."""

import os
import subprocess
import sys

import pytest

from questd.simulation.faults import SECOND, Faults, Scene, draw_scene
from questd.simulation.running import run, run_seeds, script_of
from questd.simulation.world import Script

SEEDS = 1_000
SHARDS = 10


@pytest.mark.parametrize("shard", range(SHARDS))
def test_every_invariant_holds_under_every_seed(shard: int) -> None:
    size = SEEDS // SHARDS
    quests = 0
    for outcome in run_seeds(shard * size, size):
        replay = f"python -m questd.simulation --seed {outcome.seed} --trace"
        assert outcome.violation is None, f"{outcome.violation}\n{replay}"
        quests += outcome.quests
    assert quests > 3 * size


def test_a_thousand_seeds_know_every_kind_of_fault() -> None:
    counts: dict[str, int] = {}
    for outcome in run_seeds(0, 60):
        for name, count in outcome.counts.items():
            counts[name] = counts.get(name, 0) + count
    for name in (
        "daemon.died",
        "instance.crashed",
        "instance.frozen",
        "pipe.cut",
        "clock.jumped",
        "actor.poisoned",
        "historian.killed",
        "agent.lost",
    ):
        assert counts.get(name, 0) > 3, f"{name} hardly ever happens: {counts.get(name, 0)}"


REFERENCE_SEED = 11
REFERENCE = Script(
    REFERENCE_SEED,
    Scene(8, 3, 4 * SECOND, draw_scene(REFERENCE_SEED).limits),
    Faults(tool_fails=0.2, tool_hangs=0.02),
)


def reference_commits() -> int:
    outcome, _ = run(REFERENCE)
    assert outcome.violation is None, outcome.violation
    return outcome.commits


@pytest.mark.parametrize(("how", "first"), [("before", 1), ("after", 2), ("broken", 3)])
def test_a_crash_at_any_append_of_a_run_loses_nothing(how: str, first: int) -> None:
    """Each append has one of the three; all of them at each of many runs are `make sim`."""
    commits = reference_commits()
    assert commits > 40
    for number in range(first, commits + 1, 3):
        faults = Faults(tool_fails=0.2, tool_hangs=0.02, commit_deaths=((number, how),))
        outcome, _ = run(Script(REFERENCE_SEED, REFERENCE.scene, faults))
        assert outcome.counts.get("daemon.died") == 1, f"it did not die at commit {number}"
        assert outcome.violation is None, f"died {how} commit {number}: {outcome.violation}"


def replayed(seed: int, hash_seed: str) -> bytes:
    environment = {**os.environ, "PYTHONHASHSEED": hash_seed}
    command = [sys.executable, "-m", "questd.simulation", "--seed", str(seed), "--trace"]
    return subprocess.run(command, env=environment, capture_output=True, check=True).stdout


def test_one_seed_replays_one_history_byte_for_byte_in_any_process() -> None:
    for seed in (11, 28):
        first, second = replayed(seed, "1"), replayed(seed, "2")
        assert len(first) > 10_000
        assert first == second


def test_different_seeds_are_different_histories() -> None:
    assert len({outcome.checksum for outcome in run_seeds(0, 5)}) == 5


def test_a_failure_names_its_seed_and_how_to_replay_it(
    capsys: pytest.CaptureFixture[str],
) -> None:
    from questd.simulation.__main__ import main
    from questd.simulation.saboteurs import SABOTEURS

    saboteur = next(each for each in SABOTEURS if each.name == "acknowledge before append")
    with saboteur.at_work():
        assert main(["--seeds", "20", "--start", "5", "--quiet"]) == 1
    shown = capsys.readouterr().out
    seed = shown.split("replay: python -m questd.simulation --seed ")[1].split()[0]
    assert int(seed) >= 5
    assert main(["--seed", seed]) == 0


def test_the_command_line_shows_what_the_seeds_saw(capsys: pytest.CaptureFixture[str]) -> None:
    from questd.simulation.__main__ import main

    assert main(["--seeds", "10", "--quiet"]) == 0
    shown = capsys.readouterr().out
    assert "10 seeds" in shown
    assert "faults: daemon.died" in shown
    assert "every invariant held" in shown


def test_a_script_is_all_that_a_run_depends_on() -> None:
    first, _ = run(script_of(3))
    second, _ = run(script_of(3), keep_trace=True)
    assert first == second
