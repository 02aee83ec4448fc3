"""The scorecard of the toy Tuesday: what each part of it must say."""

from dataclasses import replace
from datetime import date
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from roadgraph.errors import DataError
from roadgraph.network.network import Network
from roadgraph.quality.report import write_quality
from roadgraph.schema import utc_times
from roadgraph.settings import Settings
from roadgraph.verification import worst
from roadgraph.verification.courses import COURSE, COURSE_OF_CITY
from roadgraph.verification.parts_of_day import FIGURES, HORIZON, SEGMENT
from roadgraph.verification.record import record_of
from roadgraph.verification.scorecard import Scorecard, newest_day_to_judge, scorecard_of
from roadgraph.verification.scoring import FORECAST, HISTORICAL_AVERAGE, PERSISTENCE
from roadgraph.verification.verification import verify_day, write_verification
from roadgraph.workspace import Workspace
from tests.quality.toy import (
    MONDAY,
    NETWORK,
    NEXT_MONDAY,
    TUESDAY,
    city,
    waves,
    write_day,
)
from tests.verification.toy import forecast, put, scored_day

LATER = pd.Timestamp("2026-01-20", tz="UTC")


@pytest.fixture(scope="module")
def stored(tmp_path_factory: pytest.TempPathFactory) -> tuple[Settings, Workspace]:
    return scored_day(tmp_path_factory.mktemp("city"), report={"worst": 2})


@pytest.fixture(scope="module")
def scorecard(stored: tuple[Settings, Workspace]) -> Scorecard:
    settings, workspace = stored
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(worst, "LEAST_CELLS", 10)  # an hour of the toy has 12
        return scorecard_of(settings, NETWORK, workspace, TUESDAY)


def test_horizons_are_judged_as_the_verification_judges_them(
    stored: tuple[Settings, Workspace], scorecard: Scorecard
) -> None:
    settings, workspace = stored
    found = verify_day(settings, NETWORK, workspace, TUESDAY)
    expected = found.scores[found.scores["part"] == "all"]
    own = scorecard.table(HORIZON)
    assert own["part"].tolist() == expected["horizon_min"].astype(str).tolist()
    assert own["model"].tolist() == expected["model"].tolist()
    np.testing.assert_allclose(own[["cells", *FIGURES]], expected[["cells", *FIGURES]], rtol=1e-5)
    assert (scorecard.models, scorecard.counts) == (found.models, found.counts)


def test_every_table_has_each_judged_cell_once(scorecard: Scorecard) -> None:
    own = scorecard.scores[scorecard.scores["model"] == FORECAST]
    cells = own.groupby("table")["cells"].sum().drop(SEGMENT)
    assert set(cells.index) == {"horizon", "road class", "time of day", "hour", "district"}
    assert set(cells) == {scorecard.counts["judged"]} == {48 * 2 * 3}
    # The road is 300 m long and a field 100 m wide: A lies in the west, B in the centre.
    districts = own[own["table"] == "district"]["part"].tolist()
    assert districts == ["centre", "east", "west"]


def test_the_worst_segments_have_their_course_over_the_day(scorecard: Scorecard) -> None:
    truth = waves(1)
    said = {"A": 36.0, "B": 30.0, "C": 24.0}
    error = {name: np.abs(truth[:, i] - said[name]).mean() for i, name in enumerate("ABC")}
    order = sorted(error, key=lambda name: -error[name])
    first = scorecard.worst_segments[0]
    assert [each.segment_id for each in scorecard.worst_segments] == order[:2]
    own = scorecard.table(SEGMENT)
    assert own["part"].tolist() == [order[0]] * 3 + [order[1]] * 3
    assert own["speed_mae_kph"].iloc[0] == pytest.approx(error[order[0]], rel=1e-5)
    assert (first.road, first.road_class) == ("", "residential")
    course = first.course
    assert list(course.columns) == list(COURSE)
    assert scorecard.course_min == 15
    place = "ABC".index(order[0])
    np.testing.assert_allclose(course["observed"], truth[:, place], rtol=1e-6)
    # A forecast every half hour says the slice after it; persistence the slice before it.
    np.testing.assert_array_equal(course[FORECAST].notna(), np.arange(96) % 2 == 0)
    assert set(course[FORECAST].dropna()) == {said[order[0]]}
    assert set(course["p90"].dropna() - course["p10"].dropna()) == {10.0}
    np.testing.assert_allclose(
        course[PERSISTENCE].to_numpy()[2::2], truth[1:-1:2, place], rtol=1e-6
    )
    assert set(course[HISTORICAL_AVERAGE]) == {40.0}


