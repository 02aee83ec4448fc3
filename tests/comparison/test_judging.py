from collections.abc import Callable
from dataclasses import replace
from functools import partial
from pathlib import Path

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from roadgraph.comparison.judging import Judge
from roadgraph.config import settings_from_dict, settings_to_dict
from roadgraph.dataset.dataset import build_dataset
from roadgraph.errors import DataError
from roadgraph.evaluation.baselines import historical_average, majority_class, persistence
from roadgraph.evaluation.forecast import Forecast
from roadgraph.evaluation.parts import ALL, HIDDEN_SEGMENTS
from roadgraph.schema import NO_LABEL, TRUTH
from roadgraph.settings import Settings
from tests.comparison.toy import quick_settings, toy_judge
from tests.dataset.toy import MONDAY, grid_of, path_graph, segments_of

SLICES, TEST_START = 60, 45
THREE_HORIZONS: dict[str, dict[str, object]] = {
    # With these shares the test span is slices 45 to 59.
    "dataset": {"horizons_min": [15, 30, 45], "train_share": 0.5, "validation_share": 0.25},
    "evaluation": {"report_horizons_min": [15, 30, 45]},
    "labels": {"congestion": "absolute"},
}
# Origins 46 to 58 reach 48 to 60 two steps ahead, and there is no slice 60.
SPEEDS_FROM_48 = [5, 15, 25, 40, np.nan, np.nan, 40, 40, 40, 40, 40, 40]
ANSWERS_30_MIN = [0, 1, 1, 3, 0, 0, 3, 3, 3, 3, 2, 3, 0]


def judge_by_hand(settings: Settings) -> Judge:
    speeds = np.full((SLICES, 1), 40.0)
    speeds[48:, 0] = SPEEDS_FROM_48
    grid = grid_of(speeds)
    dataset = build_dataset(grid, segments_of(grid), path_graph(1), settings)
    return Judge.of(dataset, np.array(["residential"]), settings)


def by_hand(origins: np.ndarray, said_kph: float = 30.0) -> Forecast:
    """Answer what stands above half an hour ahead, and gridlock at the other horizons."""
    congestion = np.zeros((len(origins), 3, 1), dtype=np.int8)
    congestion[:, 1, 0] = np.resize(ANSWERS_30_MIN, len(origins))
    speed = np.full(congestion.shape, said_kph)
    return Forecast("by hand", origins, congestion, None, None, speed)


def write_truth(path: Path, speed_kph: float) -> Path:
    """Write a simulation's truth: this speed in every slice of the grid, on its one segment."""
    table = pd.DataFrame(
        {
            "segment_id": "s0",
            "slice_start": pd.date_range(MONDAY, periods=SLICES, freq="15min"),
            "mean_speed": speed_kph,
            "vehicles": 1,
        }
    )
    pq.write_table(TRUTH.conform(pa.Table.from_pandas(table, preserve_index=False)), path)
    return path


def test_the_origins_are_those_of_the_test_span_that_the_nearest_horizon_fits() -> None:
    # The window of 2 begins at 45, so that 46 is the first; 58 reaches 59, the last slice.
    judge = judge_by_hand(quick_settings(**THREE_HORIZONS))
    assert judge.origins.tolist() == list(range(TEST_START + 1, SLICES - 1))


def test_origins_and_cells_are_the_same_for_every_forecaster() -> None:
    settings = quick_settings()
    judge = toy_judge(settings)
    forecasters: list[Callable[[np.ndarray], Forecast]] = [
        partial(persistence, judge.dataset),
        partial(historical_average, judge.dataset, settings=settings),
        partial(majority_class, judge.dataset),
    ]
    place = ["horizon_min", "part", "cells"]
    first, *others = [judge.verdict(each).scores[place] for each in forecasters]
    for other in others:
        pd.testing.assert_frame_equal(other, first)
    test = judge.dataset.splits.test
    for minutes, step in ((15, 1), (30, 2)):
        labels = judge.dataset.labels.congestion[test.start + 1 + step : test.stop]
        row = first[(first["horizon_min"] == minutes) & (first["part"] == ALL)]
        assert row["cells"].item() == (labels != NO_LABEL).sum()


def test_hidden_segments_are_judged_by_labels_that_no_model_sees() -> None:
    judge = toy_judge(quick_settings(dataset={"hidden_share": 0.34}))
    assert (judge.dataset.labels.congestion[:, judge.dataset.hidden] == NO_LABEL).all()
    scores = judge.verdict(partial(majority_class, judge.dataset)).scores
    hidden = scores[(scores["part"] == HIDDEN_SEGMENTS) & (scores["horizon_min"] == 15)]
    targets = judge.dataset.score_labels.congestion[judge.origins + 1][:, judge.dataset.hidden]
    assert hidden["cells"].item() == (targets != NO_LABEL).sum() > 0


