"""Secrets in a real run: the tool has the value, and no byte that anybody keeps or shows does."""

import base64
import contextlib
import hashlib
import json
import subprocess
from pathlib import Path

import pytest

from questd.cli import codes
from questd.client import Client, InvalidInput
from tests.cli.processes import PATIENCE_S, Place

OUTSIDE = 'tok-7f3c9a "quoted" 5512'
IN_FILE = "file-word-08c41e77"
NAMED = "named-word-5d21bb90"
ROTATED = "file-word-rotated-e1f0"
LITERAL = "literal-word-4417ac"
SECRETS = (OUTSIDE, IN_FILE, NAMED, ROTATED, LITERAL)

AGENT = """
import hashlib
import os
import pathlib
import time
from questd import Agent, Context, ToolError

agent = Agent("writer", capacity=4)
here = pathlib.Path(__file__).parent

@agent.tool
def use(token: str, header: str, *, ctx: Context) -> dict:
    ctx.log(f"got {token}", token=token, nested={"header": [header]})
    ctx.progress(0.5, f"with {header}")
    ctx.usage(tokens=1, model=token)
    return {"sha": hashlib.sha256(token.encode()).hexdigest(), "echo": [token, {token: header}]}

@agent.tool
def leak(prompt: str, *, ctx: Context) -> str:
    raise RuntimeError(f"cannot log in with {prompt}: {prompt!r}")

@agent.tool
def patient(token: str) -> str:
    while not (here / "gate").exists():
        time.sleep(0.02)
    return token

@agent.tool
def count(token: str, *, ctx: Context) -> str:
    if ctx.attempt == 1:
        (here / "rotated").rename(here / "word")
        raise RuntimeError(f"refused {token}")
    return hashlib.sha256(token.encode()).hexdigest()

@agent.tool
def say(text: dict) -> dict:
    return text
"""
DOCUMENT = """
name: secretive
inputs:
  token: {type: string, secret: true, default: env:OUTSIDE}
  key: {secret: true}
  named: {type: string, secret: true, default: secret:named}
steps:
  - {key: use, agent: writer, tool: use, with: {token: "{{ token }}", header: "Bearer {{ inputs.named }}"}}
  - {key: passed-on, agent: writer, tool: say, with: {text: "{{ use.result }}"}, needs: [use]}
  - {key: leak, agent: writer, tool: leak, prompt: "{{ key }} {{ token }}", on_error: continue_with_input, retry: {attempts: 2, delay: 0s}}
  - {key: patient, agent: writer, tool: patient, with: {token: "{{ named }}"}, needs: [use]}
output: {all: [{a: "{{ use.result }}", b: "{{ passed-on.result }}", c: "{{ leak.result }}", d: "{{ patient.result }}"}]}
"""
COUNTING = """
name: counting
inputs: {key: {secret: true}}
steps:
  - {key: count, agent: writer, tool: count, with: {token: "{{ key }}"}, retry: {attempts: 2, delay: 0s}}
"""


@pytest.fixture
def place(place: Place) -> Place:
    folder = place.folder
    word = folder / "word"
    for path, text in ((word, IN_FILE), (folder / "named", NAMED), (folder / "rotated", ROTATED)):
        path.write_text(f"{text}\n")
        path.chmod(0o600)
    with (folder / "questd.toml").open("a") as settings:
        settings.write(f'\n[secrets]\nnamed = "file:{folder / "named"}"\n')
    (folder / "writer.py").write_text(AGENT)
    (folder / "secretive.yaml").write_text(DOCUMENT)
    (folder / "counting.yaml").write_text(COUNTING)
    place.env["OUTSIDE"] = OUTSIDE
    return place


def forms(secret: str) -> set[bytes]:
    """As bytes on disk or a page may hold it."""
    texts = {secret, json.dumps(secret)[1:-1], json.dumps(json.dumps(secret)[1:-1])[1:-1]}
    encoded = base64.b64encode(secret.encode())
    return {
        *(text.encode() for text in texts),
        *(text.encode("utf-16-le") for text in texts),
        encoded,
    }


def assert_files_silent(paths: list[Path]) -> None:
    for path in paths:
        with contextlib.suppress(
            FileNotFoundError
        ):  # a historian that its daemon left behind tidies up
            assert_silent(str(path), path.read_bytes())


