"""Short versions of the soaks. The long ones: ``make soak MINUTES=n`` and ``python -m tests.soak overload``."""

from pathlib import Path

from tests.soak import chaos, keys, overload
from tests.soak.samples import Sample, trend


def test_everything_is_killed_and_every_quest_is_right(tmp_path: Path) -> None:
    plan = chaos.Plan(
        seconds=8.0,
        quests=160,
        gap_s=(0.5, 1.5),
        freeze_s=(0.2, 0.8),
        pace_s=0.1,
        calm=0.2,
        sample_s=0.5,
        finish_s=60.0,
        quiet=True,
    )
    outcome = chaos.run(tmp_path, plan)
    assert not outcome.wrong, chaos.report(outcome)
    assert outcome.verdict.quests == plan.quests
    assert outcome.lives > 1
    assert {"daemon killed", "historian killed", "agent killed"} <= set(outcome.deeds)


def test_one_key_from_many_clients_over_kills_is_one_quest(tmp_path: Path) -> None:
    outcome = keys.run(tmp_path, keys=30, clients=20, kills=3, quiet=True)
    assert not outcome.wrong, keys.report(outcome)
    assert (outcome.quests, outcome.submits) == (30, 600)


def test_a_flood_is_told_busy_and_nothing_that_was_accepted_is_lost(tmp_path: Path) -> None:
    limits = {"open_quests": 400, "submits_in_flight": 16}
    plan = overload.Plan(
        seconds=4.0, normal_s=1.5, floods=1, limits=limits, sample_s=0.2, settle_s=1.0, quiet=True
    )
    outcome = overload.run(tmp_path, plan)
    assert not outcome.wrong, overload.report(outcome)
    assert outcome.rude.busy
    assert outcome.accepted == outcome.ended


def life(*memory_mb: float) -> list[Sample]:
    return [Sample(float(n), 1, mb, 30, 12) for n, mb in enumerate(memory_mb)]


def test_growth_is_seen_and_noise_is_not() -> None:
    assert trend(life(*[60 + n % 3 for n in range(30)])) is None
    assert trend(life(*range(60, 120))) is not None
