import hashlib
from collections.abc import Callable
from pathlib import Path

import geopandas as gpd
import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from pandas.testing import assert_frame_equal

from roadgraph.errors import DataError
from roadgraph.network.links import links_at_nodes
from roadgraph.network.network import (
    Network,
    checked_network,
    network_folder,
    read_network,
    write_network,
)
from roadgraph.schema import LINKS, SEGMENTS
from tests.toy import (
    MAX_TURN_DEG,
    crossroads_network,
    detector_network,
    straight_network,
    straight_segments,
)


def straight_links() -> pd.DataFrame:
    return links_at_nodes(straight_segments(), MAX_TURN_DEG)


def refused(segments: gpd.GeoDataFrame, links: pd.DataFrame | None = None) -> str:
    with pytest.raises(DataError) as error:
        checked_network(segments, straight_links() if links is None else links, "roads.gpkg")
    message = str(error.value)
    assert message.startswith("roads.gpkg: ")
    return message


def with_cell(column: str, row: int, value: object) -> gpd.GeoDataFrame:
    segments = straight_segments()
    values = list(segments[column])
    values[row] = value
    return segments.assign(**{column: values})


def test_segments_and_links_are_sorted_by_key_whatever_their_order_was() -> None:
    segments, links = straight_segments(), straight_links()
    network = checked_network(segments.iloc[[2, 0, 1]], links.iloc[::-1], "toy")
    assert network.segment_ids == ["A", "B", "C"]
    assert list(network.segments.columns) == SEGMENTS.columns
    assert list(network.links.columns) == LINKS.columns
    assert list(network.links["from_segment"]) == ["A", "B"]


def test_the_given_tables_are_left_as_they_were() -> None:
    segments, links = straight_segments().iloc[[2, 0, 1]], straight_links().iloc[::-1]
    before = segments.copy(), links.copy()
    checked_network(segments, links, "toy")
    assert_frame_equal(segments, before[0])
    assert_frame_equal(links, before[1])


def test_a_network_without_segments_is_refused() -> None:
    assert "no road segment" in refused(straight_segments().iloc[:0])


@pytest.mark.parametrize("column", ["segment_id", "from_node", "to_node"])
def test_a_missing_id_or_node_is_refused_with_its_row(column: str) -> None:
    segments = with_cell(column, 1, None)
    no_links = straight_links().iloc[:0]
    assert refused(segments, no_links) == f"roads.gpkg: row 1 has no {column}"


def test_a_repeated_id_is_refused_with_the_number_of_repeats() -> None:
    segments = straight_segments().assign(segment_id=["A", "A", "A"])
    message = refused(segments, straight_links().iloc[:0])
    assert "two segments have the id 'A' (2 repeats in all)" in message


@pytest.mark.parametrize("column", ["length_m", "speed_limit_kph", "lanes"])
@pytest.mark.parametrize("value", [0, -5])
def test_a_length_limit_or_lane_count_that_cannot_be_is_refused(column: str, value: int) -> None:
    message = refused(with_cell(column, 1, value))
    assert f"segment 'B' has {column} {value}" in message
    assert "(1 such rows); it must be above 0" in message


def test_an_unknown_length_or_limit_is_allowed() -> None:
    network = checked_network(with_cell("length_m", 1, np.nan), straight_links(), "toy")
    assert network.segments["length_m"].isna().tolist() == [False, True, False]


@pytest.mark.parametrize("column", ["from_segment", "to_segment"])
def test_a_link_to_a_segment_that_does_not_exist_is_refused(column: str) -> None:
    links = straight_links().assign(**{column: ["A", "Z"]})
    assert "a link names segment 'Z', which does not exist" in refused(straight_segments(), links)


def test_all_faults_are_named_at_once() -> None:
    segments = with_cell("length_m", 0, -1.0).assign(lanes=[1, 1, 0])
    message = refused(segments, straight_links().assign(to_segment="Z"))
    for fault in ("segment 'A' has length_m -1.0", "segment 'C' has lanes 0", "names segment 'Z'"):
        assert fault in message


