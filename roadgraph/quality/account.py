"""The account of a day's rows: what came in, what was used, what lies in the quarantine."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import polars as pl
import pyarrow.parquet as pq

from roadgraph.errors import DataError
from roadgraph.probes.fix_store import FixStore, Input
from roadgraph.slices.store import DayFolder

if TYPE_CHECKING:
    from collections.abc import Iterator
    from datetime import date
    from pathlib import Path

    from roadgraph.workspace import Workspace


@dataclass(frozen=True)
class InputRows:
    """What became of one input file's rows of a day.

    Attributes:
        name: of the file.
        rows: of it that are of the day.
        used: of these, that slices rest on.
        refused: the others by the rule that refused them.
        file_rows: of the whole file, of whatever day.
        file_used: of these, that could be used by themselves.
        file_refused: the others by rule: refused when the file was read, so of no day.
    """

    name: str
    rows: int
    used: int
    refused: dict[str, int]
    file_rows: int
    file_used: int
    file_refused: dict[str, int]


def rows_told(manifest: dict[str, Any], inputs: dict[str, Input]) -> tuple[InputRows, ...]:
    """Return the account that the manifest of a day's slices and those of its files give.

    Args:
        manifest: of the day's slices.
        inputs: accounts of the store of fixes by name; none for other sources.

    Raises:
        DataError: the manifest names a file that the store of fixes does not have.
    """
    source = manifest["city"]["source"]
    found = []
    for name, told in sorted(manifest["inputs"].items()):
        if source != "probes":
            # Whole files are refused or used when they are read; a row that has a day is used.
            day = told.get("rows_of_day", manifest["rows"])
            found.append(
                InputRows(name, day, day, {}, told["rows"], told["used"], dict(told["refused"]))
            )
            continue
        if name not in inputs:
            raise DataError(
                f"the store of fixes has no account of {name}, which slices rest on; "
                "make them again: roadgraph slices"
            )
        file = inputs[name]
        found.append(
            InputRows(
                name,
                told["rows"],
                told["used"],
                dict(told["refused"]),
                file.rows_in,
                sum(file.days.values()),
                dict(file.refused),
            )
        )
    return tuple(found)


def faults_of_account(
    workspace: Workspace, day: date, told: tuple[InputRows, ...], source: str
) -> list[str]:
    """Count the rows of a day's files again, in the stores, and hold the account against it.

    Args:
        workspace: of the city.
        day: the day.
        told: its account.
        source: what the day's slices were made from, as ``city.source`` names it. The store of
            fixes of a city that has another source now is nothing to them.

    Returns:
        A sentence for each sum that does not come out; none where all rows are there.
    """
    if source == "probes":
        return list(_faults_of_fixes(workspace, day, told))
    return [
        _uneven(rows.name, rows.file_rows, rows.file_used, sum(rows.file_refused.values()))
        for rows in told
        if rows.file_rows != rows.file_used + sum(rows.file_refused.values())
    ]


def _faults_of_fixes(workspace: Workspace, day: date, told: tuple[InputRows, ...]) -> Iterator[str]:
    store = FixStore(workspace.fixes)
    inputs = store.inputs()
    by_name = {rows.name: rows for rows in told}
    for path in store.parts(day):
        if path.stem not in {inputs[name].key for name in by_name if name in inputs}:
            yield (
                f"{_rows(path)} rows of {path.stem} are of {day}, but no slice of the day was "
                "made from them"
            )
    quarantined = _quarantined(DayFolder(workspace.slices / day.isoformat()).quarantine)
    for name, rows in by_name.items():
        account = inputs[name]
        stored, refused = _rows(store.part(day, account)), quarantined.get(account.key, 0)
        if not stored == rows.rows == rows.used + refused:
            yield _uneven(f"{name}, {day}", stored, rows.used, refused)
        read = sum(_rows(path) for path in store.folder.glob(f"days/*/{account.key}.parquet"))
        refused = _rows(store.quarantine(account))
        if rows.file_rows != read + refused:
            yield _uneven(name, rows.file_rows, read, refused)


def _uneven(what: str, rows_in: int, used: int, quarantined: int) -> str:
    return f"{what}: {rows_in:,} rows in, but {used:,} used and {quarantined:,} quarantined"


def _rows(path: Path) -> int:
    """Return the rows of a file of the store, 0 where it is missing."""
    return pq.read_metadata(path).num_rows if path.is_file() else 0


def _quarantined(path: Path) -> dict[str, int]:
    """Return the rows in a day's quarantine by the key of their input."""
    if not path.is_file():
        return {}
    return dict(pl.scan_parquet(path).group_by("file").len().collect().iter_rows())
