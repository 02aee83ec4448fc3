"""Slices that are handed over for a forecast: rows of a table or files."""

from __future__ import annotations

from datetime import date
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd
import pyarrow as pa
from pandas.api.types import is_numeric_dtype

from roadgraph.errors import DataError
from roadgraph.schema import MEASURED_FEATURES, SLICES, read_whole, utc_times

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

SUFFIXES = (".parquet", ".csv")
KINDS = {pa.string(): "text", pa.int32(): "whole number", pa.float64(): "number"}
"""What messages call the types of the columns."""
EMPTY = {
    name: [""] if name == "segment_id" else ["", "NA", "N/A", "NaN", "nan", "null", "NULL", "None"]
    for name in SLICES.columns
}
"""What stands for no value in a text file, by column: a segment may be called NA."""
ENOUGH_STARTS = 8
"""So many starts of slices that all lie on a wider clock do so by chance in less than 1 of 100
cases: the chance is a half for each after the first, or less."""


def is_store(path: Path) -> bool:
    """Return whether ``path`` is a folder of days, as the store of slices is one."""
    return path.is_dir() and any(_is_day(child) for child in path.iterdir())


def given_slices(path: Path, slice_minutes: int) -> pa.Table:
    """Read slices from a file or a folder of files.

    Plain files do not say how long their slices are. They may be sparse: two of them that are 45
    minutes apart can be slices of 15 minutes.

    Args:
        path: a ``.parquet`` or ``.csv`` file with the columns of ``schema.SLICES`` (times without a
            zone are UTC), or a folder of such files.
        slice_minutes: length of the slices that the model looks at.

    Returns:
        The columns of ``schema.SLICES``, sorted by its key.

    Raises:
        DataError: there is no such file, a column is missing, a cell cannot be used, or the slices
            are of another length.
    """
    table = SLICES.conform(pa.concat_tables([_read(file) for file in _files(path)]))
    if not len(table):
        raise DataError(f"{path}: no slice in it")
    _refuse_other_length(table, path, slice_minutes)
    return table


def _refuse_other_length(table: pa.Table, path: Path, slice_minutes: int) -> None:
    starts_us = np.unique(table["slice_start"].to_numpy().astype("datetime64[us]").astype(np.int64))
    minute_us = 60 * 1_000_000
    off = starts_us % (slice_minutes * minute_us) != 0
    apart_us = int(np.gcd.reduce(np.diff(starts_us)))
    if off.any():
        first = pd.Timestamp(int(starts_us[off.argmax()]), unit="us", tz="UTC")
        found = f"a slice begins at {first.isoformat()}"
    elif len(starts_us) >= ENOUGH_STARTS and apart_us > slice_minutes * minute_us:
        found = f"its slices are {apart_us / minute_us:g} minutes apart"
    else:
        return
    raise DataError(
        f"{path}: {found}, but the model looks at slices of {slice_minutes} minutes; make slices "
        "of that length, or train a model on these"
    )


def slices_of_rows(rows: pd.DataFrame, source: str) -> pa.Table:
    """Return rows as the columns of ``schema.SLICES``, sorted by key.

    Args:
        rows: the columns of ``schema.SLICES``; others are left out. ``slice_start`` holds times
            or ISO 8601 texts, in UTC where they name no zone.
        source: what the rows are called in messages.

    Raises:
        DataError: a column is missing, or a cell is empty, infinite, negative or cannot be read as
            its column's type.
    """
    missing = [name for name in SLICES.columns if name not in rows.columns]
    if missing:
        found = ", ".join(str(name) for name in rows.columns)
        raise DataError(f"{source} lack {', '.join(missing)} (found {found or 'no column'})")
    chosen = rows[SLICES.columns].assign(slice_start=_utc(rows["slice_start"], source))
    empty = chosen.isna().to_numpy()
    if empty.any():
        row, column = np.argwhere(empty)[0]
        raise _without_a_value(row, SLICES.columns[column], source)
    columns = {name: _array(chosen[name], source) for name in SLICES.columns}
    _refuse_unreadable(columns, source)
    table = SLICES.typed(pa.table(columns))
    _refuse_impossible(table, source)
    return SLICES.conform(table)


