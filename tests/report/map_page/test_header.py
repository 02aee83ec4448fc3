from __future__ import annotations

import json
from typing import TYPE_CHECKING
from zoneinfo import ZoneInfo

import pandas as pd
import pyarrow as pa
import pytest

from roadgraph.errors import DataError
from roadgraph.predict.observations import Observations
from roadgraph.report.map_page.budget import Detail
from roadgraph.report.map_page.forecasts import Issue, issue_of
from roadgraph.report.map_page.header import (
    OPENSTREETMAP,
    attribution_of,
    classes_of,
    congestion_rule,
    notes_of,
    times_of,
    too_large_note,
)
from roadgraph.report.map_page.history import MapHistory, history_of
from roadgraph.settings import LabelsSettings
from tests.report.map_page.toy import MADE, SEVEN, forecast, map_settings, slices

if TYPE_CHECKING:
    from pathlib import Path

BANGKOK = ZoneInfo("Asia/Bangkok")
BERLIN = ZoneInfo("Europe/Berlin")
IDS = pa.array(["A", "B", "C"])
FINE = Detail(1.0, 0)


def issue(time: pd.Timestamp = SEVEN, **options: list) -> Issue:
    return issue_of(forecast(time, **options), IDS, "toy")


def seen(issues: list[Issue], *minutes: int) -> MapHistory:
    table = slices(("A", minute, 30.0) for minute in minutes)
    return history_of(Observations.of(table, IDS, 15), issues)


def test_times_are_the_citys_for_people_and_utc_for_programs() -> None:
    issues = [issue()]
    times = times_of(issues, seen(issues, 0, 15), MADE, BANGKOK)
    assert times["timezone"] == "Asia/Bangkok"
    assert times["made"] == "2026-01-05T09:30:00+07:00"
    assert times["issued_at"] == [
        {"utc": "2026-01-05T00:00:00Z", "local": "Mon 05 Jan 2026, 07:00"}
    ]
    assert times["targets"] == [
        [{"from": "07:00", "to": "07:15"}, {"from": "07:15", "to": "07:30"}]
    ]
    assert times["horizons_min"] == [15, 30]
    assert times["slice_minutes"] == 15
    assert times["issued_ms"] == [1_767_571_200_000]
    assert times["history_start_ms"] == 1_767_571_200_000 - 24 * 3_600_000


def test_a_target_on_another_day_is_told_with_its_weekday() -> None:
    late = [issue(pd.Timestamp("2026-01-05T16:45Z"))]  # 23:45 in Bangkok
    (targets,) = times_of(late, history_of(None, late), MADE, BANGKOK)["targets"]
    assert targets[0] == {"from": "23:45", "to": "Tue 00:00"}
    assert targets[1] == {"from": "Tue 00:00", "to": "Tue 00:15"}


def test_times_follow_daylight_saving() -> None:
    """In Berlin the clock went from 02:00 to 03:00 on 29 March 2026, at 01:00 UTC."""
    issued = [issue(pd.Timestamp("2026-03-29T01:00Z"))]
    after = int((issued[0].issued_at - SEVEN) / pd.Timedelta("1min"))
    times = times_of(issued, seen(issued, after, after + 15), MADE, BERLIN)
    assert times["issued_at"][0]["local"] == "Sun 29 Mar 2026, 03:00"
    before = [issue(pd.Timestamp("2026-03-29T00:45Z"))]
    (targets,) = times_of(before, history_of(None, before), MADE, BERLIN)["targets"]
    assert targets == [{"from": "01:45", "to": "03:00"}, {"from": "03:00", "to": "03:15"}]


def test_the_hour_that_comes_twice_is_told_with_the_zones_name_of_then() -> None:
    """In Berlin the clock went back from 03:00 to 02:00 on 25 October 2026, at 01:00 UTC."""
    issues = [issue(pd.Timestamp("2026-10-25T00:30Z")), issue(pd.Timestamp("2026-10-25T00:45Z"))]
    times = times_of(issues, history_of(None, issues), MADE, BERLIN)
    assert [each["local"] for each in times["issued_at"]] == [
        "Sun 25 Oct 2026, 02:30 CEST", "Sun 25 Oct 2026, 02:45 CEST",
    ]  # fmt: skip
    assert times["targets"][0] == [
        {"from": "02:30 CEST", "to": "02:45 CEST"}, {"from": "02:45 CEST", "to": "02:00 CET"},
    ]  # fmt: skip
    assert times["targets"][1][-1]["to"] == "02:15 CET"


