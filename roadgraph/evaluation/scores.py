"""From forecasts and labels to the table of results."""

from __future__ import annotations

from dataclasses import asdict, dataclass, fields
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

from roadgraph.evaluation.answers import Answers
from roadgraph.evaluation.parts import ALL, Parts

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from roadgraph.dataset.labels import Labels
    from roadgraph.dataset.splits import Span
    from roadgraph.evaluation.forecast import Forecast
    from roadgraph.settings import EvaluationSettings


@dataclass(frozen=True)
class Score:
    """One forecaster at one horizon on one part of the cells; NaN where it gives no such answer.

    Attributes:
        part: ``all``, or a part of segments or slices (see :class:`Parts`).
        cells: labelled cells (segments and slices) that the congestion figures rest on.
        macro_precision ...: means over the classes that occur; ``macro_auc`` is the ROC AUC of one
            class against the rest.
        gridlock_precision, gridlock_recall, gridlock_f1 ...: of each class.
        log_loss: of the congestion classes, in nats.
        calibration_error: expected calibration error of the congestion classes, 0-1.
        answered_share: cells whose likeliest class reaches ``evaluation.abstain_below``, 0-1; all
            where a forecaster gives classes without probabilities.
        accuracy_answered, macro_f1_answered: on those cells; every other figure is on all cells.
        rush_hour_accuracy ...: on slices, so only for all segments together; precision and recall
            are those of rush hour, ``rush_hour_f1`` is the mean of both classes.
        speed_mae_kph, speed_rmse_kph: errors of the speed in km/h.
        interval_coverage: share of the speeds between the 10 and the 90 % quantile; 0.8 is right.
        interval_width_kph: mean width of that interval.
        pinball_p10_kph, pinball_p90_kph: pinball loss of both ends.
    """

    model: str
    horizon_min: int
    part: str
    cells: int
    accuracy: float
    macro_f1: float
    micro_f1: float
    macro_precision: float
    macro_recall: float
    macro_auc: float
    gridlock_precision: float
    gridlock_recall: float
    gridlock_f1: float
    congested_precision: float
    congested_recall: float
    congested_f1: float
    moderate_precision: float
    moderate_recall: float
    moderate_f1: float
    free_flow_precision: float
    free_flow_recall: float
    free_flow_f1: float
    log_loss: float
    calibration_error: float
    answered_share: float
    accuracy_answered: float
    macro_f1_answered: float
    rush_hour_accuracy: float
    rush_hour_precision: float
    rush_hour_recall: float
    rush_hour_f1: float
    rush_hour_auc: float
    speed_mae_kph: float
    speed_rmse_kph: float
    interval_coverage: float
    interval_width_kph: float
    pinball_p10_kph: float
    pinball_p90_kph: float


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
    parts: Parts | None = None,
) -> list[Score]:
    """Judge ``forecast`` at every reported horizon, on all cells and on each part of them.

    At a horizon of ``h`` steps an origin counts when its target lies in ``span`` (one slice
    earlier with ``leave_out_last_window``). With ``errors=up_to_horizon`` all steps up to the
    horizon count, otherwise that one step. A part without cells, or with all of them, has no row.
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
        answers = Answers.of(forecast, labels, targets, chosen)
        for part, segments, slices in _masks(parts or Parts(), labels):
            values = answers.figures(segments, slices, settings.abstain_below)
            cells = values["cells"]
            if part == ALL:
                total = cells
            elif cells in (0, total):
                continue
            scores.append(score_of(forecast.name, minutes, part, values))
    return scores


def score_table(scores: Iterable[Score]) -> pd.DataFrame:
    """Return the scores as a table, one row a forecaster, horizon and part."""
    return pd.DataFrame(
        [asdict(score) for score in scores], columns=[field.name for field in fields(Score)]
    )


def _masks(
    parts: Parts, labels: Labels
) -> Iterator[tuple[str, np.ndarray | None, np.ndarray | None]]:
    """Yield the name of each part with its mask of segments or of slices, all cells first."""
    yield ALL, None, None
    for name, mask in parts.segments.items():
        yield name, mask, None
    for name, mask in parts.slices.items():
        yield name, None, mask


def score_of(model: str, minutes: int, part: str, values: dict[str, Any]) -> Score:
    """Return the score of what :meth:`~roadgraph.evaluation.answers.Answers.figures` returned."""
    nothing = dict.fromkeys((field.name for field in fields(Score)), float("nan"))
    return Score(**{**nothing, **values, "model": model, "horizon_min": minutes, "part": part})
