import math
from datetime import UTC, datetime, timedelta

import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from polars.testing import assert_frame_equal
from pyproj import Geod

from roadgraph.probes.clean import EARTH_RADIUS_M, Box, clean_fixes, distance_m
from roadgraph.schema import FIXES
from roadgraph.settings import ProbesSettings
from tests.toy import drive, fix, fixes_table, point, straight_network

SETTINGS = ProbesSettings()
BOX = Box(*(float(value) for value in straight_network().segments.total_bounds))
RULES = (
    "no_vehicle", "bad_time", "bad_position", "bad_speed", "outside_network", "duplicate", "parked",
)  # fmt: skip


def refused(*rows: dict[str, object], options: ProbesSettings = SETTINGS) -> dict[str, int]:
    clean = clean_fixes(fixes_table(rows), BOX, options)
    assert len(clean.fixes) + sum(clean.refused.values()) == len(rows)
    return clean.refused


def standing(
    minutes: int, speed_kph: float | None = 0.0, every_s: int = 60, jitter_m: float = 0.0
) -> list[dict[str, object]]:
    """Return the fixes of a vehicle that stands at 50 m, scattered by ``jitter_m``."""
    count = minutes * 60 // every_s + 1
    return [
        fix("v1", every_s * i, 50 + (jitter_m if i % 2 else 0), 0, speed_kph) for i in range(count)
    ]


def test_good_fixes_are_all_kept_sorted_by_vehicle_and_time() -> None:
    later, earlier = drive("v2"), drive("v1")
    clean = clean_fixes(pl.concat([later, earlier.reverse()]), BOX, SETTINGS)
    assert clean.refused == {}
    assert_frame_equal(clean.fixes, pl.concat([earlier, later]))


@pytest.mark.parametrize(
    ("row", "rule"),
    [
        (fix(None), "no_vehicle"),
        (fix(timestamp=None), "bad_time"),
        (fix(lat=None), "bad_position"),
        (fix(lon=None), "bad_position"),
        (fix(lat=math.nan), "bad_position"),
        (fix(lon=math.nan), "bad_position"),
        (fix(lat=math.inf), "bad_position"),
        (fix(lat=90.1), "bad_position"),
        (fix(lat=-90.1), "bad_position"),
        (fix(lon=180.1), "bad_position"),
        (fix(lon=-180.1), "bad_position"),
        (fix(lat=0.0, lon=0.0), "bad_position"),
        (fix(speed_kph=-0.1), "bad_speed"),
        (fix(speed_kph=200.1), "bad_speed"),
        (fix(speed_kph=math.inf), "bad_speed"),
        (fix(lat=0.0), "outside_network"),
        (fix(north_m=505), "outside_network"),
        (fix(north_m=-505), "outside_network"),
        (fix(east_m=-505), "outside_network"),
        (fix(east_m=805), "outside_network"),
    ],
)
def test_a_fix_that_breaks_a_rule_is_refused_under_its_name(
    row: dict[str, object], rule: str
) -> None:
    assert refused(fix(after_s=60), row) == {rule: 1}


@pytest.mark.parametrize(
    "row",
    [
        fix(speed_kph=None),
        fix(speed_kph=math.nan),
        fix(speed_kph=0.0),
        fix(speed_kph=200.0),
        fix(heading_deg=None),
        fix(north_m=495),
        fix(east_m=-495),
        fix(east_m=795),
    ],
)
def test_a_fix_at_the_edge_of_a_rule_or_with_missing_extras_is_kept(row: dict[str, object]) -> None:
    assert refused(row) == {}


def test_a_speed_of_nan_is_kept_as_a_missing_one() -> None:
    clean = clean_fixes(fixes_table([fix(speed_kph=math.nan)]), BOX, SETTINGS)
    assert clean.fixes["speed_kph"].to_list() == [None]


def test_a_fix_counts_once_under_the_first_rule_it_breaks() -> None:
    broken = {"speed_kph": -1.0, "lat": 95.0}
    assert refused(fix(None, timestamp=None, **broken)) == {"no_vehicle": 1}  # type: ignore[arg-type]
    assert refused(fix(timestamp=None, **broken)) == {"bad_time": 1}  # type: ignore[arg-type]
    assert refused(fix(**broken)) == {"bad_position": 1}  # type: ignore[arg-type]
    assert refused(fix(north_m=900, speed_kph=-1.0)) == {"bad_speed": 1}