def test_the_course_of_the_city_is_the_mean_of_the_judged_cells(scorecard: Scorecard) -> None:
    observed = scorecard.course["observed"].to_numpy()
    np.testing.assert_allclose(observed[::2], waves(1)[::2].mean(axis=1), rtol=1e-6)
    assert np.isnan(observed[1::2]).all()
    assert set(scorecard.course[FORECAST].dropna()) == {30.0}
    # A mean of the segments' quantiles is no quantile of their mean.
    assert list(scorecard.course.columns) == list(COURSE_OF_CITY)


def test_the_worst_hours_name_the_segments_that_the_error_lies_on(scorecard: Scorecard) -> None:
    truth = waves(1).reshape(24, 4, 3)
    # Of each hour four slices are forecast: two 15 and two 30 minutes ahead.
    error = np.abs(truth - [36.0, 30.0, 24.0])
    hour = int(error.mean(axis=(1, 2)).argmax())
    begin = pd.Timestamp("2026-01-06", tz="Asia/Bangkok") + pd.Timedelta(hours=hour)
    found = scorecard.worst_hours[0]
    assert len(scorecard.worst_hours) == 2
    assert pd.Timestamp(found.name) == begin
    of_segment = error[hour].sum(axis=0)
    expected = {"ABC"[place]: of_segment[place] / of_segment.sum() for place in range(3)}
    assert found.segments == pytest.approx(expected, rel=1e-5)
    assert [*found.segments] == sorted(expected, key=lambda name: -expected[name])


def test_an_answer_that_was_held_back_is_a_class_but_no_sure_one(scorecard: Scorecard) -> None:
    # C's class is the likeliest; where all are alike that is the first.
    assert scorecard.confusion.sum() == 48 * 2 * 3
    sure = scorecard.reliability[scorecard.reliability["horizon_min"] == 0]
    assert sure["cells"].sum() == 48 * 2 * 2
    assert scorecard.held_back == 48 * 2  # all of C's


def test_gains_are_those_of_the_table_of_horizons(scorecard: Scorecard) -> None:
    assert [(each.horizon_min, each.figure, each.hours) for each in scorecard.gains] == [
        (15, "speed_mae_kph", 24),
        (15, "macro_f1", 24),
        (30, "speed_mae_kph", 24),
        (30, "macro_f1", 24),
    ]
    rows = scorecard.table(HORIZON).set_index(["part", "model"])
    for each in scorecard.gains:
        figures = rows[each.figure][str(each.horizon_min)]
        assert each.own == pytest.approx(figures[FORECAST], rel=1e-6)
        assert each.other == pytest.approx(figures[each.baseline], rel=1e-6)
        assert each.low <= each.gain <= each.high


def test_a_network_without_geometry_has_neither_map_nor_districts(
    stored: tuple[Settings, Workspace],
) -> None:
    settings, workspace = stored
    bare = NETWORK.segments.set_geometry([None] * 3, crs=NETWORK.segments.crs)
    network = Network(bare[NETWORK.segments.columns], NETWORK.links)
    found = scorecard_of(settings, network, workspace, TUESDAY)
    assert found.network is None
    assert "district" not in set(found.scores["table"])
    assert {each.district for each in found.worst_segments} == {""}
    assert len(found.table(HORIZON)) == 6


def test_districts_that_cannot_be_used_are_refused(stored: tuple[Settings, Workspace]) -> None:
    settings, workspace = stored
    wrong = replace(settings, report=replace(settings.report, districts="gone.gpkg"))
    with pytest.raises(DataError, match=r"districts gone\.gpkg are missing"):
        scorecard_of(wrong, NETWORK, workspace, TUESDAY)


def test_a_day_without_forecasts_has_a_reason(stored: tuple[Settings, Workspace]) -> None:
    settings, workspace = stored
    found = scorecard_of(settings, NETWORK, workspace, date(2026, 1, 9))
    assert found.reason == "no forecast was issued for 2026-01-09"
    assert found.scores.empty
    assert found.worst_segments == ()


def test_a_day_whose_forecasts_cannot_be_judged_has_a_reason(tmp_path: Path) -> None:
    settings, workspace = city(tmp_path)
    write_day(settings, MONDAY, 40.0)
    write_day(settings, TUESDAY, 40.0)
    said = forecast("2026-01-06T07:00", [[30.0] * 3], [["moderate"] * 3])
    put(settings, said, seen_until="2026-01-10T00:00:00+00:00")
    found = scorecard_of(settings, NETWORK, workspace, TUESDAY)
    assert found.reason.startswith("no forecast of 2026-01-06 can be judged (judged 0")
    assert found.counts["seen"] == 3
    assert found.scores.empty


