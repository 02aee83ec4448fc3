"""Speeds of detectors into the store of slices: the days whose rows have changed."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import pandas as pd
import pyarrow as pa
import pyarrow.compute as pc

from roadgraph.calendar import city_zone, local_days
from roadgraph.config import settings_to_dict
from roadgraph.errors import DataError
from roadgraph.slices.clock import clock_of_slices
from roadgraph.slices.detectors import read_detector_speeds
from roadgraph.slices.planning import shared_dependencies, why_stale
from roadgraph.slices.report import SlicesReport, StaleSlices
from roadgraph.slices.store import find_manifests, write_days
from roadgraph.staleness import fingerprint_of
from roadgraph.storage import digest_of_arrays, fingerprint

if TYPE_CHECKING:
    from collections.abc import Container
    from datetime import date

    from roadgraph.network.network import Network
    from roadgraph.settings import Settings
    from roadgraph.workspace import Workspace

VERSIONS = ("roadgraph", "pandas", "polars", "pyarrow")
"""The packages that slices of detectors depend on; a manifest names their versions."""


def slices_from_detectors(
    settings: Settings, network: Network, workspace: Workspace, days: Container[date]
) -> SlicesReport:
    """Read ``city.speeds`` and write the days of it that are stale; all of these, or none.

    Nobody else may be at the store meanwhile.

    Raises:
        DataError: the file cannot be used, or is of other detectors.
    """
    path = Path(settings.city.speeds)
    measured, table = _speeds(path, settings, network)
    rows_of = _by_day(table, settings)
    all_rows = {day: len(rows) for day, rows in _by_day(measured, settings).items()}
    depends_on = _depends_on(rows_of, all_rows, settings, network)
    manifests = find_manifests(workspace.slices)
    stale = [
        day for day in rows_of if day in days and why_stale(manifests.get(day), depends_on[day])
    ]
    for day in stale:
        rows, rows_in = rows_of[day], all_rows[day]
        refused = {"not_in_network": rows_in - len(rows)} if len(rows) < rows_in else {}
        account = {"rows": rows_in, "used": len(rows), "refused": refused}
        _write(rows, workspace.slices, settings, {path.name: account}, depends_on[day])
    fresh = [
        day
        for day in rows_of
        if day not in stale and not why_stale(manifests.get(day), depends_on[day])
    ]
    used = sum(len(rows_of[day]) for day in [*stale, *fresh])
    lost = len(measured) - len(table)
    return SlicesReport(
        inputs=(path.name,),
        rows_in=len(measured),
        rows_used=used,
        refused={"not_in_network": lost} if lost else {},
        built=tuple(stale),
        kept=tuple(fresh),
        slices=used,
        matching=None,
        waiting=len(table) - used,
    )


def stale_from_detectors(settings: Settings, network: Network, workspace: Workspace) -> StaleSlices:
    """Return what :func:`slices_from_detectors` would do; nothing is written.

    Raises:
        DataError: the file cannot be used, or is of other detectors.
    """
    measured, table = _speeds(Path(settings.city.speeds), settings, network)
    all_rows = {day: len(rows) for day, rows in _by_day(measured, settings).items()}
    depends_on = _depends_on(_by_day(table, settings), all_rows, settings, network)
    manifests = find_manifests(workspace.slices)
    found = {day: why_stale(manifests.get(day), now) for day, now in depends_on.items()}
    return StaleSlices(days={day: reasons for day, reasons in found.items() if reasons})


def _speeds(path: Path, settings: Settings, network: Network) -> tuple[pa.Table, pa.Table]:
    """Return all rows of the file, and those of detectors that the network has."""
    measured = read_detector_speeds(path, settings.city, settings.slices.minutes)
    # The import may have cut detectors away that no link leads back to.
    table = measured.filter(pc.is_in(measured["segment_id"], pa.array(network.segment_ids)))
    if not len(table):
        raise DataError(
            f"{path}: none of its {len(measured)} speeds is of a detector that the network has; "
            "import the network again: roadgraph network"
        )
    return measured, table


def _by_day(table: pa.Table, settings: Settings) -> dict[date, pa.Table]:
    zone = city_zone(settings.city.timezone)
    days = local_days(pd.DatetimeIndex(table["slice_start"].to_pandas()), zone)
    return {day: table.filter(pa.array(days == day)) for day in sorted(set(days))}


def _depends_on(
    rows_of: dict[date, pa.Table],
    all_rows: dict[date, int],
    settings: Settings,
    network: Network,
) -> dict[date, dict[str, str]]:
    """Return what each day depends on: its rows, and what is written about them."""
    city = {"speeds": Path(settings.city.speeds).name, "speed_unit": settings.city.speed_unit}
    shared = shared_dependencies(settings, network, city, "city", VERSIONS)
    # Rows of detectors that are not there are left out, and nothing else rests on the roads.
    shared.pop("network")
    return {
        day: {"speeds": _digest(rows), "rows": f"{len(rows)} of {all_rows[day]}", **shared}
        for day, rows in rows_of.items()
    }


def _digest(rows: pa.Table) -> str:
    names = fingerprint(rows["segment_id"].to_pylist())
    numbers = rows.drop_columns(["segment_id"])
    return fingerprint([names, digest_of_arrays(column.to_numpy() for column in numbers.columns)])


def _write(
    rows: pa.Table,
    folder: Path,
    settings: Settings,
    inputs: dict[str, dict[str, Any]],
    depends_on: dict[str, str],
) -> None:
    chosen = settings_to_dict(settings)
    city = {name: chosen["city"][name] for name in ("name", "timezone", "source", "speed_unit")}
    manifest: dict[str, Any] = {
        "fingerprint": fingerprint_of(depends_on),
        "depends_on": depends_on,
        "fixes_by_slice": clock_of_slices(rows),
        "inputs": inputs,
        "city": city,
        "settings": {"slices": chosen["slices"]},
    }
    zone = city_zone(settings.city.timezone)
    write_days(rows, folder, zone, settings.slices.minutes, manifest)
