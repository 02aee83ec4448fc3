import csv
import hashlib
import json
from pathlib import Path
from typing import Any

import geopandas as gpd
import pandas as pd
import pytest
import shapely

from roadgraph.config import load_settings, settings_from_dict
from roadgraph.errors import DataError
from roadgraph.network.importing import (
    ImportedNetwork,
    import_network,
    stale_network,
    write_import,
)
from roadgraph.network.network import Network, read_network
from roadgraph.settings import Settings
from roadgraph.settings.roads_and_probes import Side
from tests.toy import (
    crossroads_network,
    crossroads_segments,
    straight_network,
    straight_segments,
    write_road_layer,
)
from tests.toy_osm import crossing, write_osm

SPEEDS = "d1,d2\n50,60\n"
NET = """<net><location netOffset="0,0" projParameter="+proj=utm +zone=47 +datum=WGS84"/>
<edge id="a" from="1" to="2"><lane id="a_0" index="0" speed="13.89" length="100" shape="{}"/></edge>
<edge id="b" from="2" to="1"><lane id="b_0" index="0" speed="13.89" length="100" shape="{}"/></edge>
<junction id="1" type="dead_end" x="672960" y="1526000"/>
<junction id="2" type="dead_end" x="673060" y="1526000"/>
<connection from="a" to="b" fromLane="0" toLane="0"/>
<connection from="b" to="a" fromLane="0" toLane="0"/></net>"""
EAST, WEST = "672960,1526000 673060,1526000", "673060,1526000 672960,1526000"


def settings_of(roads: Path, **network: Any) -> Settings:
    return settings_from_dict({"city": {"roads": str(roads)}, "network": network})


def detectors(roads: Path, speeds: str = SPEEDS, **city: str) -> Settings:
    path = roads.parent / "speed.csv"
    path.write_text(speeds)
    content = {"source": "detectors", "roads": str(roads), "speeds": str(path), **city}
    return settings_from_dict({"city": content, "network": {"parts": "all"}})


def written(folder: Path, name: str, content: str) -> Path:
    (folder / name).write_text(content)
    return folder / name


def ids_of(settings: Settings) -> list[str]:
    return import_network(settings).network.segment_ids


def with_a_stub() -> gpd.GeoDataFrame:
    """Return the crossroads and A, B and C, which nothing leads back to."""
    both = [crossroads_segments(), straight_segments().assign(road_class="primary")]
    return gpd.GeoDataFrame(pd.concat(both, ignore_index=True))


@pytest.fixture
def cut(tmp_path: Path) -> tuple[ImportedNetwork, Settings]:
    settings = settings_of(write_road_layer(with_a_stub(), tmp_path / "roads.geojson"))
    return import_network(settings), settings


def test_a_city_of_probes_reads_its_road_layer_with_the_network_settings(tmp_path: Path) -> None:
    layer = straight_network().segments.rename(columns={"segment_id": "key"})
    path = write_road_layer(layer, tmp_path / "roads.geojson")
    settings = settings_of(path, columns={"segment_id": "key"}, parts="all")
    imported = import_network(settings)
    assert imported.kind == "gis"
    assert imported.network.segment_ids == ["A", "B", "C"]
    assert len(imported.cut) == 0


def test_a_city_of_detectors_reads_its_matrix_with_the_names_of_its_speeds(tmp_path: Path) -> None:
    imported = import_network(detectors(written(tmp_path, "adjacency.csv", "0,1\n0,0\n")))
    assert imported.kind == "adjacency"
    assert imported.network.segment_ids == ["d1", "d2"]
    assert imported.network.links["from_segment"].tolist() == ["d1"]


def test_an_extract_of_openstreetmap_is_read(tmp_path: Path) -> None:
    imported = import_network(settings_of(write_osm(tmp_path / "town.osm.gz", *crossing())))
    assert imported.kind == "osm"
    assert len(imported.network.segment_ids) == 8
    assert imported.summary.limit_known == 0.0  # the toy has no maxspeed


def test_a_net_of_sumo_is_read(tmp_path: Path) -> None:
    path = written(tmp_path, "town.net.xml", NET.format(EAST, WEST))
    assert import_network(settings_of(path)).kind == "sumo"
    assert ids_of(settings_of(path)) == ["a", "b"]


def test_a_graph_of_osmnx_is_read(tmp_path: Path) -> None:
    osmnx = pytest.importorskip("osmnx")
    graph = osmnx.graph_from_xml(write_osm(tmp_path / "town.osm", *crossing()))
    osmnx.save_graphml(graph, tmp_path / "town.graphml")
    imported = import_network(settings_of(tmp_path / "town.graphml"))
    assert imported.kind == "graphml"
    assert len(imported.network.segment_ids) == 8


def test_a_list_of_distances_is_read(tmp_path: Path) -> None:
    rows = "from,to,cost\nd1,d2,0\nd2,d1,1\nd9,d1,5\n"
    imported = import_network(detectors(written(tmp_path, "distances.csv", rows)))
    assert imported.kind == "distances"
    assert imported.network.segment_ids == ["d1", "d2"]


