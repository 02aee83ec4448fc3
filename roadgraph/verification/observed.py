"""What was observed on a local day, and what one who has no model would have said of it."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date, timedelta
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd

from roadgraph.calendar import city_zone
from roadgraph.dataset.history import typical_at
from roadgraph.dataset.labels import congestion_classes, free_flow_kph, unseen_free_flow_kph
from roadgraph.quality.cells import cells_of_day, road_classes
from roadgraph.schema import CONGESTION_CLASSES, NO_LABEL
from roadgraph.slices.store import stored_days

if TYPE_CHECKING:
    from roadgraph.network.network import Network
    from roadgraph.settings import LabelsSettings, Settings
    from roadgraph.workspace import Workspace

PERSISTENCE_DAYS = 7
"""How old an observation may be that persistence goes by."""

DAYS_SEEN = PERSISTENCE_DAYS + 1
"""Days before that persistence looks at: a forecast may have been issued a day before its slice."""

SEGMENTS_AT_ONCE = 1000
MANY = np.array(np.iinfo(np.int32).max)
"""Stands for a number of probes that is enough for any rule."""


@dataclass(frozen=True)
class Said:
    """Speeds and congestion classes of some cells, ``[M]`` each, such as one baseline says."""

    speed_kph: np.ndarray
    congestion: np.ndarray


@dataclass(frozen=True)
class ObservedDay:
    """The slices of a local day as they were observed, and those shortly before it.

    Attributes:
        slice_starts: ``[T]`` in UTC: those of the ``DAYS_SEEN`` before, then of the day.
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
    reach = max(settings.pipeline.training_days, DAYS_SEEN)
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

    Of the days before only the mean speeds are in memory at once.

    Args:
        settings: ``city``, ``slices``, ``labels`` and ``pipeline.training_days`` are used.
        network: the workspace's.
        workspace: where the slices are; there are some of the day and of a day before.
        day: the day.

    Raises:
        DataError: the slices are of another length or network.
    """
    labels, minutes = settings.labels, settings.slices.minutes
    zone = city_zone(settings.city.timezone)
    before = days_before(settings, workspace, day)
    recent = [day - timedelta(days=ago) for ago in range(DAYS_SEEN, -1, -1)]
    starts: dict[date, pd.DatetimeIndex] = {}
    speed: dict[date, np.ndarray] = {}
    for other in sorted({*before, *recent}):
        cells = cells_of_day(settings, network, workspace, other)
        starts[other], speed[other] = cells.slice_starts, cells.feature("mean_speed")
    flow = _free_flow([speed[other] for other in before], network, labels)

    def classes(other: date) -> np.ndarray:
        count = MANY
        if labels.congestion == "traffic4cast":  # the only rule that asks for it
            cells = cells_of_day(settings, network, workspace, other)
            count = np.nan_to_num(cells.feature("count_probes"))
        return congestion_classes(speed[other], flow, count, labels)

    of_day = {other: classes(other) for other in recent}
    blocks = [(speed[other], starts[other]) for other in before]
    typical = typical_at(starts[day], blocks, len(flow), zone, minutes)
    frequency = np.zeros(len(CONGESTION_CLASSES), dtype=np.int64)
    for other in before:
        known = of_day[other] if other in of_day else classes(other)
        frequency += np.bincount(known[known != NO_LABEL], minlength=len(frequency))
    return ObservedDay(
        slice_starts=pd.DatetimeIndex([time for other in recent for time in starts[other]]),
        first=sum(len(starts[other]) for other in recent[:-1]),
        slice_minutes=minutes,
        speed_kph=np.concatenate([speed[other] for other in recent]),
        congestion=np.concatenate([of_day[other] for other in recent]),
        typical=typical,
        # The rule of traffic4cast asks for probes; an average rests on any number of them.
        typical_congestion=congestion_classes(typical, flow, MANY, labels),
        mean_kph=_mean([speed[other] for other in before]),
        common_class=int(frequency.argmax()),
    )


def free_flow_before(
    settings: Settings, network: Network, workspace: Workspace, day: date
) -> np.ndarray | None:
    """Return the free flow that the classes observed on a day go by, ``[N]`` in km/h.

    Args:
        settings: as in :func:`observed_day`.
        network: the workspace's.
        workspace: where the slices are.
        day: local day.

    Returns:
        None where no slices are stored of the days before.

    Raises:
        DataError: the slices are of another length or network.
    """
    speeds_kph = [
        cells_of_day(settings, network, workspace, other).feature("mean_speed")
        for other in days_before(settings, workspace, day)
    ]
    return _free_flow(speeds_kph, network, settings.labels) if speeds_kph else None


def _free_flow(
    speeds_kph: list[np.ndarray], network: Network, labels: LabelsSettings
) -> np.ndarray:
    """Return the free flow of each segment, ``[N]``, as ``free_flow_kph`` does, some at a time.

    Args:
        speeds_kph: of each day ``[T, N]``.
        network: has the limits and road classes.
        labels: percentile and share.
    """
    limits = network.segments["speed_limit_kph"].astype("float64").to_numpy()
    roads = road_classes(network)
    flow = np.full(len(limits), np.nan)
    for first in range(0, len(limits), SEGMENTS_AT_ONCE):
        some = slice(first, first + SEGMENTS_AT_ONCE)
        speed = np.concatenate([each[:, some] for each in speeds_kph])
        own = free_flow_kph(speed, limits[some], roads[some], labels)
        # What it says of segments that were never observed rests on all others.
        flow[some] = np.where(np.isnan(speed).all(axis=0), np.nan, own)
    return np.where(np.isnan(flow), unseen_free_flow_kph(flow, limits, roads), flow)


def _mean(speeds_kph: list[np.ndarray]) -> float:
    total = sum(float(np.nansum(each, dtype=np.float64)) for each in speeds_kph)
    return total / sum(int((~np.isnan(each)).sum()) for each in speeds_kph)
