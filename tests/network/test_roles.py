"""Clients of other hosts: a token makes each a viewer, an operator or an admin, and whoever has none learns and changes nothing."""

import random
from collections.abc import Iterator
from pathlib import Path
from typing import get_args

import msgspec
import pytest

from questd.actors.control.roles import NEEDED, allowed, refusal
from questd.cli import codes
from questd.client import Client, NotFound, Refused, link
from questd.messages import control as ctl
from questd.messages import templates as tp
from questd.messages.control import Error, Request, encode_control
from questd.messages.definition import encode_definition
from questd.messages.remote import Role, encode_borne
from questd.messages.schedules import Cron, ScheduleSpec
from questd.runtime.errors import BadSettings, Unreachable
from questd.runtime.nng import Caller, TLSSettings
from tests.certificates import make_certificates
from tests.cli.processes import Place
from tests.network.far import ROLES, Far, asked, serving_others, write_token
from tests.system.place import chain

CONTROL = """
tcp = ["tcp://127.0.0.1:0", "tls+tcp://127.0.0.1:0"]
viewer_token_file = "viewer.token"
operator_token_file = "operator.token"
admin_token_file = "admin.token"
tls_certificate = "localhost.pem"
tls_key = "localhost.key"
tls_authority = "ours.pem"
"""
NONE = "q_none"
DEFINITION = encode_definition(chain(1))
SPEC = ScheduleSpec(Cron("0 0 31 2 *"))
REQUESTS: tuple[Request, ...] = (
    ctl.Ping(),
    ctl.Submit(b"no definition"),
    ctl.ReadQuest(NONE),
    ctl.ReadBlobs(()),
    ctl.ListQuests(),
    ctl.CancelQuest(NONE, "why", "who"),
    ctl.ResolveTask(NONE, "retry", "who"),
    ctl.SendSignal(NONE, "go"),
    ctl.ListAgents(),
    ctl.DrainAgent("nobody"),
    ctl.Missing(),
    ctl.StopDaemon(),
    ctl.AddSchedule("none", SPEC, DEFINITION),
    ctl.ChangeSchedule("none", SPEC, DEFINITION),
    ctl.PauseSchedule("none"),
    ctl.ResumeSchedule("none"),
    ctl.RemoveSchedule("none"),
    ctl.BackfillSchedule("none", 1, 2),
    ctl.ListSchedules(),
    tp.AddTemplate(b"no definition"),
    tp.ListTemplates(),
    tp.ReadTemplate("none"),
    tp.ArchiveTemplate("none@1.0.0"),
    tp.RemoveTemplate("none@1.0.0"),
)
"""One of each kind, which changes nothing even where it is allowed, but for the last of all."""


def borne(token: str, request: Request | bytes) -> bytes:
    return encode_borne(token, request if isinstance(request, bytes) else encode_control(request))


@pytest.fixture(scope="module")
def far(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Far]:
    place = Place(tmp_path_factory.mktemp("far"))
    make_certificates(
        place.folder, ("somebody", "ours", "/CN=somebody"), ("stranger", "theirs", "/CN=somebody")
    )
    with serving_others(place, CONTROL) as found:
        yield found


@pytest.fixture
def caller(far: Far) -> Iterator[Caller]:
    made = far.caller()
    yield made
    made.close()


# -- who may ask what --------------------------------------------------------------------------------


def test_every_request_has_a_role_that_may_ask_it() -> None:
    """One that is new needs a line in actors/control/roles.py, and one here."""
    kinds = set(get_args(Request))
    assert set(NEEDED) == kinds
    assert {type(request) for request in REQUESTS} == kinds


def test_a_request_without_a_role_is_nobodys() -> None:
    class Unheard(msgspec.Struct, tag="un.heard"):
        pass

    said = refusal("admin", Unheard())  # type: ignore[arg-type]
    assert said is not None
    assert said.message == "admin may not un heard: nobody from afar may"


