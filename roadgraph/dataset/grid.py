"""The table ``slices`` as dense arrays ``[T, N]`` on a regular clock."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.compute as pc

from roadgraph.errors import DataError
from roadgraph.schema import MEASURED_FEATURES


@dataclass(frozen=True)
class SliceGrid:
    """Measured features by slice and segment.

    Attributes:
        segment_ids: the ``N`` segments in the network's order.
        slice_starts: ``[T]`` in UTC, every ``slice_minutes``, without a gap.
        slice_minutes: length of a slice.
        measured: ``[T, N, 5]`` float32 in the order of ``MEASURED_FEATURES``; NaN where nothing
            was observed.
        observed: ``[T, N]`` bool.
    """

    segment_ids: tuple[str, ...]
    slice_starts: pd.DatetimeIndex
    slice_minutes: int
    measured: np.ndarray
    observed: np.ndarray

    @property
    def speed_kph(self) -> np.ndarray:
        """``[T, N]`` mean speed in km/h, NaN where nothing was observed."""
        return self.measured[:, :, 0]

    def until(self, stop: int) -> SliceGrid:
        """Return the first ``stop`` slices."""
        return replace(
            self,
            slice_starts=self.slice_starts[:stop],
            measured=self.measured[:stop],
            observed=self.observed[:stop],
        )

    def at_places(self, places: np.ndarray) -> SliceGrid:
        """Return the grid of the segments at ``places [M]``, in their order."""
        return replace(
            self,
            segment_ids=tuple(self.segment_ids[place] for place in places),
            measured=self.measured[:, places],
            observed=self.observed[:, places],
        )

    def without(self, segments: np.ndarray) -> SliceGrid:
        """Return the grid as if some segments, ``[N]`` bool, had never been observed."""
        if not segments.any():
            return self
        measured = np.where(segments[None, :, None], np.float32(np.nan), self.measured)
        return replace(self, measured=measured, observed=self.observed & ~segments)


def grid_from_slices(
    slices: pa.Table,
    segment_ids: list[str],
    slice_minutes: int,
    first: pd.Timestamp | None = None,
) -> SliceGrid:
    """Spread the rows of ``slices`` over a regular grid from the first slice to the last.

    Args:
        slices: the columns of ``schema.SLICES``.
        segment_ids: the network's segments in their order.
        slice_minutes: length of a slice.
        first: begin the grid here, at or before the first slice; by default at the first slice.

    Raises:
        DataError: no row, a segment that the network does not have, a time off the slices'
            clock, or two rows for one cell.
    """
    places = places_of(slices["segment_id"], pa.array(segment_ids, pa.string()))
    return grid_from_places(slices, places, tuple(segment_ids), slice_minutes, first)


def places_of(names: pa.ChunkedArray, segment_ids: pa.Array) -> np.ndarray:
    """Return the place of each of ``names`` in ``segment_ids``, -1 where it has none.

    Stored slices are sorted by segment: a segment is looked up once for all of its rows of a day.
    """
    parts = [np.empty(0, dtype=np.int32)]
    for chunk in names.chunks:
        runs = pc.run_end_encode(chunk)
        found = pc.fill_null(pc.index_in(runs.values, value_set=segment_ids), -1).to_numpy()
        parts.append(np.repeat(found, np.diff(runs.run_ends.to_numpy(), prepend=0)))
    return np.concatenate(parts)


def grid_from_places(
    slices: pa.Table,
    places: np.ndarray,
    segment_ids: tuple[str, ...],
    slice_minutes: int,
    first: pd.Timestamp | None = None,
) -> SliceGrid:
    """Return the grid of :func:`grid_from_slices`, from rows whose segments were looked up before.

    Args:
        slices: as there, ``R`` rows.
        places: ``[R]`` place of each row's segment in ``segment_ids``, -1 where it has none.
        segment_ids, slice_minutes, first: as there.

    Raises:
        DataError: as there.
    """
    times, row, column = _cells(slices, places, segment_ids, slice_minutes, first)
    shape = (len(times), len(segment_ids))
    measured = np.full((*shape, len(MEASURED_FEATURES)), np.nan, dtype=np.float32)
    for place, name in enumerate(MEASURED_FEATURES):
        measured[row, column, place] = slices[name].to_numpy()
    observed = np.zeros(shape, dtype=bool)
    observed[row, column] = True
    return SliceGrid(segment_ids, times, slice_minutes, measured, observed)


def _cells(
    table: pa.Table,
    places: np.ndarray,
    segment_ids: tuple[str, ...],
    slice_minutes: int,
    first: pd.Timestamp | None,
) -> tuple[pd.DatetimeIndex, np.ndarray, np.ndarray]:
    """Return the regular clock ``[T]`` and the row and column of every row of ``table``."""
    if not len(table):
        raise DataError("no slice: no vehicle was seen on any segment")
    column = places.astype(np.int64)
    if (column < 0).any():
        stranger = table["segment_id"][int((column < 0).argmax())].as_py()
        raise DataError(
            f"slices name segment '{stranger}', which the network does not have; leave its rows "
            "out, or import the network that they were made with: roadgraph network"
        )
    starts = pd.DatetimeIndex(table["slice_start"].to_numpy()).tz_localize("UTC")
    step = pd.Timedelta(minutes=slice_minutes)
    times = pd.date_range(starts.min() if first is None else first, starts.max(), freq=step)
    row, rest = divmod((starts - times[0]).to_numpy(), step.to_timedelta64())
    if (rest != np.timedelta64(0)).any():
        raise DataError(
            f"slice_start {starts[int(np.argmax(rest != np.timedelta64(0)))]} is off the clock of "
            f"{slice_minutes}-minute slices; are these slices of another length?"
        )
    cells = row * len(segment_ids) + column
    counts = np.bincount(cells)
    if counts.max() > 1:
        twice = int((counts > 1).argmax())
        raise DataError(
            f"two slices of segment '{segment_ids[twice % len(segment_ids)]}' at "
            f"{times[twice // len(segment_ids)]}; leave all but one of these rows out"
        )
    return times, row, column


def speeds_on_grid(table: pa.Table, grid: SliceGrid) -> np.ndarray:
    """Return ``mean_speed`` of ``table`` on the clock of ``grid``, ``[T, N]``, NaN where missing.

    Rows of other segments and times are left out. Used for the truth of a simulation, which only
    evaluation may see.
    """
    frame = table.to_pandas()
    row = grid.slice_starts.get_indexer(pd.DatetimeIndex(frame["slice_start"]))
    column = pd.Index(grid.segment_ids).get_indexer(frame["segment_id"])
    known = (row >= 0) & (column >= 0)
    speeds = np.full(grid.observed.shape, np.nan, dtype=np.float32)
    speeds[row[known], column[known]] = frame["mean_speed"].to_numpy()[known]
    return speeds
