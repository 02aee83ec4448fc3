"""By how much forecasts beat the best baseline, and whether that is more than chance."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from roadgraph.schema import CONGESTION_CLASSES, NO_LABEL
from roadgraph.verification.judged import FORECASTERS
from roadgraph.verification.scoring import FORECAST, HISTORICAL_AVERAGE, PERSISTENCE

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from roadgraph.verification.judged import Judged

BASELINES = (PERSISTENCE, HISTORICAL_AVERAGE)
SPEED_MAE, MACRO_F1 = "speed_mae_kph", "macro_f1"
BETTER, WORSE, TIE, TOO_SMALL = "better", "worse", "tie", "few hours"

LEAST_GAIN = 0.005
"""Share of the error, and difference of macro F1, up to which a gain is a tie, chance or not."""

LEAST_HOURS = 6
"""With fewer, drawing them again says little of how far a gain may be chance."""

RESAMPLES = 500
SEED = 20260106
CONFIDENCE = 0.95


@dataclass(frozen=True)
class Gain:
    """How the forecast of one horizon stands to the baseline that is best on the whole day.

    Attributes:
        horizon_min: how far ahead.
        figure: ``speed_mae_kph``, whose gain is a share of the baseline's error, or ``macro_f1``,
            whose gain is a difference.
        baseline: the best one.
        own: the forecast's figure.
        other: the baseline's.
        gain: of the whole day, below 0 for a forecast that is worse.
        low: lower end of the gain's 95 % interval, NaN with fewer than ``LEAST_HOURS``.
        high: its upper end, likewise.
        hours: local hours of the day that have a judged cell.
    """

    horizon_min: int
    figure: str
    baseline: str
    own: float
    other: float
    gain: float
    low: float
    high: float
    hours: int

    @property
    def verdict(self) -> str:
        """``BETTER`` or ``WORSE`` beyond chance, else ``TIE``; ``TOO_SMALL`` where none can say."""
        if self.hours < LEAST_HOURS:
            return TOO_SMALL
        if abs(self.gain) <= LEAST_GAIN or self.low <= 0 <= self.high:
            return TIE
        return BETTER if self.gain > 0 else WORSE


def gain_of(values: Mapping[str, float], figure: str) -> tuple[float, str]:
    """Return by how much the forecast beats the best baseline, and which one that is.

    Args:
        values: of ``figure``, by forecaster.
        figure: ``speed_mae_kph``, whose gain is a share of the baseline's error, or ``macro_f1``,
            whose gain is a difference.

    Returns:
        The gain, below 0 for a forecast that is worse; NaN where either is not known.
    """
    known = {name: values[name] for name in BASELINES if not math.isnan(values[name])}
    if math.isnan(values[FORECAST]) or not known:
        return math.nan, ""
    lower = figure == SPEED_MAE
    best = min(known, key=lambda name: known[name] if lower else -known[name])
    own, other = np.array(values[FORECAST]), np.array(known[best])
    return float(_gains(figure, own, other)), best


def gains_by_horizon(judged: Judged, hour_of_slice: np.ndarray) -> tuple[Gain, ...]:
    """Return the gains of each horizon, in speed and in classes, with their intervals.

    The interval is that of a block bootstrap: the cells of an hour err together, as a jam on one
    road goes on for some slices and reaches the next, so whole local hours are drawn again with
    replacement, as many as there are, and forecast and baseline get the same ones. Its ends are
    the 2.5 and 97.5 % quantiles of the gains of ``RESAMPLES`` such days. Blocks of a series are
    those of Künsch (1989), "The jackknife and the bootstrap for general stationary observations";
    here they do not overlap, as in Carlstein (1986). What hours have in common, such as the
    weather of the day, is not in it: it says nothing of other days.

    Args:
        judged: the cells.
        hour_of_slice: ``[T]`` place of the local hour that each slice begins in.

    Returns:
        By horizon, the speed first. A figure that the forecast does not have, or that the best
        baseline is without any error in, has no gain.
    """
    hours = hour_of_slice[judged.targets]
    found = []
    for minutes in np.unique(judged.horizon_min).tolist():
        at_horizon = judged.horizon_min == minutes
        speeds = at_horizon & ~np.isnan(judged.error_kph[FORECAST])
        found.append(_gain(minutes, SPEED_MAE, _errors_by_hour(judged, speeds, hours)))
        classes = at_horizon & (judged.label != NO_LABEL)
        found.append(_gain(minutes, MACRO_F1, _confusions_by_hour(judged, classes, hours)))
    return tuple(each for each in found if each is not None)


def _errors_by_hour(judged: Judged, chosen: np.ndarray, hours: np.ndarray) -> dict[str, np.ndarray]:
    """Return by forecaster ``[hours, 2]``: sum of errors, cells."""
    count = hours.max() + 1
    sums = {}
    for name in FORECASTERS:
        error = judged.error_kph[name]
        known = chosen & ~np.isnan(error)
        total = np.bincount(hours[known], weights=error[known], minlength=count)
        cells = np.bincount(hours[known], minlength=count)
        sums[name] = np.stack([total, cells], axis=1)
    return sums


def _confusions_by_hour(
    judged: Judged, chosen: np.ndarray, hours: np.ndarray
) -> dict[str, np.ndarray]:
    """Return by forecaster ``[hours, 16]``: its confusion of classes."""
    classes, count = len(CONGESTION_CLASSES), hours.max() + 1
    row = hours[chosen] * classes + judged.label[chosen]
    sums = {}
    for name in FORECASTERS:
        cell = row * classes + judged.answer[name][chosen]
        counts = np.bincount(cell, minlength=count * classes**2)
        sums[name] = counts.reshape(count, classes**2)
    return sums


def _gain(minutes: int, figure: str, by_hour: dict[str, np.ndarray]) -> Gain | None:
    """Return the gain of one horizon from sums ``[hours, ...]``, None where there is none."""
    of_sums = FIGURES[figure]
    with_cells = by_hour[FORECAST].any(axis=1)
    hours = int(with_cells.sum())
    sums = {name: each[with_cells] for name, each in by_hour.items()}
    values = {name: float(of_sums(each.sum(axis=0))) for name, each in sums.items()}
    gain, best = gain_of(values, figure)
    if math.isnan(gain):
        return None
    low = high = math.nan
    if hours >= LEAST_HOURS:
        # How often each hour was drawn: a resampled day's sums are the hours' times that.
        drawn = np.random.default_rng(SEED).multinomial(
            hours, np.full(hours, 1 / hours), size=RESAMPLES
        )
        own, other = (of_sums(drawn @ sums[name]) for name in (FORECAST, best))
        ends = (1 - CONFIDENCE) / 2, (1 + CONFIDENCE) / 2
        # A baseline without any error in the hours that were drawn leaves no gain to speak of.
        low, high = np.nanquantile(_gains(figure, own, other), ends).tolist()
    return Gain(minutes, figure, best, values[FORECAST], values[best], gain, low, high, hours)


def _gains(figure: str, own: np.ndarray, other: np.ndarray) -> np.ndarray:
    if figure == MACRO_F1:
        return own - other
    return 1 - own / np.where(other > 0, other, np.nan)


def _speed_mae(sums: np.ndarray) -> np.ndarray:
    """Return the mean absolute error of sums of errors and cells ``[..., 2]``, NaN of no cell."""
    cells = sums[..., 1]
    return np.asarray(sums[..., 0] / np.where(cells > 0, cells, np.nan))


def _macro_f1(sums: np.ndarray) -> np.ndarray:
    """Return :func:`~roadgraph.evaluation.metrics.macro_f1` of confusions ``[..., 16]``."""
    classes = len(CONGESTION_CLASSES)
    confusion = sums.reshape(*sums.shape[:-1], classes, classes)
    hits = np.diagonal(confusion, axis1=-2, axis2=-1)
    both = confusion.sum(axis=-2) + confusion.sum(axis=-1)
    occurs = both > 0
    f1 = np.where(occurs, 2 * hits / np.maximum(both, 1), 0)
    count = occurs.sum(axis=-1)
    return np.asarray(f1.sum(axis=-1) / np.where(count > 0, count, np.nan))


FIGURES: dict[str, Callable[[np.ndarray], np.ndarray]] = {
    SPEED_MAE: _speed_mae,
    MACRO_F1: _macro_f1,
}
"""From sums over cells to the figure."""