@pytest.mark.parametrize("role", ROLES)
def test_a_role_is_answered_what_it_may_ask_and_refused_the_rest(
    far: Far, caller: Caller, role: Role
) -> None:
    for request in REQUESTS:
        may = role in allowed(type(request))
        if may and isinstance(request, ctl.StopDaemon):
            continue  # test_an_admin_may_end_the_daemon
        reply = asked(caller, borne(far.token(role), request))
        refused = isinstance(reply, Error) and f"{role} may not " in reply.message
        assert refused != may, (request, reply)
        if refused:
            assert isinstance(reply, Error)
            assert reply.kind == "refused"
            assert "that takes the token of " in reply.message


def test_a_higher_role_may_all_that_a_lower_one_may() -> None:
    for kind in NEEDED:
        assert "admin" in allowed(kind)
        assert "operator" in allowed(kind) or kind is ctl.StopDaemon
    viewers = {kind for kind in NEEDED if "viewer" in allowed(kind)}
    assert len(viewers) == 9
    assert not viewers & {ctl.Submit, ctl.CancelQuest, ctl.StopDaemon}


# -- tokens ------------------------------------------------------------------------------------------


@pytest.mark.parametrize("request_", [ctl.Ping(), ctl.StopDaemon(), ctl.ListQuests()], ids=repr)
def test_nothing_is_answered_without_a_token(far: Far, caller: Caller, request_: Request) -> None:
    reply = asked(caller, request_)
    assert isinstance(reply, Error)
    assert reply.kind == "refused"
    assert "$QUESTD_TOKEN_FILE" in reply.message
    for token in ("", "x" * 1_000_000, "viewer", "später\n", far.token("admin")[:-1]):
        reply = asked(caller, borne(token, request_))
        assert isinstance(reply, Error)
        assert reply.kind == "refused"
        assert "this token is none of the daemon's" in reply.message
        assert token not in reply.message or not token


def test_a_wrong_token_hides_whether_the_request_could_be_one(far: Far, caller: Caller) -> None:
    said = {
        repr(asked(caller, borne("guess", body))) for body in (b"\xc0", encode_control(ctl.Ping()))
    }
    assert len(said) == 1


def test_guesses_are_noted_once_a_connection_and_no_token_is(far: Far) -> None:
    def noted() -> int:
        return far.log().count("client.denied")

    before = noted()
    for _ in range(2):
        guesser = far.caller()
        for n in range(50):
            asked(guesser, borne(f"{far.token('admin')}{n}", ctl.Ping()))
            asked(guesser, ctl.Ping())
        asked(guesser, borne(far.token("viewer"), ctl.Ping()))
        guesser.close()
    far.place.until(lambda: noted() >= before + 2)
    assert noted() == before + 2
    assert 'client.denied door=control-tcp-0 gave="a wrong token"' in far.log()
    assert not [role for role in ROLES if far.token(role) in far.log()]


def test_a_broken_connection_costs_nothing(far: Far, caller: Caller) -> None:
    for role in ROLES:
        caller.hang_up()
        far.place.until(lambda: caller.connected)
        assert isinstance(asked(caller, borne(far.token(role), ctl.Ping())), ctl.DaemonInfo)


# -- strangers' bytes --------------------------------------------------------------------------------


def test_bytes_that_are_no_request_are_answered_as_such(far: Far, caller: Caller) -> None:
    token, ping = far.token("admin"), encode_control(ctl.Ping())
    chance = random.Random(7)
    nested = [borne(token, borne(token, ping)), borne(token, borne("guess", ping))]
    deep = b"\x91" * 5_000 + b"\xc0"
    wild = [
        bytes(chance.randrange(256) for _ in range(chance.randrange(1, 60))) for _ in range(200)
    ]
    cut = [borne(token, ping)[:end] for end in range(0, 60, 7)]
    inside = [borne(token, body) for body in (b"\xc0", b"\x93\x01\x02\x03", deep, b"\x80")]
    for body in (*nested, deep, *wild, *cut, *inside):
        reply = asked(caller, body)
        assert isinstance(reply, Error), body
        assert reply.kind in {"invalid", "refused"}
        assert token not in reply.message
    assert isinstance(asked(caller, borne(token, ping)), ctl.DaemonInfo)


