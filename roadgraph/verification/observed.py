"""What was observed on a local day, and what one who has no model would have said of it."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date, timedelta
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd

from roadgraph.calendar import city_zone, span_of_day
from roadgraph.dataset.grid import grid_from_slices
from roadgraph.dataset.history import fit_history
from roadgraph.dataset.labels import congestion_classes, free_flow_kph
from roadgraph.quality.cells import road_classes
from roadgraph.schema import CONGESTION_CLASSES, NO_LABEL
from roadgraph.slices.store import read_slices, refuse_other_length, stored_days

if TYPE_CHECKING:
    from roadgraph.network.network import Network
    from roadgraph.settings import Settings
    from roadgraph.workspace import Workspace

PERSISTENCE_DAYS = 7
"""How old an observation may be that persistence goes by."""


@dataclass(frozen=True)
class Said:
    """Speeds and congestion classes of some cells, ``[M]`` each, such as one baseline says."""

    speed_kph: np.ndarray
    congestion: np.ndarray


@dataclass(frozen=True)
class ObservedDay:
    """The slices of a local day as they were observed, and those before it.

    Attributes:
        slice_starts: ``[T]`` in UTC: the days before, then the day, to its last observation.
        first: place of the day's first slice.
        slice_minutes: length of a slice.
        speed_kph: ``[T, N]``, NaN where nothing was observed.
        congestion: ``[T, N]`` class indices, ``NO_LABEL`` where there is none.
        typical: ``[T - first, N]`` what the days before say of the day: the historical average.
        typical_congestion: the class of it.
        mean_kph: of the days before, for a segment that was not observed for long.
        common_class: the most frequent class of the days before.
    """

    slice_starts: pd.DatetimeIndex
    first: int
    slice_minutes: int
    speed_kph: np.ndarray
    congestion: np.ndarray
    typical: np.ndarray
    typical_congestion: np.ndarray
    mean_kph: float
    common_class: int

    def at(self, targets: np.ndarray, segments: np.ndarray) -> Said:
        """Return what was observed in the slices ``targets`` on ``segments``, ``[M]`` places."""
        return Said(self.speed_kph[targets, segments], self.congestion[targets, segments])

    def historical_average(self, targets: np.ndarray, segments: np.ndarray) -> Said:
        """Return what is typical of the segments at that time of the week."""
        rows = targets - self.first
        return Said(self.typical[rows, segments], self.typical_congestion[rows, segments])

    def persistence(self, issued_at: pd.DatetimeIndex, segments: np.ndarray) -> Said:
        """Return what was last observed of each segment when its forecast was issued.

        Slices that ended by then and began at most ``PERSISTENCE_DAYS`` before count. A segment
        without any gets the mean speed and the most frequent class of the days before.

        Args:
            issued_at: ``[M]``.
            segments: ``[M]`` places.
        """
        width = pd.Timedelta(minutes=self.slice_minutes)
        newest = np.asarray((issued_at - self.slice_starts[0]) // width, dtype=np.int64) - 1
        known = ~np.isnan(self.speed_kph)
        rows = np.arange(len(known), dtype=np.int32)[:, None]
        last = np.maximum.accumulate(np.where(known, rows, np.int32(-1)), axis=0)
        # A forecast may be issued after the last observation of the day.
        place = last[np.clip(newest, 0, len(known) - 1), segments]
        oldest = newest + 1 - pd.Timedelta(days=PERSISTENCE_DAYS) // width
        is_known = (newest >= 0) & (place >= np.maximum(oldest, 0))
        speed = np.where(is_known, self.speed_kph[place, segments], self.mean_kph)
        congestion = np.where(is_known, self.congestion[place, segments], self.common_class)
        # A speed may be known without a class (too few probes for the rule).
        return Said(speed, np.where(congestion == NO_LABEL, self.common_class, congestion))


def days_before(settings: Settings, workspace: Workspace, day: date) -> list[date]:
    """Return the stored days that the historical average of ``day`` rests on, in their order."""
    first = day - timedelta(days=settings.pipeline.training_days)
    return [other for other in stored_days(workspace.slices) if first <= other < day]


def days_looked_at(settings: Settings, workspace: Workspace, day: date) -> list[date]:
    """Return the stored days that the verification of ``day`` rests on, without it."""
    reach = max(settings.pipeline.training_days, PERSISTENCE_DAYS)
    first = day - timedelta(days=reach)
    return [other for other in stored_days(workspace.slices) if first <= other < day]


def observed_day(
    settings: Settings, network: Network, workspace: Workspace, day: date
) -> ObservedDay:
    """Read what was observed on a day and work out what the days before say of it.

    The classes go by the free flow of the days before, ``pipeline.training_days`` at most, and not
    by that of the model which forecast: models of different nights and the baselines are held to
    the same labels. A model's own free flow rests on the part of these days that it was trained
    on; where the two differ its figures are a little worse for it, never better.

    Args:
        settings: ``city``, ``slices``, ``labels`` and ``pipeline.training_days`` are used.
        network: the workspace's.
        workspace: where the slices are; there are some of the day and of a day before.
        day: the day.

    Raises:
        DataError: the slices are of another length or network.
    """
    minutes = settings.slices.minutes
    refuse_other_length(workspace.slices, minutes)
    zone = city_zone(settings.city.timezone)
    looked_at = days_looked_at(settings, workspace, day)
    slices = read_slices(workspace.slices, looked_at[0], day)
    grid = grid_from_slices(slices, network.segment_ids, minutes)
    starts, speed = grid.slice_starts, grid.speed_kph
    begin, _ = span_of_day(day, zone, minutes)
    oldest, _ = span_of_day(days_before(settings, workspace, day)[0], zone, minutes)
    first, trained = int(starts.searchsorted(begin)), int(starts.searchsorted(oldest))
    before = slice(trained, first)
    limits = network.segments["speed_limit_kph"].astype("float64").to_numpy()
    flow = free_flow_kph(speed[before], limits, road_classes(network), settings.labels)
    count = np.nan_to_num(grid.measured[:, :, 3])
    congestion = congestion_classes(speed, flow, count, settings.labels)
    history, _ = fit_history(speed[before], starts[before], zone, minutes)
    typical = history.at(starts[first:], zone)
    # The rule of traffic4cast asks for probes; an average rests on any number of them.
    many = np.full(typical.shape, np.iinfo(np.int32).max)
    known = congestion[before][congestion[before] != NO_LABEL]
    return ObservedDay(
        slice_starts=starts,
        first=first,
        slice_minutes=minutes,
        speed_kph=speed,
        congestion=congestion,
        typical=typical,
        typical_congestion=congestion_classes(typical, flow, many, settings.labels),
        mean_kph=float(np.nanmean(speed[before])),
        common_class=int(np.bincount(known, minlength=len(CONGESTION_CLASSES)).argmax()),
    )
