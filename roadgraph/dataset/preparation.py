"""From measured features to a model's input channels; what it needs is learned in training."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import numpy as np

from roadgraph.calendar import clock_features, clock_from
from roadgraph.dataset.history import History, fit_history, fit_unseen_history
from roadgraph.dataset.labels import unseen_free_flow_kph
from roadgraph.schema import (
    CLOCK_FEATURES,
    FEATURES,
    HISTORY_CHANNELS,
    MEASURED_FEATURES,
    OBSERVED_CHANNEL,
    STATIC_FEATURES,
    WEEKDAY_FEATURES,
)

if TYPE_CHECKING:
    from zoneinfo import ZoneInfo

    import pandas as pd

    from roadgraph.dataset.grid import SliceGrid
    from roadgraph.settings import DatasetSettings

SPEED_FEATURES = 3  # mean, median and spread; the other measured features are 0 where none is seen


@dataclass(frozen=True)
class Preparation:
    """How measured features become input channels, the same way in training and prediction.

    Attributes:
        channels: the ``C`` channel names in their order.
        mean, std: ``[C]`` of the training span; a channel is scaled to ``(x - mean) / std``.
        fill: ``[N, 5]`` mean features of a segment, for when it is not observed.
        statics: ``[N, 4]`` in the order of ``STATIC_FEATURES``.
        history: typical speed of every segment through the week.
        fill_by: the setting ``dataset.fill``.
        window: how many slices an observation may be old to stand in for a missing one.
        reach: the farthest horizon in slices.
    """

    channels: tuple[str, ...]
    mean: np.ndarray
    std: np.ndarray
    fill: np.ndarray
    statics: np.ndarray
    history: History
    fill_by: str
    window: int
    reach: int

    @property
    def speed_mean_kph(self) -> float:
        """Mean of the channel ``mean_speed``, by which the speed task is scaled too."""
        return float(self.mean[0])

    @property
    def speed_std_kph(self) -> float:
        """Standard deviation of the channel ``mean_speed``."""
        return float(self.std[0])

    def at_places(self, places: np.ndarray) -> Preparation:
        """Return how the segments at ``places [M]`` are prepared, in their order."""
        history = replace(self.history, week=self.history.week[:, places])
        return replace(self, fill=self.fill[places], statics=self.statics[places], history=history)

    def inputs(
        self,
        grid: SliceGrid,
        zone: ZoneInfo,
        left_out: np.ndarray | None = None,
        first: int = 0,
    ) -> np.ndarray:
        """Return the scaled input channels, ``[T - first, N, C]`` float32.

        Args:
            grid: measured features.
            zone: the city's time zone.
            left_out: ``[S, N]`` typical speeds for the first ``S`` slices in place of the
                history's: those of the training span, each without its own cell.
            first: slice to begin with; those before it only stand in for what it does not have.
        """
        scaled = self._raw(grid, zone, left_out, first)
        scaled -= self.mean
        scaled /= self.std
        return scaled.astype(np.float32, copy=False)

    def _raw(
        self, grid: SliceGrid, zone: ZoneInfo, left_out: np.ndarray | None, first: int
    ) -> np.ndarray:
        steps, segments = grid.observed.shape
        clock = clock_from(grid.slice_starts[0], steps + self.reach, grid.slice_minutes)
        typical = self.history.at(clock, zone)  # [T + reach, N]
        if left_out is not None:
            typical[: len(left_out)] = left_out
        kept = [name in self.channels for name in CLOCK_FEATURES]
        features = clock_features(grid.slice_starts[first:], zone)[:, kept]
        blocks = [
            self._filled(grid, typical[:steps])[first:],
            np.broadcast_to(features[:, None], (len(features), segments, features.shape[1])),
        ]
        if OBSERVED_CHANNEL in self.channels:
            blocks.append(grid.observed[first:, :, None].astype(np.float32))
        if HISTORY_CHANNELS[0] in self.channels:
            ahead = typical[self.reach + first :]
            blocks.append(np.stack([typical[first:steps], ahead], axis=2))
        if STATIC_FEATURES[0] in self.channels:
            blocks.append(np.broadcast_to(self.statics, (len(features), *self.statics.shape)))
        return np.concatenate(blocks, axis=2)

    def _filled(self, grid: SliceGrid, typical: np.ndarray) -> np.ndarray:
        """Return the measured features without a gap, ``[T, N, 5]``."""
        filled = np.where(grid.observed[:, :, None], grid.measured, self.fill[None])
        if self.fill_by == "typical":
            speeds = filled[:, :, :2]
            speeds[~grid.observed] = typical[~grid.observed][:, None]
        elif self.fill_by == "last":
            rows = np.arange(len(filled))[:, None]
            last = np.maximum.accumulate(np.where(grid.observed, rows, -1), axis=0)
            usable = ~grid.observed & (last >= 0) & (rows - last < self.window)
            row, column = np.nonzero(usable)
            older = grid.measured[last[row, column], column, :SPEED_FEATURES]
            filled[row, column, :SPEED_FEATURES] = older
        return filled


@dataclass(frozen=True)
class FittedPreparation:
    """What the training span taught.

    Attributes:
        known: prepares segments by what was observed of them.
        left_out: ``[S, N]`` typical speeds to use as ``left_out`` for the training span.
        unseen: prepares every segment as if it had never been observed.
        unseen_left_out: ``[S, N]``, ``left_out`` for that.
    """

    known: Preparation
    left_out: np.ndarray
    unseen: Preparation
    unseen_left_out: np.ndarray


def fit_preparation(
    train: SliceGrid,
    segments: pd.DataFrame,
    free_flow: np.ndarray,
    zone: ZoneInfo,
    settings: DatasetSettings,
    reach: int,
) -> FittedPreparation:
    """Learn fill values, history and scales.

    The scale of a measured feature comes from the observed cells, that of any other channel from
    all. A channel that never changes keeps the scale 1. A segment that was never observed has the
    history and fill values of :func:`~roadgraph.dataset.history.fit_unseen_history`.

    Args:
        train: the slices of the **training span alone**.
        segments: the columns of ``schema.SEGMENTS``.
        free_flow: ``[N]`` in km/h.
        zone: the city's time zone.
        settings: window and channels.
        reach: the farthest horizon in slices.
    """
    limits = segments["speed_limit_kph"].astype("float64").to_numpy()
    classes = segments["road_class"].astype(str).to_numpy()
    never = np.logical_not(train.observed.any(axis=0))
    history, left_out = fit_history(train.speed_kph, train.slice_starts, zone, train.slice_minutes)
    unseen_history, unseen_left_out = fit_unseen_history(
        train.speed_kph, train.slice_starts, zone, train.slice_minutes, limits, classes
    )
    fill, unseen_fill = _fill_values(train, unseen_left_out)
    channels = channels_of(settings)
    unscaled = Preparation(
        channels,
        mean=np.zeros(len(channels), dtype=np.float32),
        std=np.ones(len(channels), dtype=np.float32),
        fill=np.where(never[:, None], unseen_fill, fill),
        statics=static_features(segments, limits, free_flow),
        history=replace(history, week=np.where(never, unseen_history.week, history.week)),
        fill_by=settings.fill,
        window=settings.window,
        reach=reach,
    )
    left_out = np.where(never, unseen_left_out, left_out)
    raw = unscaled.inputs(train, zone, left_out).astype(np.float64)
    mean, std = raw.mean(axis=(0, 1)), raw.std(axis=(0, 1))
    seen = raw[train.observed][:, : len(MEASURED_FEATURES)]
    mean[: len(MEASURED_FEATURES)] = seen.mean(axis=0)
    std[: len(MEASURED_FEATURES)] = seen.std(axis=0)
    for place, name in enumerate(channels):
        if name in HISTORY_CHANNELS:
            # On the scale of the speeds, so that a change can be added to them.
            mean[place], std[place] = mean[0], std[0]
    std[std < 1e-6] = 1.0
    known = replace(unscaled, mean=mean.astype(np.float32), std=std.astype(np.float32))
    unseen_flow = unseen_free_flow_kph(np.where(never, np.nan, free_flow), limits, classes)
    unseen = replace(
        known,
        fill=unseen_fill,
        statics=static_features(segments, limits, unseen_flow),
        history=unseen_history,
    )
    return FittedPreparation(known, left_out, unseen, unseen_left_out)


def channels_of(settings: DatasetSettings) -> tuple[str, ...]:
    """Return the names of the input channels in their order."""
    channels: tuple[str, ...] = FEATURES
    if not settings.weekday_channels:
        channels = tuple(name for name in FEATURES if name not in WEEKDAY_FEATURES)
    if settings.observed_channel:
        channels += (OBSERVED_CHANNEL,)
    if settings.history_channels:
        channels += HISTORY_CHANNELS
    if settings.static_channels:
        channels += STATIC_FEATURES
    return channels


def static_features(
    segments: pd.DataFrame, limits: np.ndarray, free_flow: np.ndarray
) -> np.ndarray:
    """Return the channels that never change, ``[N, 4]`` in the order of ``STATIC_FEATURES``.

    Args:
        segments: the columns of ``schema.SEGMENTS``.
        limits: ``[N]`` speed limits in km/h, NaN where unknown.
        free_flow: ``[N]`` in km/h.
    """
    length = np.log(segments["length_m"].astype("float64").to_numpy())
    lanes = segments["lanes"].astype("float64").to_numpy()
    statics = np.stack([length, limits, lanes, free_flow], axis=1)
    # A detector has no length or limit; what is unknown everywhere says nothing and becomes 0.
    return np.nan_to_num(statics).astype(np.float32)


def _fill_values(train: SliceGrid, unseen_speed: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Return each segment's mean features, and those of a segment never seen, both ``[N, 5]``."""
    seen = train.observed[:, :, None]
    total = np.where(seen, train.measured, 0).sum(axis=0, dtype=np.float64)
    count = train.observed.sum(axis=0)[:, None]
    overall = total.sum(axis=0) / max(int(count.sum()), 1)
    fill = np.where(count > 0, total / np.maximum(count, 1), overall)
    unseen = np.broadcast_to(overall, fill.shape).copy()
    unseen[:, :2] = unseen_speed.mean(axis=0)[:, None]
    for values in (fill, unseen):
        values[:, SPEED_FEATURES:] = 0
    return fill.astype(np.float32), unseen.astype(np.float32)