def test_a_request_of_a_newer_client_is_told_so(far: Far, caller: Caller) -> None:
    body = msgspec.msgpack.encode({"type": "rewind", "quest": NONE})
    reply = asked(caller, borne(far.token("viewer"), body))
    assert isinstance(reply, Error)
    assert reply.kind == "invalid"
    assert "knows no request 'rewind': the client is newer" in reply.message


def test_on_the_daemons_machine_a_token_is_not_looked_at(far: Far) -> None:
    with Client(far.place.data) as client:
        local = Caller(client.ping().addresses["control"], frame_max=100_000)
    assert isinstance(asked(local, ctl.Ping()), ctl.DaemonInfo)
    assert isinstance(asked(local, borne("whatever", ctl.Ping())), ctl.DaemonInfo)
    reply = asked(local, borne("whatever", borne("whatever", ctl.Ping())))
    assert isinstance(reply, Error)
    assert reply.kind == "invalid"
    local.close()


# -- clients -----------------------------------------------------------------------------------------


def test_an_operator_steers_from_afar_and_a_viewer_looks_on(far: Far) -> None:
    say, wait = (far.place.folder / f"{name}.yaml" for name in ("say", "wait"))
    with far.client("operator") as operator, far.client("viewer") as viewer:
        done = operator.run(say, text="from afar")
        assert done.output == "# from afar\n"
        assert viewer.output(done.id) == "# from afar\n"
        assert [event.kind for event in viewer.watch(done.id)][-1] == "quest.completed"
        assert [line.text for line in viewer.logs(done.id)] == ["said"]
        running = operator.submit(wait).id
        for forbidden in (
            lambda: viewer.submit(say),
            lambda: viewer.cancel(running),
            lambda: viewer.resolve(running, "retry"),
            lambda: viewer.signal_send(running, "go"),
            lambda: viewer.agent_drain("writer"),
            lambda: viewer.template_add(say),
            lambda: viewer.schedule_remove("none"),
        ):
            with pytest.raises(
                Refused, match=r"viewer may not .*: that takes the token of operator"
            ):
                forbidden()
        assert operator.cancel(running)
        operator.schedule_add("never", say, cron="0 0 29 2 *")
        assert [each.name for each in viewer.schedule_list()] == ["never"]
        operator.schedule_remove("never")
        assert operator.template_add(say).created
        assert [row.name for row in viewer.template_list()] == ["one-say"]
        assert viewer.agent_show("writer")[0].agent == "writer"
        with pytest.raises(NotFound):
            operator.resolve(NONE, "retry")


def test_what_is_done_on_the_daemons_machine_says_so_from_afar(far: Far) -> None:
    with far.client("admin") as client:
        for local in (
            lambda: client.sql("select 1"),
            client.stats,
            lambda: client.backup(far.folder / "copy"),
        ):
            with pytest.raises(Refused, match="on the daemon's own machine, and not over tcp://"):
                local()
    assert not (far.folder / "copy").exists()


def test_the_command_line_works_over_tls(far: Far) -> None:
    (far.folder / "say.yaml").write_text((far.place.folder / "say.yaml").read_text())
    ran = far.quest("operator", "run", "say.yaml", "-i", "text=tls")
    assert (ran.returncode, ran.stdout) == (codes.DONE, "# tls\n"), ran.stderr
    listed = far.quest("viewer", "list")
    assert listed.returncode == codes.DONE, listed.stderr
    quest = next(word for word in listed.stdout.split() if word.startswith("q_"))
    refused = far.quest("viewer", "cancel", quest)
    assert refused.returncode == codes.REFUSED
    assert "viewer may not cancel: that takes the token of operator or admin" in refused.stderr
    shown = far.quest("viewer", "agent", "show", "writer")
    assert shown.returncode == codes.DONE, shown.stderr
    assert "the history is asked on the daemon's own machine" in shown.stderr
    doctor = far.quest("viewer", "doctor")
    assert doctor.returncode == codes.DONE, doctor.stdout
    assert "looked at on the daemon's own machine" in doctor.stdout
    asked_here = far.quest("admin", "sql", "select 1")
    assert asked_here.returncode == codes.REFUSED
    assert "the history is asked on the daemon's own machine" in asked_here.stderr
    assert "Traceback" not in asked_here.stderr


