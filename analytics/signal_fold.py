"""What happens to the rows of signals, and of the tasks that wait for them or sleep. Pure, as projection.py says."""

from typing import assert_never

from questd.analytics.tables import SignalRow
from questd.analytics.task_fold import TaskFold
from questd.messages import events as ev
from questd.messages.payload import NULL

WaitEvent = ev.SignalReceived | ev.TaskSignalled | ev.TaskDefaulted | ev.TaskWoke


class SignalFold(TaskFold):
    """One of their events."""

    __slots__ = ()

    def _on_wait_event(self, event: WaitEvent) -> None:
        match event:
            case ev.SignalReceived():
                self._on_signal_received(event)
            case ev.TaskSignalled():
                self._on_task_signalled(event)
            case ev.TaskDefaulted(name, result):
                found = self._task(name)
                if found is not None:
                    self._complete(*found, result)
            case ev.TaskWoke(name):
                found = self._task(name)
                if found is not None:
                    self._complete(*found, NULL)
            case _:
                assert_never(event)

    def _on_signal_received(self, event: ev.SignalReceived) -> None:
        quest, record = self.state.row, self.record
        if quest is None:
            return
        row = SignalRow(
            record.seq,
            record.quest,
            record.n,
            event.name,
            quest.project,
            event.actor,
            event.key,
            self.at_us,
            *self.lookup.text(event.payload),
        )
        self.state.signals[record.n] = row
        self.sink.add(row)

    def _on_task_signalled(self, event: ev.TaskSignalled) -> None:
        found, signal = self._task(event.task), self._end_signal(event.signal, "taken")
        if signal is not None:
            signal.task = event.task
        if found is not None:
            step, task = found
            task.decided_by = None if signal is None else signal.actor
            self._complete(step, task, event.result)

    def _drop_signals(self) -> None:
        """The quest has ended."""
        for n in list(self.state.signals):
            self._end_signal(n, "dropped")
