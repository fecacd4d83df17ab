"""Who waits for news of which quest, and the last progress of running tasks. Bounded, in memory only."""

from collections import OrderedDict
from typing import Final

from msgspec import structs

from questd.messages.control import QuestRecords, ReadQuest, TaskProgress
from questd.runtime.clock import Timer

QUESTS_WITH_PROGRESS: Final = 10_000
TASKS_WITH_PROGRESS: Final = 1_000
PROGRESS_MAX_BYTES: Final = 256 * 1024
"""Of one quest: it goes out with each answer about the quest, beside its events."""
PROGRESS_OF_ALL_MAX_BYTES: Final = 64 * 1024 * 1024
_OVERHEAD_BYTES: Final = 64


class _Progress:
    """What the running tasks of one quest say; ``version`` grows with each change."""

    def __init__(self) -> None:
        self.version = 0
        self.bytes = 0
        self.tasks: dict[str, TaskProgress] = {}

    def forget(self, task: str) -> None:
        """It has ended."""
        known = self.tasks.pop(task, None)
        if known is not None:
            self.bytes -= _size(known)

    def put(self, task: str, progress: TaskProgress) -> None:
        """Remember it, if there is room."""
        self.forget(task)
        size = _size(progress)
        if len(self.tasks) < TASKS_WITH_PROGRESS and self.bytes + size <= PROGRESS_MAX_BYTES:
            self.tasks[task] = progress
            self.bytes += size


def _size(progress: TaskProgress) -> int:
    """At most so many bytes in a frame."""
    return _OVERHEAD_BYTES + len(progress.task) + 4 * len(progress.text)


class Watches:
    """Long polls by job and by quest."""

    def __init__(self) -> None:
        self._requests: dict[int, tuple[ReadQuest, Timer]] = {}
        self._by_quest: dict[str, dict[int, None]] = {}
        self._reading: dict[int, bool] = {}
        self._progress: OrderedDict[str, _Progress] = OrderedDict()
        self._progress_bytes = 0

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

    def begin_read(self, job: int) -> bool:
        """May the journal be asked for this job now? While it is being asked already, once more is enough, afterwards."""
        if job in self._reading:
            self._reading[job] = True
            return False
        self._reading[job] = False
        return True

    def end_read(self, job: int) -> bool:
        """The journal has answered; is there a reason to ask again?"""
        return self._reading.pop(job, False)

    def note(self, quest: str, task: str, progress: TaskProgress | None) -> None:
        """Remember the last thing a task said; forget it when the task has ended."""
        known = self._progress.get(quest)
        if known is None:
            if progress is None:
                return
            known = self._progress[quest] = _Progress()
        self._progress.move_to_end(quest)
        known.version += 1
        self._progress_bytes -= known.bytes
        if progress is None:
            known.forget(task)
        else:
            known.put(task, progress)
        self._progress_bytes += known.bytes
        self._forget_oldest()

    def _forget_oldest(self) -> None:
        while (
            len(self._progress) > QUESTS_WITH_PROGRESS
            or self._progress_bytes > PROGRESS_OF_ALL_MAX_BYTES
        ):
            _, gone = self._progress.popitem(last=False)
            self._progress_bytes -= gone.bytes

    def with_progress(self, found: QuestRecords) -> QuestRecords:
        """The answer, with what its running tasks say."""
        known = self._progress.get(found.head.quest)
        if known is None:
            return found
        return structs.replace(
            found, progress=tuple(known.tasks.values()), progress_version=known.version
        )
