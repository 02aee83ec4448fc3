"""Everything that a model is trained and judged on, as arrays."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from roadgraph.calendar import city_zone
from roadgraph.dataset.labels import Labels, congestion_classes, free_flow_kph, rush_hours
from roadgraph.dataset.preparation import Preparation, fit_preparation
from roadgraph.dataset.splits import Splits, split_by_time

if TYPE_CHECKING:
    import pandas as pd

    from roadgraph.dataset.grid import SliceGrid
    from roadgraph.settings import Settings


@dataclass(frozen=True)
class RoadGraph:
    """The static graph: ``E`` directed links between the places of ``N`` segments.

    Attributes:
        source, target: ``[E]`` int64; traffic goes from source straight into target.
        weight: ``[E]`` float32.
        segments: ``N``.
        fingerprint: of the network that it came from.
    """

    source: np.ndarray
    target: np.ndarray
    weight: np.ndarray
    segments: int
    fingerprint: str


@dataclass(frozen=True)
class Dataset:
    """A city's slices, ready for training.

    Attributes:
        grid: measured features ``[T, N, 5]`` and which cells were observed.
        inputs: scaled channels ``[T, N, C]`` float32.
        labels: targets of every cell.
        free_flow_kph: ``[N]``, from the training span.
        horizons: steps ahead to forecast, ``H`` of them.
        window: slices that the model sees, ``L``.
        splits: spans of time.
        preparation: how ``inputs`` came about.
        graph: links between the segments.
    """

    grid: SliceGrid
    inputs: np.ndarray
    labels: Labels
    free_flow_kph: np.ndarray
    horizons: tuple[int, ...]
    window: int
    splits: Splits
    preparation: Preparation
    graph: RoadGraph


def build_dataset(
    grid: SliceGrid, segments: pd.DataFrame, graph: RoadGraph, settings: Settings
) -> Dataset:
    """Prepare inputs, labels and splits; whatever is learned comes from the training span.

    Args:
        grid: measured features.
        segments: the columns of ``schema.SEGMENTS`` in the order of ``grid.segment_ids``.
        graph: links between the segments.
        settings: ``city``, ``slices``, ``labels`` and ``dataset`` are used.

    Raises:
        DataError: too few slices for the splits.
        SettingsError: the city's time zone does not exist.
    """
    zone = city_zone(settings.city.timezone)
    window = settings.dataset.window
    horizons = tuple(minutes // grid.slice_minutes for minutes in settings.dataset.horizons_min)
    splits = split_by_time(
        len(grid.slice_starts),
        settings.dataset.train_share,
        settings.dataset.validation_share,
        window,
        max(horizons),
    )
    limits = segments["speed_limit_kph"].astype("float64").to_numpy()
    free_flow = free_flow_kph(grid.speed_kph[: splits.train.stop], limits, settings.labels)
    preparation, left_out = fit_preparation(
        grid.until(splits.train.stop), segments, free_flow, zone, settings.dataset, max(horizons)
    )
    return Dataset(
        grid=grid,
        inputs=preparation.inputs(grid, zone, left_out),
        labels=labels_of_speeds(grid, grid.speed_kph, free_flow, settings),
        free_flow_kph=free_flow,
        horizons=horizons,
        window=window,
        splits=splits,
        preparation=preparation,
        graph=graph,
    )


def labels_of_speeds(
    grid: SliceGrid, speed_kph: np.ndarray, free_flow: np.ndarray, settings: Settings
) -> Labels:
    """Return the labels of ``speed_kph`` ``[T, N]`` on the clock of ``grid``.

    The number of probes, which the ``traffic4cast`` rule asks for, is that of ``grid``.
    """
    zone = city_zone(settings.city.timezone)
    count = np.nan_to_num(grid.measured[:, :, 3])
    congestion = congestion_classes(speed_kph, free_flow, count, settings.labels)
    return Labels(
        congestion,
        rush_hours(congestion, grid.slice_starts, zone, settings.labels),
        speed_kph,
    )