def test_parts_are_classes_of_road_and_times_of_day() -> None:
    settings = quick_settings()
    dataset = toy_judge(settings).dataset
    judge = Judge.of(dataset, np.array(["primary", "residential", "residential"]), settings)
    scores = judge.verdict(partial(majority_class, dataset)).scores
    at_15 = scores[scores["horizon_min"] == 15].set_index("part")["cells"]
    assert {"road class primary", "road class residential", "night 0-6"} <= set(at_15.index)
    assert at_15["road class primary"] + at_15["road class residential"] == at_15[ALL]


def test_confusion_counts_labelled_cells_at_the_middle_horizon() -> None:
    judge = judge_by_hand(quick_settings(**THREE_HORIZONS))
    confusion = judge.verdict(by_hand).confusion
    assert confusion is not None
    # Labels 0 1 2 3 - - 3 3 3 3 3 3 and answers 0 1 1 3 0 0 3 3 3 3 2 3.
    assert confusion.tolist() == [[1, 0, 0, 0], [0, 1, 0, 0], [0, 1, 0, 0], [0, 0, 1, 6]]
    assert judge.middle_minutes == 30


@pytest.mark.parametrize(
    ("horizons_min", "middle_min"),
    [([15], 15), ([15, 30], 15), ([15, 30, 45], 30), ([15, 30, 45, 60], 30)],
)
def test_the_middle_of_an_even_number_of_horizons_is_the_nearer_one(
    horizons_min: list[int], middle_min: int
) -> None:
    settings = quick_settings(
        dataset={"horizons_min": horizons_min}, evaluation={"report_horizons_min": horizons_min}
    )
    assert toy_judge(settings).middle_minutes == middle_min


def test_confusion_and_scores_rest_on_the_same_cells() -> None:
    judge = judge_by_hand(quick_settings(**THREE_HORIZONS))
    verdict = judge.verdict(by_hand)
    assert verdict.confusion is not None
    row = verdict.scores[(verdict.scores["horizon_min"] == 30) & (verdict.scores["part"] == ALL)]
    assert row["cells"].item() == verdict.confusion.sum() == 10
    assert row["accuracy"].item() == pytest.approx(8 / 10)


def test_a_forecast_without_classes_has_no_confusion() -> None:
    judge = judge_by_hand(quick_settings(**THREE_HORIZONS))
    verdict = judge.verdict(
        lambda at: Forecast("speeds", at, None, None, None, np.full((len(at), 3, 1), 30.0))
    )
    assert verdict.confusion is None
    assert verdict.scores["macro_f1"].isna().all()
    assert verdict.scores["speed_mae_kph"].notna().all()


def test_without_a_truth_there_are_no_scores_against_it() -> None:
    judge = judge_by_hand(quick_settings(**THREE_HORIZONS))
    assert judge.truth is None
    assert judge.verdict(by_hand).truth_scores is None


def test_truth_scores_rest_on_true_speeds_also_where_nothing_was_observed(tmp_path: Path) -> None:
    truth = write_truth(tmp_path / "truth.parquet", 22.0)
    judge = judge_by_hand(quick_settings(**THREE_HORIZONS, city={"truth": str(truth)}))
    verdict = judge.verdict(partial(by_hand, said_kph=30.0))
    assert verdict.truth_scores is not None
    rows = verdict.truth_scores[verdict.truth_scores["part"] == ALL].set_index("horizon_min")
    assert rows["cells"].to_dict() == {15: 13, 30: 12, 45: 11}
    assert rows["speed_mae_kph"].tolist() == pytest.approx([8, 8, 8])
    # All of the truth is moderate, class 2, of which there is one right answer half an hour ahead.
    assert rows["accuracy"].tolist() == pytest.approx([0, 1 / 12, 0])
    observed = verdict.scores[verdict.scores["part"] == ALL].set_index("horizon_min")
    assert observed["cells"].to_dict() == {15: 11, 30: 10, 45: 9}


def test_a_missing_truth_is_an_error_that_names_the_file_and_what_to_do(tmp_path: Path) -> None:
    settings = quick_settings(city={"truth": str(tmp_path / "nowhere.parquet")})
    with pytest.raises(
        DataError, match=r"truth .*nowhere\.parquet is missing; set city\.truth, or empty it"
    ):
        toy_judge(settings)