def test_forecasts_in_hindsight_are_counted_and_those_that_do_not_say(tmp_path: Path) -> None:
    settings, workspace = city(tmp_path)
    write_day(settings, MONDAY, 40.0)
    write_day(settings, TUESDAY, 40.0)
    for time, hindsight in (("07:00", False), ("07:15", True), ("07:30", None)):
        said = forecast(f"2026-01-06T{time}", [[30.0] * 3], [["moderate"] * 3])
        put(settings, said, hindsight=hindsight)
    found = scorecard_of(settings, NETWORK, workspace, TUESDAY)
    assert (found.counts["judged"], found.hindsight) == (9, 6)


def test_the_course_of_a_segment_has_slices_of_the_length_of_now_alone(tmp_path: Path) -> None:
    settings, workspace = city(tmp_path, report={"worst": 3})
    write_day(settings, MONDAY, 40.0)
    write_day(settings, TUESDAY, 40.0)
    for time in pd.date_range("2026-01-06T07:00", periods=20, freq="15min"):
        put(settings, forecast(str(time), [[30.0] * 3], [["moderate"] * 3]))
    # 15 minutes ahead of 12:00, but of a slice of 30 minutes that begins at 11:45.
    early = utc_times(pd.DatetimeIndex(["2026-01-06T04:45Z"] * 3))
    long = forecast("2026-01-06T12:00", [[9.0] * 3], [["moderate"] * 3], slice_start=early)
    put(settings, long)
    found = scorecard_of(settings, NETWORK, workspace, TUESDAY)
    assert found.counts["other_length"] == 3
    assert {len(each.course) for each in found.worst_segments} == {96}
    assert {speed for each in found.worst_segments for speed in each.course[FORECAST].dropna()} == {
        30.0
    }


def test_the_newest_day_to_judge_is_over_observed_and_was_forecast(
    stored: tuple[Settings, Workspace],
) -> None:
    settings, workspace = stored
    assert newest_day_to_judge(settings, workspace, LATER) == TUESDAY
    # Monday has slices, but nothing was forecast for it; Tuesday ends at 17:00 UTC.
    at_noon = pd.Timestamp("2026-01-06T12:00Z")
    assert newest_day_to_judge(settings, workspace, at_noon) is None
    assert newest_day_to_judge(settings, workspace) == TUESDAY


def test_a_later_day_without_forecasts_or_observations_is_passed_over(tmp_path: Path) -> None:
    settings, workspace = city(tmp_path)
    write_day(settings, MONDAY, 40.0)
    write_day(settings, TUESDAY, np.full((96, 3), np.nan))
    write_day(settings, NEXT_MONDAY, 40.0)
    for day in (MONDAY, TUESDAY):
        said = forecast(f"{day}T07:00", [[30.0] * 3], [["moderate"] * 3])
        put(settings, said, seen_until="2026-01-01T00:00:00+00:00")
    assert newest_day_to_judge(settings, workspace, LATER) == MONDAY


def test_the_record_says_what_is_not_stored_and_what_makes_it(tmp_path: Path) -> None:
    settings, workspace = city(tmp_path)
    write_day(settings, MONDAY, waves(0))
    write_day(settings, TUESDAY, waves(1))
    put(settings, forecast("2026-01-06T07:00", [[30.0] * 3], [["moderate"] * 3]))
    missing = record_of(settings, workspace, TUESDAY).missing
    for step, text in zip(("quality", "evaluation", "evaluation"), missing, strict=True):
        assert f"`roadgraph run --steps {step} --from " in text
    write_quality(settings, NETWORK, workspace, TUESDAY)
    write_verification(settings, NETWORK, workspace, MONDAY)
    write_verification(settings, NETWORK, workspace, TUESDAY)
    record = record_of(settings, workspace, TUESDAY)
    # Of Monday there is a verification, but it had nothing to judge.
    assert [text.partition(" is stored")[0] for text in record.missing] == [
        "No verification of the 4 weeks before 2026-01-06"
    ]
    assert [check.name for check in record.checks] == [
        "account", "coverage", "feature_drift", "error_drift",
    ]  # fmt: skip
    assert record.reference == "2026-01-05 (workday)"
    assert {each.name for each in record.drift} >= {"mean_speed", "coverage by segment"}
    assert set(record.errors["day"]) == {TUESDAY}
    assert record.outdated == ()
    write_day(settings, MONDAY, waves(0, 0.5))
    assert record_of(settings, workspace, TUESDAY).outdated == (TUESDAY,)