def assert_silent(what: str, data: bytes) -> None:
    for secret in SECRETS:
        found = [form for form in forms(secret) if form in data]
        assert not found, f"{what} holds {found}"


def files_below(folder: Path) -> list[Path]:
    return [path for path in sorted(folder.rglob("*")) if path.is_file()]


def sha(secret: str) -> str:
    return hashlib.sha256(secret.encode()).hexdigest()


def serve(place: Place) -> "subprocess.Popen[str]":
    """A daemon whose log is a file beside its directory."""
    with (place.folder / "serve.log").open("a") as log:
        daemon = place.start("serve", "--verbose", stderr=log)
    assert daemon.stdout is not None
    assert "ready" in daemon.stdout.readline()
    return daemon


def assert_shown_nowhere(place: Place, quest: str) -> None:
    """Every page that there is of the quest, and every table of the history."""
    tables = place.json("sql", "select table_name from information_schema.tables")["rows"]
    assert len(tables) > 10
    pages = [
        ("show", quest, "--json"), ("show", quest, "--verbose"), ("logs", quest, "--json"), ("logs", quest), ("list", "--json"),
        ("output", quest), ("watch", quest, "--json"), ("watch", quest), ("stats", "--json"), ("agent", "show", "writer", "--json"),
        *(("sql", f'from "{name}"', "--json") for (name,) in tables),
    ]  # fmt: skip
    for words in pages:
        done = place.quest(*words)
        assert done.returncode in (codes.DONE, codes.FAILED), (words, done.stderr)
        assert_silent(" ".join(words), (done.stdout + done.stderr).encode())


def test_no_byte_that_is_kept_or_shown_holds_a_secret(place: Place) -> None:
    daemon = serve(place)
    try:
        key = f"key=file:{place.folder / 'word'}"
        quest = place.json("submit", "secretive.yaml", "-i", key)["id"]
        place.until(lambda: place.json("show", quest)["steps"]["patient"]["status"] == "running")
        place.until(lambda: place.json("show", quest)["steps"]["leak"]["status"] == "failed")
        daemon.kill()
        daemon.communicate()
        left = files_below(place.data)
        assert any(path.name.endswith("-wal") for path in left)
        assert_files_silent(left)
        daemon = serve(place)
        (place.folder / "gate").touch()
        place.until(lambda: place.json("show", quest)["status"] == "completed")
        shown = place.json("show", quest)
        (all_of_it,) = shown["output"]["all"]
        assert all_of_it["a"]["sha"] == sha(OUTSIDE)
        assert all_of_it["a"]["echo"] == [
            "[secret token]",
            {"[secret token]": "Bearer [secret named]"},
        ]
        assert all_of_it["b"] == all_of_it["a"]
        assert all_of_it["c"] == f"file:{place.folder / 'word'} env:OUTSIDE"
        assert all_of_it["d"] == "[secret named]"
        said = shown["steps"]["leak"]["error"]["message"]
        assert said.startswith("RuntimeError: cannot log in with [secret key] [secret token]")
        assert shown["inputs"]["token"] == "env:OUTSIDE"
        assert "got [secret token]" in place.quest("logs", quest).stdout
        assert_shown_nowhere(place, quest)
    finally:
        daemon.terminate()
        daemon.communicate(timeout=PATIENCE_S)
    assert_files_silent([*files_below(place.data), place.folder / "serve.log"])


def test_a_secret_is_read_anew_for_each_attempt(place: Place) -> None:
    shown = place.json("run", "counting.yaml", "-i", f"key=file:{place.folder / 'word'}")
    assert (shown["status"], shown["output"]) == ("completed", sha(ROTATED))
    rows = place.json("sql", "select failure_message from attempts order by attempt")["rows"]
    assert rows[0][0].startswith("RuntimeError: refused [secret key]")


def test_a_secret_that_is_not_there_is_refused_at_submit_by_name(place: Place) -> None:
    place.env.pop("OUTSIDE")
    (place.folder / "word").chmod(0o644)
    done = place.quest("run", "secretive.yaml", "-i", f"key=file:{place.folder / 'word'}")
    assert done.returncode == codes.USAGE
    assert (
        "inputs.token: the secret env:OUTSIDE is not set in the daemon's environment" in done.stderr
    )
    assert "may be read by others (mode 0644): chmod 600" in done.stderr
    assert "inputs.named" not in done.stderr


