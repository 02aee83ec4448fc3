from __future__ import annotations

from typing import TYPE_CHECKING

import geopandas as gpd
import numpy as np
import pytest
from shapely.geometry import LineString

from roadgraph.network.network import Network
from roadgraph.report.map_page.lines import GRID, bounds_of, line_arrays, origin_of, road_arrays
from tests.toy import LAT, LON, network_of, point, segments_table, straight_network

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

CENTIMETRE = 1e-7  # degrees, nearly


def network_with(lines: Mapping[str, Sequence[tuple[float, float]]]) -> Network:
    """Return segments that go on from each other along these points in metres east and north."""
    roads = {
        name: (f"n{i}", f"n{i + 1}", [point(*place) for place in places])
        for i, (name, places) in enumerate(lines.items())
    }
    return network_of(segments_table(roads))


def absolute(arrays: dict[str, np.ndarray], origin: tuple[float, float]) -> np.ndarray:
    return arrays["points"].astype(np.float64) + np.array(origin)


def test_lines_lie_one_behind_the_other_in_driving_direction() -> None:
    network = straight_network()
    origin = origin_of(network)
    arrays = line_arrays(network, origin, 1.0)
    assert arrays["line_start"].tolist() == [0, 2, 4, 6]
    assert arrays["line_start"].dtype == np.uint32
    places = [point(100.0 * east) for east in (0, 1, 1, 2, 2, 3)]
    np.testing.assert_allclose(absolute(arrays, origin), places, atol=GRID / 2 + CENTIMETRE)


def test_points_off_the_line_by_less_than_the_tolerance_are_left_out() -> None:
    network = network_with({"A": [(0, 0), (50, 3), (100, 0)], "B": [(100, 0), (150, 30), (200, 0)]})
    origin = origin_of(network)
    assert line_arrays(network, origin, 1.0)["line_start"].tolist() == [0, 3, 6]
    assert line_arrays(network, origin, 5.0)["line_start"].tolist() == [0, 2, 5]
    assert line_arrays(network, origin, 50.0)["line_start"].tolist() == [0, 2, 4]


def test_a_road_that_ends_where_it_begins_keeps_its_shape() -> None:
    ring = {"A": [(0, 0), (100, 0), (100, 100), (0, 100), (0, 0)]}
    network = network_with(ring)
    assert line_arrays(network, origin_of(network), 5.0)["line_start"].tolist() == [0, 5]


def test_height_is_left_out() -> None:
    table = segments_table({"A": ("n0", "n1", [(LON, LAT), (LON + 0.001, LAT)])})
    table = table.set_geometry(
        gpd.GeoSeries([LineString([(LON, LAT, 3), (LON + 0.001, LAT, 4)])], crs=table.crs)
    )
    arrays = line_arrays(network_of(table), (LON, LAT), 1.0)
    assert arrays["points"].shape == (2, 2)


def test_origin_is_the_middle_and_bounds_hold_everything() -> None:
    network = straight_network()
    west, south, east, north = bounds_of(network)
    assert (west, south) == pytest.approx((LON, LAT))
    assert east == pytest.approx(point(300)[0])
    lon, lat = origin_of(network)
    assert (lon, lat) == pytest.approx(((west + east) / 2, (south + north) / 2), abs=GRID)
    assert (lon / GRID).is_integer()
    assert (lat / GRID).is_integer()


def test_roads_tell_length_class_limit_and_name() -> None:
    table = straight_network().segments.assign(
        road_class=["tertiary", None, "primary"],
        length_m=[100.0, 100.1, np.nan],
        speed_limit_kph=[50.0, np.nan, 300.0],
        name=["Rama IV Road", None, "ถนนสีลม"],
    )
    arrays, classes = road_arrays(Network(table, straight_network().links))
    assert classes == ["", "primary", "tertiary"]
    assert arrays["road_class"].tolist() == [2, 0, 1]
    assert arrays["road_class"].dtype == np.uint8
    np.testing.assert_array_equal(
        arrays["length_m"], np.array([100, 100.125, np.nan], dtype=np.float32)
    )
    assert arrays["limit_kph"].tolist() == [50, 255, 254]
    assert arrays["ids_text"].tobytes().decode() == "A\nB\nC"
    assert arrays["names_text"].tobytes().decode() == "Rama IV Road\n\nถนนสีลม"


def test_a_network_from_before_names_has_none() -> None:
    network = straight_network()
    bare = Network(network.segments.drop(columns="name", errors="ignore"), network.links)
    assert road_arrays(bare)[0]["names_text"].tobytes() == b"\n\n"


def test_more_classes_of_roads_than_a_byte_counts_are_told_apart() -> None:
    one = straight_network().segments.iloc[[0] * 300].reset_index(drop=True)
    table = one.assign(
        segment_id=[f"{i:03d}" for i in range(300)],
        road_class=[f"kind {i:03d}" for i in range(300)],
    )
    arrays, classes = road_arrays(Network(table, straight_network().links))
    assert arrays["road_class"].tolist() == list(range(300))
    assert len(classes) == 300
