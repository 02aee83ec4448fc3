import dataclasses

import numpy as np
import pandas as pd
import pytest

from roadgraph.dataset.labels import Labels
from roadgraph.dataset.splits import Span
from roadgraph.evaluation.forecast import Forecast
from roadgraph.evaluation.scores import score_forecast, score_table, scoring_origins
from roadgraph.schema import NO_LABEL
from roadgraph.settings import EvaluationSettings

AT = EvaluationSettings(report_horizons_min=(15, 30))
UP_TO = dataclasses.replace(AT, errors="up_to_horizon")


def labels_of(congestion: list[list[int]], speed: list[list[float]]) -> Labels:
    return Labels(
        np.array(congestion, dtype=np.int8),
        np.zeros(len(congestion), dtype=np.int8),
        np.array(speed, dtype=np.float32),
    )


def forecast_of(origins: list[int], congestion: np.ndarray, speed: np.ndarray) -> Forecast:
    return Forecast("toy", np.array(origins), congestion, None, None, speed)


# Five slices of one segment; origin 1 has its targets at 2 and 3, origin 2 at 3 and 4.
LABELS = labels_of([[3], [3], [0], [1], [NO_LABEL]], [[40], [40], [4], [12], [np.nan]])
FORECAST = forecast_of(
    [1, 2],
    np.array([[[0], [2]], [[1], [3]]]),
    np.array([[[6.0], [15.0]], [[10.0], [99.0]]]),
)


def test_scores_at_the_horizon_by_hand() -> None:
    first, second = score_forecast(FORECAST, LABELS, Span(0, 5), (1, 2), 15, AT)
    # 15 minutes: slices 2 (said 0, is 0; 6 for 4) and 3 (said 1, is 1; 10 for 12)
    assert (first.horizon_min, first.cells, first.accuracy) == (15, 2, 1.0)
    assert first.speed_mae_kph == 2
    # 30 minutes: slice 3 (said 2, is 1; 15 for 12); slice 4 was not observed
    assert (second.horizon_min, second.cells, second.accuracy) == (30, 1, 0.0)
    assert second.speed_mae_kph == 3


def test_scores_up_to_the_horizon_take_all_steps() -> None:
    _, second = score_forecast(FORECAST, LABELS, Span(0, 5), (1, 2), 15, UP_TO)
    assert second.cells == 3
    assert second.speed_mae_kph == pytest.approx((2 + 2 + 3) / 3)
    assert second.speed_rmse_kph == pytest.approx(np.sqrt((4 + 4 + 9) / 3))


def test_a_target_beyond_the_span_does_not_count() -> None:
    first, second = score_forecast(FORECAST, LABELS, Span(0, 4), (1, 2), 15, AT)
    assert (first.cells, second.cells) == (2, 1)  # origin 2 is left out at 30 minutes


def test_leaving_the_last_window_out_drops_one_origin_at_every_horizon() -> None:
    settings = dataclasses.replace(AT, leave_out_last_window=True)
    first, second = score_forecast(FORECAST, LABELS, Span(0, 4), (1, 2), 15, settings)
    assert (first.cells, second.cells) == (1, 0)
    assert np.isnan(second.accuracy)


def test_origins_are_as_many_as_in_the_t_gcn_code() -> None:
    # 404 slices of test span, 12 in: the code makes 404 - 12 - 3 windows at 3 steps.
    settings = EvaluationSettings(report_horizons_min=(15,), leave_out_last_window=True)
    origins = scoring_origins(Span(1612, 2016), 12, 5, settings)
    assert len(origins) == 389
    assert origins[0] == 1612 + 11


def test_rush_hour_counts_slices_not_cells() -> None:
    labels = dataclasses.replace(LABELS, rush_hour=np.array([0, 0, 1, NO_LABEL, 0], dtype=np.int8))
    forecast = dataclasses.replace(FORECAST, rush_hour=np.array([[1, 1], [0, 1]]))
    first, second = score_forecast(forecast, labels, Span(0, 5), (1, 2), 15, AT)
    assert first.rush_hour_accuracy == 1.0  # slice 2 alone is known
    assert second.rush_hour_accuracy == 0.0  # slice 4 alone: said 1, is 0


def test_probabilities_are_scored_where_there_are_some() -> None:
    probability = np.zeros((2, 2, 1, 4))
    probability[..., 0] = 0.7
    probability[..., 1] = 0.3
    forecast = dataclasses.replace(FORECAST, congestion_probability=probability)
    first, _ = score_forecast(forecast, LABELS, Span(0, 5), (1, 2), 15, AT)
    assert first.log_loss == pytest.approx(-(np.log(0.7) + np.log(0.3)) / 2)
    # one of two right at a confidence of 0.7
    assert first.calibration_error == pytest.approx(0.2)


def test_the_table_has_one_row_a_forecaster_and_horizon() -> None:
    table = score_table(score_forecast(FORECAST, LABELS, Span(0, 5), (1, 2), 15, AT))
    assert isinstance(table, pd.DataFrame)
    assert table["horizon_min"].tolist() == [15, 30]
    assert table["model"].tolist() == ["toy", "toy"]
