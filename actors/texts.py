"""Payload texts that are kept by digest, for actors that render or pass them on."""

from questd.actors.house import House
from questd.actors.mail import TextsRead
from questd.runtime.actor import Ref
from questd.runtime.journal.store import JournalStore


def read_texts(house: House, asker: Ref, job: int, digests: tuple[str, ...]) -> None:
    """Fetch payload texts from the journal; the asker gets ``TextsRead`` (or a JournalError)."""
    house.journal.read(lambda store: TextsRead(job, texts_of(store, digests)), asker.tell)


def texts_of(store: JournalStore, digests: tuple[str, ...]) -> dict[str, bytes]:
    """Those that are there."""
    return {d: text for d in digests if (text := store.blob(d)) is not None}
