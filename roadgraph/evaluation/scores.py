"""From forecasts and labels to the table of results."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

from roadgraph.evaluation import metrics
from roadgraph.schema import CONGESTION_CLASSES, NO_LABEL, RUSH_HOUR_CLASSES

if TYPE_CHECKING:
    from collections.abc import Iterable

    from roadgraph.dataset.labels import Labels
    from roadgraph.dataset.splits import Span
    from roadgraph.evaluation.forecast import Forecast
    from roadgraph.settings import EvaluationSettings


@dataclass(frozen=True)
class Score:
    """One forecaster at one horizon; NaN where it gives no such answer.

    Attributes:
        cells: labelled cells (segments and slices) that the congestion figures rest on.
        log_loss: of the congestion classes, in nats.
        calibration_error: expected calibration error of the congestion classes, 0-1.
        speed_mae_kph, speed_rmse_kph: errors of the speed in km/h.
        gridlock_recall ...: share of each class that was found.
    """

    model: str
    horizon_min: int
    cells: int
    accuracy: float
    macro_f1: float
    gridlock_recall: float
    congested_recall: float
    moderate_recall: float
    free_flow_recall: float
    log_loss: float
    calibration_error: float
    rush_hour_accuracy: float
    rush_hour_f1: float
    speed_mae_kph: float
    speed_rmse_kph: float


def scoring_origins(
    span: Span, window: int, slice_minutes: int, settings: EvaluationSettings
) -> np.ndarray:
    """Return the origins in ``span`` that the nearest reported horizon fits."""
    nearest_step = min(settings.report_horizons_min) // slice_minutes
    return span.origins(window, nearest_step + settings.leave_out_last_window)


def score_forecast(
    forecast: Forecast,
    labels: Labels,
    span: Span,
    horizons: tuple[int, ...],
    slice_minutes: int,
    settings: EvaluationSettings,
) -> list[Score]:
    """Judge ``forecast`` at every reported horizon.

    At a horizon of ``h`` steps an origin counts when its target lies in ``span`` (one slice
    earlier with ``leave_out_last_window``). With ``errors=up_to_horizon`` all steps up to the
    horizon count, otherwise that one step.
    """
    scores = []
    for minutes in settings.report_horizons_min:
        reach = minutes // slice_minutes
        inside = forecast.origins + reach < span.stop - settings.leave_out_last_window
        if settings.errors == "up_to_horizon":
            places = [place for place, step in enumerate(horizons) if step <= reach]
        else:
            places = [horizons.index(reach)]
        targets = forecast.origins[inside][:, None] + np.asarray(horizons)[places][None]
        chosen = np.ix_(np.flatnonzero(inside), np.asarray(places))
        scores.append(_score(forecast, labels, targets, chosen, minutes))
    return scores


def _score(
    forecast: Forecast,
    labels: Labels,
    targets: np.ndarray,
    chosen: tuple[np.ndarray, ...],
    minutes: int,
) -> Score:
    nan = float("nan")
    values: dict[str, Any] = dict.fromkeys(Score.__dataclass_fields__, nan)
    congestion = labels.congestion[targets]
    labelled = congestion != NO_LABEL
    if forecast.congestion is not None:
        confusion = metrics.confusion_matrix(
            congestion[labelled], forecast.congestion[chosen][labelled], len(CONGESTION_CLASSES)
        )
        values["accuracy"] = metrics.accuracy(confusion)
        values["macro_f1"] = metrics.macro_f1(confusion)
        for name, recall in zip(CONGESTION_CLASSES, metrics.recalls(confusion), strict=True):
            values[f"{name}_recall"] = float(recall)
    if forecast.congestion_probability is not None:
        probability = forecast.congestion_probability[chosen][labelled]
        values["log_loss"] = metrics.log_loss(congestion[labelled], probability)
        values["calibration_error"] = metrics.expected_calibration_error(
            congestion[labelled], probability
        )
    if forecast.rush_hour is not None:
        rush = labels.rush_hour[targets]
        known = rush != NO_LABEL
        confusion = metrics.confusion_matrix(
            rush[known], forecast.rush_hour[chosen][known], len(RUSH_HOUR_CLASSES)
        )
        values["rush_hour_accuracy"] = metrics.accuracy(confusion)
        values["rush_hour_f1"] = metrics.macro_f1(confusion)
    if forecast.speed_kph is not None:
        speed = labels.speed_kph[targets]
        seen = ~np.isnan(speed)
        answer = forecast.speed_kph[chosen][seen]
        values["speed_mae_kph"] = metrics.mean_absolute_error(speed[seen], answer)
        values["speed_rmse_kph"] = metrics.root_mean_squared_error(speed[seen], answer)
    return Score(
        **{**values, "model": forecast.name, "horizon_min": minutes, "cells": int(labelled.sum())}
    )


def score_table(scores: Iterable[Score]) -> pd.DataFrame:
    """Return the scores as a table, one row a forecaster and horizon."""
    return pd.DataFrame([asdict(score) for score in scores])
