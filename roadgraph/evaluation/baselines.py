"""Forecasts that need no model: what every model is held against."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from roadgraph.calendar import city_zone, clock_from
from roadgraph.dataset.history import fit_history
from roadgraph.dataset.labels import congestion_classes
from roadgraph.evaluation.forecast import Forecast
from roadgraph.schema import CONGESTION_CLASSES, NO_LABEL

if TYPE_CHECKING:
    from roadgraph.dataset.dataset import Dataset
    from roadgraph.settings import Settings


def persistence(dataset: Dataset, origins: np.ndarray) -> Forecast:
    """Say that everything stays as it was last observed, however long ago.

    A segment that was never observed up to the origin gets the most frequent class and the mean
    speed of the training span.
    """
    speed = dataset.grid.speed_kph
    rows = np.arange(len(speed))[:, None]
    last = np.maximum.accumulate(np.where(dataset.grid.observed, rows, -1), axis=0)[origins]
    columns = np.arange(speed.shape[1])[None]
    known = last >= 0
    train = slice(0, dataset.splits.train.stop)
    mean_kph = float(np.nanmean(speed[train]))
    last_speed = np.where(known, speed[np.maximum(last, 0), columns], mean_kph)
    common = _most_common(dataset.labels.congestion[train], len(CONGESTION_CLASSES))
    last_class = np.where(known, dataset.labels.congestion[np.maximum(last, 0), columns], common)
    # A speed may be known without a class (too few probes for the rule).
    last_class = np.where(last_class == NO_LABEL, common, last_class)
    rush = dataset.labels.rush_hour
    last_rush_at = np.maximum.accumulate(np.where(rush != NO_LABEL, np.arange(len(rush)), -1))
    last_rush = np.where(last_rush_at >= 0, rush[np.maximum(last_rush_at, 0)], 0)[origins]
    steps = len(dataset.horizons)
    return Forecast(
        "persistence",
        origins,
        np.repeat(last_class[:, None], steps, axis=1),
        None,
        np.repeat(last_rush[:, None], steps, axis=1),
        np.repeat(last_speed[:, None], steps, axis=1),
    )


def historical_average(dataset: Dataset, origins: np.ndarray, settings: Settings) -> Forecast:
    """Say what the training span showed for the segment at that time of the week.

    See :func:`~roadgraph.dataset.history.fit_history`. The class is that of the typical speed;
    rush hour is the more frequent answer.
    """
    targets = origins[:, None] + np.asarray(dataset.horizons)[None]
    zone = city_zone(settings.city.timezone)
    grid = dataset.grid
    # Targets may lie beyond the last slice, so their clock is counted on, not looked up.
    clock = clock_from(grid.slice_starts[0], int(targets.max()) + 1, grid.slice_minutes)
    stop = dataset.splits.train.stop
    speeds, _ = fit_history(
        dataset.labels.speed_kph[:stop], grid.slice_starts[:stop], zone, grid.slice_minutes
    )
    rush = dataset.labels.rush_hour[:stop, None]
    rushes, _ = fit_history(
        np.where(rush == NO_LABEL, np.nan, rush), grid.slice_starts[:stop], zone, grid.slice_minutes
    )
    typical = speeds.at(clock, zone)
    # The rule of traffic4cast asks for probes; an average rests on any number of them.
    many = np.full(typical.shape, np.iinfo(np.int32).max)
    classes = congestion_classes(typical, dataset.free_flow_kph, many, settings.labels)
    return Forecast(
        "historical average",
        origins,
        classes[targets],
        None,
        (rushes.at(clock, zone)[targets, 0] > 0.5).astype(np.int8),
        typical[targets],
    )


def majority_class(dataset: Dataset, origins: np.ndarray) -> Forecast:
    """Say the most frequent class of the training span, everywhere and always."""
    train = slice(0, dataset.splits.train.stop)
    steps, segments = len(dataset.horizons), dataset.grid.observed.shape[1]
    congestion = _most_common(dataset.labels.congestion[train], len(CONGESTION_CLASSES))
    rush = _most_common(dataset.labels.rush_hour[train], 2)
    return Forecast(
        "majority class",
        origins,
        np.full((len(origins), steps, segments), congestion, dtype=np.int8),
        None,
        np.full((len(origins), steps), rush, dtype=np.int8),
        None,
    )


def _most_common(labels: np.ndarray, classes: int) -> int:
    return int(np.bincount(labels[labels != NO_LABEL], minlength=classes).argmax())
