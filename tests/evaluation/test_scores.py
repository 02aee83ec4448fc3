import dataclasses

import numpy as np
import pandas as pd
import pytest

from roadgraph.dataset.labels import Labels
from roadgraph.dataset.splits import Span
from roadgraph.evaluation.forecast import Forecast
from roadgraph.evaluation.parts import Parts
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


# Two segments, origin 0, one step: slices 1 and 2 of four cells, said 3, 3, 0, 1.
PAIR = labels_of([[3, 3], [3, 0], [0, 0]], [[40, 40], [40, 4], [4, 4]])
PAIR_SAYS = forecast_of(
    [0, 1], np.array([[[3, 3]], [[0, 1]]]), np.array([[[38.0, 5.0]], [[7.0, 8.0]]])
)
NEAR = EvaluationSettings(report_horizons_min=(15,))


def test_parts_have_rows_of_their_own_cells() -> None:
    parts = Parts(
        {"first": np.array([True, False]), "none": np.array([False, False])},
        {"late": np.array([False, False, True]), "whole": np.ones(3, dtype=bool)},
    )
    scores = score_forecast(PAIR_SAYS, PAIR, Span(0, 3), (1,), 15, NEAR, parts)
    # A part without cells, and one with all of them, would say nothing new.
    assert [score.part for score in scores] == ["all", "first", "late"]
    whole, first, late = scores
    assert [score.cells for score in scores] == [4, 2, 2]
    assert (whole.accuracy, first.accuracy, late.accuracy) == (0.5, 1.0, 0.5)
    assert first.speed_mae_kph == (2 + 3) / 2
    assert late.speed_mae_kph == (3 + 4) / 2


def test_rush_hour_is_scored_for_times_and_not_for_segments() -> None:
    labels = dataclasses.replace(PAIR, rush_hour=np.array([0, 1, 0], dtype=np.int8))
    says = dataclasses.replace(
        PAIR_SAYS,
        rush_hour=np.array([[1], [1]]),
        rush_hour_probability=np.array([[0.9], [0.6]]),
    )
    parts = Parts({"first": np.array([True, False])}, {"late": np.array([False, False, True])})
    whole, first, late = score_forecast(says, labels, Span(0, 3), (1,), 15, NEAR, parts)
    assert (whole.rush_hour_accuracy, late.rush_hour_accuracy) == (0.5, 0.0)
    assert (whole.rush_hour_precision, whole.rush_hour_recall) == (0.5, 1.0)
    assert whole.rush_hour_auc == 1.0
    assert np.isnan(first.rush_hour_accuracy)
    assert np.isnan(late.rush_hour_auc)  # one slice has no pair


def test_precision_recall_and_f1_stand_by_class() -> None:
    (score,) = score_forecast(PAIR_SAYS, PAIR, Span(0, 3), (1,), 15, NEAR)
    # labels 3, 0, 0, 0; answers 3, 3, 0, 1
    assert score.gridlock_precision == 1.0
    assert score.gridlock_recall == pytest.approx(1 / 3)
    assert (score.free_flow_precision, score.free_flow_recall) == (0.5, 1.0)
    assert score.congested_precision == 0.0
    assert np.isnan(score.moderate_f1)
    # F1: gridlock 1/2, congested 0, free flow 2/3; moderate does not occur
    assert score.macro_f1 == pytest.approx((1 / 2 + 0 + 2 / 3) / 3)
    assert score.micro_f1 == score.accuracy == 0.5


def test_below_the_threshold_a_class_is_not_answered() -> None:
    probability = np.full((2, 1, 2, 4), 0.1)
    probability[0, 0, :, 3] = [0.7, 0.4]
    probability[1, 0, [0, 1], [0, 1]] = [0.5, 0.6]
    says = dataclasses.replace(PAIR_SAYS, congestion_probability=probability)
    shy = dataclasses.replace(NEAR, abstain_below=0.5)
    (score,) = score_forecast(says, PAIR, Span(0, 3), (1,), 15, shy)
    # 0.4 is not answered; 0.5 reaches the threshold. Of 3, 0 and 1 for 3, 0 and 0 two are right.
    assert score.answered_share == 0.75
    assert score.accuracy_answered == pytest.approx(2 / 3)
    assert score.accuracy == 0.5
    (bold,) = score_forecast(says, PAIR, Span(0, 3), (1,), 15, NEAR)
    assert (bold.answered_share, bold.accuracy_answered) == (1.0, 0.5)


def test_who_abstains_from_everything_has_no_accuracy_there() -> None:
    says = dataclasses.replace(PAIR_SAYS, congestion_probability=np.full((2, 1, 2, 4), 0.25))
    shy = dataclasses.replace(NEAR, abstain_below=0.9)
    (score,) = score_forecast(says, PAIR, Span(0, 3), (1,), 15, shy)
    assert score.answered_share == 0.0
    assert np.isnan(score.accuracy_answered)
    assert score.accuracy == 0.5


def test_intervals_are_scored_where_there_are_some() -> None:
    says = dataclasses.replace(
        PAIR_SAYS,
        speed_p10_kph=np.array([[[35.0, 5.0]], [[4.0, 2.0]]]),
        speed_p90_kph=np.array([[[45.0, 9.0]], [[8.0, 4.0]]]),
    )
    (score,) = score_forecast(says, PAIR, Span(0, 3), (1,), 15, NEAR)
    assert score.interval_coverage == 0.75  # 4 km/h lies below 5 to 9
    assert score.interval_width_kph == (10 + 4 + 4 + 2) / 4
    # below p10 costs 0.9 a km/h, above it 0.1: 40 over 35, 4 under 5, 4 at 4, 4 over 2
    assert score.pinball_p10_kph == pytest.approx((0.5 + 0.9 + 0 + 0.2) / 4)
    assert score.pinball_p90_kph == pytest.approx((0.5 + 0.5 + 0.4 + 0) / 4)
    (plain,) = score_forecast(PAIR_SAYS, PAIR, Span(0, 3), (1,), 15, NEAR)
    assert np.isnan(plain.interval_coverage)


def test_a_table_of_nothing_has_its_columns() -> None:
    assert score_table([]).columns[:3].tolist() == ["model", "horizon_min", "part"]
