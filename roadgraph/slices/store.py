"""The store of slices: a folder a local day, each written whole or not at all."""

from __future__ import annotations

import json
import logging
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from datetime import date
from typing import TYPE_CHECKING, Any

import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq

from roadgraph.calendar import local_days
from roadgraph.errors import DataError
from roadgraph.schema import SLICES, read_whole
from roadgraph.storage import remove_folder, whole_folder, write_json

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path
    from zoneinfo import ZoneInfo

log = logging.getLogger(__name__)


@dataclass(frozen=True)
class DayFolder:
    """The files of one local day.

    Attributes:
        path: the folder, such as ``slices/2026-01-05``.
    """

    path: Path

    @classmethod
    @contextmanager
    def replacing(cls, store: Path, day: date) -> Iterator[DayFolder]:
        """Yield an empty folder that takes the day's place when the block ends well."""
        with whole_folder(store / day.isoformat()) as temporary:
            yield cls(temporary)

    @property
    def slices(self) -> Path:
        """The table ``slices``."""
        return self.path / "slices.parquet"

    @property
    def traversals(self) -> Path:
        """The table ``traversals`` that the slices came from (probes only)."""
        return self.path / "traversals.parquet"

    @property
    def quarantine(self) -> Path:
        """The table ``quarantine``: fixes of the day that no slice rests on (probes only)."""
        return self.path / "quarantine.parquet"

    @property
    def manifest(self) -> Path:
        """What the day was made from, and how."""
        return self.path / "manifest.json"


def write_days(
    slices: pa.Table, folder: Path, zone: ZoneInfo, slice_minutes: int, manifest: dict[str, Any]
) -> list[date]:
    """Write ``slices`` into ``folder/<local day>/``, replacing each of those days; all or none.

    Args:
        slices: the columns of ``schema.SLICES``.
        folder: the store.
        zone: the city's time zone, which says where a day begins.
        slice_minutes: length of a slice; a store holds slices of one length.
        manifest: what else to record about the days (inputs, settings).

    Returns:
        The days written, in their order.

    Raises:
        DataError: the store holds slices of another length.
    """
    table = SLICES.conform(slices)
    refuse_other_length(folder, slice_minutes)
    days = local_days(pd.DatetimeIndex(table["slice_start"].to_pandas()), zone)
    written = sorted(set(days))
    with ExitStack() as stack:
        for day in written:
            rows = table.filter(pa.array(days == day))
            out = stack.enter_context(DayFolder.replacing(folder, day))
            pq.write_table(rows, out.slices, compression="zstd")
            content = {"slice_minutes": slice_minutes, "rows": len(rows), **manifest}
            write_json(out.manifest, content)
    return written


def remove_day(folder: Path, day: date) -> None:
    """Take a day out of the store, if it is there."""
    remove_folder(folder / day.isoformat())


def refuse_other_length(folder: Path, slice_minutes: int) -> None:
    """Make sure that a store holds slices of one length alone.

    Raises:
        DataError: the store holds slices of another length.
    """
    sound = (manifest for _, manifest in _manifests(folder) if manifest)
    found = next((manifest["slice_minutes"] for manifest in sound), slice_minutes)
    if found != slice_minutes:
        raise DataError(
            f"{folder} holds slices of {found} minutes, not {slice_minutes}; "
            "set slices.minutes or move the old store away"
        )


def read_manifest(folder: Path, day: date) -> dict[str, Any]:
    """Return the manifest of ``day``.

    Raises:
        DataError: it is missing or damaged.
    """
    path = DayFolder(folder / day.isoformat()).manifest
    try:
        content: dict[str, Any] = json.loads(path.read_text("utf-8"))
        int(content["slice_minutes"])
    except (ValueError, KeyError, TypeError, OSError) as error:
        raise DataError(
            f"{path} is missing or damaged; remove {path.parent} and run roadgraph slices again"
        ) from error
    return content


