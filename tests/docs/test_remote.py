"""The page about other hosts: its certificates, settings, commands and program do what they say."""

import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from questd.client import Client
from tests.cli.processes import PATIENCE_S, Place
from tests.docs.test_documents import code

WRITTEN = "tls+tcp://daemon.example.org:7412"
REVIEW = (
    "name: review\nversion: 1.0.0\ninputs: {text: {type: string}}\n"
    'steps:\n  - {key: only, agent: writer, tool: say, with: {text: "{{ text }}"}}\n'
)
SHELL = f'set -e\nquest() {{ "{sys.executable}" -m questd "$@"; }}\n'


def run(text: str, folder: Path, env: dict[str, str]) -> str:
    done = subprocess.run(
        ["sh", "-c", SHELL + text],
        cwd=folder,
        env=env,
        capture_output=True,
        text=True,
        check=False,
        timeout=PATIENCE_S,
    )
    assert done.returncode == 0, done.stderr
    return done.stdout


def test_the_page_about_other_hosts_opens_a_door_and_asks_there(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    place, far = Place(tmp_path), tmp_path / "far"
    prepare, ask = code("remote.md", "sh")
    (settings,) = code("remote.md", "toml")
    (program,) = code("remote.md", "python")
    run(prepare, tmp_path, place.env)
    with (tmp_path / "questd.toml").open("a") as file:
        file.write(settings.replace("0.0.0.0:7412", "127.0.0.1:0"))
    far.mkdir()
    (far / "review.yaml").write_text(REVIEW)
    for name in ("viewer.token", "operator.token", "authority.pem"):
        shutil.copy(tmp_path / name, far)
    named = {"QUESTD_TLS_SERVER_NAME": "daemon.example.org"}
    with place.serving():
        with Client(place.data) as local:
            url = local.ping().addresses["control_tcp_0"]
        said = run(ask.replace(WRITTEN, url), far, {**place.env, **named})
        assert "review" in said
        monkeypatch.chdir(far)
        monkeypatch.setenv("QUESTD_TLS_SERVER_NAME", "daemon.example.org")
        names: dict[str, object] = {}
        exec(compile(program.replace(WRITTEN, url), "remote.md", "exec"), names)
        client = names["client"]
        assert isinstance(client, Client)
        client.close()