def test_classes_have_names_titles_and_colours() -> None:
    assert classes_of()[0] == {"name": "gridlock", "title": "gridlock", "colour": "#7a0403"}
    assert [known["title"] for known in classes_of()][-1] == "free flow"


@pytest.mark.parametrize(
    ("labels", "unit", "rule"),
    [
        (
            LabelsSettings(),
            "km/h",
            "gridlock below 25 % of free flow, congested from there to 50 % of free flow, "
            "moderate to 75 % of free flow, free flow from there on",
        ),
        (
            LabelsSettings(congestion="absolute", absolute_cuts_kph=(8.04672, 16.09344, 40.2336)),
            "mph",
            "gridlock below 5 mph, congested from there to 10 mph, moderate to 25 mph, free flow "
            "from there on",
        ),
        (
            LabelsSettings(congestion="traffic4cast"),
            "km/h",
            "Traffic4cast's rule: congested below 40 % of free flow with at least 5 probes, "
            "moderate below 80 % with at least 3, otherwise free flow",
        ),
    ],
)
def test_rule_of_the_classes_is_told_in_words(labels: LabelsSettings, unit: str, rule: str) -> None:
    assert congestion_rule(labels, unit) == rule


def notes(
    issues: list[Issue],
    there_are: int = 1,
    detail: Detail = FINE,
    history: MapHistory | None = None,
    **groups: dict,
) -> list[str]:
    history = seen(issues, 0) if history is None else history
    return notes_of(map_settings(**groups), issues, there_are, history, detail, 0.5)


def test_rounding_and_simplified_lines_are_told() -> None:
    assert notes([issue()]) == [
        "Lines are simplified by up to 1 m, and their points lie on a grid of 0.1 m. Probabilities "
        "are rounded to 0.5 %, speeds to 0.5 km/h; none is shown above 127 km/h."
    ]
    (miles,) = notes([issue()], city={"speed_unit": "mph"})
    assert miles.endswith("speeds to 0.31 mph; none is shown above 79 mph.")


def test_what_was_left_out_is_told() -> None:
    later = issue(SEVEN + pd.Timedelta("15min"), segments=["B"])
    first, second, third, _ = notes([issue(), later], 9, Detail(5.0, 30))
    assert first.startswith("2 of 9 times of issue, evenly spread, are on the page, so that it ")
    assert second == "2 of 3 segments have no answer in the newest forecast."
    assert "every 30 minutes alone" in third
    (alone, _) = notes([issue()], 9)
    assert alone.startswith("The newest alone of 9 times of issue is on the page")


def test_nothing_observed_is_told() -> None:
    issues = [issue()]
    assert notes(issues, history=history_of(None, issues))[0] == (
        "Nothing is known of what was observed at these times."
    )


def test_rush_hour_by_the_clock_is_told() -> None:
    assert notes([issue()], labels={"rush_hour": "clock"})[0] == (
        "Rush hour is a matter of the clock here, not of the traffic."
    )


def test_a_page_larger_than_asked_says_so() -> None:
    assert too_large_note(map_settings(), 100_000) == (
        "One forecast of 100,000 segments does not fit into 9.5 MB (report.page_mb): the page is "
        "larger than asked."
    )


@pytest.mark.parametrize(
    ("kind", "owed"), [("osm", OPENSTREETMAP), ("graphml", OPENSTREETMAP), ("gis", "")]
)
def test_roads_of_openstreetmap_are_owed_to_its_contributors(
    kind: str, owed: str, tmp_path: Path
) -> None:
    (tmp_path / "network.json").write_text(json.dumps({"kind": kind}))
    assert attribution_of(tmp_path) == owed


def test_roads_without_an_account_are_owed_to_nobody_known(tmp_path: Path) -> None:
    assert attribution_of(tmp_path) == ""


def test_damaged_account_is_refused(tmp_path: Path) -> None:
    (tmp_path / "network.json").write_text("{")
    with pytest.raises(DataError, match=r"network\.json is damaged"):
        attribution_of(tmp_path)
