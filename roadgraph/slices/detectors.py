"""Detectors that measure speeds themselves: a column a detector and a row a slice, or ``.dyna``."""

from __future__ import annotations

import warnings
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd
import pyarrow as pa

from roadgraph.calendar import city_zone
from roadgraph.errors import DataError
from roadgraph.schema import SLICES, utc_times
from roadgraph.slices.dyna import read_dyna_speeds
from roadgraph.units import KPH_PER_MPH

if TYPE_CHECKING:
    from pathlib import Path

    from roadgraph.settings import CitySettings


def read_detector_speeds(path: Path, city: CitySettings, slice_minutes: int) -> pa.Table:
    """Read a table of speeds into the columns of ``schema.SLICES``.

    A detector counts as one probe of quality 1 with no spread. Empty cells are not observed.

    Args:
        path: CSV with one column a detector and one row a slice, or LibCity's ``.dyna``, whose
            times are told in :mod:`roadgraph.slices.dyna`.
        city: zone, unit and, for CSV, the time of the first row.
        slice_minutes: length of a slice.

    Raises:
        DataError: the file is missing, empty or holds other things than speeds, or
            ``city.speeds_start`` is no local time.
    """
    factor = KPH_PER_MPH if city.speed_unit == "mph" else 1.0
    if path.suffix == ".dyna":
        rows = read_dyna_speeds(path, city, slice_minutes)
        times = utc_times(pd.DatetimeIndex(rows["slice_start"]))
        return _slices(rows["segment_id"].to_numpy(), times, rows["speed"].to_numpy() * factor)
    speeds = _read_wide(path)
    # Steps are counted in absolute time, so a change to summer time moves no row.
    start = _local_start(city)
    clock = pd.date_range(start.tz_convert("UTC"), periods=len(speeds), freq=f"{slice_minutes}min")
    values = speeds.to_numpy(dtype=np.float64).T.ravel() * factor
    observed = ~np.isnan(values)
    names = np.repeat([str(name) for name in speeds.columns], len(speeds))
    places = np.tile(np.arange(len(clock)), speeds.shape[1])
    return _slices(names[observed], utc_times(clock).take(places[observed]), values[observed])


def _read_wide(path: Path) -> pd.DataFrame:
    if not path.is_file():
        raise DataError(f"{path} is missing; set city.speeds")
    if path.stat().st_size == 0:
        raise DataError(f"{path} is empty")
    try:
        with warnings.catch_warnings(action="error", category=pd.errors.ParserWarning):
            # Else cells beyond the header would make the first ones names of the rows.
            speeds = pd.read_csv(path, index_col=False)
    except (ValueError, pd.errors.ParserWarning) as error:  # pandas' own errors are ValueErrors
        reason = str(error).strip().splitlines()[0]
        raise DataError(f"{path} cannot be read as a table of speeds: {reason}") from error
    if speeds.empty:
        raise DataError(f"{path}: no row of speeds in it")
    for name, kind in speeds.dtypes.items():
        if not pd.api.types.is_numeric_dtype(kind):
            raise DataError(f"{path}: column '{name}' holds other things than speeds")
    negative = speeds.lt(0).to_numpy()
    if negative.any():
        row, column = np.argwhere(negative)[0]
        raise DataError(f"{path}: row {row + 2}, column '{speeds.columns[column]}' is below 0")
    infinite = np.isinf(speeds.to_numpy(dtype=np.float64))
    if infinite.any():
        row, column = np.argwhere(infinite)[0]
        raise DataError(
            f"{path}: row {row + 2}, column '{speeds.columns[column]}' is infinite "
            f"({int(infinite.sum())} such cells); leave cells without a speed empty"
        )
    return speeds


def _local_start(city: CitySettings) -> pd.Timestamp:
    try:
        local = pd.Timestamp(city.speeds_start)
        if pd.isna(local):
            raise ValueError("empty")
        return local.tz_localize(city_zone(city.timezone))
    except (ValueError, TypeError) as error:
        raise DataError(
            f"city.speeds_start: no local time '{city.speeds_start}'; write 2012-03-01T00:00"
        ) from error


def _slices(segment_ids: np.ndarray, starts: pa.Array, speeds_kph: np.ndarray) -> pa.Table:
    table = {
        "segment_id": segment_ids,
        "slice_start": starts,
        "mean_speed": speeds_kph,
        "median_speed": speeds_kph,
        "speed_std": np.zeros(len(speeds_kph)),
        "count_probes": np.ones(len(speeds_kph), dtype=np.int32),
        "quality_score": np.ones(len(speeds_kph)),
    }
    return SLICES.conform(pa.table(table))