def test_who_asks_again_by_a_known_key_is_answered_though_the_secret_is_gone(place: Place) -> None:
    word = place.folder / "word"
    submit = ("submit", "counting.yaml", "-i", f"key=file:{word}", "--key", "once")
    with place.serving():
        first = place.json(*submit)
        place.until(lambda: place.json("show", first["id"])["status"] == "completed")
        word.unlink()
        assert place.json(*submit) == {"id": first["id"], "created": False}
        assert place.quest(*submit[:-1], "another").returncode == codes.USAGE


def test_a_secret_that_goes_before_its_step_fails_it_by_name_and_is_not_tried_again(
    place: Place,
) -> None:
    word = place.folder / "word"
    (place.folder / "later.yaml").write_text(
        """
name: later
inputs: {key: {secret: true}}
steps:
  - {key: wait, agent: writer, tool: patient, with: {token: x}}
  - {key: late, agent: writer, tool: patient, with: {token: "{{ key }}"}, needs: [wait], retry: {attempts: 5}}
"""
    )
    with place.serving():
        quest = place.json("submit", "later.yaml", "-i", f"key=file:{word}")["id"]
        place.until(lambda: place.json("show", quest)["steps"]["wait"]["status"] == "running")
        word.unlink()
        (place.folder / "gate").touch()
        place.until(lambda: place.json("show", quest)["status"] == "failed")
        late = place.json("show", quest)["steps"]["late"]
        assert late["attempts"] == 1
        assert late["error"] == {
            "kind": "auth",
            "message": f"the secret file:{word} cannot be read: No such file or directory",
            "task": "late",
        }


def test_a_signal_that_grows_too_large_by_its_marks_is_refused(place: Place) -> None:
    (place.folder / "short").write_text("ab-1")
    (place.folder / "short").chmod(0o600)
    (place.folder / "hears.yaml").write_text(
        "name: hears\ninputs: {key: {secret: true}}\nsteps: [{key: a, wait_for: go}]\noutput: '{{ a.result }}'\n"
    )
    with place.serving(), Client(place.data) as client:
        quest = place.json("submit", "hears.yaml", "-i", f"key=file:{place.folder / 'short'}")["id"]
        with pytest.raises(InvalidInput, match="bytes once its secrets are taken out"):
            client.signal_send(quest, "go", "ab-1" * 500_000)
        assert client.signal_send(quest, "go", "ab-1" * 1_000).state == "taken"
        place.until(lambda: client.show(quest).status == "completed")
        assert client.show(quest).output == "[secret key]" * 1_000


def test_a_value_in_place_of_a_reference_is_refused_and_not_repeated(place: Place) -> None:
    for words in (("run",), ("submit",), ("run", "--json")):
        done = place.quest(*words, "counting.yaml", "-i", f"key={LITERAL}")
        assert done.returncode == codes.USAGE
        assert "inputs.key: is secret: it takes a reference" in done.stderr
        assert_silent(" ".join(words), (done.stdout + done.stderr).encode())
    (place.folder / "bad.yaml").write_text(
        COUNTING.replace("{secret: true}", f"{{secret: true, default: {LITERAL}}}")
    )
    done = place.quest("validate", "bad.yaml")
    assert done.returncode == codes.USAGE
    assert "bad.yaml:3:" in done.stderr + done.stdout
    assert_silent("validate", (done.stdout + done.stderr).encode())
    assert_files_silent(files_below(place.data))


def test_a_condition_that_names_a_secret_is_refused_with_its_place(place: Place) -> None:
    (place.folder / "bad.yaml").write_text(
        COUNTING.replace("tool: count,", 'tool: count, when: "key",')
    )
    done = place.quest("validate", "bad.yaml")
    assert done.returncode == codes.USAGE
    said = done.stdout + done.stderr
    assert "steps[0].when" in said
    assert "names the secret key" in said
    assert ":5:" in said


def test_doctor_names_a_file_that_others_may_read(place: Place) -> None:
    assert place.json("doctor")["healthy"] is True
    (place.folder / "named").chmod(0o640)
    done = place.quest("doctor")
    assert "secret:named" in done.stdout
    assert "may be read by others (mode 0640): chmod 600" in done.stdout
    assert_silent("doctor", (done.stdout + done.stderr).encode())
