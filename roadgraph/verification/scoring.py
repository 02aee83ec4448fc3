"""Forecasts of a day, and the baselines beside them, into scores."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd

from roadgraph.evaluation.answers import Answers
from roadgraph.evaluation.parts import ALL
from roadgraph.evaluation.scores import score_of, score_table
from roadgraph.schema import BASES, CONGESTION_CLASSES, NO_LABEL

if TYPE_CHECKING:
    from collections.abc import Iterator

    from roadgraph.evaluation.scores import Score
    from roadgraph.verification.observed import ObservedDay, Said

FORECAST = "forecast"
PERSISTENCE, HISTORICAL_AVERAGE = "persistence", "historical average"
NEW_SEGMENTS = "new segments"
ANSWERED = 1e-9
"""Least confidence of an answer that was given; one that was held back has 0."""


@dataclass(frozen=True)
class Cells:
    """Forecasts of observed cells: ``M`` of them, one a time of issue, target and segment.

    Attributes:
        table: the columns of ``schema.PREDICTIONS``, and ``made_by``: the model as people know it.
        targets: ``[M]`` place of the target slice in the observed day's ``slice_starts``.
        segments: ``[M]`` place of the segment.
    """

    table: pd.DataFrame
    targets: np.ndarray
    segments: np.ndarray

    def parts(self) -> Iterator[tuple[str, np.ndarray]]:
        """Yield the name and the mask ``[M]`` of each part that has a cell, all cells first."""
        yield ALL, np.ones(len(self.table), dtype=bool)
        for basis in BASES:
            yield basis_part(basis), (self.table["basis"] == basis).to_numpy()
        for model in sorted(self.table["made_by"].unique()):
            yield f"made by {model}", (self.table["made_by"] == model).to_numpy()
        yield NEW_SEGMENTS, self.table["new_segment"].to_numpy(dtype=bool)


def basis_part(basis: str) -> str:
    """Return the name of the part of the forecasts that rest on ``basis``, one of ``BASES``."""
    return f"basis {basis}"


def said_by_baselines(cells: Cells, observed: ObservedDay) -> dict[str, Said]:
    """Return what each baseline says of the cells."""
    return {
        PERSISTENCE: observed.persistence(known_until(cells.table), cells.segments),
        HISTORICAL_AVERAGE: observed.historical_average(cells.targets, cells.segments),
    }


def known_until(rows: pd.DataFrame) -> pd.DatetimeIndex:
    """Return up to when persistence knows what was observed, ``[M]``: until each was issued.

    A model of hidden segments estimates the very slice that ended then: what came in late of it is
    the truth, and none of what was known.

    Args:
        rows: ``issued_at`` and ``slice_start`` of predictions, ``M`` rows.
    """
    issued_at, start = rows["issued_at"], rows["slice_start"]
    return pd.DatetimeIndex(issued_at.where(issued_at < start, start))


def classes_said(rows: pd.DataFrame) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Return which classes forecasts say, with which probability, and which were held back.

    Args:
        rows: columns of ``schema.PREDICTIONS``, ``M`` rows.

    Returns:
        ``[M]`` places of the classes, the likeliest where the answer was held back for doubt;
        ``[M, 4]`` probabilities; ``[M]`` bool.
    """
    columns = [f"p_{name}" for name in CONGESTION_CLASSES]
    probability = rows[columns].to_numpy(dtype=np.float64)
    answer = pd.Index(CONGESTION_CLASSES).get_indexer(pd.Index(rows["congestion"]))
    held_back = answer < 0
    return np.where(held_back, probability.argmax(axis=1), answer), probability, held_back


def score_cells(cells: Cells, observed: ObservedDay) -> pd.DataFrame:
    """Score the forecasts and the baselines on the same cells, by horizon and part.

    Returns:
        The columns of :class:`~roadgraph.evaluation.scores.Score`, with ``FORECAST``,
        ``PERSISTENCE`` and ``HISTORICAL_AVERAGE`` as models; those of rush hour are empty, and
        ``cells`` counts the forecasts of observed cells.
    """
    return score_table(_scores(cells, observed))


