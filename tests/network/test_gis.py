import json
import zipfile
from pathlib import Path

import geopandas as gpd
import pandas as pd
import pytest
from shapely.geometry import LineString, MultiLineString, Point

from roadgraph.errors import DataError
from roadgraph.network.gis import read_road_layer
from roadgraph.network.network import Network
from roadgraph.settings import NetworkSettings
from roadgraph.units import KPH_PER_MPH
from tests.toy import (
    crossroads_network,
    point,
    straight_network,
    straight_segments,
    write_road_layer,
)

SETTINGS = NetworkSettings()


def read(layer: gpd.GeoDataFrame, path: Path, settings: NetworkSettings = SETTINGS) -> Network:
    return read_road_layer(write_road_layer(layer, path), settings)


def refused(path: Path, settings: NetworkSettings = SETTINGS) -> str:
    with pytest.raises(DataError) as error:
        read_road_layer(path, settings)
    assert str(path) in str(error.value)
    return str(error.value)


@pytest.mark.parametrize("name", ["roads.geojson", "roads.parquet"])
def test_a_layer_comes_back_as_the_network_that_was_written(name: str, tmp_path: Path) -> None:
    network = read(straight_segments(), tmp_path / name)
    expected = straight_network()
    assert network.segment_ids == ["A", "B", "C"]
    assert network.fingerprint() == expected.fingerprint()
    assert network.segments["length_m"].tolist() == [100.0] * 3
    assert network.segments["from_node"].tolist() == ["n0", "n1", "n2"]
    assert network.segments["lanes"].tolist() == [1, 1, 1]


def test_a_bare_layer_gets_measured_lengths_and_defaults(tmp_path: Path) -> None:
    bare = straight_segments()[["segment_id", "from_node", "to_node", "geometry"]]
    settings = NetworkSettings(default_speed_limit_kph=40)
    segments = read(bare, tmp_path / "roads.geojson", settings).segments
    assert segments["length_m"].tolist() == pytest.approx([100.0] * 3, abs=0.001)
    assert segments["road_class"].tolist() == ["unclassified"] * 3
    assert segments["lanes"].tolist() == [1, 1, 1]
    assert segments["speed_limit_kph"].tolist() == [40.0] * 3
    assert segments["free_flow_kph"].tolist() == [40.0] * 3


def test_single_missing_values_get_the_same_defaults(tmp_path: Path) -> None:
    layer = straight_segments().assign(
        length_m=["120", None, "100"],
        road_class=["primary", None, "primary"],
        lanes=[2, None, 3],
        speed_limit_kph=[None, 30, 80],
    )
    segments = read(layer, tmp_path / "roads.geojson").segments
    assert segments["length_m"].tolist() == pytest.approx([120, 100, 100], abs=0.001)
    assert segments["road_class"].tolist() == ["primary", "unclassified", "primary"]
    assert segments["lanes"].tolist() == [2, 1, 3]
    assert segments["speed_limit_kph"].tolist() == [50, 30, 80]


@pytest.mark.parametrize("column", ["length_m", "speed_limit_kph", "lanes"])
def test_a_number_with_a_unit_is_an_error_that_names_it(tmp_path: Path, column: str) -> None:
    layer = straight_segments().assign(**{column: ["50", "30 mph", "50"]})
    with pytest.raises(DataError, match=rf"roads\.geojson: {column} '30 mph' is no number"):
        read(layer, tmp_path / "roads.geojson")


def test_classes_that_are_numbers_become_text(tmp_path: Path) -> None:
    layer = straight_segments().assign(road_class=[1, 2, 3])
    segments = read(layer, tmp_path / "roads.geojson").segments
    assert segments["road_class"].tolist() == ["1", "2", "3"]


def test_names_are_texts_or_none(tmp_path: Path) -> None:
    def names(column: list[object], settings: NetworkSettings = SETTINGS) -> list[str | None]:
        layer = straight_segments().drop(columns="name").assign(STREET=column)
        return list(read(layer, tmp_path / "roads.geojson", settings).segments["name"])

    mapped = NetworkSettings(columns={"name": "STREET"})
    assert names(["Elm", " ", None], mapped) == ["Elm", None, None]
    assert names([1, 2, 3], mapped) == ["1", "2", "3"]
    assert names(["Elm", "Oak", "Ash"]) == [None, None, None]


def test_numeric_ids_and_nodes_become_text(tmp_path: Path) -> None:
    layer = straight_segments().assign(
        segment_id=[11, 12, 13], from_node=[1, 2, 3], to_node=[2, 3, 4]
    )
    network = read(layer, tmp_path / "roads.geojson")
    assert network.segment_ids == ["11", "12", "13"]
    assert network.segments["from_node"].tolist() == ["1", "2", "3"]
    assert network.links["to_segment"].tolist() == ["12", "13"]


