"""questd.toml: each bound takes its largest and smallest value, and says what is allowed beyond it."""

import re
from pathlib import Path

import pytest

from questd.actors.house import Limits
from questd.daemon.serve import plan_of
from questd.runtime.errors import BadSettings
from questd.settings import LimitSettings, RetentionSettings, Settings, load_settings, reading
from questd.settings.model import HistorySettings

SETTINGS: dict[str, tuple[str, str, str]] = {
    "limits.parallel": ("1", "0", "limits.parallel: 0 is not between 1 and"),
    "limits.rest_after": ('"0s"', "-1", "limits.rest_after: -1 is not between 0 and 1000000000"),
    "limits.rest_in_queue": ("1000000000", "1000000001", "limits.rest_in_queue: 1000000001 is"),
    "limits.awake_quests": ("0", "-1", "limits.awake_quests: -1 is not between 0"),
    "limits.awake_steps": ("1", "0", "limits.awake_steps: 0 is not between 1"),
    "limits.hold": ("0.05", "0.04", "limits.hold: 0.04 is not between 0.05 and 300 seconds"),
    "limits.lease": ("10.1", "10", "limits.lease: 10 is not longer than 2 × limits.hold"),
    "limits.closed_pipe": ("0", '"soon"', "limits.closed_pipe: 'soon' is not a duration"),
    "limits.reattach_grace": ('"3650d"', '"3651d"', "limits.reattach_grace: '3651d' is longer"),
    "limits.submits_in_flight": ("1", "0", "limits.submits_in_flight: 0 is not between 1"),
    "limits.requests_in_flight": ("1", "0", "limits.requests_in_flight: 0 is not between 1"),
    "limits.connections": ("16", "15", "limits.connections: 15 is not between 16"),
    "limits.journal_queue": ("1", "0", "limits.journal_queue: 0 is not between 1"),
    "limits.open_quests": (
        "1000000000000",
        "1000000000001",
        "limits.open_quests: 1000000000001 is not between 1 and 1000000000000",
    ),
    "retention.days": ("36500", "36501", "retention.days: 36501 is not between 1 and 36500"),
    "retention.quests": ("0", "-1", "retention.quests: -1 is not between 0"),
    "history.memory": ('"1.5GiB"', '"lots"', "history.memory: 'lots' is no amount"),
    "history.threads": ("1024", "1025", "history.threads: 1025 is not between 1 and 1024"),
    "agents.a.replicas": ("1000", "1001", "agents.a.replicas: 1001 is not between 1 and 1000"),
    "agents.a.restarts": ("0", "-1", "agents.a.restarts: -1 is not between 0"),
    "agents.a.within": ("0", '"-1s"', "agents.a.within: '-1s' is not a duration"),
    "drain": ("1000000000", "1000000001", "drain: 1000000001 is not between 0 and 1000000000"),
}


def load(folder: Path, setting: str, value: str) -> Settings:
    table, _, name = setting.rpartition(".")
    python = '\npython = "m:a"' if table.startswith("agents") else ""
    head = f"[{table}]" if table else ""
    (folder / "questd.toml").write_text(f"{head}{python}\n{name} = {value}\n")
    return load_settings(data=folder, start=folder)


@pytest.mark.parametrize("setting", SETTINGS)
def test_a_setting_at_its_limit_is_taken_and_one_beyond_is_refused_by_name(
    setting: str, tmp_path: Path
) -> None:
    at, beyond, said = SETTINGS[setting]
    load(tmp_path, setting, at)
    with pytest.raises(BadSettings) as refused:
        load(tmp_path, setting, beyond)
    assert said in str(refused.value)


def test_a_longer_hold_wants_a_longer_lease(tmp_path: Path) -> None:
    (tmp_path / "questd.toml").write_text("[limits]\nhold = 300\nlease = 601\n")
    assert load_settings(start=tmp_path).limits.hold_s == 300
    with pytest.raises(BadSettings, match=r"limits\.lease: 15 is not longer than 2 × limits\.hold"):
        load(tmp_path, "limits.hold", "7.5")
    with pytest.raises(BadSettings, match=re.escape("limits.hold: 301 is not between")):
        load(tmp_path, "limits.hold", "301")


def test_agents_are_counted(tmp_path: Path) -> None:
    def written(count: int) -> None:
        agents = "\n".join(f'[agents.a{n}]\npython = "m:a"' for n in range(count))
        (tmp_path / "questd.toml").write_text(agents)

    written(reading.AGENTS_MAX)
    assert len(load_settings(start=tmp_path).agents) == reading.AGENTS_MAX
    written(reading.AGENTS_MAX + 1)
    with pytest.raises(BadSettings, match="agents: 1001 are named; 1000 are allowed"):
        load_settings(start=tmp_path)


def test_every_bound_has_a_test_here() -> None:
    names = {"limits." + name.removesuffix("_s") for name in LimitSettings.__struct_fields__}
    names |= {f"retention.{name}" for name in RetentionSettings.__struct_fields__}
    names |= {f"history.{name}" for name in HistorySettings.__struct_fields__} - {"history.enabled"}
    assert names - set(SETTINGS) == set()


def test_the_defaults_of_the_file_are_those_of_the_daemon(tmp_path: Path) -> None:
    (tmp_path / "questd.toml").write_text("[limits]\n")
    plan = plan_of(load_settings(data=tmp_path, start=tmp_path))
    assert plan.limits == Limits() == plan_of(Settings(data=tmp_path)).limits
    retention = RetentionSettings()
    assert (plan.keep_days, plan.keep_quests) == (retention.days, retention.quests)
