"""The tables of LibCity, its "atomic files": comma-separated text under suffixes of their own.

Source of the format: https://bigscity-libcity-docs.readthedocs.io, "Atomic Files".
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import polars as pl

from roadgraph.errors import DataError, nearest

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

LINE = "line"
"""Column with a record's line in its file; the header is line 1."""


def atomic_columns(path: Path) -> list[str]:
    """Return the columns of an atomic file.

    Raises:
        DataError: the file is missing, empty or no such table.
    """
    return list(_collected(path, _scanned(path).head(0)).columns)


def read_atomic(path: Path, needed: Sequence[str], only: bool = False) -> pl.DataFrame:
    """Read an atomic file; every column comes as text, an empty cell as null, and ``line``.

    Args:
        path: ``.geo``, ``.rel`` or ``.dyna``.
        needed: columns that it must have.
        only: leave the other columns out.

    Raises:
        DataError: the file is missing, empty or no such table, or lacks a column.
    """
    _check_columns(path, atomic_columns(path), needed)
    rows = _scanned(path)
    table = _collected(path, rows.select(needed) if only else rows)
    if table.is_empty():
        raise DataError(f"{path}: no row in it; is this the right file?")
    return table.with_row_index(LINE, offset=2)


def atomic_values(path: Path, column: str) -> list[str]:
    """Return the values of one column, each once, in the order in which they first stand there.

    Raises:
        DataError: the file is missing, empty or no such table, or lacks the column.
    """
    _check_columns(path, atomic_columns(path), [column])
    values = _scanned(path).select(column).drop_nulls().unique(maintain_order=True)
    return _collected(path, values)[column].to_list()


def numbers(table: pl.DataFrame, column: str, path: Path) -> pl.Series:
    """Return a column of :func:`read_atomic` as finite numbers, null where a cell is empty.

    Raises:
        DataError: a cell holds something else; names its line.
    """
    text = table[column].str.strip_chars().replace("", None)
    values = text.cast(pl.Float64, strict=False)
    wrong = text.is_not_null() & ~values.is_finite().fill_null(False) & ~_says_nan(text)
    if wrong.any():
        row = int(wrong.arg_max() or 0)
        raise DataError(
            f"{path}: row {table[LINE][row]}, {column} '{text[row]}' is no finite number "
            f"({int(wrong.sum())} such rows); mend it, or leave the cell empty"
        )
    return values.fill_nan(None)


def _says_nan(text: pl.Series) -> pl.Series:
    return text.str.to_lowercase().is_in(["nan", "null", "none"]).fill_null(False)


def _scanned(path: Path) -> pl.LazyFrame:
    if not path.is_file():
        raise DataError(f"{path} is missing; set city.roads and city.speeds")
    if path.stat().st_size == 0:
        raise DataError(f"{path} is empty")
    return pl.scan_csv(path, infer_schema=False)


def _collected(path: Path, rows: pl.LazyFrame) -> pl.DataFrame:
    try:
        return rows.collect(engine="streaming")
    except (pl.exceptions.PolarsError, OSError) as error:
        reason = str(error).strip().splitlines()[0]
        raise DataError(f"{path} cannot be read as a table of LibCity: {reason}") from error


def _check_columns(path: Path, found: Sequence[str], needed: Sequence[str]) -> None:
    for column in needed:
        if column not in found:
            raise DataError(
                f"{path}: column '{column}' is missing (found {', '.join(found)})"
                f"{nearest(column, found)}"
            )
