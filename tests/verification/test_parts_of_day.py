from zoneinfo import ZoneInfo

import numpy as np
import pandas as pd
import pytest

from roadgraph.evaluation.details import BINS
from roadgraph.schema import NO_LABEL
from roadgraph.verification import parts_of_day
from roadgraph.verification.judged import FORECASTERS, Judged
from roadgraph.verification.parts_of_day import (
    COLUMNS,
    DISTRICT,
    confusion_of,
    hour_names,
    reliability_by_horizon,
    scores_by_district,
    scores_by_horizon,
    scores_by_hour,
    scores_by_road_class,
    scores_by_time_of_day,
    scores_of_parts,
)
from roadgraph.verification.scoring import FORECAST, HISTORICAL_AVERAGE, PERSISTENCE

NAN = np.nan
BANGKOK, BERLIN = ZoneInfo("Asia/Bangkok"), ZoneInfo("Europe/Berlin")

JUDGED = Judged(
    horizon_min=np.array([15, 15, 30, 30]),
    targets=np.array([0, 1, 0, 1]),
    segments=np.array([0, 1, 1, 2]),
    label=np.array([0, 3, 3, NO_LABEL], dtype=np.int8),
    answer={
        FORECAST: np.array([0, 3, 0, 0], dtype=np.int8),
        PERSISTENCE: np.array([3, 3, 3, 3], dtype=np.int8),
        HISTORICAL_AVERAGE: np.array([0, 0, 0, 0], dtype=np.int8),
    },
    confidence=np.array([0.9, 0.8, 0.88, NAN], dtype=np.float32),
    error_kph={
        FORECAST: np.array([2.0, 4.0, 6.0, NAN]),
        PERSISTENCE: np.array([1.0, 1.0, 1.0, NAN]),
        HISTORICAL_AVERAGE: np.array([8.0, 8.0, 2.0, NAN]),
    },
    within=np.array([1.0, 0.0, NAN, NAN]),
    width_kph=np.array([10.0, 20.0, NAN, NAN]),
)
"""Four cells: the last is judged by no one, the third has no interval."""


def rows(table: pd.DataFrame, column: str) -> dict[tuple[str, str], float]:
    return dict(zip(zip(table["part"], table["model"], strict=True), table[column], strict=True))


def test_a_part_is_scored_on_its_own_cells() -> None:
    found = scores_of_parts(JUDGED, DISTRICT, ["a", "nobody", "b"], np.array([0, 0, 0, 2]))
    assert list(found.columns) == COLUMNS
    assert found["model"].tolist() == [*FORECASTERS, *FORECASTERS]
    assert found["part"].tolist() == ["a"] * 3 + ["b"] * 3  # no row without a cell
    assert found["cells"].tolist() == [3] * 3 + [1] * 3
    assert rows(found, "speed_mae_kph") == pytest.approx(
        {
            ("a", FORECAST): 4, ("a", PERSISTENCE): 1, ("a", HISTORICAL_AVERAGE): 6,
            ("b", FORECAST): NAN, ("b", PERSISTENCE): NAN, ("b", HISTORICAL_AVERAGE): NAN,
        },
        nan_ok=True,
    )  # fmt: skip
    # Of gridlock 1 of 2 answers and the one label are right, of free flow the one answer of 2.
    assert rows(found, "macro_f1")["a", FORECAST] == pytest.approx(2 / 3)
    assert rows(found, "accuracy")["a", HISTORICAL_AVERAGE] == pytest.approx(1 / 3)
    assert rows(found, "interval_coverage")["a", FORECAST] == 0.5
    assert rows(found, "interval_width_kph")["a", FORECAST] == 15
    assert np.isnan(rows(found, "interval_coverage")["a", PERSISTENCE])


def test_cells_of_no_part_count_nowhere() -> None:
    found = scores_of_parts(JUDGED, DISTRICT, ["a"], np.array([-1, 0, -1, -1]))
    assert rows(found, "speed_mae_kph")["a", FORECAST] == 4
    assert found["cells"].tolist() == [1, 1, 1]


def test_horizons_road_classes_and_districts_are_parts_by_their_names() -> None:
    assert rows(scores_by_horizon(JUDGED), "speed_mae_kph")["15", FORECAST] == 3
    names = np.array(["primary", "service", "primary"])
    by_class = scores_by_road_class(JUDGED, names)
    assert by_class["part"].unique().tolist() == ["primary", "service"]
    assert rows(by_class, "speed_mae_kph")["service", FORECAST] == 5
    assert set(scores_by_district(JUDGED, names)["table"]) == {"district"}


def test_times_of_day_and_hours_go_by_the_local_clock() -> None:
    # 06:45 and 07:00 in Bangkok; 10:00 would be midday.
    starts = pd.DatetimeIndex(["2026-01-05T23:45Z", "2026-01-06T00:00Z"])
    assert scores_by_time_of_day(JUDGED, starts, BANGKOK)["part"].unique().tolist() == [
        "morning 6-10"
    ]
    later = starts + pd.Timedelta(hours=3)
    by_time = scores_by_time_of_day(JUDGED, later, BANGKOK)
    assert by_time["part"].unique().tolist() == ["morning 6-10", "midday 10-16"]
    by_hour = scores_by_hour(JUDGED, starts, BANGKOK)
    assert by_hour["part"].unique().tolist() == ["2026-01-05T23:00Z", "2026-01-06T00:00Z"]
    assert by_hour["cells"].tolist() == [2] * 6


def test_an_hour_that_the_clock_has_twice_is_two_hours() -> None:
    starts = pd.date_range("2026-10-24T23:00Z", periods=5, freq="h")  # 01:00, 02:00, 02:00, ...
    assert len(set(hour_names(starts, BERLIN))) == 5
    half = pd.DatetimeIndex(["2026-01-05T23:30Z"])  # 05:00 in Kolkata
    assert hour_names(half, ZoneInfo("Asia/Kolkata")).tolist() == ["2026-01-05T23:30Z"]


def test_reliability_is_told_of_each_horizon_and_of_all() -> None:
    found = reliability_by_horizon(JUDGED)
    assert found["horizon_min"].unique().tolist() == [0, 15, 30]
    top = found[(found["low"] == 0.8) & (found["horizon_min"] == 0)].iloc[0]
    assert (top["cells"], top["right_share"], top["high"]) == (2, 0.5, 0.9)
    assert top["confidence"] == pytest.approx(0.84)
    assert found.groupby("horizon_min")["cells"].sum().tolist() == [3, 2, 1]


def test_a_model_of_the_newest_slice_has_its_reliability_once() -> None:
    estimates = Judged(**{**vars(JUDGED), "horizon_min": np.zeros(4, dtype=int)})
    found = reliability_by_horizon(estimates)
    assert len(found) == BINS
    assert (set(found["horizon_min"]), found["cells"].sum()) == ({0}, 3)


def test_without_probabilities_there_is_no_reliability() -> None:
    silent = Judged(**{**vars(JUDGED), "confidence": np.full(4, NAN)})
    found = reliability_by_horizon(silent)
    assert found.empty
    assert list(found.columns) == parts_of_day.RELIABILITY


def test_the_confusion_is_that_of_labelled_cells() -> None:
    expected = np.zeros((4, 4))
    expected[0, 0], expected[3, 3], expected[3, 0] = 1, 1, 1
    np.testing.assert_array_equal(confusion_of(JUDGED), expected)