def test_what_a_reader_says_of_limits_follows_the_order_of_the_segments() -> None:
    assert straight_network().limit_told is None
    segments = straight_segments().assign(limit_told=[True, False, False]).iloc[[2, 0, 1]]
    network = checked_network(segments, straight_links(), "toy")
    assert list(network.segments.columns) == SEGMENTS.columns
    assert network.limit_told is not None
    assert network.limit_told.tolist() == [True, False, False]


def test_link_indices_are_places_in_the_order_of_the_segments() -> None:
    indices = straight_network().link_indices()
    assert indices["source"].tolist() == [0, 1]
    assert indices["target"].tolist() == [1, 2]
    assert indices["weight"].tolist() == [1.0, 1.0]
    assert indices["source"].dtype == np.int64


def test_link_indices_of_the_crossroads_name_the_same_pairs_as_its_links() -> None:
    network = crossroads_network()
    ids = np.array(network.segment_ids)
    indices = network.link_indices()
    assert (ids[indices["source"]] == network.links["from_segment"]).all()
    assert (ids[indices["target"]] == network.links["to_segment"]).all()


def test_the_fingerprint_is_that_of_ids_and_links_one_after_another() -> None:
    network = straight_network()
    links = network.links.assign(weight=[0.1 + 0.2, 1e-7])
    texts = b"A\x00B\x00C\x00links\x00A>B:0.3\x00B>C:1e-07\x00"
    assert Network(network.segments, links).fingerprint() == hashlib.sha256(texts).hexdigest()


def test_the_fingerprint_is_the_one_that_older_bundles_and_stores_hold() -> None:
    held = "e88e0efa1e4c1cfadd69165e36aed97d6937d68ef291223254d87b190f8c79a7"
    assert crossroads_network().fingerprint() == held


def test_only_a_network_with_a_line_for_every_segment_has_geometry() -> None:
    assert straight_network().has_geometry
    assert not detector_network().has_geometry
    one_missing = straight_segments()
    one_missing.geometry = [*one_missing.geometry[:2], None]
    assert not checked_network(one_missing, straight_links(), "toy").has_geometry


def test_fingerprint_is_the_same_for_the_same_roads_in_another_order() -> None:
    segments, links = straight_segments(), straight_links()
    shuffled = checked_network(segments.iloc[[2, 0, 1]], links.iloc[::-1], "another file")
    assert shuffled.fingerprint() == straight_network().fingerprint()
    assert len(shuffled.fingerprint()) == 64


def test_fingerprint_changes_with_ids_links_and_weights_but_not_with_limits() -> None:
    network = straight_network()
    segments, links = network.segments, network.links
    others = [
        Network(segments.assign(segment_id=["A", "B", "D"]), links),
        Network(segments, links.iloc[:1]),
        Network(segments, links.assign(weight=[1.0, 0.5])),
        Network(segments, links.assign(to_segment=["C", "C"])),
    ]
    prints = {network.fingerprint(), *(other.fingerprint() for other in others)}
    assert len(prints) == 5
    told = segments.assign(speed_limit_kph=80.0, name="Elm")
    faster = Network(told, links.assign(turn_angle_deg=3.0))
    assert faster.fingerprint() == network.fingerprint()


@pytest.mark.parametrize("make", [straight_network, crossroads_network, detector_network])
def test_a_network_comes_back_from_its_files_as_it_went_in(
    make: Callable[[], Network], tmp_path: Path
) -> None:
    network = make()
    write_network(network, tmp_path / "network")
    back = read_network(tmp_path / "network")
    assert_frame_equal(back.links, network.links)
    assert_frame_equal(
        pd.DataFrame(back.segments.drop(columns="geometry")),
        pd.DataFrame(network.segments.drop(columns="geometry")),
    )
    assert back.has_geometry == network.has_geometry
    if network.has_geometry:
        assert back.segments.geom_equals(network.segments).all()
    assert back.segments.crs == network.segments.crs
    assert back.fingerprint() == network.fingerprint()