def _without_a_value(row: int, name: str, source: str) -> DataError:
    return DataError(
        f"row {row} of {source} (from 0) has no {name}; leave out segments on which nothing was "
        "observed"
    )


def _array(column: pd.Series, source: str) -> pa.Array:
    if column.name == "slice_start":
        return utc_times(pd.DatetimeIndex(column))
    try:
        return pa.array(column)
    except (pa.ArrowInvalid, pa.ArrowTypeError) as error:
        raise DataError(
            f"{column.name} of {source} holds values of several kinds ({error}); give it one kind"
        ) from error


def _refuse_unreadable(columns: Mapping[str, pa.Array], source: str) -> None:
    for name, values in columns.items():
        kind = SLICES.schema.field(name).type
        if _can_be_read(values, kind):
            continue
        first, end = 0, len(values)  # the first cell that cannot be read is one of these
        while end - first > 1:
            middle = (first + end) // 2
            if _can_be_read(values.slice(first, middle - first), kind):
                first = middle
            else:
                end = middle
        raise DataError(
            f"row {first} of {source} (from 0) has the {name} {values[first].as_py()!r}, which is "
            f"no {KINDS[kind]}; mend or leave out the row"
        )


def _can_be_read(values: pa.Array, kind: pa.DataType) -> bool:
    try:
        values.cast(kind)
    except (pa.ArrowInvalid, pa.ArrowNotImplementedError):
        return False
    return True


def _refuse_impossible(table: pa.Table, source: str) -> None:
    """Refuse numbers that a slice cannot have; a text may have said nan or inf."""
    for name in MEASURED_FEATURES:
        values = table[name].to_numpy()
        if np.isnan(values).any():
            raise _without_a_value(int(np.isnan(values).argmax()), name, source)
        for word, wrong in (("an infinite", np.isinf(values)), ("a negative", values < 0)):
            if wrong.any():
                row = int(wrong.argmax())
                raise DataError(
                    f"row {row} of {source} (from 0) has {word} {name} ({values[row]:g}); mend or "
                    "leave out the row"
                )


def _read(path: Path) -> pa.Table:
    if path.suffix.lower() == ".parquet":
        frame = read_whole(path).to_pandas()
    else:
        try:
            # By parts a wrong cell would leave the numbers before it numbers.
            frame = pd.read_csv(
                path,
                dtype={"segment_id": str},
                keep_default_na=False,
                na_values=EMPTY,
                low_memory=False,
            )
        except (ValueError, OSError) as error:  # pandas' errors of parsing are ValueErrors
            reason = str(error).strip().splitlines()[0]
            raise DataError(f"{path} cannot be read ({reason})") from error
    return slices_of_rows(frame, f"the slices of {path}")


def _files(path: Path) -> list[Path]:
    if path.is_file() and path.suffix.lower() in SUFFIXES:
        return [path]
    if path.is_file():
        raise DataError(f"{path}: slices are read from {' and '.join(SUFFIXES)} files")
    if not path.is_dir():
        raise DataError(f"slices {path} are missing; name a file or a folder")
    files = sorted(
        child
        for child in path.iterdir()
        if child.is_file() and child.suffix.lower() in SUFFIXES and not child.name.startswith(".")
    )
    if not files:
        raise DataError(f"{path}: no file of slices in it (looked for {', '.join(SUFFIXES)})")
    return files


def _is_day(path: Path) -> bool:
    try:
        date.fromisoformat(path.name)
    except ValueError:
        return False
    return path.is_dir()


def _utc(times: pd.Series, source: str) -> pd.Series:
    if is_numeric_dtype(times):  # pandas would take a number for nanoseconds since 1970
        raise DataError(
            f"slice_start of {source} must be times such as 2026-01-05T07:15:00Z, not numbers"
        )
    read = pd.to_datetime(times, utc=True, format="ISO8601", errors="coerce")
    wrong = (read.isna() & times.notna()).to_numpy()
    if wrong.any():
        row = int(wrong.argmax())
        raise DataError(
            f"slice_start of {source} must be times such as 2026-01-05T07:15:00Z; row {row} (from "
            f"0) has {times.iloc[row]!r}"
        )
    return read
