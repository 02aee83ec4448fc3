"""Files of fixes into the store, row by row judged and accounted for."""

from __future__ import annotations

import tempfile
from contextlib import nullcontext
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Protocol

import polars as pl

from roadgraph.calendar import city_zone, span_of_day
from roadgraph.errors import DataError, RoadgraphError
from roadgraph.probes.clean import judge_rows, refuse_swapped
from roadgraph.probes.edges import edges_of
from roadgraph.probes.feeds import FeedFile, read_feed
from roadgraph.probes.file_digests import FileDigests
from roadgraph.probes.fix_store import (
    FixStore,
    Input,
    PartWriter,
    QuarantineWriter,
    check_account,
    refuse_loss,
)
from roadgraph.probes.news import (
    Fault,
    FileToRead,
    Reading,
    digests_path,
    find_news,
    remember_faults,
    remembered_faults,
)
from roadgraph.storage import naming_disk, scratch_folder, sweep

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Sequence
    from datetime import date

    from roadgraph.network.network import Network
    from roadgraph.settings import Settings


@dataclass(frozen=True)
class ReadFile:
    """What one file came to, on its way into the store.

    Attributes:
        account: of its rows.
        days: file of each local day's rows.
        quarantine: file of the refused rows.
    """

    account: Input
    days: dict[date, Path]
    quarantine: Path


@dataclass(frozen=True)
class Ingested:
    """What the files of a run came to.

    Attributes:
        accounts: of each file that is in the store now.
        stored: accounts of every input in the store, by name.
        faults: of each file that was left out; what was stored of its name before is as it was.
    """

    accounts: list[Input]
    stored: dict[str, Input]
    faults: tuple[Fault, ...]


class Reader(Protocol):
    """What reads files: one after the other here, or all at once on a cluster."""

    def __call__(
        self,
        files: list[FileToRead],
        folder: Path,
        reading: Reading,
        progress: Callable[[float], None],
    ) -> Iterable[ReadFile | RoadgraphError]:
        """Read ``files`` into new folders under ``folder``.

        Gives what they came to, or why they cannot be used, in their order.
        """
        ...


def ingest(
    files: Sequence[FeedFile],
    store: FixStore,
    network: Network,
    settings: Settings,
    progress: Callable[[float], None] = lambda share: None,
    read_files: Reader | None = None,
    tolerant: bool = False,
) -> Ingested:
    """Bring the store up to date with ``files``; what is in it already is not read again.

    All files are read before the store is touched, so a file that cannot be used leaves it as it
    was. What the store has of files that are not among ``files`` stays.

    Args:
        files: to read.
        store: of the city; nobody else may write into it meanwhile.
        network: fixes outside its box are refused.
        settings: ``city.timezone``, ``probes`` and ``slices.minutes`` are used.
        progress: called with the share of the files that is done.
        read_files: reads them; by default in this process, one after the other.
        tolerant: go on without a file that cannot be used, and do not read it again until it
            changes.

    Raises:
        DataError: a file cannot be used, or would replace one that held more.
    """
    reading = Reading.of(network, settings)
    before = store.recover()
    digests = FileDigests(digests_path(store))
    news = find_news(files, before, store, reading, digests, tolerant)
    digests.save()
    found: list[ReadFile] = []
    faults = dict(news.faults)
    memory = {name: fault for name, fault in remembered_faults(store).items() if name in faults}
    accounts = {account.name: account for account in news.known}
    # On the same disk, so that what was read can be moved.
    place = store.folder.with_name("reading")
    # A run that ended with everything in the store, but its folder still there, left no news.
    sweep(place.parent, place.name)
    beside = scratch_folder(place) if news.fresh else nullcontext()
    with naming_disk(store.folder), beside as folder:
        read = (read_files or read_here)(news.fresh, folder, reading, progress) if folder else ()
        for wanted, outcome in zip(news.fresh, read, strict=True):
            try:
                found.append(_accepted(outcome, before, settings))
            except DataError as error:
                if not tolerant:
                    raise
                name = wanted.file.name
                faults[name] = Fault(name, str(error))
                memory[name] = (wanted.sha256, reading.fingerprint, str(error))
        for one in found:
            accounts[one.account.name] = one.account
            store.replace(one.account, before.get(one.account.name), one.days, one.quarantine)
    if tolerant:
        remember_faults(store, memory)
    progress(1.0)
    names = [file.name for file in files]
    return Ingested(
        [accounts[name] for name in names if name in accounts],
        before | {one.account.name: one.account for one in found},
        tuple(faults[name] for name in names if name in faults),
    )


def _accepted(
    outcome: ReadFile | RoadgraphError, before: dict[str, Input], settings: Settings
) -> ReadFile:
    if not isinstance(outcome, ReadFile):
        raise outcome
    if not settings.probes.replace:
        refuse_loss(outcome.account, before.get(outcome.account.name))
    return outcome


def read_here(
    files: list[FileToRead], folder: Path, reading: Reading, progress: Callable[[float], None]
) -> Iterator[ReadFile | RoadgraphError]:
    """Read files in this process, one after the other; give what they came to, or the error."""
    for count, file in enumerate(files, start=1):
        yield read_or_error(file, folder, reading)
        progress(count / len(files))


def read_or_error(wanted: FileToRead, folder: Path, reading: Reading) -> ReadFile | RoadgraphError:
    """Return what a file came to, or why it cannot be used."""
    try:
        return read_file(wanted, folder, reading)
    except RoadgraphError as error:
        return error


def read_file(wanted: FileToRead, folder: Path, reading: Reading) -> ReadFile:
    """Read one file into a new folder under ``folder``.

    It needs nothing but its arguments, so any process can do it that sees the file and the folder.

    Raises:
        DataError: the file cannot be used.
        AccountError: rows got lost.
    """
    folder = Path(tempfile.mkdtemp(dir=folder))
    file = wanted.file
    width_us = reading.slice_minutes * 60 * 1_000_000
    zone = city_zone(reading.timezone)
    slice_us = pl.col("timestamp").dt.epoch("us") // width_us * width_us
    day = slice_us.cast(pl.Datetime("us", "UTC")).dt.convert_time_zone(zone.key).dt.date()
    parts = PartWriter(folder)
    quarantine = QuarantineWriter(folder / "quarantine.parquet")
    rows_in = 0
    for batch in read_feed(file, reading.probes):
        rows_in += batch.rows_in
        judged = judge_rows(batch.fixes, reading.box, reading.probes)
        refuse_swapped(judged, reading.box, file.name, reading.probes)
        named = pl.lit(file.name).alias("file")
        quarantine.add(batch.refused.with_columns(named))
        quarantine.add(judged.filter(pl.col("rule").is_not_null()).with_columns(named))
        parts.add(judged.filter(pl.col("rule").is_null()).drop("rule").with_columns(day=day))
    parts.close()
    quarantine.close()
    days = dict(sorted(parts.days.items()))
    check_account(file.name, rows_in, sum(days.values()), quarantine.refused)
    refused = dict(sorted(quarantine.refused.items()))
    edges = {
        day.isoformat(): edges_of(part, *span_of_day(day, zone, reading.slice_minutes))
        for day, part in sorted(parts.written.items())
    }
    account = Input(
        file.name,
        wanted.sha256,
        reading.fingerprint,
        rows_in,
        refused,
        days,
        {day: found for day, found in edges.items() if found},
    )
    return ReadFile(account, parts.written, folder / "quarantine.parquet")
