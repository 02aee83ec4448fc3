from zoneinfo import ZoneInfo

import numpy as np
import pandas as pd
import pytest

from roadgraph.dataset.history import LEAST_SEGMENTS
from roadgraph.dataset.labels import (
    congestion_classes,
    free_flow_kph,
    rush_hours,
    unseen_free_flow_kph,
)
from roadgraph.schema import NO_LABEL
from roadgraph.settings import LabelsSettings

ANY_COUNT = np.array([[1]])


@pytest.mark.parametrize(
    ("speed_kph", "expected"),
    [(0.0, 0), (9.99, 0), (10.0, 1), (19.99, 1), (20.0, 2), (29.99, 2), (30.0, 3), (60.0, 3)],
)
def test_relative_classes_at_their_cuts(speed_kph: float, expected: int) -> None:
    speed = np.array([[speed_kph]], dtype=np.float32)
    classes = congestion_classes(speed, np.array([40.0]), ANY_COUNT, LabelsSettings())
    assert classes.item() == expected


@pytest.mark.parametrize(
    ("speed_kph", "expected"), [(9.9, 0), (10.0, 1), (20.0, 2), (34.9, 2), (35.0, 3)]
)
def test_absolute_classes_at_their_cuts_whatever_free_flow_is(
    speed_kph: float, expected: int
) -> None:
    settings = LabelsSettings(congestion="absolute")
    speed = np.array([[speed_kph]])
    assert congestion_classes(speed, np.array([500.0]), ANY_COUNT, settings).item() == expected


@pytest.mark.parametrize(
    ("speed_kph", "probes", "expected"),
    [
        (39, 5, 1),  # below 0.4 with 5 probes: congested
        (39, 4, 2),  # too few for that, but enough for below 0.8
        (40, 5, 2),  # 0.4 is not below 0.4
        (79, 3, 2),
        (79, 2, 3),  # too few: free with at least 1
        (80, 9, 3),
        (10, 1, 3),
        (10, 0, NO_LABEL),  # none seen: undefined
    ],
)
def test_traffic4cast_rule(speed_kph: float, probes: int, expected: int) -> None:
    settings = LabelsSettings(congestion="traffic4cast")
    classes = congestion_classes(
        np.array([[float(speed_kph)]]), np.array([100.0]), np.array([[probes]]), settings
    )
    assert classes.item() == expected


def test_a_cell_without_observation_has_no_label() -> None:
    speed = np.array([[np.nan, 40.0]])
    classes = congestion_classes(speed, np.array([40.0, 40.0]), np.ones((1, 2)), LabelsSettings())
    np.testing.assert_array_equal(classes, [[NO_LABEL, 3]])


ONE_CLASS = np.array(["residential"] * 3)


def test_free_flow_is_the_85th_percentile_of_the_segments_speeds() -> None:
    speed = np.arange(0.0, 101.0)[:, None]  # 0, 1, ... 100: the 85th percentile is 85
    assert free_flow_kph(
        speed, np.array([50.0]), ONE_CLASS[:1], LabelsSettings()
    ).item() == pytest.approx(85)


def test_free_flow_is_never_below_60_percent_of_the_limit() -> None:
    speed = np.full((10, 1), 12.0)
    assert free_flow_kph(speed, np.array([50.0]), ONE_CLASS[:1], LabelsSettings()).item() == 30


def test_free_flow_without_a_limit_is_the_percentile_alone() -> None:
    speed = np.full((10, 1), 12.0)
    assert free_flow_kph(speed, np.array([np.nan]), ONE_CLASS[:1], LabelsSettings()).item() == 12


def test_free_flow_of_a_segment_never_seen_is_its_limit_times_its_class_share_of_it() -> None:
    seen, never = [40.0] * LEAST_SEGMENTS, [np.nan] * 2
    speed = np.array([[*seen, *never, 60.0, 60.0, np.nan]])
    limit = np.array([50.0] * LEAST_SEGMENTS + [70.0, np.nan, 50.0, 50.0, 100.0])
    road_class = np.array(["residential"] * (LEAST_SEGMENTS + 2) + ["primary"] * 2 + ["trunk"])
    flow = free_flow_kph(speed, limit, road_class, LabelsSettings())
    # residential drives at 0.8 of the limit, as does the middle one of all; one has no limit
    np.testing.assert_allclose(flow, [*seen, 56, 40, 60, 60, 80])


def test_free_flow_of_a_class_of_few_is_that_of_all_classes() -> None:
    flow = np.array([40.0] * LEAST_SEGMENTS + [90.0] * (LEAST_SEGMENTS - 1))
    road_class = np.array(["residential"] * LEAST_SEGMENTS + ["trunk"] * (LEAST_SEGMENTS - 1))
    unseen = unseen_free_flow_kph(flow, np.full(len(flow), 50.0), road_class)
    np.testing.assert_allclose(unseen, 40)
    enough = unseen_free_flow_kph(
        np.append(flow, 90.0), np.full(len(flow) + 1, 50.0), np.append(road_class, "trunk")
    )
    np.testing.assert_allclose(enough, [40.0] * LEAST_SEGMENTS + [90.0] * LEAST_SEGMENTS)


def test_unseen_free_flow_is_the_same_share_of_the_limit_for_all_of_a_class() -> None:
    flow = unseen_free_flow_kph(
        np.array([40.0, 60.0, np.nan]), np.array([50.0, 50.0, 30.0]), ONE_CLASS
    )
    np.testing.assert_allclose(flow, [50, 50, 30])


def test_free_flow_where_nothing_is_known_is_a_towns_limit() -> None:
    flow = free_flow_kph(
        np.full((2, 1), np.nan), np.array([np.nan]), ONE_CLASS[:1], LabelsSettings()
    )
    assert flow.item() == 50


def slices(*texts: str) -> pd.DatetimeIndex:
    return pd.DatetimeIndex([pd.Timestamp(text, tz="UTC") for text in texts])


def test_observed_rush_hour_is_a_share_of_slow_segments_above_the_threshold() -> None:
    settings = LabelsSettings(rush_hour_share=0.25)
    congestion = np.array(
        [
            [0, 3, 3, 3],  # 1 of 4 is 25 %: not above
            [0, 1, 3, 3],  # 2 of 4
            [1, 3, 2, NO_LABEL],  # 1 of 3 that were seen
            [NO_LABEL] * 4,
        ]
    )
    times = slices(*["2026-01-05T00:00"] * 4)
    rush = rush_hours(congestion, times, ZoneInfo("UTC"), settings)
    np.testing.assert_array_equal(rush, [0, 1, 1, NO_LABEL])


def test_clock_rush_hour_is_by_local_weekday_hours_with_an_open_end() -> None:
    settings = LabelsSettings(rush_hour="clock", rush_hour_clock=((7.0, 9.0),))
    # Bangkok is UTC+7: 23:45 UTC on Sunday is 06:45 on Monday.
    times = slices(
        "2026-01-04T23:45", "2026-01-05T00:00", "2026-01-05T01:45", "2026-01-05T02:00",
        "2026-01-10T00:30",
    )  # fmt: skip
    rush = rush_hours(np.zeros((5, 1)), times, ZoneInfo("Asia/Bangkok"), settings)
    np.testing.assert_array_equal(rush, [0, 1, 1, 0, 0])  # the last is a Saturday
