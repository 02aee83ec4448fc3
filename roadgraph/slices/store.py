"""The store of slices: a folder a local day, each written whole or not at all."""

from __future__ import annotations

import json
from datetime import date
from typing import TYPE_CHECKING, Any

import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq

from roadgraph.calendar import local_days
from roadgraph.errors import DataError
from roadgraph.schema import SLICES, read_whole
from roadgraph.storage import whole_folder, write_json

if TYPE_CHECKING:
    from pathlib import Path
    from zoneinfo import ZoneInfo

TABLE_FILE = "slices.parquet"
MANIFEST_FILE = "manifest.json"


def write_days(
    slices: pa.Table, folder: Path, zone: ZoneInfo, slice_minutes: int, manifest: dict[str, Any]
) -> list[date]:
    """Write ``slices`` into ``folder/<local day>/``, replacing each of those days in one step.

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
    for day in _days(folder):
        found = read_manifest(folder, day)["slice_minutes"]
        if found != slice_minutes:
            raise DataError(
                f"{folder} holds slices of {found} minutes, not {slice_minutes}; "
                "set slices.minutes or move the old store away"
            )
        break
    days = local_days(pd.DatetimeIndex(table["slice_start"].to_pandas()), zone)
    written = sorted(set(days))
    for day in written:
        rows = table.filter(pa.array(days == day))
        with whole_folder(folder / day.isoformat()) as temporary:
            pq.write_table(rows, temporary / TABLE_FILE, compression="zstd")
            content = {"slice_minutes": slice_minutes, "rows": len(rows), **manifest}
            write_json(temporary / MANIFEST_FILE, content)
    return written


def read_manifest(folder: Path, day: date) -> dict[str, Any]:
    """Return the manifest of ``day``.

    Raises:
        DataError: it is missing or damaged.
    """
    path = folder / day.isoformat() / MANIFEST_FILE
    try:
        content: dict[str, Any] = json.loads(path.read_text("utf-8"))
        int(content["slice_minutes"])
    except (ValueError, KeyError, TypeError, OSError) as error:
        raise DataError(
            f"{path} is missing or damaged; remove {path.parent} and run roadgraph slices again"
        ) from error
    return content


def read_slices(folder: Path) -> pa.Table:
    """Read every day of the store: the columns of ``schema.SLICES``, sorted by its key.

    Raises:
        DataError: the store is missing or empty.
    """
    days = _days(folder)
    if not days:
        raise DataError(f"{folder}: no slices yet; make them first: roadgraph slices")
    tables = [read_whole(folder / day.isoformat() / TABLE_FILE) for day in days]
    return SLICES.conform(pa.concat_tables(tables))


def stored_slice_minutes(folder: Path) -> int:
    """Return the length of the store's slices in minutes.

    Raises:
        DataError: the store is missing or empty.
    """
    days = _days(folder)
    if not days:
        raise DataError(f"{folder}: no slices yet; make them first: roadgraph slices")
    return int(read_manifest(folder, days[0])["slice_minutes"])


def _days(folder: Path) -> list[date]:
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