def find_manifests(folder: Path) -> dict[date, dict[str, Any]]:
    """Return the manifests of the days in the store; an empty one of a day that is damaged.

    A day is built again whose manifest is damaged, for nothing says what it was made from, or
    whose slices are no Parquet file. Of the latter the footer alone is read.
    """
    return {
        day: manifest if manifest and _opens(folder, day) else {}
        for day, manifest in _manifests(folder)
    }


def _opens(folder: Path, day: date) -> bool:
    path = DayFolder(folder / day.isoformat()).slices
    try:
        pq.read_metadata(path)
    except (OSError, pa.ArrowException) as error:
        log.warning("%s: %s is missing or damaged (%s)", day, path, error)
        return False
    return True


def _manifests(folder: Path) -> Iterator[tuple[date, dict[str, Any]]]:
    for day in stored_days(folder):
        try:
            yield day, read_manifest(folder, day)
        except DataError as error:
            log.warning("%s: %s", day, error)
            yield day, {}


def read_clock(folder: Path, first: date | None = None, last: date | None = None) -> dict[str, str]:
    """Return what was known when: the checksum of each slice's rows by its start.

    Args:
        folder: the store.
        first: local day to begin with; by default the first one in the store.
        last: local day to end with; by default the last one.

    Returns:
        By start (ISO 8601 in UTC, such as ``2026-01-05T00:15:00Z``) the checksum of the fixes in
        the slice, or of its rows where the city has no fixes. Slices without any are missing.

    Raises:
        DataError: a manifest is damaged.
    """
    clock: dict[str, str] = {}
    for day in stored_days(folder):
        if (first or day) <= day <= (last or day):
            clock |= read_manifest(folder, day).get("fixes_by_slice", {})
    return clock


def read_slices(folder: Path, first: date | None = None, last: date | None = None) -> pa.Table:
    """Read the store: the columns of ``schema.SLICES``, sorted by its key.

    Args:
        folder: the store.
        first: local day to begin with; by default the first one in the store.
        last: local day to end with; by default the last one.

    Raises:
        DataError: the store is missing or has none of these days.
    """
    days = stored_days(folder)
    if not days:
        raise DataError(f"{folder}: no slices yet; make them first: roadgraph slices")
    wanted = [day for day in days if (first or day) <= day <= (last or day)]
    if not wanted:
        raise DataError(
            f"{folder}: no slices from {first or days[0]} to {last or days[-1]} (there are those "
            f"of {days[0]} to {days[-1]}); make them first: roadgraph slices"
        )
    days = wanted
    tables = [read_whole(DayFolder(folder / day.isoformat()).slices) for day in days]
    return SLICES.conform(pa.concat_tables(tables))


def observed_starts(folder: Path, day: date) -> pd.DatetimeIndex:
    """Return when the slices of a day with an observation begin (UTC), in their order.

    Args:
        folder: the store.
        day: that is in it.

    Raises:
        DataError: its slices are damaged.
    """
    table = read_whole(DayFolder(folder / day.isoformat()).slices, ["slice_start"])
    return pd.DatetimeIndex(table["slice_start"].unique().to_pandas()).sort_values()


def stored_slice_minutes(folder: Path) -> int:
    """Return the length of the store's slices in minutes.

    Raises:
        DataError: the store is missing or empty.
    """
    days = stored_days(folder)
    if not days:
        raise DataError(f"{folder}: no slices yet; make them first: roadgraph slices")
    return int(read_manifest(folder, days[0])["slice_minutes"])


def stored_days(folder: Path) -> list[date]:
    """Return the local days in the store, in their order.

    Raises:
        DataError: something else lies in the store.
    """
    if not folder.is_dir():
        return []
    days = []
    for path in folder.iterdir():
        if not path.is_dir() or path.name.startswith("."):
            continue
        try:
            days.append(date.fromisoformat(path.name))
        except ValueError as error:
            raise DataError(
                f"{path}: a store of slices holds folders of days, such as 2026-01-05, alone; "
                "move this one away"
            ) from error
    return sorted(days)
