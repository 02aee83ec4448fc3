"""Everything that a model is trained and judged on, as arrays."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING

import numpy as np

from roadgraph.calendar import city_zone
from roadgraph.dataset.labels import Labels, congestion_classes, free_flow_kph, rush_hours
from roadgraph.dataset.preparation import FittedPreparation, Preparation, fit_preparation
from roadgraph.dataset.splits import Splits, split_by_time

if TYPE_CHECKING:
    from zoneinfo import ZoneInfo

    import pandas as pd

    from roadgraph.dataset.grid import SliceGrid
    from roadgraph.settings import DatasetSettings, Settings


@dataclass(frozen=True)
class RoadGraph:
    """The static graph: ``E`` directed links between the places of ``N`` segments.

    Attributes:
        source, target: ``[E]`` int64; traffic goes from source straight into target.
        weight: ``[E]`` float32.
        segments: ``N``.
        fingerprint: of the network that it came from.
        midpoints_m: ``[N, 2]`` where the segments lie, metres to the east and to the north, good
            enough to cut the graph by place; None where the network has no geometry.
    """

    source: np.ndarray
    target: np.ndarray
    weight: np.ndarray
    segments: int
    fingerprint: str
    midpoints_m: np.ndarray | None = None


@dataclass(frozen=True)
class Dataset:
    """A city's slices, ready for training.

    Attributes:
        grid: measured features ``[T, N, 5]`` and which cells were observed; those of hidden
            segments are not.
        inputs: scaled channels ``[T, N, C]`` float32.
        labels: targets of every cell; hidden segments have none.
        score_labels: the same with those of hidden segments, which **evaluation alone** may see.
        free_flow_kph: ``[N]``, from the training span of ``grid``.
        label_free_flow_kph: ``[N]``, the same with hidden segments: what the classes rest on.
        hidden: ``[N]`` bool, segments whose observations were taken away.
        task: the setting ``task``.
        horizons: steps ahead to forecast, ``H`` of them; 0 is the newest slice itself.
        window: slices that the model sees.
        splits: spans of time.
        fitted: how ``inputs`` came about.
        zone: the city's time zone.
        graph: links between the segments.
    """

    grid: SliceGrid
    inputs: np.ndarray
    labels: Labels
    score_labels: Labels
    free_flow_kph: np.ndarray
    label_free_flow_kph: np.ndarray
    hidden: np.ndarray
    task: str
    horizons: tuple[int, ...]
    window: int
    splits: Splits
    fitted: FittedPreparation
    zone: ZoneInfo
    graph: RoadGraph

    @property
    def preparation(self) -> Preparation:
        """How measured features become input channels."""
        return self.fitted.known

    @cached_property
    def unseen_inputs(self) -> np.ndarray:
        """``[T, N, C]``: the inputs, had no segment ever been observed."""
        nothing = self.grid.without(np.ones(len(self.hidden), dtype=bool))
        return self.fitted.unseen.inputs(nothing, self.zone, self.fitted.unseen_left_out)


def build_dataset(
    grid: SliceGrid, segments: pd.DataFrame, graph: RoadGraph, settings: Settings
) -> Dataset:
    """Prepare inputs, labels and splits; whatever is learned comes from the training span.

    Args:
        grid: measured features.
        segments: the columns of ``schema.SEGMENTS`` in the order of ``grid.segment_ids``.
        graph: links between the segments.
        settings: ``city``, ``task``, ``slices``, ``labels`` and ``dataset`` are used.

    Raises:
        DataError: too few slices for the splits.
        SettingsError: the city's time zone does not exist.
    """
    zone = city_zone(settings.city.timezone)
    window = settings.dataset.window
    horizons = tuple(minutes // grid.slice_minutes for minutes in settings.horizons_min)
    splits = split_by_time(
        len(grid.slice_starts),
        settings.dataset.train_share,
        settings.dataset.validation_share,
        window,
        max(horizons),
    )
    stop = splits.train.stop
    limits = segments["speed_limit_kph"].astype("float64").to_numpy()
    classes = segments["road_class"].astype(str).to_numpy()
    hidden = hidden_segments(len(segments), settings.dataset)
    known = grid.without(hidden)
    flow = free_flow_kph(known.speed_kph[:stop], limits, classes, settings.labels)
    label_flow = free_flow_kph(grid.speed_kph[:stop], limits, classes, settings.labels)
    fitted = fit_preparation(
        known.until(stop), segments, flow, zone, settings.dataset, max(horizons)
    )
    return Dataset(
        grid=known,
        inputs=fitted.known.inputs(known, zone, fitted.left_out),
        labels=labels_of_speeds(known, known.speed_kph, flow, settings),
        score_labels=labels_of_speeds(grid, grid.speed_kph, label_flow, settings),
        free_flow_kph=flow,
        label_free_flow_kph=label_flow,
        hidden=hidden,
        task=settings.task,
        horizons=horizons,
        window=window,
        splits=splits,
        fitted=fitted,
        zone=zone,
        graph=graph,
    )


def hidden_segments(segments: int, settings: DatasetSettings) -> np.ndarray:
    """Return which segments are hidden, ``[N]`` bool: a share of them, by the seed."""
    chosen = np.random.default_rng(settings.hidden_seed).permutation(segments)
    hidden = np.zeros(segments, dtype=bool)
    hidden[chosen[: round(settings.hidden_share * segments)]] = True
    return hidden


def labels_of_speeds(
    grid: SliceGrid,
    speed_kph: np.ndarray,
    free_flow: np.ndarray,
    settings: Settings,
    true: bool = False,
) -> Labels:
    """Return the labels of ``speed_kph`` ``[T, N]`` on the clock of ``grid``.

    The number of probes, which the ``traffic4cast`` rule asks for, is that of ``grid``, and any
    number where the speeds are ``true`` ones, which no probe measured.
    """
    zone = city_zone(settings.city.timezone)
    count = np.nan_to_num(grid.measured[:, :, 3])
    if true:
        count = np.full(count.shape, np.inf)
    congestion = congestion_classes(speed_kph, free_flow, count, settings.labels)
    return Labels(
        congestion,
        rush_hours(congestion, grid.slice_starts, zone, settings.labels),
        speed_kph,
    )
