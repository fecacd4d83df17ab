"""What comes for a quest while its actor is still reading it."""

from questd.actors.mail import ToQuest
from questd.messages import control as ctl
from questd.messages.control import Done
from tests.limits.standing import Standing, quest


def test_what_an_actor_that_fails_had_not_looked_at_is_heard_by_the_next_one() -> None:
    house = Standing()
    asleep = house.submit(quest())
    house.wait(5)
    assert asleep not in house.directory._quests, "it has an actor: nothing would be early"
    house.house.directory.tell(ToQuest(asleep, object()))  # no message of a quest: its actor fails
    route = house.post(ctl.CancelQuest(asleep, "enough", "test"))
    house.run()
    assert house.answer(route) == Done()
    assert [note for note, _ in house.notes] == ["quest.crashed"]
