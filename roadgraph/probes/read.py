"""Files of GPS fixes into the table ``fixes``."""

from __future__ import annotations

from typing import TYPE_CHECKING

import polars as pl

from roadgraph.calendar import city_zone
from roadgraph.errors import DataError, nearest
from roadgraph.schema import FIXES

if TYPE_CHECKING:
    from pathlib import Path

    from roadgraph.settings import ProbesSettings

OPTIONAL = ("speed_kph", "heading_deg")
SUFFIXES = (".parquet", ".csv", ".csv.gz")


def fix_files(path: Path) -> list[Path]:
    """Return the files of fixes at ``path`` (a file or a folder), in the order of their names.

    Raises:
        DataError: there is no file, or none of a known format.
    """
    if path.is_file():
        return [path]
    if not path.is_dir():
        raise DataError(f"fixes {path} are missing; set city.fixes to a file or folder")
    files = sorted(file for file in path.iterdir() if file.name.endswith(SUFFIXES))
    if not files:
        raise DataError(f"{path}: no file of fixes in it (looked for {', '.join(SUFFIXES)})")
    return files


def read_fixes(path: Path, settings: ProbesSettings) -> pl.DataFrame:
    """Read one file of fixes: the columns of ``schema.FIXES``, times in UTC, in file order.

    Values that are no number become missing, for the cleaning to count; a file that as a whole
    cannot be used is an error.

    Raises:
        DataError: the file is empty or cannot be read, a column is missing, or its timestamps
            carry no zone and ``probes.timezone`` is not set.
    """
    if path.stat().st_size == 0:
        raise DataError(f"{path} is empty")
    try:
        if path.suffix == ".parquet":
            raw = pl.read_parquet(path)
        else:
            # An id such as 007 is a text, even in a file of nothing but digits.
            vehicle = settings.columns.get("vehicle_id", "vehicle_id")
            raw = pl.read_csv(path, infer_schema_length=None, schema_overrides={vehicle: pl.String})
    except (pl.exceptions.PolarsError, OSError) as error:
        reason = str(error).strip().splitlines()[0]
        raise DataError(f"{path} cannot be read as fixes: {reason}") from error
    drop, rename = FIXES.renaming(settings.columns, raw.columns, str(path), "probes.columns")
    raw = raw.drop(drop).rename(rename)
    for column in FIXES.columns:
        if column not in raw.columns and column not in OPTIONAL:
            raise DataError(
                f"{path}: column '{column}' is missing (found {', '.join(raw.columns)})"
                f"{nearest(column, raw.columns)} Map it with probes.columns.{column}=NAME"
            )
    if raw.is_empty():
        raise DataError(f"{path}: no fix in it")
    numbers = [
        (pl.col(name) if name in raw.columns else pl.lit(None))
        .cast(pl.Float64, strict=False)
        .alias(name)
        for name in ("lat", "lon", *OPTIONAL)
    ]
    return raw.select(
        pl.col("vehicle_id").cast(pl.String),
        _utc(raw, path, settings).alias("timestamp"),
        *numbers,
    )


def _utc(raw: pl.DataFrame, path: Path, settings: ProbesSettings) -> pl.Expr:
    kind = raw.schema["timestamp"]
    column = pl.col("timestamp")
    if isinstance(kind, pl.Datetime) and kind.time_zone is not None:
        return column.dt.cast_time_unit("us").dt.convert_time_zone("UTC")
    if kind == pl.String:
        zoned = column.str.contains(r"(Z|[+-]\d{2}:?\d{2})$")
        if raw.select(zoned.any()).item():
            # Among times with a zone, one without could be anything; it becomes missing.
            only_zoned = pl.when(zoned).then(column)
            return only_zoned.str.to_datetime(time_unit="us", time_zone="UTC", strict=False)
        naive = column.str.to_datetime(time_unit="us", strict=False)
    elif isinstance(kind, pl.Datetime):
        naive = column.dt.cast_time_unit("us")
    else:
        raise DataError(f"{path}: column 'timestamp' holds {kind}, no times")
    if not settings.timezone:
        raise DataError(
            f"{path}: column 'timestamp' has no time zone; write it as 2026-01-05T07:00:00+07:00 "
            "or set probes.timezone, such as probes.timezone=Asia/Bangkok"
        )
    zone = city_zone(settings.timezone).key
    # The hour that an autumn clock shows twice is taken as its first pass; one that a spring
    # clock skips becomes missing and is counted as a bad time.
    return naive.dt.replace_time_zone(
        zone, ambiguous="earliest", non_existent="null"
    ).dt.convert_time_zone("UTC")