def test_columns_of_other_names_are_mapped(tmp_path: Path) -> None:
    layer = straight_segments().rename(columns={"segment_id": "OBJECTID", "length_m": "LEN"})
    settings = NetworkSettings(columns={"segment_id": "OBJECTID", "length_m": "LEN"})
    network = read(layer.assign(LEN=7.0), tmp_path / "roads.geojson", settings)
    assert network.segment_ids == ["A", "B", "C"]
    assert network.segments["length_m"].tolist() == [7.0] * 3


def test_a_mapped_column_takes_the_place_of_one_that_has_our_name(tmp_path: Path) -> None:
    layer = straight_segments().assign(OBJECTID=["X", "Y", "Z"])
    settings = NetworkSettings(columns={"segment_id": "OBJECTID"})
    assert read(layer, tmp_path / "roads.geojson", settings).segment_ids == ["X", "Y", "Z"]


def test_two_columns_can_swap_their_names(tmp_path: Path) -> None:
    layer = straight_segments().rename(columns={"from_node": "to_node", "to_node": "from_node"})
    settings = NetworkSettings(columns={"from_node": "to_node", "to_node": "from_node"})
    network = read(layer, tmp_path / "roads.geojson", settings)
    assert network.segments["from_node"].tolist() == ["n0", "n1", "n2"]


def test_a_layer_in_metres_comes_out_in_degrees(tmp_path: Path) -> None:
    metric = straight_segments().to_crs("EPSG:32647")
    segments = read(metric, tmp_path / "roads.parquet").segments
    assert segments.crs == straight_segments().crs
    assert segments.geom_equals_exact(straight_segments(), tolerance=1e-9).all()


def test_the_sharpest_turn_is_a_setting(tmp_path: Path) -> None:
    bent = straight_segments()
    back = bent.iloc[[0]].assign(segment_id="Z", from_node="n1", to_node="n0")
    back.geometry = back.geometry.reverse()
    layer = gpd.GeoDataFrame(pd.concat([bent, back], ignore_index=True), crs=bent.crs)
    pairs = [("A", "B"), ("B", "C")]
    for limit, expected in ((170.0, pairs), (180.0, [pairs[0], ("A", "Z"), pairs[1]])):
        settings = NetworkSettings(max_turn_deg=limit)
        links = read(layer, tmp_path / "roads.geojson", settings).links
        found = list(zip(links["from_segment"], links["to_segment"], strict=True))
        # Out of Z leads A alone, back the way it came: a dead end.
        assert found == [*expected, ("Z", "A")]


def test_a_missing_file_is_named(tmp_path: Path) -> None:
    assert "is missing; set city.roads" in refused(tmp_path / "roads.geojson")


@pytest.mark.parametrize("name", ["roads.geojson", "roads.parquet"])
def test_a_file_that_is_no_layer_is_named(name: str, tmp_path: Path) -> None:
    path = tmp_path / name
    path.write_text("no roads")
    assert "cannot be read as a road layer: " in refused(path)


def test_a_parquet_file_without_geometry_is_named(tmp_path: Path) -> None:
    path = tmp_path / "roads.parquet"
    pd.DataFrame({"segment_id": ["A"]}).to_parquet(path)
    assert "cannot be read as a road layer: Missing geo metadata" in refused(path)


def test_a_layer_without_rows_is_named(tmp_path: Path) -> None:
    path = tmp_path / "roads.geojson"
    path.write_text(json.dumps({"type": "FeatureCollection", "features": []}))
    assert "no road segment in it" in refused(path)


def test_a_table_without_geometry_is_named(tmp_path: Path) -> None:
    path = tmp_path / "roads.csv"
    path.write_text("segment_id,from_node,to_node\nA,n0,n1\n")
    assert "no road segment in it" in refused(path)


@pytest.mark.parametrize("column", ["segment_id", "from_node", "to_node"])
def test_a_missing_column_is_named_with_the_nearest_one_and_how_to_map_it(
    column: str, tmp_path: Path
) -> None:
    layer = straight_segments().rename(columns={column: f"{column}s"})
    message = refused(write_road_layer(layer, tmp_path / "roads.geojson"))
    assert f"column '{column}' is missing (found " in message
    assert f"did you mean '{column}s'?" in message
    assert f"Map it with network.columns.{column}=NAME" in message


