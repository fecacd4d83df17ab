"""How actors use a journal: they hand over work and are called back when it is on disk.

``Journal`` is what they know. The production implementation has a writer thread (group commit) and a reader
thread over one store; the simulation has none and answers when its clock says so. Callbacks run on the journal's own
threads and must only post a message.
"""

from collections.abc import Callable
from typing import Protocol, TypeVar

from questd.runtime.errors import JournalError
from questd.runtime.journal.store import Append, Appended, JournalStore, Refusal

T = TypeVar("T")
AppendAnswer = Appended | Refusal | JournalError
"""JournalError: nothing of the item is known to be on disk, and nothing more will be."""


class Journal(Protocol):
    """Durable before spoken: the answer comes after the commit."""

    def append(self, item: Append, answer: Callable[[AppendAnswer], None]) -> None:
        """Queue one item. Items of one quest are committed in the order they were queued."""
        ...

    def read(
        self, question: Callable[[JournalStore], T], answer: Callable[[T | JournalError], None]
    ) -> None:
        """Run a question on the reader thread; it sees all that was answered as durable before."""
        ...
