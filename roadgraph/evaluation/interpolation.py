"""Forecasts of segments without probes from those with some: what a model of them is held against.

None of them looks at an observation of a hidden segment.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from scipy import sparse
from scipy.sparse import csgraph

from roadgraph.calendar import city_zone, clock_from
from roadgraph.dataset.history import fit_history
from roadgraph.dataset.labels import congestion_classes
from roadgraph.evaluation.forecast import Forecast

if TYPE_CHECKING:
    from roadgraph.dataset.dataset import Dataset, RoadGraph
    from roadgraph.settings import Settings

NEAREST, INVERSE_DISTANCE, ROAD_CLASS = INTERPOLATORS = (
    "nearest observed segment",
    "inverse distance",
    "historical average of the road class",
)

CANDIDATES = 48  # nearest segments that may stand in for one; all of them quiet is rare
REACH_M = 5000.0  # farther away nothing is taken for near
SEGMENTS_AT_ONCE = 256  # rows of distances in memory
NEIGHBOURS, POWER = 8, 1.0
"""Of inverse distance: the nearest segments with an observation, and the exponent of distance."""


@dataclass(frozen=True)
class Nearby:
    """The segments around each segment, the nearest first, of equally near ones the first.

    Attributes:
        place: ``[N, K]`` their places, -1 behind the last.
        distance_m: ``[N, K]`` between the middles of both, along the network in either direction.
    """

    place: np.ndarray
    distance_m: np.ndarray


def nearby_segments(
    graph: RoadGraph, length_m: np.ndarray, usable: np.ndarray, most: int = CANDIDATES
) -> Nearby:
    """Return the ``usable`` segments within 5 km of every segment, itself included.

    From one segment to the next is half the length of both; a length that is unknown is the median
    of the known ones, or 1 where none is (then distances count links).

    Args:
        graph: links between the segments.
        length_m: ``[N]``, NaN where unknown.
        usable: ``[N]`` bool, segments that may stand in for others.
        most: ``K``, how many to keep.
    """
    length = _known_lengths(length_m)
    pairs = np.unique(np.stack([graph.source, graph.target]), axis=1)
    weight = (length[pairs[0]] + length[pairs[1]]) / 2
    links = sparse.csr_array((weight, (pairs[0], pairs[1])), shape=(graph.segments,) * 2)
    most = min(most, max(int(usable.sum()), 1))
    place = np.full((graph.segments, most), -1, dtype=np.int64)
    distance = np.full((graph.segments, most), np.inf)
    stand_ins = np.flatnonzero(usable)
    for start in range(0, graph.segments if len(stand_ins) else 0, SEGMENTS_AT_ONCE):
        rows = np.arange(start, min(start + SEGMENTS_AT_ONCE, graph.segments))
        away = csgraph.dijkstra(links, directed=False, indices=rows, limit=REACH_M)[:, stand_ins]
        nearest = np.argsort(away, axis=1, kind="stable")[:, :most]
        distance[rows] = np.take_along_axis(away, nearest, axis=1)
        place[rows] = np.where(np.isfinite(distance[rows]), stand_ins[nearest], -1)
    return Nearby(place, distance)


def interpolations(
    dataset: Dataset,
    origins: np.ndarray,
    settings: Settings,
    length_m: np.ndarray,
    road_class: np.ndarray,
    hidden: np.ndarray | None = None,
) -> list[Forecast]:
    """Return the forecasts of the three interpolators, for every segment and horizon.

    * *nearest observed segment*: the last observation within the window of the nearest segment
      that has one; a segment that was observed is its own nearest.
    * *inverse distance*: the mean of the last observations of the 8 nearest such segments, weighted
      by ``1 / distance`` (Shepard 1968).
    * *historical average of the road class*: what the training span showed on the segments of the
      class at that time of the week.

    All three carry speeds over as they are. As shares of free flow their MAE was 22 to 31 % larger
    on the sample city's validation span, because a segment without observations has no measured
    free flow; as shares of the speed limit it was the same to 4 %.
    Where no segment within 5 km was observed, the first two say what the third does.

    Args:
        dataset: grid, graph, splits, horizons (0 is allowed) and free flow are used.
        origins: ``[O]`` places in time.
        settings: ``city`` and ``labels`` are used.
        length_m: ``[N]``, NaN where unknown.
        road_class: ``[N]`` text.
        hidden: ``[N]`` bool, segments whose observations must not be used; None: no segment.
    """
    usable = np.ones(dataset.graph.segments, dtype=bool) if hidden is None else ~hidden
    by_class = _class_history(dataset, origins, settings, road_class, usable)
    nearby = nearby_segments(dataset.graph, length_m, usable)
    last = _last_within_window(dataset, origins, usable)
    answers = {
        NEAREST: np.stack([_nearest(row, nearby) for row in last]),
        INVERSE_DISTANCE: np.stack([_inverse_distance(row, nearby) for row in last]),
    }
    speeds = {
        name: np.where(np.isnan(answer)[:, None], by_class, answer[:, None])
        for name, answer in answers.items()
    }
    speeds[ROAD_CLASS] = by_class
    return [_forecast(name, speed, dataset, origins, settings) for name, speed in speeds.items()]


def _known_lengths(length_m: np.ndarray) -> np.ndarray:
    known = length_m[~np.isnan(length_m)]
    return np.where(np.isnan(length_m), np.median(known) if len(known) else 1.0, length_m)


def _last_within_window(dataset: Dataset, origins: np.ndarray, usable: np.ndarray) -> np.ndarray:
    """Return the last speed of each usable segment in the window, ``[O, N]``, else NaN."""
    last = np.full((len(origins), dataset.graph.segments), np.nan, dtype=np.float32)
    for back in range(dataset.window):
        row = np.maximum(origins - back, 0)
        seen = dataset.grid.observed[row] & usable & (origins >= back)[:, None] & np.isnan(last)
        last[seen] = dataset.grid.speed_kph[row][seen]
    return last


def _around(last: np.ndarray, nearby: Nearby) -> tuple[np.ndarray, np.ndarray]:
    """Return the speeds of the segments nearby ``[N, K]`` and which of them are known."""
    speed = np.where(nearby.place >= 0, last[nearby.place], np.nan)
    return speed, ~np.isnan(speed)


def _nearest(last: np.ndarray, nearby: Nearby) -> np.ndarray:
    speed, known = _around(last, nearby)
    first = known.argmax(axis=1)[:, None]  # NaN where none is known, for then all are NaN
    return np.take_along_axis(speed, first, axis=1)[:, 0]


def _inverse_distance(last: np.ndarray, nearby: Nearby) -> np.ndarray:
    speed, known = _around(last, nearby)
    taken = known & (known.cumsum(axis=1) <= NEIGHBOURS)
    finite = nearby.distance_m[np.isfinite(nearby.distance_m) & (nearby.distance_m > 0)]
    # A segment's own observation has distance 0: it outweighs all others together.
    floor = finite.min() * 1e-3 if len(finite) else 1.0
    weight = np.where(taken, np.maximum(nearby.distance_m, floor), np.inf) ** -POWER
    total = weight.sum(axis=1)
    mean = (weight * np.nan_to_num(speed)).sum(axis=1) / np.where(total > 0, total, 1)
    return np.where(total > 0, mean, np.nan)


def _class_history(
    dataset: Dataset,
    origins: np.ndarray,
    settings: Settings,
    road_class: np.ndarray,
    usable: np.ndarray,
) -> np.ndarray:
    """Return the class's mean speed at the time of every target, ``[O, H, N]``."""
    grid, stop = dataset.grid, dataset.splits.train.stop
    zone = city_zone(settings.city.timezone)
    names, place = np.unique(np.asarray(road_class, dtype=str), return_inverse=True)
    member = (place[:, None] == np.arange(len(names))) & usable[:, None]
    seen = grid.observed[:stop]
    total = np.where(seen, grid.speed_kph[:stop], 0).astype(np.float64) @ member
    count = seen.astype(np.float64) @ member
    mean = np.divide(total, count, out=np.full_like(total, np.nan), where=count > 0)
    history, _ = fit_history(mean, grid.slice_starts[:stop], zone, grid.slice_minutes)
    targets = origins[:, None] + np.asarray(dataset.horizons)[None]
    clock = clock_from(grid.slice_starts[0], int(targets.max()) + 1, grid.slice_minutes)
    return history.at(clock, zone)[targets][:, :, place]


def _forecast(
    name: str, speed: np.ndarray, dataset: Dataset, origins: np.ndarray, settings: Settings
) -> Forecast:
    speed = speed.astype(np.float32)
    # The rule of traffic4cast asks for probes; an estimate rests on any number of them.
    many = np.full(speed.shape, np.iinfo(np.int32).max)
    classes = congestion_classes(speed, dataset.free_flow_kph, many, settings.labels)
    return Forecast(name, origins, classes, None, None, speed)
