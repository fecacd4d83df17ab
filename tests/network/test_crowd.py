"""Five hundred agents, half of which are cut off again and again: every quest ends, and the daemon is as large afterwards as before."""

from functools import partial

from questd.messages import control as ctl
from questd.messages.definition import QuestDefinition, StepDefinition
from tests.network.ground import NOTHING, SCALE, SWALLOW, Ground, descriptors, resident_bytes
from tests.system.place import step, until
from tests.system.rules import check

AGENTS = 500
QUESTS = 40 * SCALE
WIDE = 50
HASTY = {"hold_s": 1.0, "lease_s": 3.0, "closed_pipe_s": 1.0}
MEGABYTE = 1 << 20


def wide(key: str = "w") -> QuestDefinition:
    """Many steps at once, and one that waits for all of them."""
    steps = [step(f"{key}{n}", agent="crowd", arguments={"value": n}) for n in range(WIDE)]
    keys = tuple(each.key for each in steps)
    last = StepDefinition(
        "join", agent="crowd", tool="work", arguments={"value": 0}, dependencies=keys
    )
    return QuestDefinition("wide", (*steps, last))


def has_called(ground: Ground, wanted: int) -> bool:
    return len(ground.calls()) >= wanted


def connected(ground: Ground) -> int:
    reply = ground.ask(ctl.ListAgents())
    assert isinstance(reply, ctl.Agents), reply
    return len(reply.instances)


def test_half_of_five_hundred_agents_come_and_go_and_every_quest_ends(ground: Ground) -> None:
    daemon = ground.begin(limits=HASTY)
    network = ground.network()
    ground.heads()
    idle = descriptors(daemon)
    crowd = ground.crowd(network.url, str(AGENTS))
    crowd.line()
    until("all are there", lambda: connected(ground) == AGENTS)
    quests = [ground.submit(wide()) for _ in range(QUESTS)]
    memory: list[int] = []
    for _ in range(3):
        network.rules("standing", share=0.5, up=SWALLOW, down=SWALLOW)
        network.do("cut", share=0.2)
        memory.append(resident_bytes(daemon))
        network.rules("coming", up=NOTHING, down=NOTHING)
        quests += [ground.submit(wide()) for _ in range(QUESTS // 4)]
        wanted = len(ground.calls()) + WIDE
        until("work goes on", partial(has_called, ground, wanted))
    heads = ground.await_end(quests, deadline_s=300)
    assert {head.status for head in heads.values()} == {"completed"}
    ground.await_descriptors(idle + AGENTS + 20)
    until("all are there again", lambda: connected(ground) == AGENTS)
    check(ground, quests[:: max(1, len(quests) // 10)])
    assert max(memory) < 400 * MEGABYTE
    crowd.close()
    ground.await_descriptors(idle + 5)
    until("nobody is connected", lambda: connected(ground) == 0)
    assert resident_bytes(daemon) < max(memory) + 100 * MEGABYTE
