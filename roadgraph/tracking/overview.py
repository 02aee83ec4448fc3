"""What an MLflow store has of a city's records, and what waits to be sent."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from roadgraph.tracking.record import RECORD_FILE, digest_of, read_record, read_sent
from roadgraph.tracking.sending import is_settled, waiting

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from roadgraph.tracking.store import Store


@dataclass(frozen=True)
class Tracking:
    """The records of a city, seen from one store.

    Attributes:
        store: its address, without password.
        sent: how many records it has all of.
        running: titles of runs that have not ended, or were killed.
        waiting: titles of those that wait to be sent to it.
        elsewhere: addresses of other stores for which records wait, with their numbers.
    """

    store: str
    sent: int
    running: tuple[str, ...]
    waiting: tuple[str, ...]
    elsewhere: dict[str, int]


def tracking_of(folders: Sequence[Path], store: Store) -> Tracking:
    """Return what ``store`` has of the records in ``folders``."""
    records = {folder: read_record(folder) for folder in folders}
    left = waiting(folders, store)
    elsewhere: dict[str, int] = {}
    for folder, record in records.items():
        if record is None or record.status == "RUNNING":
            continue
        digest = digest_of(folder, RECORD_FILE)
        for name, sent in read_sent(folder).items():
            if name != store.name and sent.digest != digest:
                elsewhere[name] = elsewhere.get(name, 0) + 1
    return Tracking(
        store.name,
        sum(is_settled(folder, store) for folder in folders),
        tuple(each.title for each in records.values() if each and each.status == "RUNNING"),
        tuple(record.title for folder in left if (record := records[folder]) is not None),
        elsewhere,
    )
