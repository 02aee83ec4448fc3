import numpy as np
import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from roadgraph.errors import DataError
from roadgraph.probes.matching import NOWHERE, Matches, TripMatcher
from roadgraph.settings import ProbesSettings
from tests.toy import crossroads_network, detector_network, drive, point, straight_network

PROBES = ProbesSettings()
CROSSING = crossroads_network()
ON_CROSSING = TripMatcher(CROSSING, PROBES)


def match(*trips: pl.DataFrame) -> Matches:
    fixes = pl.concat(trips)
    begins = np.zeros(len(fixes), dtype=bool)
    begins[np.cumsum([0, *[len(trip) for trip in trips[:-1]]])] = True
    matcher = TripMatcher(straight_network(), PROBES)
    return matcher.match(fixes["lat"].to_numpy(), fixes["lon"].to_numpy(), begins)


def test_a_drive_is_matched_to_its_segments_with_offsets_and_ways() -> None:
    matches = match(drive())  # at 10, 70, 130, 190 and 250 m
    assert matches.segment.tolist() == [0, 0, 1, 1, 2]
    assert matches.offset_m == pytest.approx([10, 70, 30, 90, 50], rel=2e-3, abs=0.1)
    assert matches.away_m == pytest.approx([0] * 5, abs=0.05)
    assert matches.way_from.tolist() == [0, 1, 2, 3]
    assert matches.way_to.tolist() == [1, 2, 3, 4]
    assert matches.way_begin.tolist() == [0, 1, 3, 4, 6]
    assert matches.way_segment.tolist() == [0, 0, 1, 1, 1, 2]


def test_no_way_leads_from_one_trip_to_the_next() -> None:
    matches = match(drive("v1"), drive("v2"))
    assert matches.way_from.tolist() == [0, 1, 2, 3, 5, 6, 7, 8]


def test_a_trip_of_one_fix_and_one_far_from_every_road_are_not_matched() -> None:
    matches = match(drive()[:1], drive("far", north_m=150), drive("v2"))
    assert matches.segment.tolist() == [NOWHERE] * 6 + [0, 0, 1, 1, 2]
    assert np.isnan(matches.away_m[:6]).all()
    assert np.isnan(matches.offset_m[:6]).all()


def test_a_fix_that_falls_back_a_little_stays_on_its_segment() -> None:
    fixes = drive()[[0, 1, 1, 2]].with_columns(
        lon=pl.Series([point(m)[0] for m in (10.0, 60.0, 52.0, 130.0)])
    )
    matches = match(fixes)
    assert matches.segment.tolist() == [0, 0, 0, 1]
    assert matches.way_segment[matches.way_begin[1] : matches.way_begin[2]].tolist() == [0]
    assert matches.offset_m[2] < matches.offset_m[1]


def test_no_fix_at_all_has_no_matches() -> None:
    nothing = np.empty(0)
    matches = ON_CROSSING.match(nothing, nothing, nothing.astype(bool))
    assert (len(matches.segment), len(matches.way_from), len(matches.way_segment)) == (0, 0, 0)
    assert matches.way_begin.tolist() == [0]


def test_nothing_of_fastmms_log_reaches_standard_output(capfd: pytest.CaptureFixture[str]) -> None:
    match(drive())
    assert capfd.readouterr().out == ""


def test_a_network_without_geometry_is_refused() -> None:
    with pytest.raises(DataError, match="the network has no geometry"):
        TripMatcher(detector_network(), PROBES)


@settings(max_examples=40)
@given(
    st.lists(
        st.lists(st.tuples(st.floats(-120, 120), st.floats(-120, 120)), min_size=1, max_size=6),
        min_size=1,
        max_size=4,
    )
)
def test_ways_lead_from_fix_to_fix_over_segments_that_follow_each_other(
    trips: list[list[tuple[float, float]]],
) -> None:
    places = [point(*place) for trip in trips for place in trip]
    lon, lat = (np.array(values) for values in zip(*places, strict=True))
    begins = np.concatenate([np.arange(len(trip)) == 0 for trip in trips])
    matches = ON_CROSSING.match(lat, lon, begins)
    trip_of = np.cumsum(begins)
    ends = CROSSING.segments["to_node"].to_numpy()
    starts = CROSSING.segments["from_node"].to_numpy()
    assert (trip_of[matches.way_from] == trip_of[matches.way_to]).all()
    for way, (begin, end) in enumerate(
        zip(matches.way_begin[:-1], matches.way_begin[1:], strict=True)
    ):
        passed = matches.way_segment[begin:end]
        assert passed[0] == matches.segment[matches.way_from[way]]
        assert passed[-1] == matches.segment[matches.way_to[way]]
        assert (ends[passed[:-1]] == starts[passed[1:]]).all()
    matched = matches.segment != NOWHERE
    assert (matches.offset_m[matched] >= 0).all()
    assert (matches.offset_m[matched] <= 101).all()
    assert (matches.away_m[matched] <= PROBES.search_radius_m + 1e-6).all()
    backwards = ON_CROSSING.match(lat, lon, begins)
    assert np.array_equal(backwards.way_segment, matches.way_segment)
