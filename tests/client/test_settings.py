"""questd.toml, data directories, and what is said about mistakes."""

from pathlib import Path

import pytest

from questd.runtime.errors import BadSettings
from questd.settings import Settings, load_settings


@pytest.fixture(autouse=True)
def _no_surroundings(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.delenv("QUESTD_DATA", raising=False)
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path / "state"))


def load(tmp_path: Path, text: str) -> Settings:
    (tmp_path / "questd.toml").write_text(text)
    return load_settings(start=tmp_path)


def fault(tmp_path: Path, text: str) -> str:
    with pytest.raises(BadSettings) as raised:
        load(tmp_path, text)
    return str(raised.value)


def test_the_file_is_found_upwards_and_its_data_lies_beside_it(tmp_path: Path) -> None:
    (tmp_path / "questd.toml").touch()
    deep = tmp_path / "a" / "b"
    deep.mkdir(parents=True)
    found = load_settings(start=deep)
    assert found.file == tmp_path / "questd.toml"
    assert found.data == tmp_path / ".questd"


def test_without_a_file_data_lies_in_the_state_home(tmp_path: Path) -> None:
    assert load_settings(start=tmp_path).data == tmp_path / "state" / "questd"


def test_what_is_said_first_wins(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "questd.toml").write_text('data = "own"')
    assert load_settings(start=tmp_path).data == tmp_path / "own"
    monkeypatch.setenv("QUESTD_DATA", str(tmp_path / "told"))
    assert load_settings(start=tmp_path).data == tmp_path / "told"
    assert load_settings(data=tmp_path / "given", start=tmp_path).data == tmp_path / "given"


def test_an_agent_is_imported_from_the_folder_of_its_file(tmp_path: Path) -> None:
    text = """
        [agents.security]
        python = "tools.security:agent"
        replicas = 2
        restart = "transient"
        within = "1m"
        env = {DEPTH = "3"}
    """
    (agent,) = load(tmp_path, text).agents
    assert (agent.name, agent.folder, agent.replicas) == ("security", tmp_path, 2)
    assert (agent.restart, agent.within_s, agent.env) == ("transient", 60.0, {"DEPTH": "3"})


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("[agent.x]", "the file has no setting 'agent': did you mean 'agents'?"),
        ('[agents.x]\npython = "a:b"\nreplica = 2', "[agents.x] has no setting 'replica': did you mean 'replicas'?"),
        ("[limits]\nparalel = 2", "[limits] has no setting 'paralel': did you mean 'parallel'?"),
        ("[limits]\nparallel = 0", "limits.parallel: 0 is not between 1 and"),
        ('[limits]\nhold = "5 s"', "limits.hold: '5 s' is not a duration"),
        ('[agents.x]\npython = "a"', "agents.x.python: 'a' is not module:attribute, as in x:agent"),
        ("[agents.x]", "agents.x: object missing required field `python`"),
        ('[agents.x]\npython = "a:b"\nrestart = "always"', "agents.x.restart: invalid enum value 'always'"),
        ("[retention]\ndays = 0", "retention.days: 0 is not between 1 and"),
        ('[history]\nmemory = "lots"', "history.memory: 'lots' is no amount"),
        ("= 3", "is not TOML"),
        ('[listen]\ntcp = "0.0.0.0"', "listen.tcp: '0.0.0.0' is not an address"),
        ('[listen]\ntcp = "tcp://127.0.0.1:7411"', "needs listen.token_file"),
        ('[control]\ntcp = "0.0.0.0"', "control.tcp: '0.0.0.0' is not an address: write tcp://127.0.0.1:7412"),
        ('[control]\ntoken_file = "a"', "[control] has no setting 'token_file': did you mean"),
    ],
)  # fmt: skip
def test_a_mistake_is_named_with_its_field_and_what_to_write(
    tmp_path: Path, text: str, expected: str
) -> None:
    message = fault(tmp_path, text)
    assert message.startswith(f"{tmp_path / 'questd.toml'}: ")
    assert expected in message


def test_a_listener_needs_a_token_that_only_its_owner_may_read(tmp_path: Path) -> None:
    text = '[listen]\ntcp = "127.0.0.1:7411"\ntoken_file = "token"'
    assert "cannot be read" in fault(tmp_path, text)
    token = tmp_path / "token"
    token.touch(mode=0o600)
    assert "is empty" in fault(tmp_path, text)
    token.write_text("a long random text")
    assert load(tmp_path, text).listen.tcp == ("tcp://127.0.0.1:7411",)
    token.chmod(0o644)
    assert "chmod 600" in fault(tmp_path, text)


