"""The store of issued forecasts: a folder a local day, a file each time of issue.

``<day>/<YYYYMMDDTHHMMZ>.parquet`` is the newest forecast of that time. Where it was made again, say
because fixes came late, ``<day>/as_issued/<same name>`` is what was said first: forecasts are
judged by that. What a file was made from stands in its own schema.
"""

from __future__ import annotations

import json
import logging
import re
import shutil
from datetime import date
from typing import TYPE_CHECKING, Any

import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq

from roadgraph.errors import DataError
from roadgraph.schema import PREDICTIONS, read_whole
from roadgraph.storage import whole_file

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path
    from zoneinfo import ZoneInfo

METADATA = "roadgraph."
"""Begins the names of what a file of predictions says of itself."""
MANIFEST_KEY = f"{METADATA}manifest".encode()
AS_ISSUED = "as_issued"
NAME = "%Y%m%dT%H%MZ"
STORED = re.compile(r"\d{8}T\d{4}Z\.parquet")

logger = logging.getLogger(__name__)


def forecast_path(folder: Path, zone: ZoneInfo, issued_at: pd.Timestamp) -> Path:
    """Return where the forecast of a time lies.

    Args:
        folder: the store.
        zone: the city's time zone, which says to which day the time belongs.
        issued_at: the time.
    """
    day = issued_at.tz_convert(zone).date().isoformat()
    return folder / day / f"{issued_at.tz_convert('UTC'):{NAME}}.parquet"


def write_forecast(
    folder: Path,
    zone: ZoneInfo,
    table: pa.Table,
    manifest: Mapping[str, Any],
    issued_at: pd.Timestamp | None = None,
) -> Path:
    """Put a forecast into the store, whole or not at all.

    One that is there already is kept as it was first issued, if it was not yet and is not damaged.

    Args:
        folder: the store.
        zone: the city's time zone.
        table: the columns of ``schema.PREDICTIONS``, of one ``issued_at``.
        manifest: what it was made from; JSON, and the same for the same forecast.
        issued_at: the time; by default that of the rows. A model of hidden segments has no row
            where none was hidden.

    Returns:
        The file.

    Raises:
        DataError: the table is of no time, of another or of several.
    """
    times = {pd.Timestamp(time) for time in table["issued_at"].unique().to_pylist()}
    if issued_at is not None:
        times.add(issued_at)
    if len(times) != 1:
        raise DataError(f"a forecast is of one time of issue (found {len(times)})")
    path = forecast_path(folder, zone, times.pop())
    first = path.parent / AS_ISSUED / path.name
    if path.exists() and not first.exists() and _is_sound(path):
        with whole_file(first) as temporary:
            shutil.copyfile(path, temporary)
    with whole_file(path) as temporary:
        write_parquet(with_manifest(table, manifest), temporary)
    return path


def with_manifest(table: pa.Table, manifest: Mapping[str, Any]) -> pa.Table:
    """Return ``table`` with what it was made from in its schema's metadata."""
    text = json.dumps(manifest, sort_keys=True, ensure_ascii=False, allow_nan=False)
    metadata = {**(table.schema.metadata or {}), MANIFEST_KEY: text.encode()}
    return table.replace_schema_metadata(metadata)


def write_parquet(table: pa.Table, path: Path) -> None:
    """Write predictions as Parquet.

    A probability or a speed is hardly ever there twice. To look for repetitions in them all the
    same takes longer than all the rest, and the file is larger for it.
    """
    repeated = [field.name for field in table.schema if not pa.types.is_floating(field.type)]
    pq.write_table(table, path, compression="zstd", use_dictionary=repeated)


def read_manifest(path: Path) -> dict[str, Any]:
    """Return what a forecast was made from; its rows are not read.

    Raises:
        DataError: the file is damaged or says nothing of it.
    """
    try:
        metadata = pq.read_schema(path).metadata or {}
        content: dict[str, Any] = json.loads(metadata[MANIFEST_KEY])
    except (pa.ArrowException, OSError, KeyError, ValueError) as error:
        raise DataError(f"{path} is damaged, or no forecast of the store; remove it") from error
    return content


def read_forecast(path: Path) -> pa.Table:
    """Return the rows of one forecast: the columns of ``schema.PREDICTIONS``, sorted by key.

    Raises:
        DataError: the file is damaged.
    """
    return PREDICTIONS.typed(read_whole(path))


def forecasts_of_days(
    folder: Path,
    first_day: date | None = None,
    last_day: date | None = None,
    as_issued: bool = False,
) -> dict[pd.Timestamp, Path]:
    """Return the files of the forecasts of some days by their time of issue, in its order.

    Args:
        folder: the store; it need not be there yet.
        first_day: local day of issue to begin with; by default the first one.
        last_day: local day of issue to end with; by default the last one.
        as_issued: the file that was written first, where the forecast was made again and that
            file is not damaged.
    """
    found = {}
    for path in folder.glob("*/*.parquet") if folder.is_dir() else []:
        day = _day_of(path.parent.name)
        if day is None or not STORED.fullmatch(path.name):
            continue
        if (first_day or day) <= day <= (last_day or day):
            time = pd.Timestamp(pd.to_datetime(path.stem, format=NAME), tz="UTC")
            found[time] = first_issued(path) if as_issued else path
    return dict(sorted(found.items()))


def stored_times(
    folder: Path, first_day: date | None = None, last_day: date | None = None
) -> list[pd.Timestamp]:
    """Return the times of issue of the forecasts of some local days, in their order."""
    return list(forecasts_of_days(folder, first_day, last_day))


def read_forecasts(
    folder: Path,
    first_day: date | None = None,
    last_day: date | None = None,
    as_issued: bool = False,
) -> pa.Table:
    """Return the forecasts of some days: the columns of ``schema.PREDICTIONS``, sorted by key.

    Args:
        folder: the store.
        first_day: local day of issue to begin with; by default the first one.
        last_day: local day of issue to end with; by default the last one.
        as_issued: what was said first, where a forecast was made again.

    Raises:
        DataError: a file is damaged.
    """
    files = forecasts_of_days(folder, first_day, last_day, as_issued).values()
    tables = [read_forecast(path).replace_schema_metadata(None) for path in files]
    empty = PREDICTIONS.schema.empty_table().replace_schema_metadata(None)
    return pa.concat_tables([empty, *tables])


def first_issued(path: Path) -> Path:
    """Return the file of a forecast as it was first issued: ``path``, unless it was made again."""
    first = path.parent / AS_ISSUED / path.name
    return first if first.exists() and _is_sound(first) else path


def _is_sound(path: Path) -> bool:
    try:
        read_manifest(path)
    except DataError as error:
        logger.warning("%s; the newer forecast of that time stands for it", error)
        return False
    return True


def _day_of(name: str) -> date | None:
    try:
        return date.fromisoformat(name)
    except ValueError:
        return None