def test_the_second_fix_of_a_vehicle_at_the_same_time_is_a_duplicate() -> None:
    rows = [fix(east_m=50), fix(east_m=60), fix(east_m=50), fix("v2", east_m=50), fix(after_s=1)]
    assert refused(*rows) == {"duplicate": 2}


def test_which_duplicate_is_kept_does_not_depend_on_the_order_of_the_file() -> None:
    # At the same place the slower one comes first.
    rows = [fix(speed_kph=speed, heading_deg=heading) for speed in (9, 10) for heading in (1, 2)]
    for order in ([0, 1, 2, 3], [3, 2, 1, 0], [2, 0, 3, 1], [1, 3, 0, 2]):
        kept = clean_fixes(fixes_table([rows[i] for i in order]), BOX, SETTINGS).fixes
        assert kept.select("speed_kph", "heading_deg").rows() == [(9, 1)]


def test_a_refused_fix_does_not_hide_the_good_one_of_the_same_time() -> None:
    clean = clean_fixes(fixes_table([fix(north_m=-900), fix(east_m=60)]), BOX, SETTINGS)
    assert clean.refused == {"outside_network": 1}
    assert clean.fixes["lon"].to_list() == pytest.approx([point(60)[0]])


def test_limits_are_those_of_the_settings() -> None:
    slow = ProbesSettings(max_speed_kph=30, network_margin_m=10)
    assert refused(fix(), options=slow) == {"bad_speed": 1}
    assert refused(fix(speed_kph=30.0, north_m=15), options=slow) == {"outside_network": 1}


def test_a_vehicle_that_stands_for_a_quarter_of_an_hour_is_parked() -> None:
    assert refused(*standing(15)) == {"parked": 16}
    assert refused(*standing(14)) == {}


def test_a_parked_vehicle_may_scatter_and_creep_by_gps_jitter() -> None:
    assert refused(*standing(15, 2.9, jitter_m=40)) == {"parked": 16}
    assert refused(*standing(15, 3.1, jitter_m=40)) == {}


def test_fixes_that_scatter_over_more_than_twice_the_radius_are_not_parked() -> None:
    assert refused(*standing(15, jitter_m=115)) == {"parked": 16}
    assert refused(*standing(15, jitter_m=125)) == {}


def test_without_reported_speeds_standing_is_told_from_the_places() -> None:
    # 40 m in a minute are 2.4 km/h, 60 m are 3.6 km/h.
    assert refused(*standing(15, None, jitter_m=40)) == {"parked": 16}
    assert refused(*standing(15, None, jitter_m=60)) == {}


def test_a_queue_that_creeps_forward_is_not_parked() -> None:
    # 20 m a minute are 1.2 km/h: after 15 minutes 300 m, more than parked vehicles scatter.
    assert refused(*[fix("v1", 60 * i, 20 * i, 0, 1.2) for i in range(16)]) == {}


def test_the_scatter_of_a_parked_vehicle_is_a_setting() -> None:
    wide = ProbesSettings(parked_radius_m=200)
    rows = [fix("v1", 60 * i, 20 * i, 0, 1.2) for i in range(16)]
    assert refused(*rows, options=wide) == {"parked": 16}


def test_only_the_standstill_of_a_drive_is_parked() -> None:
    before = [fix("v1", -60, 0, 0, 20.0)]
    after = [fix("v1", 960, 150, 0, 20.0), fix("v1", 1020, 290, 0, 20.0)]
    clean = clean_fixes(fixes_table([*before, *standing(15), *after]), BOX, SETTINGS)
    assert clean.refused == {"parked": 16}
    assert clean.fixes["speed_kph"].to_list() == [20.0] * 3


def test_a_silence_in_the_middle_ends_a_standstill() -> None:
    # 8 and 7 minutes with a gap of 180 s between them: neither lasts for 15 minutes.
    rows = [row for i, row in enumerate(standing(18)) if i not in {9, 10}]
    assert refused(*rows) == {}
    patient = ProbesSettings(max_gap_s=180)
    assert refused(*rows, options=patient) == {"parked": 17}


def test_two_vehicles_that_stand_for_less_each_are_not_parked() -> None:
    first = standing(8)
    second = [fix("v2", 480 + 60 * i, 50, 0, 0.0) for i in range(9)]
    assert refused(*first, *second) == {}


