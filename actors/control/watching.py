"""Who waits for news of which quest, and the last progress of running tasks. Bounded, in memory only."""

from collections import OrderedDict
from typing import Final

from msgspec import structs

from questd.messages.control import QuestRecords, ReadQuest, TaskProgress
from questd.runtime.clock import Timer

QUESTS_WITH_PROGRESS: Final = 10_000
TASKS_WITH_PROGRESS: Final = 1_000


class _Progress:
    """What the running tasks of one quest say; ``version`` grows with each change."""

    def __init__(self) -> None:
        self.version = 0
        self.tasks: dict[str, TaskProgress] = {}


class Watches:
    """Long polls by job and by quest."""

    def __init__(self) -> None:
        self._requests: dict[int, tuple[ReadQuest, Timer]] = {}
        self._by_quest: dict[str, dict[int, None]] = {}
        self._progress: OrderedDict[str, _Progress] = OrderedDict()

    def add(self, job: int, request: ReadQuest, timer: Timer) -> bool:
        """Is it the first watcher of its quest?"""
        self._requests[job] = (request, timer)
        jobs = self._by_quest.setdefault(request.quest, {})
        jobs[job] = None
        return len(jobs) == 1

    def remove(self, job: int) -> str | None:
        """Names the quest when nobody watches it any more."""
        found = self._requests.pop(job, None)
        if found is None:
            return None
        request, timer = found
        timer.cancel()
        jobs = self._by_quest[request.quest]
        del jobs[job]
        if jobs:
            return None
        del self._by_quest[request.quest]
        return request.quest

    def request(self, job: int) -> ReadQuest | None:
        """What the watcher asked, if it still waits."""
        found = self._requests.get(job)
        return None if found is None else found[0]

    def waiting_on(self, quest: str) -> list[tuple[int, ReadQuest]]:
        """Everybody who waits for news of this quest."""
        return [(job, self._requests[job][0]) for job in self._by_quest.get(quest, ())]

    def note(self, quest: str, task: str, progress: TaskProgress | None) -> None:
        """Remember the last thing a task said; forget it when the task has ended."""
        known = self._progress.setdefault(quest, _Progress())
        self._progress.move_to_end(quest)
        known.version += 1
        if progress is None:
            known.tasks.pop(task, None)
        elif task in known.tasks or len(known.tasks) < TASKS_WITH_PROGRESS:
            known.tasks[task] = progress
        while len(self._progress) > QUESTS_WITH_PROGRESS:
            self._progress.popitem(last=False)

    def with_progress(self, found: QuestRecords) -> QuestRecords:
        """The answer, with what its running tasks say."""
        known = self._progress.get(found.head.quest)
        if known is None:
            return found
        return structs.replace(
            found, progress=tuple(known.tasks.values()), progress_version=known.version
        )