def test_where_hidden_segments_are_estimated_they_alone_are_judged() -> None:
    settings = quick_settings(
        dataset={"hidden_share": 0.34}, training={"hidden_share": 0.34}, model={"name": "gcn"}
    )
    estimating = settings_from_dict({**settings_to_dict(settings), "task": "estimate_hidden"})
    judge = toy_judge(estimating)
    hidden = judge.dataset.hidden
    verdict = judge.verdict(partial(persistence, judge.dataset))
    whole = verdict.scores[verdict.scores["part"] == ALL]
    known = judge.dataset.score_labels.congestion[judge.origins][:, hidden] != NO_LABEL
    assert whole["cells"].item() == known.sum() > 0
    assert whole["accuracy"].item() < 1
    assert whole["speed_mae_kph"].item() > 1
    assert verdict.confusion is not None
    assert verdict.confusion.sum() == known.sum()


def test_confusion_leaves_the_last_window_out_where_the_scores_do() -> None:
    hands = {**THREE_HORIZONS}
    hands["evaluation"] = {**hands["evaluation"], "leave_out_last_window": True}
    judge = judge_by_hand(quick_settings(**hands))
    verdict = judge.verdict(by_hand)
    row = verdict.scores[(verdict.scores["horizon_min"] == 30) & (verdict.scores["part"] == ALL)]
    assert verdict.confusion is not None
    assert verdict.confusion.sum() == row["cells"].item()


def test_a_true_speed_has_a_class_without_any_probe(tmp_path: Path) -> None:
    truth = write_truth(tmp_path / "truth.parquet", 10.0)
    settings = quick_settings(**THREE_HORIZONS, city={"truth": str(truth)})
    labels = replace(settings.labels, congestion="traffic4cast")
    judge = judge_by_hand(replace(settings, labels=labels))
    assert judge.truth is not None
    assert (judge.truth.congestion == 1).all()


def test_validation_scores_are_of_all_labelled_cells_of_the_validation_span() -> None:
    judge = toy_judge(quick_settings())
    verdict = judge.verdict(partial(majority_class, judge.dataset))
    scores, validation = verdict.validation_scores, judge.dataset.splits.validation
    assert list(scores.columns) == list(verdict.scores.columns)
    assert scores["part"].tolist() == [ALL, ALL]
    assert scores["horizon_min"].tolist() == [15, 30]
    for cells, step in zip(scores["cells"], (1, 2), strict=True):
        # The window of 2 begins at the span's start.
        targets = judge.dataset.labels.congestion[validation.start + 1 + step : validation.stop]
        assert cells == (targets != NO_LABEL).sum() > 0


def test_a_forecaster_that_learned_from_the_validation_span_is_judged_there_by_its_elder() -> None:
    judge = judge_by_hand(quick_settings(**THREE_HORIZONS))
    # All is 40 km/h before slice 48.
    verdict = judge.verdict(partial(by_hand, said_kph=40.0), partial(by_hand, said_kph=37.0))
    assert verdict.validation_scores["speed_mae_kph"].tolist() == [3, 3, 3]
    plain = judge.verdict(partial(by_hand, said_kph=40.0))
    assert plain.validation_scores["speed_mae_kph"].tolist() == [0, 0, 0]
    pd.testing.assert_frame_equal(verdict.scores, plain.scores)


def test_details_are_of_the_middle_horizon_and_the_local_hour() -> None:
    settings = quick_settings(**THREE_HORIZONS)
    speeds = np.full((SLICES, 1), 40.0)
    speeds[48:, 0] = SPEEDS_FROM_48
    grid = grid_of(speeds)
    abroad = replace(settings, city=replace(settings.city, timezone="Asia/Bangkok"))
    dataset = build_dataset(grid, segments_of(grid), path_graph(1), abroad)
    details = Judge.of(dataset, np.array(["residential"]), abroad).verdict(by_hand).details
    # Slice 48 begins at 12:00 UTC, which is 19:00 in Bangkok; 5, 15, 25 and 40 km/h are observed in
    # that hour, nothing in the first half of the next one.
    assert details.hour_cells[19:22].tolist() == [4, 2, 4]
    assert details.hour_cells.sum() == 10
    assert details.hour_speed_mae_kph is not None
    assert details.hour_speed_mae_kph[[19, 20]].tolist() == [(25 + 15 + 5 + 10) / 4, 10]
    assert details.hour_right_share is not None
    assert details.hour_right_share[19:22].tolist() == [0.75, 1, 0.75]
    assert details.segment_cells.tolist() == [10]
    assert details.confidence is None
    assert details.rush_hour_confusion is None
