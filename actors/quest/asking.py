"""What a quest asks of the router: places for tasks that could run, and back with those that are not needed.

Gathered over a turn and said in one ``Settle``. While its answer is awaited (the router answers at once) the turn's events wait
too, so that the end of one task and the start of the next are one append.
"""

from questd.actors.house import House
from questd.actors.mail import Place, Settle
from questd.actors.quest.children import CHILDREN, place_of_child
from questd.actors.quest.state import QuestState
from questd.actors.quest.told import want_of
from questd.runtime.actor import Ref


class Asking:
    """One quest's dealings with the router. ``awaiting``: a Settle is out."""

    __slots__ = (
        "_drops",
        "_house",
        "_owner",
        "_places",
        "_quest",
        "_releases",
        "_wants",
        "awaiting",
    )

    def __init__(self, house: House, quest: str, owner: Ref) -> None:
        self._house = house
        self._quest = quest
        self._owner = owner
        self._wants: dict[str, None] = {}
        self._drops: dict[str, None] = {}
        self._releases: dict[str, None] = {}
        self._places: dict[str, Place] = {}
        self.awaiting = False

    @property
    def busy(self) -> bool:
        """Is an answer awaited, or something gathered that is said when the turn ends?"""
        return self.awaiting or bool(self._wants or self._drops or self._releases)

    def want(self, state: QuestState, task: str) -> Place | None:
        """The task could run now. A child quest has its place at once."""
        self._drops.pop(task, None)
        room = place_of_child(self._house, state, task)
        if room is None:
            self._wants[task] = None
        return room

    def drop(self, task: str) -> None:
        """The task asks no more."""
        if task in self._wants:
            del self._wants[task]
        else:
            self._drops[task] = None

    def release(self, task: str) -> None:
        """The task's place is free again."""
        self._releases[task] = None

    def hold(self, task: str, place: Place) -> None:
        """The task got this place. One that was passed on is claimed: the router may have given it up."""
        self._releases.pop(task, None)
        self._places[task] = place
        if place.passed_on:
            self.claim([(task, place.instance)])

    def refuse(self, task: str) -> None:
        """The place that just came is not needed."""
        self._places.pop(task, None)
        self._releases[task] = None

    def take(self, task: str) -> Place | None:
        """The task starts on its place; an asking that is still on its way is void."""
        self._wants.pop(task, None)
        return self._places.pop(task, None)

    def settle(self, state: QuestState) -> None:
        """Say it all, unless an answer is awaited."""
        if self.awaiting or not (self._wants or self._drops or self._releases):
            return
        settle = Settle(
            self._quest,
            self._owner,
            tuple([want_of(state, task) for task in self._wants]),
            tuple(self._drops),
            tuple(self._releases),
            answer=bool(self._wants),
        )
        self._wants.clear()
        self._drops.clear()
        self._releases.clear()
        self.awaiting = settle.answer
        self._house.router.tell(settle)

    def claim(self, takes: list[tuple[str, str]]) -> None:
        """These (task, instance) are taken, as was said to an actor before this one. Children take no place of the router's."""
        held = tuple((task, instance) for task, instance in takes if instance != CHILDREN)
        if held:
            self._house.router.tell(Settle(self._quest, self._owner, takes=held))

    def withdraw(self, tasks: tuple[str, ...]) -> None:
        """Nothing of these tasks counts any more."""
        self._house.router.tell(Settle(self._quest, self._owner, drops=tasks, releases=tasks))