def test_a_network_with_some_lanes_unknown_comes_back_as_it_went_in(tmp_path: Path) -> None:
    lanes = pd.Series([2, None, 1], dtype="Int32")
    unknown = {"length_m": [120.0, np.nan, 80.0], "speed_limit_kph": [50.0, np.nan, np.nan]}
    segments = straight_segments().assign(lanes=lanes, **unknown)
    network = checked_network(segments, straight_links(), "toy")
    write_network(network, tmp_path / "network")
    back = read_network(tmp_path / "network")
    assert_frame_equal(pd.DataFrame(back.segments), pd.DataFrame(network.segments))
    assert_frame_equal(back.links, network.links)


def test_names_come_back_from_their_files_and_blank_ones_are_none(tmp_path: Path) -> None:
    segments = straight_segments().assign(name=["Elm", " ", np.nan])
    write_network(checked_network(segments, straight_links(), "toy"), tmp_path / "some")
    assert read_network(tmp_path / "some").segments["name"].tolist() == ["Elm", None, None]
    write_network(straight_network(), tmp_path / "none")
    assert read_network(tmp_path / "none").segments["name"].tolist() == [None] * 3
    types = [
        pq.read_schema(tmp_path / name / "segments.parquet").field("name").type
        for name in ("some", "none")
    ]
    assert types == [pa.large_string()] * 2


def test_a_network_written_before_roads_had_names_is_read_without_any(tmp_path: Path) -> None:
    network = straight_network()
    write_network(network, tmp_path / "network")
    before = network.segments.drop(columns="name")
    before.to_parquet(tmp_path / "network" / "segments.parquet", index=False)
    back = read_network(tmp_path / "network")
    assert list(back.segments.columns) == SEGMENTS.columns
    assert back.segments["name"].tolist() == [None] * 3
    assert back.fingerprint() == network.fingerprint()


def test_a_network_is_found_in_its_folder_and_in_that_of_its_city(tmp_path: Path) -> None:
    write_network(straight_network(), tmp_path / "city" / "network")
    for folder in (tmp_path / "city", tmp_path / "city" / "network"):
        assert network_folder(folder) == tmp_path / "city" / "network"
    with pytest.raises(DataError, match=r"holds no imported network \(segments\.parquet\)"):
        network_folder(tmp_path)


def test_the_same_network_gives_the_same_bytes(tmp_path: Path) -> None:
    for name in ("first", "second"):
        write_network(crossroads_network(), tmp_path / name)
    for file in ("segments.parquet", "links.parquet"):
        first, second = ((tmp_path / name / file).read_bytes() for name in ("first", "second"))
        assert first == second


def test_a_network_that_was_not_imported_is_named(tmp_path: Path) -> None:
    with pytest.raises(DataError, match=r"segments\.parquet is missing; import the roads first"):
        read_network(tmp_path)


def test_a_network_without_its_links_is_named(tmp_path: Path) -> None:
    write_network(straight_network(), tmp_path / "network")
    (tmp_path / "network" / "links.parquet").unlink()
    with pytest.raises(DataError, match=r"links\.parquet is missing"):
        read_network(tmp_path / "network")


@pytest.mark.parametrize("name", ["segments.parquet", "links.parquet"])
def test_a_damaged_network_is_an_error_that_names_the_folder(tmp_path: Path, name: str) -> None:
    write_network(straight_network(), tmp_path / "network")
    path = tmp_path / "network" / name
    path.write_bytes(path.read_bytes()[:100])
    with pytest.raises(DataError, match=r"network is damaged .* roadgraph network"):
        read_network(tmp_path / "network")