def test_a_data_set_of_libcity_is_read(tmp_path: Path) -> None:
    written(tmp_path, "x.geo", 'geo_id,type,coordinates\nd1,Point,"[0, 1]"\nd2,Point,[]\n')
    written(tmp_path, "x.rel", "rel_id,type,origin_id,destination_id\n0,geo,d1,d2\n")
    for roads in (tmp_path / "x.geo", tmp_path / "x.rel"):
        imported = import_network(detectors(roads))
        assert imported.kind == "libcity"
        assert imported.network.links["to_segment"].tolist() == ["d2"]


def test_detectors_may_lie_on_roads_of_their_ids(tmp_path: Path) -> None:
    roads = write_road_layer(straight_network(), tmp_path / "roads.geojson")
    assert ids_of(detectors(roads, "B,A\n1,2\n")) == ["A", "B", "C"]


def test_detectors_that_the_network_does_not_have_are_refused(tmp_path: Path) -> None:
    roads = write_road_layer(straight_network(), tmp_path / "roads.geojson")
    with pytest.raises(DataError) as error:
        import_network(detectors(roads, "A,AA,Z\n1,2,3\n"))
    assert "2 of 3 detectors are not in" in str(error.value)
    assert "such as 'AA'; set city.detector_ids or network.columns.segment_id" in str(error.value)
    assert str(error.value).endswith("did you mean 'A'?")


def test_a_network_without_lines_is_refused_for_fixes(tmp_path: Path) -> None:
    written(tmp_path, "x.geo", "geo_id,type,coordinates\nd1,Point,[]\nd2,Point,[]\n")
    written(tmp_path, "x.rel", "rel_id,type,origin_id,destination_id\n0,geo,d1,d2\n")
    for name, content in (("a.csv", "0,1\n1,0\n"), ("d.csv", "from,to,cost\n"), ("x.geo", None)):
        path = tmp_path / name if content is None else written(tmp_path, name, content)
        with pytest.raises(DataError, match=r"has no geometry that fixes could be matched to; set"):
            import_network(settings_of(path))


def test_a_missing_road_layer_is_named(tmp_path: Path) -> None:
    with pytest.raises(DataError, match=r"road layer .*nothere\.geojson is missing"):
        import_network(settings_of(tmp_path / "nothere.geojson"))


def test_the_largest_part_is_kept_unless_all_are_wanted(
    cut: tuple[ImportedNetwork, Settings], tmp_path: Path
) -> None:
    imported, _ = cut
    assert imported.network.segment_ids == crossroads_network().segment_ids
    assert imported.cut.segments["segment_id"].tolist() == ["A", "B", "C"]
    assert imported.summary.segments == 8
    whole = import_network(settings_of(tmp_path / "roads.geojson", parts="all"))
    assert len(whole.network.segment_ids) == 11


def test_los_loop_keeps_the_detectors_that_nothing_leads_back_to() -> None:
    # One of the 207 has no link at all; the published figures have it.
    assert load_settings(["city=los_loop"]).network.parts == "all"
    assert load_settings(["city=sample"]).network.parts == "largest"


def test_the_sample_city_is_one_part() -> None:
    imported = import_network(load_settings(["city=sample"]))
    assert len(imported.cut) == 0
    assert imported.summary.counts() == {
        "segments": 298,
        "kilometres": 130.8,
        "links": 965,
        "strongly connected parts": 1,
        "segments in the largest part": 298,
        "weakly connected parts": 1,
        "speed limit known": 1.0,
    }


def test_an_import_is_written_with_its_account_and_what_was_cut(
    cut: tuple[ImportedNetwork, Settings], tmp_path: Path
) -> None:
    imported, settings = cut
    folder = tmp_path / "network"
    write_import(imported, settings, folder)
    assert read_network(folder).fingerprint() == imported.network.fingerprint()
    with (folder / "cut.csv").open() as file:
        rows = list(csv.DictReader(file))
    assert [row["segment_id"] for row in rows] == ["A", "B", "C"]
    assert rows[0] == {
        "segment_id": "A", "part": "2", "road_class": "primary", "length_m": "100.0",
    }  # fmt: skip
    account = json.loads((folder / "network.json").read_text())
    sha256 = hashlib.sha256((tmp_path / "roads.geojson").read_bytes()).hexdigest()
    assert account["kind"] == "gis"
    assert account["source"] == [{"file": "roads.geojson", "sha256": sha256}]
    assert account["fingerprint"] == imported.network.fingerprint()
    assert account["summary"]["segments"] == 8
    assert account["summary"]["by road class"] == [
        {"road_class": "residential", "segments": 8, "kilometres": 0.8}
    ]
    assert account["cut"] == {
        "segments": 3,
        "kilometres": 0.3,
        "parts": 3,
        "by road class": [{"road_class": "primary", "segments": 3, "kilometres": 0.3}],
    }
    assert account["settings"]["network"]["parts"] == "largest"
    assert str(tmp_path) not in (folder / "network.json").read_text()