def test_no_fixes_give_no_fixes() -> None:
    clean = clean_fixes(fixes_table([]), BOX, SETTINGS)
    assert (len(clean.fixes), clean.refused) == (0, {})
    assert clean.fixes.columns == FIXES.columns


def test_the_given_fixes_are_left_as_they_were() -> None:
    rows = fixes_table([fix("v2", speed_kph=math.nan), fix(None), fix("v1")])
    before = rows.clone()
    clean_fixes(rows, BOX, SETTINGS)
    assert_frame_equal(rows, before)


JUNK = st.lists(
    st.builds(
        lambda vehicle, second, lat, lon, speed, heading: {
            "vehicle_id": vehicle,
            "timestamp": None
            if second is None
            else datetime(2026, 1, 5, tzinfo=UTC) + timedelta(seconds=second),
            "lat": lat,
            "lon": lon,
            "speed_kph": speed,
            "heading_deg": heading,
        },
        st.sampled_from([None, "", "v1", "v2"]),
        st.none() | st.integers(0, 40).map(lambda i: 60 * i),
        st.none() | st.floats() | st.floats(13.79, 13.81) | st.just(13.8),
        st.none() | st.floats() | st.floats(100.59, 100.61) | st.just(100.601),
        st.none() | st.floats() | st.floats(0, 6) | st.just(0.0),
        st.none() | st.floats(),
    ),
    max_size=40,
)


@settings(max_examples=50, deadline=None, derandomize=True)
@given(rows=JUNK, shuffler=st.randoms(use_true_random=False))
def test_whatever_comes_in_every_row_is_used_or_counted_under_one_rule(
    rows: list[dict[str, object]], shuffler: object
) -> None:
    clean = clean_fixes(fixes_table(rows), BOX, SETTINGS)
    assert len(clean.fixes) + sum(clean.refused.values()) == len(rows)
    assert set(clean.refused) <= set(RULES)
    assert all(count > 0 for count in clean.refused.values())
    keys = clean.fixes.select("vehicle_id", "timestamp").rows()
    assert keys == sorted(set(keys))
    near = BOX.grown(SETTINGS.network_margin_m)
    assert clean.fixes["lat"].is_between(near.south, near.north).all()
    assert clean.fixes["lon"].is_between(near.west, near.east).all()
    speeds = clean.fixes["speed_kph"].drop_nulls()
    assert speeds.is_between(0, SETTINGS.max_speed_kph).all()

    shuffled = list(rows)
    shuffler.shuffle(shuffled)  # type: ignore[attr-defined]
    again = clean_fixes(fixes_table(shuffled), BOX, SETTINGS)
    assert again.refused == clean.refused
    assert_frame_equal(again.fixes, clean.fixes)


def test_a_box_grows_by_degrees_that_fit_its_latitude() -> None:
    grown = Box(10, 0, 20, 0).grown(111_195)
    assert (grown.west, grown.south, grown.east, grown.north) == (9, -1, 21, 1)
    north = Box(10, 60, 20, 60).grown(111_195)
    # The cosine of 60 degrees is a half.
    assert (north.west, north.east) == pytest.approx((8, 22))
    assert (north.south, north.north) == pytest.approx((59, 61))


def test_a_box_at_the_pole_grows_by_a_finite_width() -> None:
    assert Box(0, 90, 0, 90).grown(111_195).east == pytest.approx(100)


@pytest.mark.parametrize(
    ("start", "end"),
    [((13.8, 100.6), (13.801, 100.6)), ((13.8, 100.6), (14.8, 101.9)), ((-89, 0), (80, 179))],
)
def test_distance_is_that_of_the_sphere(
    start: tuple[float, float], end: tuple[float, float]
) -> None:
    _, _, expected = Geod(a=EARTH_RADIUS_M, b=EARTH_RADIUS_M).inv(*start[::-1], *end[::-1])
    values = [pl.lit(float(value)) for value in (*start, *end)]
    assert pl.select(distance_m(*values)).item() == pytest.approx(expected, rel=1e-9)


def test_distance_of_a_place_to_itself_is_0_and_of_a_degree_on_the_equator_111_km() -> None:
    zero, one = pl.lit(0.0), pl.lit(1.0)
    assert pl.select(distance_m(one, one, one, one)).item() == 0
    assert pl.select(distance_m(zero, zero, zero, one)).item() == pytest.approx(111_195.08, abs=0.1)