@pytest.mark.parametrize(
    "shape",
    [None, Point(100.6, 13.8), MultiLineString([[(0, 0), (1, 0)], [(2, 0), (3, 0)]])],
    ids=["none", "point", "line of separate parts"],
)
def test_a_segment_that_is_no_line_is_named(shape: object, tmp_path: Path) -> None:
    layer = straight_segments()
    layer.geometry = [layer.geometry[0], shape, shape]
    message = refused(write_road_layer(layer, tmp_path / "roads.geojson"))
    assert "segment 'B' is no line (2 such rows)" in message


def test_a_layer_without_a_coordinate_system_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "roads.parquet"
    straight_segments().set_crs(None, allow_override=True).to_parquet(path)
    assert "no coordinate system; save the layer with one, such as EPSG:4326" in refused(path)


@pytest.mark.parametrize("column", ["segment_id", "from_node", "to_node"])
def test_a_missing_id_or_node_is_refused_with_its_row(column: str, tmp_path: Path) -> None:
    layer = straight_segments().assign(**{column: ["x", None, "z"]})
    assert f"row 1 has no {column}" in refused(write_road_layer(layer, tmp_path / "r.geojson"))


def test_segments_that_cannot_be_used_are_named_with_the_file(tmp_path: Path) -> None:
    layer = straight_segments().assign(speed_limit_kph=[50, -5, 50])
    message = refused(write_road_layer(layer, tmp_path / "roads.geojson"))
    assert "segment 'B' has speed_limit_kph -5.0" in message


def test_a_line_in_parts_that_join_is_one_line_in_its_direction(tmp_path: Path) -> None:
    layer = straight_segments()
    line = layer.geometry[1]
    middle = line.interpolate(0.5, normalized=True).coords[0]
    parts = [[line.coords[0], middle], [middle, line.coords[1]]]
    layer.geometry = [
        MultiLineString([layer.geometry[0].coords]), MultiLineString(parts), layer.geometry[2],
    ]  # fmt: skip
    network = read(layer, tmp_path / "roads.parquet")
    assert network.fingerprint() == straight_network().fingerprint()
    assert list(network.segments.geometry[1].coords) == [line.coords[0], middle, line.coords[1]]


def test_heights_are_left_out(tmp_path: Path) -> None:
    layer = straight_segments()
    layer.geometry = [LineString([(x, y, 7.0) for x, y in line.coords]) for line in layer.geometry]
    network = read(layer, tmp_path / "roads.geojson")
    assert not network.segments.geometry.has_z.any()
    assert network.segments.geom_equals_exact(straight_segments(), tolerance=1e-9).all()


def test_without_node_columns_lines_meet_where_their_ends_do(tmp_path: Path) -> None:
    bare = crossroads_network().segments[["segment_id", "geometry"]]
    network = read(bare, tmp_path / "roads.parquet")
    assert network.fingerprint() == crossroads_network().fingerprint()
    nodes = {*network.segments["from_node"], *network.segments["to_node"]}
    assert len(nodes) == 5
    assert "100.6000000,13.8000000" in nodes


def test_ends_a_millimetre_apart_are_one_node_and_a_metre_apart_two(tmp_path: Path) -> None:
    for gap_m, links in ((0.001, [("A", "B")]), (1.0, [])):
        lines = [
            LineString([(100.6, 13.8), point(100)]),
            LineString([point(100 + gap_m), point(200)]),
        ]
        layer = gpd.GeoDataFrame({"segment_id": ["A", "B"]}, geometry=lines, crs="EPSG:4326")
        found = read(layer, tmp_path / "roads.parquet").links
        assert list(zip(found["from_segment"], found["to_segment"], strict=True)) == links


def test_one_node_column_without_the_other_is_refused(tmp_path: Path) -> None:
    path = write_road_layer(straight_segments().drop(columns="to_node"), tmp_path / "roads.geojson")
    assert "column 'to_node' is missing" in refused(path)


def test_limits_in_miles_an_hour_become_kilometres(tmp_path: Path) -> None:
    layer = straight_segments().assign(speed_limit_kph=[30, None, 70])
    settings = NetworkSettings(speed_unit="mph", default_speed_limit_kph=40)
    network = read(layer, tmp_path / "roads.geojson", settings)
    limits = [30 * KPH_PER_MPH, 40, 70 * KPH_PER_MPH]
    assert network.segments["speed_limit_kph"].tolist() == pytest.approx(limits)
    assert network.limit_told is not None
    assert network.limit_told.tolist() == [True, False, True]


def shapefile(folder: Path) -> Path:
    folder.mkdir(exist_ok=True)
    layer = straight_segments().drop(columns=["free_flow_kph"]).assign(speed_limit_kph=80.0)
    layer = layer.rename(columns={"speed_limit_kph": "speed_limi"})  # a shapefile cuts names off
    layer.to_file(folder / "roads.shp", driver="ESRI Shapefile")
    return folder / "roads.shp"


