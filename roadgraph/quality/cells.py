"""The observed cells of a local day: which segments were seen in which slices."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd

from roadgraph.calendar import city_zone, local_hours, span_of_day
from roadgraph.dataset.grid import grid_from_slices
from roadgraph.errors import DataError
from roadgraph.schema import MEASURED_FEATURES, SLICES, read_whole
from roadgraph.slices.store import DayFolder, refuse_other_length, stored_days

if TYPE_CHECKING:
    from datetime import date

    from roadgraph.network.network import Network
    from roadgraph.settings import Settings
    from roadgraph.workspace import Workspace


@dataclass(frozen=True)
class DayCells:
    """The cells (segment x slice) of a local day, observed or not.

    Attributes:
        slice_starts: ``[T]`` in UTC, every slice of the day.
        observed: ``[T, N]`` bool.
        measured: ``[M, 5]`` the features of the observed cells, in the order of
            ``MEASURED_FEATURES``.
    """

    slice_starts: pd.DatetimeIndex
    observed: np.ndarray
    measured: np.ndarray

    def feature(self, name: str) -> np.ndarray:
        """Return one of ``MEASURED_FEATURES``, ``[T, N]`` float32, NaN where not observed."""
        values = np.full(self.observed.shape, np.nan, dtype=np.float32)
        values[self.observed] = self.measured[:, MEASURED_FEATURES.index(name)]
        return values


@dataclass(frozen=True)
class Coverage:
    """Which share of the cells was observed, 0-1.

    Attributes:
        share: of all cells.
        cells: that were observed.
        by_hour: of the cells of each hour of the local day; an hour that the clocks leave out has
            none.
        by_road_class: of the cells of each road class.
    """

    share: float
    cells: int
    by_hour: dict[int, float]
    by_road_class: dict[str, float]

    @property
    def empty_hours(self) -> tuple[int, ...]:
        """Hours of the local day without any observation."""
        return tuple(hour for hour, share in self.by_hour.items() if share == 0)


def cells_of_day(settings: Settings, network: Network, workspace: Workspace, day: date) -> DayCells:
    """Read the cells of a local day; of one that is not in the store none was observed.

    Raises:
        DataError: the stored slices are of another length, network or time zone.
    """
    minutes = settings.slices.minutes
    refuse_other_length(workspace.slices, minutes)
    begin, end = span_of_day(day, city_zone(settings.city.timezone), minutes)
    starts = pd.date_range(begin, end, freq=pd.Timedelta(minutes=minutes), inclusive="left")
    observed = np.zeros((len(starts), len(network.segment_ids)), dtype=bool)
    nothing = np.zeros((0, len(MEASURED_FEATURES)), dtype=np.float32)
    if day not in stored_days(workspace.slices):
        return DayCells(starts, observed, nothing)
    path = DayFolder(workspace.slices / day.isoformat()).slices
    table = SLICES.typed(read_whole(path))
    if not len(table):
        return DayCells(starts, observed, nothing)
    grid = grid_from_slices(table, network.segment_ids, minutes)
    places = starts.get_indexer(grid.slice_starts)
    if (places < 0).any():
        raise DataError(
            f"{workspace.slices / day.isoformat()} has a slice at "
            f"{grid.slice_starts[int((places < 0).argmax())]}, which is not of that day in "
            f"{settings.city.timezone}; make the slices again: roadgraph slices"
        )
    observed[places] = grid.observed
    return DayCells(starts, observed, grid.measured[grid.observed])


def coverage_of(cells: DayCells, network: Network, settings: Settings) -> Coverage:
    """Return which share of a day's cells was observed."""
    seen, segments = cells.observed, cells.observed.shape[1]
    hours = local_hours(cells.slice_starts, city_zone(settings.city.timezone)).astype(int)
    classes = road_classes(network)
    return Coverage(
        share=float(seen.mean()),
        cells=int(seen.sum()),
        by_hour={
            int(hour): float(seen[hours == hour].sum() / ((hours == hour).sum() * segments))
            for hour in np.unique(hours)
        },
        by_road_class={
            str(name): float(seen[:, classes == name].mean()) for name in np.unique(classes)
        },
    )


def road_classes(network: Network) -> np.ndarray:
    """Return the road class of each segment, ``[N]`` text."""
    return network.segments["road_class"].astype(str).to_numpy()
