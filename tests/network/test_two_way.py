import geopandas as gpd
import pandas as pd
import pytest

from roadgraph.errors import DataError
from roadgraph.network.two_way import one_line_a_direction
from tests.toy import crossroads_segments, straight_segments

COLUMNS = ["segment_id", "from_node", "to_node", "geometry"]


def layer_of(*oneway: object) -> gpd.GeoDataFrame:
    """Return A, B and C with a column ``oneway``."""
    return straight_segments()[COLUMNS].assign(oneway=list(oneway))


@pytest.mark.parametrize(
    ("oneway", "ids"),
    [
        (["F", "T", "B"], ["A", "C", "B:reverse", "C:reverse"]),
        (["yes", "-1", "no"], ["A", "C", "B:reverse", "C:reverse"]),
        (["FT", "TF", ""], ["A", "C", "B:reverse", "C:reverse"]),
        ([True, True, False], ["A", "B", "C", "C:reverse"]),
        ([1, -1, 0], ["A", "C", "B:reverse", "C:reverse"]),
        ([1.0, -1.0, None], ["A", "C", "B:reverse", "C:reverse"]),
        (["True", "reverse", pd.NA], ["A", "C", "B:reverse", "C:reverse"]),
    ],
)
def test_every_usual_way_to_write_a_direction_is_known(
    oneway: list[object], ids: list[str]
) -> None:
    assert one_line_a_direction(layer_of(*oneway), "roads")["segment_id"].tolist() == ids


def test_a_segment_against_its_line_has_its_nodes_and_its_line_turned_round() -> None:
    found = one_line_a_direction(layer_of("F", "T", "F"), "roads").set_index("segment_id")
    turned = found.loc["B:reverse"]
    assert (turned["from_node"], turned["to_node"]) == ("n2", "n1")
    assert turned["geometry"].equals(straight_segments().geometry[1].reverse())
    assert next(iter(turned["geometry"].coords)) == straight_segments().geometry[1].coords[1]
    assert found.crs == straight_segments().crs


def test_a_two_way_road_that_is_drawn_twice_is_not_drawn_again() -> None:
    # OSMnx writes an edge each way and calls both no one-way street.
    layer = crossroads_segments()[COLUMNS].assign(oneway=False)
    found = one_line_a_direction(layer, "roads")
    assert found["segment_id"].tolist() == layer["segment_id"].tolist()


def test_lines_without_nodes_and_ids_are_turned_too() -> None:
    layer = layer_of("B", "F", "F").drop(columns=["from_node", "to_node"])
    layer = layer.assign(segment_id=[None, "B", "C"])
    found = one_line_a_direction(layer, "roads")
    assert found["segment_id"].isna().tolist() == [True, False, False, True]
    assert "from_node" not in found.columns


def test_a_word_that_says_no_direction_is_refused_with_its_segment() -> None:
    with pytest.raises(DataError) as error:
        one_line_a_direction(layer_of("F", "N", "N"), "roads.shp")
    assert str(error.value) == (
        "roads.shp: segment 'B' has oneway 'N' (2 such rows), which says no direction; "
        "write F, T or B, or yes, no or -1"
    )


def test_the_given_layer_is_left_as_it_was() -> None:
    layer = layer_of("B", "T", "F")
    one_line_a_direction(layer, "roads")
    assert layer.equals(layer_of("B", "T", "F"))
