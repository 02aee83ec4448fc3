import bz2
import gzip
from pathlib import Path

import numpy as np
import pytest
from scipy import sparse

from roadgraph.errors import DataError
from roadgraph.network.kinds import KINDS, KNOWN, network_kind
from tests.toy import straight_network, write_road_layer

XML = {"osm": "<osm/>", "sumo": "<?xml version='1.0'?>\n<!-- by hand -->\n<net/>"}


def written(folder: Path, name: str, content: str | bytes) -> Path:
    path = folder / name
    path.write_bytes(content.encode() if isinstance(content, str) else content)
    return path


def refused(path: Path) -> str:
    with pytest.raises(DataError) as error:
        network_kind(path)
    assert str(path) in str(error.value)
    return str(error.value)


@pytest.mark.parametrize(
    ("name", "content", "kind"),
    [
        ("town.osm", "<osm/>", "osm"),
        ("town.osm.gz", gzip.compress(b"<osm/>", mtime=0), "osm"),
        ("town.osm.bz2", bz2.compress(b"<osm/>"), "osm"),
        ("town.osm.pbf", "OSMHeader", "osm"),
        ("town.osm.xml", XML["osm"], "osm"),
        ("town.osm.xml.gz", gzip.compress(b"<osm/>", mtime=0), "osm"),
        ("town.xml", XML["osm"], "osm"),
        ("town.net.xml", XML["sumo"], "sumo"),
        ("town.net.xml.gz", gzip.compress(XML["sumo"].encode(), mtime=0), "sumo"),
        ("town", gzip.compress(XML["sumo"].encode(), mtime=0), "sumo"),
        ("town.graphml", "<graphml/>", "graphml"),
        ("town.graphml.gz", gzip.compress(b"<graphml/>", mtime=0), "graphml"),
        ("town.xml", "<graphml/>", "graphml"),
        ("adj.csv", "0,1\n1,0\n", "adjacency"),
        ("adj.csv", "\ufeff1.0,0\n0,1\n", "adjacency"),
        ("adj.txt", "\n0.5,1e-3\n", "adjacency"),
        ("distances_la_2012.csv", "from,to,cost\n1,2,30.5\n", "distances"),
        ("distances.csv", "From, To, distance\n1,2,30.5\n", "distances"),
        ("roads.csv", 'id,WKT\n1,"LINESTRING (0 0, 1 1)"\n', "gis"),
        ("METR_LA.geo", "geo_id,type,coordinates\n", "libcity"),
        ("METR_LA.rel", "rel_id,type,origin_id,destination_id\n", "libcity"),
        ("roads.GEOJSON", "{}", "gis"),
        ("roads.zip", "PK", "gis"),
        ("roads", '  {"type": "FeatureCollection"}', "gis"),
        ("roads.data", "SQLite format 3", "gis"),
    ],
)
def test_a_kind_is_told_by_the_name_or_the_beginning(
    name: str, content: str | bytes, kind: str, tmp_path: Path
) -> None:
    assert network_kind(written(tmp_path, name, content)) == kind


@pytest.mark.parametrize("name", ["roads.geojson", "roads.parquet"])
def test_a_layer_of_our_own_is_a_gis_layer(name: str, tmp_path: Path) -> None:
    path = write_road_layer(straight_network(), tmp_path / name)
    assert network_kind(path) == "gis"
    assert network_kind(path.rename(tmp_path / "roads.v2")) == "gis"


def test_matrices_of_numpy_and_scipy_are_adjacency(tmp_path: Path) -> None:
    np.save(tmp_path / "a.npy", np.eye(2))
    sparse.save_npz(tmp_path / "b.npz", sparse.csr_array(np.eye(2)))
    assert network_kind(tmp_path / "a.npy") == network_kind(tmp_path / "b.npz") == "adjacency"
    assert network_kind((tmp_path / "a.npy").rename(tmp_path / "adjacency")) == "adjacency"


def test_a_folder_is_libcity_or_a_geodatabase(tmp_path: Path) -> None:
    (tmp_path / "roads.gdb").mkdir()
    assert network_kind(tmp_path / "roads.gdb") == "gis"
    written(tmp_path, "METR_LA.geo", "geo_id\n")
    assert network_kind(tmp_path) == "libcity"


def test_every_kind_is_named_where_none_fits(tmp_path: Path) -> None:
    assert len(KINDS) == 7
    for name in ("OpenStreetMap", "GraphML", "SUMO", "GIS", "adjacency", "distances", "LibCity"):
        assert name in KNOWN


@pytest.mark.parametrize(
    ("name", "content", "found"),
    [
        ("roads.docx", "PK\x03", "suffix '.docx'"),
        ("roads.xml", "<svg/>", "it begins with <svg>"),
        ("roads.csv", "a,b\n1,2\n", "its first line is 'a,b'"),
        ("roads.txt", "roads", "its first line is 'roads'"),
    ],
)
def test_what_is_no_network_is_refused_with_all_that_are_known(
    name: str, content: str, found: str, tmp_path: Path
) -> None:
    message = refused(written(tmp_path, name, content))
    assert message.endswith(f"is no network that roadgraph knows ({found}); it reads {KNOWN}")


def test_a_folder_of_other_files_is_refused(tmp_path: Path) -> None:
    assert "(a folder without a .geo file)" in refused(tmp_path)


def test_a_missing_an_empty_and_a_blank_file_are_named(tmp_path: Path) -> None:
    assert (
        refused(tmp_path / "a.osm") == f"road layer {tmp_path / 'a.osm'} is missing; set city.roads"
    )
    for name, content in (("a.csv", ""), ("a.osm", ""), ("b.csv", "\n \n")):
        path = written(tmp_path, name, content)
        assert refused(path) == f"{path} is empty"


def test_a_pickle_is_refused_with_what_to_do(tmp_path: Path) -> None:
    message = refused(written(tmp_path, "adj_mx.pkl", b"\x80\x04"))
    assert "is a pickle, which runs code when it is opened; save the matrix in it with" in message


def test_a_text_in_another_encoding_is_refused(tmp_path: Path) -> None:
    assert refused(written(tmp_path, "a.csv", b"stra\xdfe,1\n")).endswith(
        "a.csv is not in UTF-8; save it so"
    )


def test_a_broken_archive_is_named(tmp_path: Path) -> None:
    path = written(tmp_path, "town.xml.gz", gzip.compress(b"<osm/>" * 99, mtime=0)[:20])
    assert "cannot be decompressed" in refused(path)
