"""What forecasts and baselines said of each judged cell, and how far it was from the truth."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from roadgraph.schema import NO_LABEL
from roadgraph.verification.scoring import (
    FORECAST,
    HISTORICAL_AVERAGE,
    PERSISTENCE,
    classes_said,
)

if TYPE_CHECKING:
    from collections.abc import Mapping

    import pandas as pd

    from roadgraph.verification.observed import ObservedDay, Said
    from roadgraph.verification.scoring import Cells

FORECASTERS = (FORECAST, PERSISTENCE, HISTORICAL_AVERAGE)


@dataclass(frozen=True)
class Judged:
    """The answers to ``M`` cells beside what was observed, by forecaster of ``FORECASTERS``.

    A cell that the forecast has no class or no speed for is judged for no one, as
    :func:`~roadgraph.verification.scoring.score_cells` does it.

    Attributes:
        horizon_min: ``[M]`` how far ahead.
        targets: ``[M]`` place of the slice in the observed day's ``slice_starts``.
        segments: ``[M]`` place of the segment.
        label: ``[M]`` int8 class that was observed, ``NO_LABEL`` where no one is judged.
        answer: by forecaster ``[M]`` int8 class; it counts where there is a label.
        confidence: ``[M]`` probability of the forecast's answer; NaN where it was held back or
            there is no label.
        error_kph: by forecaster ``[M]`` absolute error of the speed, NaN where no one is judged.
        within: ``[M]`` 1 where the speed lay within the interval, else 0; NaN without either.
        width_kph: ``[M]`` width of the interval, NaN without one.
        held_back: how many of the labelled cells have an answer that was held back for doubt
            (``evaluation.abstain_below``); it counts as if it had been given.
    """

    horizon_min: np.ndarray
    targets: np.ndarray
    segments: np.ndarray
    label: np.ndarray
    answer: Mapping[str, np.ndarray]
    confidence: np.ndarray
    error_kph: Mapping[str, np.ndarray]
    within: np.ndarray
    width_kph: np.ndarray
    held_back: int = 0


def judged_cells(cells: Cells, observed: ObservedDay, said: Mapping[str, Said]) -> Judged:
    """Hold every forecast and what the baselines said against what was observed.

    Args:
        cells: the forecasts.
        observed: the day.
        said: by each baseline, from :func:`~roadgraph.verification.scoring.said_by_baselines`.
    """
    table = cells.table
    truth = observed.at(cells.targets, cells.segments)
    told, probability, held_back = classes_said(table)
    label = np.where(table["p_gridlock"].notna(), truth.congestion, NO_LABEL).astype(np.int8)
    sure = probability[np.arange(len(told)), told]
    speed, low, high = (_float32(table, name) for name in ("speed", "speed_p10", "speed_p90"))
    without = np.isnan(low) | np.isnan(high)
    inside = (low <= truth.speed_kph) & (truth.speed_kph <= high)
    answered = ~np.isnan(speed)
    return Judged(
        horizon_min=table["horizon_min"].to_numpy(),
        targets=cells.targets,
        segments=cells.segments,
        label=label,
        answer={
            FORECAST: told.astype(np.int8),
            **{name: each.congestion.astype(np.int8) for name, each in said.items()},
        },
        confidence=np.where(held_back | (label == NO_LABEL), np.nan, sure).astype(np.float32),
        error_kph={
            FORECAST: np.abs(speed - truth.speed_kph),
            **{
                name: np.where(answered, np.abs(each.speed_kph - truth.speed_kph), np.nan)
                for name, each in said.items()
            },
        },
        within=np.where(without, np.nan, inside).astype(np.float32),
        width_kph=high - low,
        held_back=int((held_back & (label != NO_LABEL)).sum()),
    )


def _float32(table: pd.DataFrame, name: str) -> np.ndarray:
    return table[name].to_numpy(dtype=np.float32, na_value=np.nan)
