import pandas as pd

from roadgraph.report.scorecard_page.tables import (
    by_importance,
    scorecard_csv,
    shown_parts,
    verdicts_of_horizons,
    worst_first,
)
from roadgraph.settings import CitySettings
from roadgraph.verification.parts_of_day import COLUMNS, RELIABILITY
from roadgraph.verification.scorecard import Scorecard
from tests.report.scorecard_page.toy import (
    DAY,
    NAN,
    class_gain,
    part,
    record,
    scorecard,
    speed_gain,
)

CITY = CitySettings()


def test_a_row_holds_a_part_and_marks_the_best_of_the_three() -> None:
    scores = pd.concat(
        [
            part("district", "Dusit"),
            part("district", "Din Daeng", (11.0, 12.0, 10.0), (0.3, 0.3, 0.2)),
            part("district", "Sathon", (10.01, 12.0, 10.0)),
        ]
    )
    found = shown_parts(scores, "district", CITY)
    assert found.to_numpy().tolist() == [
        ["Dusit", "1,000", "**8.00**", "12.00", "10.00", "**0.500**", "0.300", "0.400", "0.790",
         "better by 20%"],
        # Two are alike, so neither is marked.
        ["Din Daeng", "1,000", "11.00", "12.00", "**10.00**", "0.300", "0.300", "0.200", "0.790",
         "worse by 10%"],
        ["Sathon", "1,000", "10.01", "12.00", "**10.00**", "**0.500**", "0.300", "0.400", "0.790",
         "tie"],
    ]  # fmt: skip
    assert list(found.columns)[:5] == [
        "district", "cells", "speed MAE, km/h", "speed MAE of persistence", "speed MAE of average",
    ]  # fmt: skip


def test_a_part_with_few_cells_says_so_and_has_nothing_marked() -> None:
    found = shown_parts(part("district", "Dusit", cells=199), "district", CITY)
    assert found["verdict"].tolist() == ["few cells"]
    assert found["speed MAE, km/h"].tolist() == ["8.00"]
    told = shown_parts(part("segment", "A", cells=20), "segment", CITY, {"A": "A, Rama IV"}, 20)
    assert told[["segment", "verdict"]].to_numpy().tolist() == [["A, Rama IV", "better by 20%"]]


def test_a_figure_that_no_one_has_is_left_out_and_the_verdict_goes_by_the_other() -> None:
    nothing = (NAN, NAN, NAN)
    classes = shown_parts(
        part("horizon", "15", nothing, interval_coverage=NAN), "minutes ahead", CITY
    )
    assert list(classes.columns) == [
        "minutes ahead", "cells", "macro F1", "macro F1 of persistence", "macro F1 of average",
        "verdict",
    ]  # fmt: skip
    assert classes["verdict"].tolist() == ["better by 0.100"]
    neither = part("horizon", "15", nothing, nothing)
    assert shown_parts(neither, "minutes", CITY)["verdict"].tolist() == ["-"]


def test_speeds_are_shown_in_the_citys_unit() -> None:
    mph = CitySettings(speed_unit="mph")
    found = shown_parts(part("horizon", "15", (1.609344, 8.0, 8.0)), "minutes", mph)
    assert found["speed MAE, mph"].tolist() == ["**1.0000**"]


def test_the_verdict_of_a_horizon_goes_by_chance() -> None:
    gains = [
        speed_gain(15, 8.0, 0.15, 0.25),
        class_gain(15, 0.2, -0.3, -0.1),  # the speed is told
        speed_gain(30, 8.0, -0.1, 0.4),
        class_gain(45, 0.2, -0.3, -0.1),
        speed_gain(60, 8.0, NAN, NAN, hours=5),
    ]
    verdicts = verdicts_of_horizons(gains)
    assert verdicts == {
        "15": "better by 20%", "30": "tie", "45": "worse by 0.200", "60": "few hours",
    }  # fmt: skip
    scores = pd.concat([part("horizon", "30"), part("horizon", "60", cells=199)])
    found = shown_parts(scores, "minutes", CITY, verdicts=verdicts)
    assert found["verdict"].tolist() == ["tie", "few cells"]


def test_important_roads_and_the_worst_districts_come_first() -> None:
    roads = pd.concat([part("road class", name) for name in ("service", "detector", "primary")])
    assert by_importance(roads)["part"].unique().tolist() == ["primary", "service", "detector"]
    places = pd.concat(
        [
            part("district", "few", (99.0, 1.0, 1.0), cells=10),
            part("district", "good"),
            part("district", "bad", (20.0, 1.0, 1.0)),
        ]
    )
    assert worst_first(places)["part"].unique().tolist() == ["bad", "good", "few"]


def test_the_table_for_programs_has_all_tables_in_plain_units() -> None:
    bins = pd.DataFrame(
        [[0, 0.8, 0.9, 0.84, 0.5, 2], [15, 0.8, 0.9, NAN, NAN, 0]], columns=RELIABILITY
    )
    scores = pd.concat([part("horizon", "15"), part("hour", "2026-01-17T23:00Z")])
    found = scorecard_csv(Scorecard(DAY, "", record(), scores=scores, reliability=bins))
    assert list(found.columns) == [
        "day", "table", "part", "horizon_min", "model", "cells", *COLUMNS[4:], "confidence",
    ]  # fmt: skip
    assert found["table"].tolist() == ["horizon"] * 3 + ["hour"] * 3 + ["reliability"] * 2
    assert set(found["day"]) == {"2026-01-18"}
    last = found.iloc[-2]
    assert (last["part"], last["horizon_min"], last["model"]) == ("0.8-0.9", 0, "forecast")
    assert (last["cells"], last["accuracy"], last["confidence"]) == (2, 0.5, 0.84)
    assert found["horizon_min"].isna().sum() == 6


def test_the_table_of_a_day_without_anything_to_judge_has_its_columns() -> None:
    found = scorecard_csv(Scorecard(DAY, "no forecast was issued", record()))
    assert found.empty
    assert list(found.columns) == list(scorecard_csv(scorecard(part("horizon", "15"))).columns)
