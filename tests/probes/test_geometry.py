import numpy as np
import pytest
import shapely
from hypothesis import given, settings
from hypothesis import strategies as st

from roadgraph.errors import DataError
from roadgraph.probes.geometry import SegmentGeometry, turn_between_deg
from tests.toy import (
    crossroads_network,
    detector_network,
    network_of,
    point,
    segments_table,
    straight_network,
)

CROSSING = crossroads_network()
GEOMETRY = SegmentGeometry(CROSSING)


def bent() -> SegmentGeometry:
    """Return one segment: 100 m east, then 100 m north, then 100 m west; and one to the south."""
    corners = [point(0), point(100), point(100, 100), point(0, 100)]
    return SegmentGeometry(
        network_of(
            segments_table({"A": ("a", "b", corners), "B": ("b", "c", [point(0), point(0, -100)])})
        )
    )


def test_the_bearing_is_that_of_the_piece_of_line_at_the_offset() -> None:
    offsets = np.array([0.0, 50, 99, 101, 150, 201, 299, 400, -5])
    segment = np.zeros(len(offsets), dtype=np.int64)
    expected = [90, 90, 90, 0, 0, 270, 270, 270, 90]
    turns = turn_between_deg(bent().bearings_deg(segment, offsets), np.array(expected))
    assert turns.max() < 2  # the plane's north is not quite the earth's


def test_the_bearing_at_a_segments_end_is_never_the_next_segments() -> None:
    geometry = bent()
    ends = geometry.bearings_deg(np.array([0, 1]), geometry.line_lengths_m)
    assert turn_between_deg(ends, np.array([270.0, 180.0])).max() < 2


def test_metres_on_the_plane_are_scaled_to_the_lengths_of_the_table() -> None:
    geometry = SegmentGeometry(straight_network())
    assert geometry.line_lengths_m * geometry.ground_scale == pytest.approx([100.0] * 3)
    assert geometry.ground_scale == pytest.approx([1.0] * 3, rel=2e-3)


@pytest.mark.parametrize(
    ("heading", "expected"), [(90.0, "east_out"), (270.0, "east_in"), (80.0, "east_out")]
)
def test_the_heading_decides_between_the_two_directions_of_a_street(
    heading: float, expected: str
) -> None:
    lon, lat = point(50)
    found, away_m, turn = GEOMETRY.nearest(
        np.array([lat]), np.array([lon]), np.array([heading]), 60, 15, 30
    )
    assert CROSSING.segment_ids[found[0]] == expected
    assert away_m[0] < 0.1
    assert turn[0] < 12


def test_without_a_heading_the_first_of_the_nearest_is_taken() -> None:
    lon, lat = point(50, 3)
    found, away_m, turn = GEOMETRY.nearest(
        np.array([lat]), np.array([lon]), np.array([np.nan]), 60, 15, 30
    )
    assert CROSSING.segment_ids[found[0]] == "east_in"
    assert away_m[0] == pytest.approx(3, abs=0.05)
    assert np.isnan(turn[0])


def test_nothing_within_the_radius_is_no_segment() -> None:
    lon, lat = point(50, 80)
    found, away_m, _ = GEOMETRY.nearest(
        np.array([lat]), np.array([lon]), np.array([90.0]), 20, 15, 30
    )
    assert found.tolist() == [-1]
    assert np.isnan(away_m[0])


@settings(max_examples=40)
@given(
    st.lists(
        st.tuples(st.floats(-110, 110), st.floats(-110, 110), st.floats(0, 359)),
        min_size=1,
        max_size=8,
    )
)
def test_nearest_is_the_cheapest_of_all_segments(places: list[tuple[float, float, float]]) -> None:
    lon, lat = (np.array(v) for v in zip(*[point(e, n) for e, n, _ in places], strict=True))
    heading = np.array([h for _, _, h in places])
    found, away_m, _ = GEOMETRY.nearest(lat, lon, heading, 60, 15, 30)
    x, y = GEOMETRY.to_metres(lat, lon)
    for i, (place_x, place_y) in enumerate(zip(x, y, strict=True)):
        spot = shapely.Point(place_x, place_y)
        away = np.array([line.distance(spot) for line in GEOMETRY.lines])
        offsets = np.array([line.project(spot) for line in GEOMETRY.lines])
        bearing = GEOMETRY.bearings_deg(np.arange(len(away)), offsets)
        cost = (away / 15) ** 2 + (turn_between_deg(heading[i : i + 1], bearing) / 30) ** 2
        cost[away > 60] = np.inf
        if np.isinf(cost).all():
            assert found[i] == -1
        else:
            assert cost[found[i]] == pytest.approx(cost.min())
            assert away_m[i] == pytest.approx(away[found[i]])


def test_turns_are_the_smaller_angle() -> None:
    a, b = np.array([350.0, 10, 0, 90, np.nan]), np.array([10.0, 350, 180, 90, 5])
    assert turn_between_deg(a, b)[:4].tolist() == [20, 20, 180, 0]
    assert np.isnan(turn_between_deg(a, b)[4])


def test_a_network_without_geometry_is_refused() -> None:
    with pytest.raises(DataError, match="the network has no geometry"):
        SegmentGeometry(detector_network())