def _scores(cells: Cells, observed: ObservedDay) -> Iterator[Score]:
    table = cells.table
    truth = observed.at(cells.targets, cells.segments)
    baselines = said_by_baselines(cells, observed)
    horizons = table["horizon_min"].to_numpy()
    for part, inside in cells.parts():
        for minutes in np.unique(horizons[inside]):
            chosen = np.flatnonzero(inside & (horizons == minutes))
            rows = table.iloc[chosen]
            # A model without a task has no answer; no one else is judged on that cell then.
            labelled = (truth.congestion[chosen] != NO_LABEL) & rows["p_gridlock"].notna()
            told = chosen[labelled], chosen[rows["speed"].notna().to_numpy()]
            figures = {FORECAST: _of_forecast(cells, truth, *told).figures(None, None, ANSWERED)}
            figures[FORECAST] |= _of_intervals(cells, truth, chosen[rows["speed_p10"].notna()])
            for name, said in baselines.items():
                answers = _of_baseline(cells, truth, said, *told)
                figures[name] = answers.figures(None, None, ANSWERED)
            for name, values in figures.items():
                yield score_of(name, int(minutes), part, {**values, "cells": len(chosen)})


def _of_forecast(cells: Cells, truth: Said, classes: np.ndarray, speeds: np.ndarray) -> Answers:
    answer, probability, held_back = classes_said(cells.table.iloc[classes])
    confidence = probability[np.arange(len(answer)), answer]
    return _answers(
        cells,
        truth,
        classes,
        speeds,
        answer=answer,
        probability=probability,
        confidence=np.where(held_back, 0.0, np.maximum(confidence, ANSWERED)),
        speed_answer=_column(cells, "speed", speeds),
    )


def _of_intervals(cells: Cells, truth: Said, chosen: np.ndarray) -> dict[str, float]:
    """Return the figures of the intervals; a forecast by the history alone has a speed but none."""
    answers = _answers(
        cells,
        truth,
        chosen[:0],
        chosen,
        answer=chosen[:0],
        speed_answer=_column(cells, "speed", chosen),
        speed_low=_column(cells, "speed_p10", chosen),
        speed_high=_column(cells, "speed_p90", chosen),
    )
    found = answers.figures(None, None, ANSWERED)
    return {name: found[name] for name in found if name.startswith(("interval_", "pinball_"))}


def _column(cells: Cells, name: str, rows: np.ndarray) -> np.ndarray:
    return cells.table[name].to_numpy(dtype=np.float64)[rows]


def _of_baseline(
    cells: Cells, truth: Said, said: Said, classes: np.ndarray, speeds: np.ndarray
) -> Answers:
    return _answers(
        cells,
        truth,
        classes,
        speeds,
        answer=said.congestion[classes],
        speed_answer=said.speed_kph[speeds].astype(np.float64),
    )


def _answers(
    cells: Cells,
    truth: Said,
    classes: np.ndarray,
    speeds: np.ndarray,
    *,
    answer: np.ndarray,
    speed_answer: np.ndarray,
    probability: np.ndarray | None = None,
    confidence: np.ndarray | None = None,
    speed_low: np.ndarray | None = None,
    speed_high: np.ndarray | None = None,
) -> Answers:
    """Return answers to the classes and the speeds of some cells; of rush hours there are none."""
    nothing = np.zeros(0, dtype=np.int64)
    return Answers(
        cell_slice=cells.targets[classes],
        cell_segment=cells.segments[classes],
        label=truth.congestion[classes].astype(np.int64),
        answer=answer,
        probability=probability,
        confidence=confidence,
        rush_slice=nothing,
        rush_label=nothing,
        rush_answer=None,
        rush_probability=None,
        speed_slice=cells.targets[speeds],
        speed_segment=cells.segments[speeds],
        speed=truth.speed_kph[speeds].astype(np.float64),
        speed_answer=speed_answer,
        speed_low=speed_low,
        speed_high=speed_high,
    )
