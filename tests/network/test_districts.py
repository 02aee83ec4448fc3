from collections.abc import Sequence
from pathlib import Path

import geopandas as gpd
import pandas as pd
import pytest
import shapely
from shapely.geometry import LineString, Polygon, box

from roadgraph.errors import DataError
from roadgraph.network.districts import ELSEWHERE, districts_of
from roadgraph.network.network import WGS84
from roadgraph.settings import ReportSettings
from tests.toy import (
    crossroads_network,
    detector_network,
    network_of,
    point,
    segments_table,
    straight_network,
)

NETWORK = straight_network()
"""A, B and C, each 100 m long: half-way points 50, 150 and 250 m east of n0."""


def area(west_m: float, east_m: float) -> Polygon:
    """Return a rectangle over the road from one distance east of n0 to another."""
    return box(*point(west_m, -200), *point(east_m, 200))


def polygons(
    path: Path, shapes: Sequence[object], crs: str | None = WGS84, **columns: object
) -> Path:
    layer = gpd.GeoDataFrame(columns, geometry=list(shapes), crs=crs)
    if path.suffix == ".parquet":
        layer.to_parquet(path)
    else:
        layer.to_file(path)
    return path


def of(path: Path, column: str = "name") -> list[str]:
    found = districts_of(NETWORK, ReportSettings(districts=str(path), district_name=column))
    assert found is not None
    return found.tolist()


def refused(path: Path, column: str = "name") -> str:
    with pytest.raises(DataError) as error:
        of(path, column)
    assert str(path) in str(error.value)
    return str(error.value)


@pytest.mark.parametrize("name", ["a.geojson", "a.gpkg", "a.parquet", "a.shp"])
def test_a_segment_belongs_to_the_polygon_that_holds_its_middle(name: str, tmp_path: Path) -> None:
    # The border at 90 m cuts A before its end, but not before its middle.
    path = polygons(tmp_path / name, [area(-50, 90), area(90, 200)], name=["Din Daeng", "Dusit"])
    assert of(path) == ["Din Daeng", "Dusit", ELSEWHERE]


def test_the_first_in_the_file_wins_where_two_hold_it_or_it_lies_on_their_border(
    tmp_path: Path,
) -> None:
    west, east = point(0)[0], point(300)[0]
    middle = shapely.line_interpolate_point(
        NETWORK.segments.geometry.iloc[1], 0.5, normalized=True
    ).x
    south, north = point(0, -200)[1], point(0, 200)[1]
    halves = [box(middle, south, east, north), box(west, south, middle, north), area(-50, 400)]
    path = polygons(tmp_path / "a.geojson", halves, name=["east", "west", "all"])
    assert of(path) == ["west", "east", "east"]


def test_polygons_of_one_name_are_one_district_and_names_may_be_numbers(tmp_path: Path) -> None:
    path = polygons(tmp_path / "a.gpkg", [area(0, 90), area(210, 290)], code=[7, 7])
    assert of(path, "code") == ["7", ELSEWHERE, "7"]


def test_polygons_of_another_coordinate_system_are_taken_to_degrees(tmp_path: Path) -> None:
    shapes = gpd.GeoSeries([area(0, 200)], crs=WGS84).to_crs("EPSG:32647")
    path = polygons(tmp_path / "a.gpkg", shapes, "EPSG:32647", name=["Dusit"])
    assert of(path) == ["Dusit", "Dusit", ELSEWHERE]


def test_a_border_that_crosses_itself_has_an_inside_all_the_same(tmp_path: Path) -> None:
    bow = Polygon([point(20, -99), point(120, 99), point(120, -99), point(20, 99)])
    assert not bow.is_valid
    assert of(polygons(tmp_path / "a.gpkg", [bow], name=["bow"])) == ["bow", *[ELSEWHERE] * 2]


def test_lines_and_points_beside_the_polygons_are_left_out(tmp_path: Path) -> None:
    shapes = [LineString([point(0), point(300)]), area(0, 100)]
    path = polygons(tmp_path / "a.geojson", shapes, name=["road", "Dusit"])
    assert of(path) == ["Dusit", ELSEWHERE, ELSEWHERE]


