"""A large document is checked beside everything else: whoever lists, reads or submits something known does not wait for it."""

from collections.abc import Callable
from threading import Event

from questd.actors.quest.plans import PlanCache
from questd.messages import control as ctl
from questd.messages.control import Error, Submit, Submitted
from questd.messages.definition import encode_definition
from questd.runtime.worker import Answer, ThreadWorker
from tests.limits.standing import Standing, quest, step

LARGE = encode_definition(quest(*(step(f"s{n}") for n in range(10_000))))


class HandWorker:
    """Does the work when the test says so."""

    def __init__(self) -> None:
        self.given: list[tuple[Callable[[], object], Answer]] = []

    def do(self, work: Callable[[], object], answer: Answer) -> None:
        self.given.append((work, answer))

    def finish(self) -> None:
        work, answer = self.given.pop(0)
        answer(work())


def test_other_clients_are_answered_while_a_document_of_10000_steps_is_checked() -> None:
    worker = HandWorker()
    house = Standing(worker=worker)
    small = encode_definition(quest())
    first = house.post(Submit(small))
    house.run()
    worker.finish()
    house.run()
    known = house.answer(first)
    assert isinstance(known, Submitted)
    large = house.post(Submit(LARGE))
    house.run()
    assert house.answer(large) is None
    assert isinstance(house.ask(ctl.ListQuests()), ctl.Heads)
    assert isinstance(house.ask(ctl.ReadQuest(known.quest)), ctl.QuestRecords)
    assert isinstance(house.ask(Submit(small)), Submitted)
    worker.finish()
    house.run()
    assert isinstance(house.answer(large), Submitted)


def test_what_cannot_be_compiled_is_answered_with_why() -> None:
    house = Standing()
    bad = house.ask(Submit(encode_definition(quest(step("a", dependencies=("a",))))))
    assert isinstance(bad, Error)
    assert bad.kind == "invalid"
    garbage = house.ask(Submit(b"\x93garbage"))
    assert isinstance(garbage, Error)
    assert "not a definition" in garbage.message


def test_a_definition_is_compiled_on_the_thread_of_the_worker_while_ours_goes_on() -> None:
    plans, going_on, over = PlanCache(), Event(), Event()
    worker = ThreadWorker("test")
    worker.start()

    def compiled() -> object:
        assert going_on.wait(60)  # it ends only because this thread went on
        return plans.load(LARGE, trusted=False)

    worker.do(compiled, lambda _: over.set())
    assert not over.is_set()
    going_on.set()
    assert over.wait(60)
    worker.stop()