def test_where_nothing_was_cut_there_is_no_table_of_it(tmp_path: Path) -> None:
    path = write_road_layer(crossroads_network(), tmp_path / "roads.geojson")
    write_import(import_network(settings_of(path)), settings_of(path), tmp_path / "network")
    names = sorted(item.name for item in (tmp_path / "network").iterdir())
    assert names == ["links.parquet", "network.json", "segments.parquet"]


def test_the_picture_is_in_the_folder_before_it_takes_the_place_of_the_old_one(
    tmp_path: Path,
) -> None:
    folder = tmp_path / "network"
    path = write_road_layer(crossroads_network(), tmp_path / "roads.geojson")
    settings = settings_of(path)

    def draw(network: Network, drives_on: Side, picture: Path) -> None:
        assert drives_on == settings.city.drives_on
        assert not folder.exists()
        picture.write_text(f"{len(network.segment_ids)} segments")

    write_import(import_network(settings), settings, folder, draw)
    assert (folder / "network.png").read_text() == "8 segments"
    matrix = detectors(written(tmp_path, "adjacency.csv", "0,1\n0,0\n"))
    write_import(import_network(matrix), matrix, folder, draw)  # there is nothing to draw
    assert not (folder / "network.png").exists()


def test_the_account_names_every_file_that_was_read(tmp_path: Path) -> None:
    layer = crossroads_segments().rename(columns={"speed_limit_kph": "limit"})
    layer.drop(columns="free_flow_kph").to_file(tmp_path / "roads.shp")
    ids = written(tmp_path, "ids.txt", "d1 d2")
    matrix = detectors(written(tmp_path, "m.csv", "0,1\n1,0\n"), detector_ids=str(ids))
    libcity = tmp_path / "libcity"
    libcity.mkdir()
    written(libcity, "x.geo", "geo_id,type,coordinates\nd1,Point,[]\nd2,Point,[]\n")
    written(libcity, "x.rel", "rel_id,type,origin_id,destination_id\n0,geo,d1,d2\n")
    written(libcity, "config.json", "{}")
    crossroads_segments().to_file(tmp_path / "roads.gdb", driver="OpenFileGDB")
    geodatabase = settings_of(tmp_path / "roads.gdb")
    write_import(import_network(geodatabase), geodatabase, tmp_path / "network")
    account = json.loads((tmp_path / "network" / "network.json").read_text())
    assert "a00000001.gdbtable" in {item["file"] for item in account["source"]}
    found = []
    for settings in (
        settings_of(tmp_path / "roads.shp"), matrix, detectors(libcity, str(SPEEDS)),
    ):  # fmt: skip
        write_import(import_network(settings), settings, tmp_path / "network")
        account = json.loads((tmp_path / "network" / "network.json").read_text())
        found.append([item["file"] for item in account["source"]])
    assert {"roads.shp", "roads.dbf", "roads.prj", "roads.shx"} <= set(found[0])
    assert found[1:] == [["m.csv", "ids.txt"], ["x.geo", "x.rel", "config.json"]]


def test_an_import_of_our_own_layer_gives_the_same_bytes(tmp_path: Path) -> None:
    path = write_road_layer(crossroads_network(), tmp_path / "roads.geojson")
    contents = []
    for name in ("one", "two"):
        write_import(import_network(settings_of(path)), settings_of(path), tmp_path / name)
        contents.append([item.read_bytes() for item in sorted((tmp_path / name).iterdir())])
    assert contents[0] == contents[1]
    assert shapely.get_type_id(read_network(tmp_path / "one").segments.geometry).tolist() == [1] * 8


def test_an_import_is_stale_when_its_files_or_settings_have_changed(tmp_path: Path) -> None:
    path = write_road_layer(crossroads_network(), tmp_path / "roads.geojson")
    settings, folder = settings_of(path), tmp_path / "network"
    assert stale_network(settings, folder) == ("none yet",)
    write_import(import_network(settings), settings, folder)
    assert stale_network(settings, folder) == ()
    assert stale_network(settings_of(path, max_turn_deg=120.0), folder) == (
        "network.max_turn_deg 170.0 -> 120.0",
    )
    write_road_layer(with_a_stub(), path)
    assert stale_network(settings, folder) == ("roads roads.geojson changed",)
    account = folder / "network.json"
    account.write_text("{}")
    assert stale_network(settings, folder) == ("made by an older roadgraph",)


def test_a_network_whose_roads_are_gone_is_an_error_that_names_them(tmp_path: Path) -> None:
    with pytest.raises(DataError, match=r"roads\.geojson is missing; set city\.roads"):
        stale_network(settings_of(tmp_path / "roads.geojson"), tmp_path / "network")
