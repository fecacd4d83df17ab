"""kill -9 of daemon and agents while quests run that are steps of quests."""

from questd.messages import templates as tp
from questd.messages.definition import QuestDefinition, StepDefinition, encode_definition
from questd.messages.heads import parent_of
from tests.system.place import Place, chain
from tests.system.rules import check

FAMILIES = 20
STEPS = 3


def store(place: Place, definition: QuestDefinition) -> None:
    reply = place.ask(tp.AddTemplate(encode_definition(definition)))
    assert isinstance(reply, tp.TemplateAdded), reply


def using(name: str, *uses: str) -> QuestDefinition:
    steps = [
        StepDefinition(f"s{n}", use=use, dependencies=(f"s{n - 1}",) if n else ())
        for n, use in enumerate(uses)
    ]
    return QuestDefinition(name, tuple(steps))


def test_families_survive_daemons_and_agents_that_are_killed(place: Place) -> None:
    place.start_daemon()
    agents = [place.start_agent(CAPACITY="4") for _ in range(2)]
    store(place, chain(STEPS, value="v", seconds=0.02))
    store(place, using("middle", "chain"))
    quests = [place.submit(using("family", "chain", "middle")) for _ in range(FAMILIES)]
    for n in range(1, 4):
        place.await_calls(n * FAMILIES)
        place.daemon.kill()
        place.daemon.wait()
        if n == 2:
            agents[0].kill()
        place.start_daemon()
    place.await_end(quests)
    heads = place.heads()
    assert {head.status for head in heads.values()} == {"completed"}
    children = [quest for quest in heads if parent_of(quest)]
    assert len(children) == 3 * FAMILIES
    assert {place.output(quest) for quest in quests} == {b'"v"'}
    done = {(call["quest"], call["task"]) for call in place.calls()}
    assert len(done) == 2 * STEPS * FAMILIES
    check(place, list(heads))