def test_a_shapefile_is_read_plain_and_zipped(tmp_path: Path) -> None:
    plain = shapefile(tmp_path / "plain")
    packed = tmp_path / "roads.zip"
    with zipfile.ZipFile(packed, "w") as archive:
        for path in plain.parent.iterdir():
            archive.write(path, path.name)
    for path in (plain, packed):
        network = read_road_layer(path, SETTINGS)
        assert network.fingerprint() == straight_network().fingerprint()
        assert network.segments["speed_limit_kph"].tolist() == [80.0] * 3


def test_a_shapefile_without_its_companions_is_named(tmp_path: Path) -> None:
    path = shapefile(tmp_path / "plain")
    path.with_suffix(".shx").unlink()
    assert "cannot be read as a road layer: " in refused(path)
    again = shapefile(tmp_path / "again")
    again.with_suffix(".prj").unlink()
    assert "no coordinate system" in refused(again)


def test_the_only_layer_of_lines_is_taken_whatever_else_there_is(tmp_path: Path) -> None:
    path = tmp_path / "roads.gpkg"
    signs = gpd.GeoDataFrame({"segment_id": ["A"]}, geometry=[Point(100.6, 13.8)], crs="EPSG:4326")
    signs.to_file(path, layer="signs", driver="GPKG")
    straight_segments().to_file(path, layer="roads", driver="GPKG")
    assert read_road_layer(path, SETTINGS).segment_ids == ["A", "B", "C"]


def test_of_several_layers_of_lines_the_setting_chooses(tmp_path: Path) -> None:
    path = tmp_path / "roads.gpkg"
    straight_segments().to_file(path, layer="roads", driver="GPKG")
    crossroads_network().segments.to_file(path, layer="crossing", driver="GPKG")
    assert "2 layers of lines in it, not one (there are " in refused(path)
    assert "choose the roads by network.layer=NAME" in refused(path)
    for layer, count in (("roads", 3), ("crossing", 8)):
        settings = NetworkSettings(layer=layer)
        assert len(read_road_layer(path, settings).segment_ids) == count
    message = refused(path, NetworkSettings(layer="road"))
    assert "no layer 'road' (there are " in message
    assert "set network.layer; did you mean 'roads'?" in message


def test_two_way_lines_become_a_segment_each_way(tmp_path: Path) -> None:
    layer = straight_segments().assign(oneway=["B", "F", "T"])
    network = read(layer, tmp_path / "roads.geojson")
    assert network.segment_ids == ["A", "A:reverse", "B", "C:reverse"]
    ends = network.segments[["from_node", "to_node"]].to_numpy().tolist()
    assert ends == [["n0", "n1"], ["n1", "n0"], ["n1", "n2"], ["n3", "n2"]]
    # The way back along A ends where the road does, and B leads on alone.
    pairs = list(zip(network.links["from_segment"], network.links["to_segment"], strict=True))
    assert pairs == [("A", "B"), ("A:reverse", "A")]


def test_a_column_of_another_name_can_say_the_direction(tmp_path: Path) -> None:
    layer = straight_segments().assign(DIR=["no", "yes", "-1"], oneway=["?", "?", "?"])
    settings = NetworkSettings(columns={"oneway": "DIR"})
    network = read(layer, tmp_path / "roads.geojson", settings)
    assert network.segment_ids == ["A", "A:reverse", "B", "C:reverse"]


def test_a_mapped_direction_that_is_not_there_is_named(tmp_path: Path) -> None:
    path = write_road_layer(straight_segments().assign(DIRS="B"), tmp_path / "roads.geojson")
    message = refused(path, NetworkSettings(columns={"oneway": "DIR"}))
    assert "column 'DIR', which network.columns.oneway names, is missing (found " in message
    assert "did you mean 'DIRS'?" in message


def test_metres_that_are_called_degrees_are_refused(tmp_path: Path) -> None:
    metric = straight_segments().to_crs("EPSG:32647").set_crs("EPSG:4326", allow_override=True)
    message = refused(write_road_layer(metric, tmp_path / "roads.parquet"))
    assert "segment 'A' lies at [672" in message
    assert "which is no place on Earth in WGS 84 (3 such rows)" in message


def test_a_coordinate_system_that_leads_nowhere_is_refused(tmp_path: Path) -> None:
    local = straight_segments().set_crs('LOCAL_CS["yard",UNIT["m",1]]', allow_override=True)
    path = tmp_path / "roads.parquet"
    local.to_parquet(path)
    assert "its coordinate system yard cannot be taken to EPSG:4326 (" in refused(path)
