"""Templates: what the daemon keeps, what it finds by which name, and what a submit may use."""

from pathlib import Path
from typing import Any

import pytest

from questd.actors.control.templates import TEMPLATES_MAX, USE_DEPTH_MAX, USED_MAX
from questd.messages import control as ctl
from questd.messages import templates as tp
from questd.messages.control import Error, Submit
from questd.messages.definition import (
    InputDefinition,
    QuestDefinition,
    StepDefinition,
    decode_definition,
    encode_definition,
)
from questd.messages.templates import TemplateAdded, Templates
from questd.runtime.errors import JournalError
from questd.runtime.shelf import FileShelf, MemoryShelf, Shelf, copy_shelf
from tests.limits.standing import Standing

WORK = StepDefinition("a", agent="worker")


def template(name: str, version: str = "1", *steps: StepDefinition, **more: Any) -> QuestDefinition:
    return QuestDefinition(name, steps or (WORK,), version=version, **more)


def using(*uses: str, **more: Any) -> QuestDefinition:
    steps = (StepDefinition(f"s{n}", use=use, **more) for n, use in enumerate(uses))
    return QuestDefinition("user", tuple(steps))


def add(house: Standing, definition: QuestDefinition) -> Any:
    return house.ask(tp.AddTemplate(encode_definition(definition)))


def added(house: Standing, *definitions: QuestDefinition) -> None:
    for definition in definitions:
        assert isinstance(add(house, definition), TemplateAdded)
        house.wait(1)


def labels(house: Standing, **wanted: bool) -> list[str]:
    found = house.ask(tp.ListTemplates(**wanted))
    assert isinstance(found, Templates)
    return [f"{row.name}@{row.version}" for row in found.templates]


def version_of(house: Standing, name: str) -> str:
    found = house.ask(tp.ReadTemplate(name))
    return (
        found.message if isinstance(found, Error) else decode_definition(found.definition).version
    )


def faults_of(house: Standing, definition: QuestDefinition) -> tuple[str, ...]:
    reply = house.ask(Submit(encode_definition(definition)))
    assert isinstance(reply, Error), reply
    return reply.details


def test_a_template_is_found_by_its_version_or_as_the_newest() -> None:
    house = Standing()
    added(house, template("a", "2"), template("a", "1"), template("b"))
    assert labels(house) == ["a@1", "a@2", "b@1"]
    assert version_of(house, "a") == "1"
    assert version_of(house, "a@2") == "2"
    assert version_of(house, "a@3") == "template a@3: there is no such version; there are a@1, a@2"
    assert version_of(house, "bb") == "there is no template bb: did you mean b?"


def test_a_version_never_changes() -> None:
    house = Standing()
    added(house, template("a"))
    assert add(house, template("a")).created is False
    other = add(house, template("a", "1", StepDefinition("z", agent="worker")))
    assert isinstance(other, Error)
    assert (other.kind, "version of its own" in other.message) == ("refused", True)
    assert "differs in case only" in add(house, template("A")).message


def test_an_archived_one_is_found_by_its_version_only() -> None:
    house = Standing()
    added(house, template("a", "1"), template("a", "2"))
    assert house.ask(tp.ArchiveTemplate("a@2")) == ctl.Done()
    assert house.ask(tp.ArchiveTemplate("a@2")) == ctl.Done(changed=False)
    assert labels(house) == ["a@1"]
    assert labels(house, archived=True) == ["a@1", "a@2"]
    assert (version_of(house, "a"), version_of(house, "a@2")) == ("1", "2")
    assert house.ask(tp.ArchiveTemplate("a@2", archived=False)) == ctl.Done()
    assert version_of(house, "a") == "2"


def test_what_is_removed_is_gone_and_its_name_is_free() -> None:
    house = Standing()
    added(house, template("a"))
    assert house.ask(tp.RemoveTemplate("a@1")) == ctl.Done()
    assert labels(house) == []
    assert house.ask(tp.RemoveTemplate("a@1")).kind == "not_found"
    added(house, template("a", "1", StepDefinition("z", agent="worker")))


def test_nothing_is_kept_that_could_not_run() -> None:
    house = Standing()
    assert add(house, template("a", "1", StepDefinition("a"))).details
    assert "cannot be a template's name" in add(house, template("two words")).message
    assert "cannot be a template's version" in add(house, template("a", "v 1")).message
    assert add(house, using("gone")).details == (
        "there is no template gone: `quest template add FILE` stores one",
    )
    assert house.ask(tp.AddTemplate(b"\xc1")).kind == "invalid"
    assert labels(house) == []


def test_a_submit_hears_of_every_template_and_input_that_does_not_fit() -> None:
    house = Standing()
    declared = {"x": InputDefinition(), "y": InputDefinition(required=False, default=1)}
    added(
        house,
        template("a", inputs=declared),
        template("b", "1", StepDefinition("s", agent="w", prompt="{{ z }}")),
    )
    assert faults_of(house, using("a", "b", arguments={"xx": 1})) == (
        "steps[0].inputs.xx: a@1 has no such input; did you mean x?",
        "steps[0].inputs.x: is missing, and a@1 needs it",
        "steps[1].inputs.xx: b@1 has no such input; it has: z",
        "steps[1].inputs.z: is missing, and b@1 needs it",
    )
    assert faults_of(house, using("a@2"))[0].startswith("template a@2: there is no such version")