def test_whoever_forgot_something_is_told_the_variable(far: Far) -> None:
    nameless = far.quest(None, "list")
    assert nameless.returncode == codes.USAGE
    assert "(mode 0600) in $QUESTD_TOKEN_FILE" in nameless.stderr
    trusting = far.quest("viewer", "list", QUESTD_TLS_AUTHORITY="")
    assert trusting.returncode == codes.USAGE
    assert "in $QUESTD_TLS_AUTHORITY" in trusting.stderr
    guess = far.folder / "guess"
    write_token(guess, "a guess")
    wrong = far.quest(None, "list", QUESTD_TOKEN_FILE=str(guess))
    assert wrong.returncode == codes.REFUSED
    assert "this token is none of the daemon's" in wrong.stderr
    guess.chmod(0o644)
    open_to_all = far.quest(None, "list", QUESTD_TOKEN_FILE=str(guess))
    assert open_to_all.returncode == codes.USAGE
    assert f"$QUESTD_TOKEN_FILE: {guess} may be read by others" in open_to_all.stderr


@pytest.mark.parametrize(
    ("authority", "certificate"),
    [("theirs", "somebody"), ("ours", None), ("ours", "stranger")],
    ids=["a daemon that is not trusted", "no certificate", "a certificate of strangers"],
)
def test_without_fitting_certificates_there_is_no_answer_and_a_reason(
    far: Far, monkeypatch: pytest.MonkeyPatch, authority: str, certificate: str | None
) -> None:
    monkeypatch.setattr(link, "HANDSHAKE_S", 1.0)
    folder = far.place.folder
    client = Client(
        connect=far.tls,
        token_file=far.token_file("admin"),
        tls_authority=folder / f"{authority}.pem",
        tls_server_name="localhost",
        tls_certificate=None if certificate is None else folder / f"{certificate}.pem",
        tls_key=None if certificate is None else folder / f"{certificate}.key",
    )
    with client, pytest.raises(Unreachable, match="was the daemon's certificate signed by"):
        client.ping()


def test_nobody_at_an_address_is_said_at_once(far: Far) -> None:
    with (
        Client(connect="tcp://127.0.0.1:1", token_file=far.token_file("viewer")) as client,
        pytest.raises(Unreachable, match=r"nobody answers at tcp://127\.0\.0\.1:1"),
    ):
        client.list()
    with Client(connect=far.plain) as client, pytest.raises(BadSettings, match="needs a token"):
        client.list()


def test_an_admin_may_end_the_daemon(tmp_path: Path) -> None:
    """Its door asks for no certificate, and knows no other role."""
    place = Place(tmp_path)
    make_certificates(tmp_path)
    control = (
        'tcp = "tls+tcp://127.0.0.1:0"\nadmin_token_file = "admin.token"\n'
        'tls_certificate = "localhost.pem"\ntls_key = "localhost.key"\n'
    )
    with serving_others(place, control) as far:
        tls = TLSSettings(authority=tmp_path / "ours.pem", server_name="localhost")
        caller = Caller(far.tls, tls=tls, frame_max=100_000)
        reply = asked(caller, borne(far.token("operator"), ctl.StopDaemon()))
        assert isinstance(reply, Error)
        assert "none of the daemon's" in reply.message
        assert asked(caller, borne(far.token("admin"), ctl.StopDaemon())) == ctl.Done()
        place.until(lambda: "daemon.stopped" in far.log())
        caller.close()