def test_without_a_file_the_districts_are_nine_fields_by_compass() -> None:
    found = districts_of(crossroads_network(), ReportSettings())
    assert found is not None
    # 200 m across: an arm's middle lies 50 m from the centre, whose field ends after 33 m.
    by_id = dict(zip(crossroads_network().segment_ids, found, strict=True))
    assert by_id == {f"{arm}_{way}": arm for arm in ("north", "east", "south", "west")
                     for way in ("in", "out")}  # fmt: skip


def test_the_corners_and_the_centre_have_their_names() -> None:
    places = {
        f"{east}:{north}": ("a", "b", [point(east, north), point(east + 30, north)])
        for east in (0, 135, 270)
        for north in (0, 150, 300)
    }
    found = districts_of(network_of(segments_table(places)), ReportSettings())
    assert found is not None
    by_id = dict(zip(sorted(places), found, strict=True))
    assert by_id == {
        "0:300": "north-west", "135:300": "north", "270:300": "north-east",
        "0:150": "west", "135:150": "centre", "270:150": "east",
        "0:0": "south-west", "135:0": "south", "270:0": "south-east",
    }  # fmt: skip


def test_a_road_due_east_is_cut_by_its_length_alone() -> None:
    found = districts_of(NETWORK, ReportSettings())
    assert found is not None
    assert found.tolist() == ["west", "centre", "east"]


def test_a_network_without_geometry_has_no_districts(tmp_path: Path) -> None:
    settings = ReportSettings(districts=str(tmp_path / "never-read.gpkg"))
    assert districts_of(detector_network(), settings) is None


def test_a_file_that_is_not_there_is_named(tmp_path: Path) -> None:
    assert "missing; set report.districts, or empty it" in refused(tmp_path / "none.gpkg")


@pytest.mark.parametrize("name", ["broken.gpkg", "broken.parquet", "broken.geojson"])
def test_a_file_that_cannot_be_read_is_named(name: str, tmp_path: Path) -> None:
    (tmp_path / name).write_bytes(b"no map at all")
    assert "cannot be read as districts" in refused(tmp_path / name)


def test_a_file_without_polygons_is_refused(tmp_path: Path) -> None:
    roads = polygons(tmp_path / "a.geojson", NETWORK.segments.geometry, name=["x"] * 3)
    assert "no polygon in it" in refused(roads)
    table = tmp_path / "table.csv"
    pd.DataFrame({"name": ["Dusit"]}).to_csv(table, index=False)
    assert "no polygon in it" in refused(table)


def test_several_layers_of_polygons_are_refused(tmp_path: Path) -> None:
    path = tmp_path / "a.gpkg"
    for layer in ("districts", "parks"):
        gpd.GeoDataFrame({"name": ["x"]}, geometry=[area(0, 100)], crs=WGS84).to_file(
            path, layer=layer
        )
    assert "2 layers of polygons in it (districts, parks)" in refused(path)


def test_a_column_that_is_not_there_is_told_with_the_nearest(tmp_path: Path) -> None:
    path = polygons(tmp_path / "a.geojson", [area(0, 100)], name_en=["Dusit"])
    message = refused(path)
    assert "column 'name' is missing (found name_en); set report.district_name" in message
    assert message.endswith("did you mean 'name_en'?")


@pytest.mark.parametrize("nothing", [None, " "])
def test_a_polygon_without_a_name_is_told(tmp_path: Path, nothing: str | None) -> None:
    path = polygons(tmp_path / "a.geojson", [area(0, 90), area(90, 300)], name=["Dusit", nothing])
    assert "polygon 2 has no 'name' (1 such polygons)" in refused(path)


def test_a_layer_without_a_coordinate_system_is_refused(tmp_path: Path) -> None:
    path = polygons(tmp_path / "a.parquet", [area(0, 90)], None, name=["Dusit"])
    assert "no coordinate system" in refused(path)


def test_a_coordinate_system_without_a_place_on_earth_is_refused(tmp_path: Path) -> None:
    local = 'LOCAL_CS["site grid",UNIT["metre",1]]'
    path = polygons(tmp_path / "a.parquet", [area(0, 90)], local, name=["Dusit"])
    assert "its coordinate system site grid cannot be taken to EPSG:4326" in refused(path)


def test_polygons_of_another_city_are_refused(tmp_path: Path) -> None:
    path = polygons(tmp_path / "a.geojson", [box(4.8, 52.3, 5.0, 52.4)], name=["Amsterdam"])
    message = refused(path)
    assert "none of its 1 polygons holds a segment" in message
    assert "4.800 to 5.000 east, 52.300 to 52.400 north" in message
