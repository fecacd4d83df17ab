"""`quest schedule` through real processes: a daemon that is killed again and again doubles and loses nothing."""

import signal
import time

import pytest

from questd.cli import codes
from questd.client import Client, InvalidInput, NotFound
from tests.cli.processes import Place

EVERY_SECOND = ("--cron", "* * * * * *")


def seconds_fired(place: Place, name: str) -> list[str]:
    rows = place.json("list", "--label", f"schedule={name}", "--limit", "1000")["quests"]
    assert all(row["labels"] == {"schedule": name} for row in rows)
    return sorted(row["inputs"]["text"] for row in rows)


def test_a_daemon_that_is_killed_again_and_again_doubles_and_loses_no_due_time(
    place: Place,
) -> None:
    words = ("tick", "say.yaml", *EVERY_SECOND, "--catch-up", "all", "--overlap", "allow")
    for round_ in range(3):
        with place.serving() as daemon:
            if round_ == 0:
                done = place.quest("schedule", "add", *words, "-i", "text={{ due }}")
                assert done.returncode == codes.DONE, done.stderr
            time.sleep(0.7)
            daemon.send_signal(signal.SIGKILL)
            daemon.wait()
    with place.serving():
        place.until(lambda: place.json("schedule", "show", "tick")["backlog"] == 0)
        time.sleep(1.0)
        place.quest("schedule", "remove", "tick")
        place.until(lambda: not place.json("list", "--status", "pending,running")["quests"])
        fired = seconds_fired(place, "tick")
        place.until(lambda: len(place.json("sql", "from schedule_runs")["rows"]) == len(fired))
        assert "every page, chain, head and reference is whole" in place.quest("doctor").stdout
    moments = [int(time.mktime(time.strptime(one, "%Y-%m-%dT%H:%M:%SZ"))) for one in fired]
    assert len(moments) >= 4
    assert moments == list(range(moments[0], moments[0] + len(moments)))


def test_the_commands_say_what_they_did_in_words_and_in_json(place: Place) -> None:
    with place.serving():
        assert "there is no schedule" in place.quest("schedule").stderr
        added = place.json("schedule", "add", "nightly", "say.yaml", "--cron", "0 3 * * *")
        assert added["changed"] is True
        assert added["next"][0].endswith("T03:00:00.000000Z")
        again = place.quest("schedule", "add", "nightly", "say.yaml", "--cron", "0 3 * * *")
        assert "nightly was there just so" in again.stderr
        other = place.quest("schedule", "add", "nightly", "say.yaml", "--cron", "0 4 * * *")
        assert other.returncode == codes.REFUSED
        changed = place.quest("schedule", "change", "nightly", "say.yaml", "--cron", "0 4 * * *")
        assert "nightly changed; next" in changed.stderr
        assert place.json("schedule", "pause", "nightly") == {
            "name": "nightly",
            "changed": True,
            "next": [],
        }
        (row,) = place.json("schedule", "list")["schedules"]
        assert (row["cron"], row["zone"], row["paused"]) == ("0 4 * * *", "UTC", True)
        assert "paused" in place.quest("schedule").stdout
        filled = place.json("schedule", "backfill", "nightly", "--from", "2d")
        assert filled == {"name": "nightly", "due_times": 2}
        assert "nightly  0 4 * * *  UTC" in place.quest("schedule", "show", "nightly").stdout
        assert place.json("schedule", "remove", "nightly")["changed"] is True
        gone = place.quest("schedule", "show", "nightly")
        assert (gone.returncode, "there is no schedule 'nightly'" in gone.stderr) == (
            codes.NOT_FOUND,
            True,
        )


def test_what_cannot_be_kept_is_refused_with_a_reason(place: Place) -> None:
    with place.serving():
        for words, reason in (
            (("--cron", "61 * * * *"), "bad minute"),
            (("--cron", "@daily", "--zone", "Nowhere"), "there is no time zone 'Nowhere'"),
            (("--cron", "@daily", "-i", "text={{ dew }}"), "did you mean `due`?"),
            (("--cron", "@daily", "-i", "txt=1"), "txt"),
        ):
            done = place.quest("schedule", "add", "x", "say.yaml", *words)
            assert done.returncode == codes.USAGE
            assert reason in done.stderr
        client = Client(data=place.data)
        with pytest.raises(InvalidInput, match="overlap 'never': choose skip, queue"):
            client.schedule_add("x", place.folder / "say.yaml", cron="@daily", overlap="never")
        with pytest.raises(NotFound):
            client.schedule_resume("x")
    assert place.quest("schedule").returncode == codes.UNREACHABLE


def test_the_end_of_one_quest_starts_another_with_its_output(place: Place) -> None:
    with place.serving():
        words = ("schedule", "add", "chain", "say.yaml", "--after", "one-say")
        assert place.quest(*words, "-i", "text=after {{ quest.output }}").returncode == codes.DONE
        (row,) = place.json("schedule")["schedules"]
        assert row["after"] == {"name": "one-say", "status": ["completed"], "project": None}
        assert (row["cron"], row["overlap"]) == (None, "queue")
        assert "after one-say completed" in place.quest("schedule", "show", "chain").stdout
        place.quest("run", "say.yaml", "-i", "text=one")
        place.until(lambda: len(place.json("list", "--status", "completed")["quests"]) == 9)
        place.until(
            lambda: place.json("schedule", "show", "chain")["recent"][0]["reason"] == "depth"
        )
        outputs = [row["output"] for row in place.json("list")["quests"]]
        assert outputs[-2:] == ["# after # one\n\n", "# one\n"]
        both = place.quest(*words, "--cron", "@daily")
        assert both.returncode == codes.USAGE
        assert "say when: cron, or after" in both.stderr


def test_a_daemon_that_is_killed_while_files_change_doubles_and_loses_no_change(
    place: Place,
) -> None:
    box = place.folder / "box"
    box.mkdir()
    (box / "old.md").write_text("old")
    words = ("docs", "say.yaml", "--on-change", "box/*.md", "--debounce", "300ms", "--overlap")
    given = ("allow", "-i", "text={{ change.paths | join(' ') }}")
    for round_ in range(4):
        with place.serving() as daemon:
            if round_ == 0:
                done = place.quest("schedule", "add", *words, *given)
                assert done.returncode == codes.DONE, done.stderr
            (box / f"{round_}.md").write_text("new")
            time.sleep(0.3 * round_)  # killed while it looks, rests, writes, or submits
            daemon.send_signal(signal.SIGKILL)
            daemon.wait()
        (box / f"{round_}-away.md").write_text("new")
    (box / "old.md").unlink()
    with place.serving():
        place.until(lambda: not place.json("schedule", "show", "docs")["on_change"]["changing"])
        place.until(lambda: len(told_paths(place)) == 9)
        place.until(lambda: not place.json("list", "--status", "pending,running")["quests"])
        assert sorted(told_paths(place)) == sorted(
            str(box / name)
            for name in ("old.md", *(f"{n}{away}.md" for n in range(4) for away in ("", "-away")))
        )
        shown = place.quest("schedule", "show", "docs").stdout
        assert f"docs  on change of {box}/*.md" in shown
        assert "files     8" in shown
        (box / "me.md").symlink_to(box / "me.md")
        place.until(lambda: "trouble   " in place.quest("schedule", "show", "docs").stdout)
        place.quest("schedule", "remove", "docs")
        assert "every page, chain, head and reference is whole" in place.quest("doctor").stdout


def told_paths(place: Place) -> list[str]:
    rows = place.json("list", "--label", "schedule=docs")["quests"]
    return [path for row in rows for path in row["inputs"]["text"].split()]