def test_no_template_uses_itself_by_whatever_way() -> None:
    house = Standing()
    added(house, template("a"), template("b", "1", *using("a").steps))
    added(house, template("a", "2", *using("b").steps))
    assert faults_of(house, using("b")) == ("b@1 → a@2 → b@1: uses itself",)
    assert house.submit(using("a@1"))


def test_children_nest_so_deep_and_no_deeper() -> None:
    house = Standing()
    added(house, template("t0"))
    for n in range(1, USE_DEPTH_MAX):
        added(house, template(f"t{n}", "1", *using(f"t{n - 1}").steps))
    deepest = f"t{USE_DEPTH_MAX - 1}"
    assert house.submit(using(deepest))
    assert isinstance(add(house, template("top", "1", *using(deepest).steps)), TemplateAdded)
    (fault,) = faults_of(house, using("top"))
    assert fault.endswith(f"t1@1 → t0@1: deeper than {USE_DEPTH_MAX}")


def test_a_quest_uses_so_many_templates_and_no_more() -> None:
    house = Standing()
    added(house, *(template(f"t{n}") for n in range(USED_MAX + 1)))
    names = [f"t{n}" for n in range(USED_MAX + 1)]
    assert house.submit(using(*names[:USED_MAX]))
    assert faults_of(house, using(*names)) == (f"uses more than {USED_MAX} templates",)


def test_templates_that_a_quest_uses_have_so_many_bytes_together(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    house = Standing()
    added(house, template("a"), template("b"))
    size = len(encode_definition(template("a")))
    monkeypatch.setattr("questd.actors.control.templates.TEMPLATES_USED_MAX_BYTES", 2 * size)
    assert house.submit(using("a", "b", "a"))
    monkeypatch.setattr("questd.actors.control.templates.TEMPLATES_USED_MAX_BYTES", 2 * size - 1)
    assert faults_of(house, using("a", "b")) == (
        f"uses templates of more than {2 * size - 1} bytes",
    )


def test_so_many_templates_are_kept_and_no_more() -> None:
    house = Standing()
    shelf = house.shelf
    for n in range(TEMPLATES_MAX - 1):
        shelf.put(f"t{n}@1", b"")
    added(house, template("last"))
    refused = add(house, template("one-more"))
    assert refused.message == f"there are {TEMPLATES_MAX} templates; {TEMPLATES_MAX} are allowed"


# -- the shelf -------------------------------------------------------------------------------------


@pytest.fixture(params=["file", "memory"])
def shelf(request: pytest.FixtureRequest, tmp_path: Path) -> Shelf:
    return FileShelf(tmp_path / "shelf") if request.param == "file" else MemoryShelf()


def test_a_shelf_keeps_replaces_and_forgets(shelf: Shelf) -> None:
    assert (shelf.names(), shelf.get("a")) == ((), None)
    shelf.remove("a")
    shelf.put("b", b"1")
    shelf.put("a", b"2")
    shelf.put("b", b"3")
    assert (shelf.names(), shelf.get("b")) == (("a", "b"), b"3")
    shelf.remove("b")
    assert (shelf.names(), shelf.get("b")) == (("a",), None)


def test_what_a_crash_left_half_written_is_not_there(tmp_path: Path) -> None:
    shelf = FileShelf(tmp_path)
    shelf.put("a", b"whole")
    (tmp_path / "a.new").write_bytes(b"ha")
    assert (shelf.names(), shelf.get("a")) == (("a",), b"whole")
    assert (tmp_path / "a").stat().st_mode & 0o777 == 0o600


def test_a_full_disk_is_said_and_changes_nothing(tmp_path: Path) -> None:
    shelf = FileShelf(tmp_path / "shelf")
    (tmp_path / "shelf").write_text("no directory")
    with pytest.raises(JournalError, match="Nothing has changed"):
        shelf.put("a", b"1")


def test_a_copy_holds_what_the_shelf_held(tmp_path: Path) -> None:
    copy_shelf(tmp_path / "none", tmp_path / "empty")
    assert FileShelf(tmp_path / "empty").names() == ()
    FileShelf(tmp_path / "one").put("a", b"1")
    copy_shelf(tmp_path / "one", tmp_path / "two")
    assert FileShelf(tmp_path / "two").get("a") == b"1"


def test_a_damaged_template_is_named_and_can_be_removed() -> None:
    house = Standing()
    added(house, template("b"))
    house.shelf.put("a@1", b"\xc1")
    house.shelf.put("a stranger's file", b"")
    reply = house.ask(tp.ListTemplates())
    assert (reply.kind, "quest template remove a@1" in reply.message) == ("internal", True)
    assert house.ask(tp.RemoveTemplate("a@1")) == ctl.Done()
    assert labels(house) == ["b@1"]
