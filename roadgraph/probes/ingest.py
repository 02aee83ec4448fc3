"""Files of fixes into the store, row by row judged and accounted for."""

from __future__ import annotations

import tempfile
from contextlib import ExitStack
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Protocol

import polars as pl

from roadgraph.calendar import city_zone
from roadgraph.probes.clean import Box, judge_rows, refuse_swapped
from roadgraph.probes.feeds import FeedFile, read_feed
from roadgraph.probes.fix_store import (
    FixStore,
    Input,
    PartWriter,
    QuarantineWriter,
    check_account,
    refuse_loss,
    sha256_of,
)
from roadgraph.storage import fingerprint

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator
    from datetime import date

    from roadgraph.network.network import Network
    from roadgraph.settings import ProbesSettings, Settings


def box_of(network: Network) -> Box:
    """Return the box around a network's segments."""
    return Box(*(float(value) for value in network.segments.total_bounds))


@dataclass(frozen=True)
class Reading:
    """How every file of a run is read.

    Attributes:
        box: fixes outside it are refused.
        probes: settings of the feed and of the rules.
        timezone: IANA zone of the city's clock, which says where a day begins.
        slice_minutes: a fix belongs to the day in which its slice begins.
    """

    box: Box
    probes: ProbesSettings
    timezone: str
    slice_minutes: int

    @property
    def fingerprint(self) -> str:
        """Of all that a file's rows in the store depend on besides its bytes."""
        chosen = asdict(self.probes) | {"replace": None}
        parts = [repr(chosen), repr(self.box), self.timezone, str(self.slice_minutes)]
        return fingerprint(parts)


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
class FileToRead:
    """A file that is not in the store as it is.

    Attributes:
        file: to read.
        sha256: of the bytes of the file (of its zip, where it is a member of one).
    """

    file: FeedFile
    sha256: str


class Reader(Protocol):
    """What reads files: one after the other here, or all at once on a cluster."""

    def __call__(
        self,
        files: list[FileToRead],
        folder: Path,
        reading: Reading,
        progress: Callable[[float], None],
    ) -> Iterable[ReadFile]:
        """Read ``files`` into new folders under ``folder``; give what they came to in order."""
        ...


def ingest(
    files: list[FeedFile],
    store: FixStore,
    network: Network,
    settings: Settings,
    progress: Callable[[float], None] = lambda share: None,
    read_files: Reader | None = None,
) -> list[Input]:
    """Bring the store up to date with ``files``; what is in it already is not read again.

    All files are read before the store is touched, so a file that cannot be used leaves it as it
    was.

    Args:
        files: to read.
        store: of the city.
        network: fixes outside its box are refused.
        settings: ``city.timezone``, ``probes`` and ``slices.minutes`` are used.
        progress: called with the share of the files that is done.
        read_files: reads them; by default in this process, one after the other.

    Returns:
        The account of each file.

    Raises:
        DataError: a file cannot be used, or would replace one that held more.
    """
    reading = Reading(
        box_of(network), settings.probes, settings.city.timezone, settings.slices.minutes
    )
    before = store.inputs()
    digests = {path: sha256_of(path) for path in {file.path for file in files}}
    accounts: dict[str, Input] = {}
    fresh: list[FileToRead] = []
    for file in files:
        known = before.get(file.name)
        sha256 = digests[file.path]
        if known and (known.sha256, known.reading) == (sha256, reading.fingerprint):
            accounts[file.name] = known
        else:
            fresh.append(FileToRead(file, sha256))
    with ExitStack() as stack:
        found = []
        if fresh:
            beside = store.folder.parent  # on the same disk, so that what was read can be moved
            beside.mkdir(parents=True, exist_ok=True)
            folder = tempfile.TemporaryDirectory(prefix=".reading-", dir=beside)
            read = (read_files or read_here)(
                fresh, Path(stack.enter_context(folder)), reading, progress
            )
            for one in read:
                if not settings.probes.replace:
                    refuse_loss(one.account, before.get(one.account.name))
                found.append(one)
        for one in found:
            accounts[one.account.name] = one.account
            store.replace(one.account, before.get(one.account.name), one.days, one.quarantine)
    progress(1.0)
    return [accounts[file.name] for file in files]


def read_here(
    files: list[FileToRead], folder: Path, reading: Reading, progress: Callable[[float], None]
) -> Iterator[ReadFile]:
    """Read files in this process, one after the other.

    Raises:
        DataError: a file cannot be used.
    """
    for count, file in enumerate(files, start=1):
        yield read_file(file, folder, reading)
        progress(count / len(files))


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
    zone = city_zone(reading.timezone).key
    slice_us = pl.col("timestamp").dt.epoch("us") // width_us * width_us
    day = slice_us.cast(pl.Datetime("us", "UTC")).dt.convert_time_zone(zone).dt.date()
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
    account = Input(file.name, wanted.sha256, reading.fingerprint, rows_in, refused, days)
    return ReadFile(account, parts.written, folder / "quarantine.parquet")