def test_a_listener_for_other_hosts_needs_tls_or_a_word_that_warns(tmp_path: Path) -> None:
    (tmp_path / "token").touch(mode=0o600)
    (tmp_path / "token").write_text("a long random text")
    text = '[listen]\ntcp = "tcp://0.0.0.0:7411"\ntoken_file = "token"'
    assert "open to other hosts and needs TLS" in fault(tmp_path, text)
    insecure = load(tmp_path, text + "\ninsecure = true")
    assert insecure.warnings == ("listen.insecure: tcp://0.0.0.0:7411 is served without TLS",)
    bare = load(tmp_path, '[listen]\ntcp = "tcp://127.0.0.1:7411"\ninsecure = true')
    assert bare.warnings == ("listen.insecure: tcp://127.0.0.1:7411 is served without a token",)


def with_tokens(tmp_path: Path, **tokens: str) -> None:
    for name, text in tokens.items():
        (tmp_path / name).touch(mode=0o600)
        (tmp_path / name).write_text(text)


def test_a_control_door_needs_a_token_whatever_is_insecure(tmp_path: Path) -> None:
    text = '[control]\ntcp = "127.0.0.1:7412"\n'
    assert "needs control.viewer_token_file, operator_token_file or admin" in fault(tmp_path, text)
    assert "with `insecure = true` neither" in fault(tmp_path, text + "insecure = true")
    text += 'operator_token_file = "operator"\n'
    assert f"control.operator_token_file: {tmp_path / 'operator'} cannot be" in fault(
        tmp_path, text
    )
    with_tokens(tmp_path, operator="")
    assert "control.operator_token_file" in fault(tmp_path, text)
    with_tokens(tmp_path, operator="a long random text")
    control = load(tmp_path, text).control
    assert control.tcp == ("tcp://127.0.0.1:7412",)
    assert control.token_files == {"operator": tmp_path / "operator"}
    (tmp_path / "operator").chmod(0o640)
    assert "(mode 0640): chmod 600" in fault(tmp_path, text)


def test_a_control_door_for_other_hosts_needs_tls_or_a_word_that_warns(tmp_path: Path) -> None:
    with_tokens(tmp_path, admin="a long random text")
    text = '[control]\ntcp = ["0.0.0.0:7412", "tcp://[::1]:7412"]\nadmin_token_file = "admin"\n'
    assert "control.tcp: tcp://0.0.0.0:7412 is open to other hosts and needs TLS" in fault(
        tmp_path, text
    )
    insecure = load(tmp_path, text + "insecure = true")
    assert insecure.warnings == ("control.insecure: tcp://0.0.0.0:7412 is served without TLS",)
    text = text.replace('"0.0.0.0', '"tls+tcp://0.0.0.0')
    assert "needs control.tls_certificate and control.tls_key" in fault(tmp_path, text)
    loaded = load(tmp_path, text + 'tls_certificate = "c.pem"\ntls_key = "k.pem"')
    assert loaded.control.tls_key == tmp_path / "k.pem"
    assert loaded.warnings == ()


@pytest.mark.parametrize(
    ("first", "second"),
    [("viewer", "operator"), ("operator", "admin"), ("viewer", "admin"), ("agents", "viewer")],
)
def test_no_two_roles_have_one_token(tmp_path: Path, first: str, second: str) -> None:
    """Agents are in no role, and their hosts know their token."""
    tokens = {"viewer": "one", "operator": "two", "admin": "three", "agents": "four"}
    with_tokens(tmp_path, **tokens | {second: f" {tokens[first]}\n"})
    text = (
        '[listen]\ntcp = "127.0.0.1:7411"\ntoken_file = "agents"\n[control]\ntcp = "127.0.0.1:7412"\n'
        'viewer_token_file = "viewer"\noperator_token_file = "operator"\nadmin_token_file = "admin"\n'
    )
    said = fault(tmp_path, text)
    assert "holds the same token as" in said
    for name in (first, second):
        assert ("listen.token_file" if name == "agents" else f"control.{name}_token_file") in said
    assert tokens[first] not in said.replace(str(tmp_path), "")


def test_config_must_exist(tmp_path: Path) -> None:
    with pytest.raises(BadSettings, match=r"there is no such file; write .*questd\.toml"):
        load_settings(config=tmp_path)


def test_secrets_are_named_and_stand_elsewhere(tmp_path: Path) -> None:
    found = load(tmp_path, '[secrets]\nforge = "env:FORGE"\n"a.b-c" = "file:/run/secrets/x"\n')
    assert found.secrets == {"forge": "env:FORGE", "a.b-c": "file:/run/secrets/x"}


@pytest.mark.parametrize("value", ["hunter2", "secret:other", "file:relative", "env:", ""])
def test_a_secret_itself_is_refused_and_not_repeated(tmp_path: Path, value: str) -> None:
    with pytest.raises(
        BadSettings, match=r"secrets\.forge: is not env:NAME or file:/PATH"
    ) as raised:
        load(tmp_path, f'[secrets]\nforge = "{value}"\n')
    assert "hunter2" not in str(raised.value)
    with pytest.raises(BadSettings, match="a name is letters"):
        load(tmp_path, '[secrets]\n"a b" = "env:A"\n')
