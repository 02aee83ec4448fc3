"""The forecasters that every model stands beside, as runs of the same kind."""

from __future__ import annotations

import time
from dataclasses import dataclass
from functools import partial
from statistics import median
from typing import TYPE_CHECKING

import numpy as np

from roadgraph.comparison.runs import NO_SEED, Facts, Run, write_run
from roadgraph.evaluation.baselines import historical_average, majority_class, persistence
from roadgraph.evaluation.boosting import NAME as BOOSTING
from roadgraph.evaluation.boosting import fit_boosting
from roadgraph.evaluation.interpolation import INTERPOLATORS, interpolations
from roadgraph.training.adjustment import fit_adjustments

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from roadgraph.comparison.judging import Judge
    from roadgraph.dataset.dataset import Dataset
    from roadgraph.evaluation.forecast import Forecast
    from roadgraph.settings import Settings

    Forecaster = Callable[[np.ndarray], Forecast]

TIMED_FORECASTS = 5


@dataclass(frozen=True)
class Roads:
    """What the interpolators ask of the segments.

    Attributes:
        length_m: ``[N]``, NaN where unknown.
        road_class: ``[N]`` text.
    """

    length_m: np.ndarray
    road_class: np.ndarray


def baseline_makers(
    dataset: Dataset, settings: Settings, roads: Roads
) -> dict[str, Callable[[], Forecaster]]:
    """Return what makes each baseline ready to forecast, by name, in the order of the tables."""
    makers: dict[str, Callable[[], Forecaster]] = {
        "persistence": lambda: partial(persistence, dataset),
        "historical average": lambda: partial(historical_average, dataset, settings=settings),
        "majority class": lambda: partial(majority_class, dataset),
        BOOSTING: lambda: _boosting(dataset, settings),
    }
    if dataset.hidden.any():
        for place, name in enumerate(INTERPOLATORS):
            makers[name] = lambda place=place: (  # type: ignore[misc]
                lambda at: _interpolations(dataset, settings, roads, at)[place]
            )
    return makers


def run_baseline(
    name: str, make: Callable[[], Forecaster], judge: Judge, key: str, folder: Path
) -> Run:
    """Make a baseline, judge it and keep it in ``folder``."""
    started = time.perf_counter()
    forecaster = make()
    seconds = time.perf_counter() - started
    verdict = judge.verdict(forecaster)
    facts = Facts(
        name,
        NO_SEED,
        baseline=True,
        key=key,
        training_seconds=seconds,
        prediction_ms=prediction_ms(forecaster, judge.origins),
    )
    return write_run(facts, verdict, [], None, folder)


def prediction_ms(forecast: Callable[[np.ndarray], object], origins: np.ndarray) -> float:
    """Return the median time of a forecast of all segments from one slice, in ms."""
    times = []
    for origin in origins[:TIMED_FORECASTS]:
        started = time.perf_counter()
        forecast(np.array([origin]))
        times.append(1000 * (time.perf_counter() - started))
    return median(times)


def _interpolations(
    dataset: Dataset, settings: Settings, roads: Roads, origins: np.ndarray
) -> list[Forecast]:
    return interpolations(
        dataset, origins, settings, roads.length_m, roads.road_class, dataset.hidden
    )


def _boosting(dataset: Dataset, settings: Settings) -> Forecaster:
    """Return trained trees whose answers are adjusted as the models' are."""
    trees = fit_boosting(dataset, settings)
    ask = partial(trees.answers, dataset)
    adjustments = fit_adjustments(ask, dataset, settings.training)
    return lambda origins: adjustments.forecast(BOOSTING, origins, ask(origins))
