import geopandas as gpd
import pandas as pd
import pytest
from pandas.testing import assert_frame_equal

from roadgraph.errors import DataError
from roadgraph.network.connectivity import (
    Cut,
    first_names,
    keep_largest_part,
    kilometres_by,
    numbered_parts,
)
from roadgraph.network.network import Network, checked_network
from tests.toy import (
    crossroads_network,
    crossroads_segments,
    detector_network,
    network_of,
    straight_network,
    straight_segments,
)


def with_links(segments: gpd.GeoDataFrame, *pairs: str) -> Network:
    """Return a network of links written as ``A>B``."""
    ends = [pair.split(">") for pair in pairs]
    links = pd.DataFrame(ends, columns=["from_segment", "to_segment"])
    return checked_network(segments, links.assign(turn_angle_deg=0.0, weight=1.0), "toy")


def with_a_stub() -> Network:
    """Return the crossroads and, elsewhere, A, B and C in a row."""
    both = [crossroads_segments(), straight_segments().assign(road_class="primary")]
    return network_of(gpd.GeoDataFrame(pd.concat(both, ignore_index=True)))


def test_parts_are_numbered_by_their_size() -> None:
    # A and B lead to each other, C only away from them.
    network = with_links(straight_segments(), "A>B", "B>A", "B>C")
    assert numbered_parts(network).tolist() == [1, 1, 2]
    assert numbered_parts(network, "weak").tolist() == [1, 1, 1]


def test_of_parts_of_one_size_the_longer_is_the_larger_then_the_first_by_id() -> None:
    segments = straight_segments()
    assert numbered_parts(with_links(segments, "A>B")).tolist() == [1, 2, 3]
    longer = segments.assign(length_m=[100.0, 100.0, 101.0])
    assert numbered_parts(with_links(longer, "A>B")).tolist() == [2, 3, 1]
    unknown = segments.assign(length_m=[float("nan"), 1.0, 1.0])
    assert numbered_parts(with_links(unknown, "A>B")).tolist() == [3, 1, 2]


def test_detectors_have_parts_too() -> None:
    assert numbered_parts(detector_network(3), "weak").tolist() == [1, 1, 1]
    assert numbered_parts(detector_network(3)).tolist() == [1, 2, 3]


def test_the_largest_part_is_kept_and_the_rest_accounted_for() -> None:
    network, cut = keep_largest_part(with_a_stub(), "toy")
    expected = crossroads_network()
    assert_frame_equal(pd.DataFrame(network.segments), pd.DataFrame(expected.segments))
    assert_frame_equal(network.links, expected.links)
    assert len(cut) == 3
    assert cut.kilometres == pytest.approx(0.3)
    assert cut.segments.to_dict("list") == {
        "segment_id": ["A", "B", "C"],
        "part": [2, 3, 4],
        "road_class": ["primary"] * 3,
        "length_m": [100.0] * 3,
    }
    assert cut.by_class().reset_index().to_dict("list") == {
        "road_class": ["primary"], "segments": [3], "kilometres": [pytest.approx(0.3)],
    }  # fmt: skip
    assert cut.by_part()["segments"].to_dict() == {2: 1, 3: 1, 4: 1}


def test_a_link_out_of_the_largest_part_goes_with_what_it_led_to() -> None:
    network, cut = keep_largest_part(with_links(straight_segments(), "A>B", "B>A", "B>C"), "toy")
    assert network.segment_ids == ["A", "B"]
    assert list(network.links["to_segment"]) == ["B", "A"]
    assert cut.segments["segment_id"].tolist() == ["C"]


def test_a_network_of_one_part_is_left_as_it_is() -> None:
    network = crossroads_network()
    kept, cut = keep_largest_part(network, "toy")
    assert kept is network
    assert len(cut) == 0
    assert cut.kilometres == 0
    assert cut.by_class().empty
    assert Cut.nothing().by_part().empty


def test_what_is_told_of_limits_is_kept_for_what_is_kept() -> None:
    segments = straight_segments().assign(limit_told=[True, False, True])
    network, _ = keep_largest_part(with_links(segments, "A>B", "B>A"), "toy")
    assert network.limit_told is not None
    assert network.limit_told.tolist() == [True, False]


def test_a_network_where_nothing_leads_back_is_refused() -> None:
    with pytest.raises(DataError) as error:
        keep_largest_part(straight_network(), "toy")
    assert str(error.value).startswith(
        "toy: no two of its 3 segments can be reached from each other"
    )
    assert str(error.value).endswith("network.parts=all keeps them as they are")


def test_a_single_segment_is_a_part() -> None:
    network = network_of(straight_segments().iloc[:1])
    assert keep_largest_part(network, "toy")[0] is network


def test_the_given_network_is_left_as_it_was() -> None:
    network = with_a_stub()
    keep_largest_part(network, "toy")
    assert network.fingerprint() == with_a_stub().fingerprint()


def test_kilometres_come_with_the_longest_first_then_by_name() -> None:
    segments = pd.DataFrame(
        {"kind": ["b", "a", "c", "b"], "length_m": [500.0, 1500.0, 1500.0, float("nan")]}
    )
    found = kilometres_by(segments, "kind")
    assert found.index.tolist() == ["a", "c", "b"]
    assert found["segments"].tolist() == [1, 1, 2]
    assert found["kilometres"].tolist() == [1.5, 1.5, 0.5]


def test_only_the_first_few_names_are_printed() -> None:
    assert first_names(["a", "b"], 2) == "a, b"
    assert first_names(["a", "b", "c", "d"], 2) == "a, b and 2 more"
