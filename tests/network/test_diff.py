from collections.abc import Callable, Sequence

import geopandas as gpd
import numpy as np
import pandas as pd
import pytest
import shapely
from hypothesis import given, settings
from hypothesis import strategies as st

from roadgraph.network.diff import count_changes, diff_networks
from roadgraph.network.network import Network
from roadgraph.schema import CARRY_OVER, CHANGES
from tests.toy import (
    SEGMENT_M,
    crossroads_network,
    crossroads_segments,
    detector_network,
    network_of,
    point,
    segments_table,
    straight_network,
    straight_segments,
)

TOLERANCE_M = 10.0
MIRRORED = {"split": "merged", "merged": "split", "new": "gone", "gone": "new"}
Row = tuple[str | None, str | None, str, float, float]


def row_of(*metres: float, names: Sequence[str] = "ABCDEF", north_m: float = 0.0) -> Network:
    """Return segments in a row to the east that end so many metres behind n0."""
    ends = [0.0, *metres]
    return network_of(
        segments_table(
            {
                name: (f"n{start}", f"n{end}", [point(start, north_m), point(end, north_m)])
                for name, start, end in zip(names, ends[:-1], ends[1:], strict=False)
            }
        )
    )


def renamed(network: Network, prefix: str = "x") -> Network:
    return network_of(
        network.segments.assign(segment_id=[prefix + name for name in network.segment_ids])
    )


def rows(old: Network, new: Network, tolerance_m: float = TOLERANCE_M) -> list[Row]:
    table = diff_networks(old, new, tolerance_m)
    assert table.schema == CARRY_OVER.schema
    return [tuple(row.values()) for row in table.to_pylist()]


def close(*expected: Row) -> list[tuple[object, ...]]:
    """Return rows with their shares to a thousandth of a per cent."""
    return [
        (old, new, change, pytest.approx(a, abs=1e-5), pytest.approx(b, abs=1e-5))
        for old, new, change, a, b in expected
    ]


@pytest.mark.parametrize("make", [straight_network, crossroads_network, detector_network])
def test_a_network_is_the_same_as_itself(make: Callable[[], Network]) -> None:
    network = make()
    assert rows(network, network) == [(key, key, "same", 1.0, 1.0) for key in network.segment_ids]


def test_roads_of_other_keys_are_the_same_where_their_lines_are() -> None:
    # Both directions of a road lie on each other here, so that the direction must tell them apart.
    network = crossroads_network()
    found = rows(network, renamed(network))
    assert found == [(key, f"x{key}", "same", 1.0, 1.0) for key in network.segment_ids]


def test_a_segment_in_two_halves_is_split_and_the_other_way_about_merged() -> None:
    whole, halves = row_of(100), row_of(50, 100, names="XY")
    assert rows(whole, halves) == close(
        ("A", "X", "split", 0.5, 1.0), ("A", "Y", "split", 0.5, 1.0)
    )
    assert rows(halves, whole) == close(
        ("X", "A", "merged", 1.0, 0.5), ("Y", "A", "merged", 1.0, 0.5)
    )


def test_a_half_that_keeps_the_key_is_still_a_half() -> None:
    found = rows(row_of(100), row_of(40, 100, names="AB"))
    assert found == close(("A", "A", "split", 0.4, 1.0), ("A", "B", "split", 0.6, 1.0))


def test_a_line_that_was_moved_a_little_under_its_key_is_the_same() -> None:
    assert rows(row_of(100), row_of(100, north_m=4)) == close(("A", "A", "same", 1.0, 1.0))
    assert rows(row_of(100), row_of(98)) == close(("A", "A", "same", 0.98, 1.0))


def test_a_line_that_was_shortened_or_moved_far_under_its_key_has_changed() -> None:
    assert rows(row_of(100), row_of(60)) == close(("A", "A", "changed", 0.6, 1.0))
    assert rows(row_of(100), row_of(100, north_m=50)) == [("A", "A", "changed", 0.0, 0.0)]
    assert rows(row_of(100), row_of(100, north_m=50), 60) == close(("A", "A", "same", 1.0, 1.0))


def test_a_line_that_was_turned_round_under_its_key_is_another() -> None:
    turned = network_of(segments_table({"A": ("n1", "n0", [point(100), point(0)])}))
    assert rows(row_of(100), turned) == [("A", None, "gone", 0, 0), (None, "A", "new", 0, 0)]


def test_a_line_of_another_key_that_was_lengthened_has_changed() -> None:
    assert rows(row_of(100), row_of(150, names="X")) == close(("A", "X", "changed", 1.0, 2 / 3))


def test_two_whose_junction_was_moved_are_rearranged() -> None:
    old, new = row_of(100, 200), row_of(140, 200, names="XY")
    assert rows(old, new) == close(
        ("A", "X", "rearranged", 1.0, 5 / 7),
        ("B", "X", "rearranged", 0.4, 2 / 7),
        ("B", "Y", "rearranged", 0.6, 1.0),
    )


def test_two_whose_junction_was_moved_a_little_have_changed() -> None:
    old, new = row_of(100, 200), row_of(110, 200)
    assert rows(old, new) == close(
        ("A", "A", "changed", 1.0, 100 / 110), ("B", "B", "changed", 0.9, 1.0)
    )


def test_the_opposite_carriageway_is_not_the_same_road() -> None:
    there = segments_table({"A": ("n0", "n1", [point(0), point(100)])})
    back = segments_table({"B": ("n1", "n0", [point(100, 5), point(0, 5)])})
    assert rows(network_of(there), network_of(back)) == [
        ("A", None, "gone", 0.0, 0.0), (None, "B", "new", 0.0, 0.0),
    ]  # fmt: skip


def test_a_new_road_beside_an_old_one_is_new() -> None:
    both = {
        "X": ("n0", "n1", [point(0), point(100)]),
        "Y": ("n0", "n1", [point(0, 7), point(100, 7)]),
    }
    new = network_of(segments_table(both))
    assert rows(row_of(100), new) == close(
        ("A", "X", "same", 1.0, 1.0), (None, "Y", "new", 0.0, 0.0)
    )


def test_roads_that_are_gone_or_new_have_no_counterpart() -> None:
    assert rows(row_of(100, 200), row_of(100)) == [
        ("A", "A", "same", 1.0, 1.0), ("B", None, "gone", 0.0, 0.0),
    ]  # fmt: skip
    assert rows(row_of(100), row_of(100, 200)) == [
        ("A", "A", "same", 1.0, 1.0), (None, "B", "new", 0.0, 0.0),
    ]  # fmt: skip


def test_networks_far_from_each_other_share_nothing() -> None:
    far = renamed(straight_network())
    far = Network(far.segments.set_geometry(far.segments.geometry.translate(20, 20)), far.links)
    changes = count_changes(diff_networks(straight_network(), far, TOLERANCE_M))
    assert changes.loc[["gone", "new"]].to_numpy().tolist() == [[3, 0], [0, 3]]


def test_detectors_are_compared_by_their_keys_alone() -> None:
    assert rows(detector_network(2), detector_network(3)) == [
        ("d0", "d0", "same", 1.0, 1.0),
        ("d1", "d1", "same", 1.0, 1.0),
        (None, "d2", "new", 0.0, 0.0),
    ]
    assert rows(detector_network(1), straight_network())[0] == ("d0", None, "gone", 0.0, 0.0)


def test_changes_are_counted_by_the_segments_of_either_network() -> None:
    old, new = row_of(100, 200, 300), row_of(50, 100, 300, names="XYZ")
    counts = count_changes(diff_networks(old, new, TOLERANCE_M))
    assert counts.index.tolist() == list(CHANGES)
    found = counts.T.to_dict("list")
    assert found["split"] == [1, 2]
    assert found["merged"] == [2, 1]
    assert found["same"] == [0, 0]


@st.composite
def cuts(draw: st.DrawFn) -> list[float]:
    """Draw where segments of 20 m or more end on a road of 600 m."""
    gaps = draw(st.lists(st.floats(20, 200), min_size=1, max_size=6))
    ends = np.cumsum(gaps)
    return [*(end for end in ends[ends < 580].tolist()), 600.0]


@settings(max_examples=40)
@given(old=cuts(), new=cuts())
def test_the_way_back_is_the_mirror_of_the_way_there(old: list[float], new: list[float]) -> None:
    first, second = row_of(*old), renamed(row_of(*new))
    mirrored = [
        (new_key, old_key, MIRRORED.get(change, change), of_new, of_old)
        for old_key, new_key, change, of_old, of_new in rows(first, second)
    ]
    assert sorted(mirrored, key=str) == sorted(rows(second, first), key=str)


@settings(max_examples=40)
@given(old=cuts(), new=cuts())
def test_shares_never_exceed_a_segment(old: list[float], new: list[float]) -> None:
    found = diff_networks(row_of(*old), renamed(row_of(*new)), TOLERANCE_M)
    table: pd.DataFrame = found.to_pandas()
    for side in ("old", "new"):
        assert ((table[f"share_of_{side}"] >= 0) & (table[f"share_of_{side}"] <= 1)).all()
        assert (table.groupby(f"{side}_segment")[f"share_of_{side}"].sum() <= 1 + 1e-6).all()
    assert set(table["old_segment"].dropna()) == set(row_of(*old).segment_ids)
    assert set(table["new_segment"].dropna()) == set(renamed(row_of(*new)).segment_ids)


def test_a_town_drawn_anew_with_an_error_of_metres_is_nearly_the_same() -> None:
    network = crossroads_network()
    shift = np.random.default_rng(3).uniform(-2, 2, (8, 2)) / 111_195
    lines = [
        shapely.affinity.translate(line, *by)
        for line, by in zip(network.segments.geometry, shift, strict=True)
    ]
    drawn = renamed(Network(network.segments.set_geometry(lines, crs=4326), network.links))
    found = rows(network, drawn)
    assert [(row[0], row[1]) for row in found] == [(key, f"x{key}") for key in network.segment_ids]
    assert all(row[3] > 0.97 and row[4] > 0.97 for row in found)


def test_the_given_networks_are_left_as_they_were() -> None:
    old, new = straight_segments(), crossroads_segments()
    diff_networks(network_of(old), network_of(new), TOLERANCE_M)
    for table, fresh in ((old, straight_segments()), (new, crossroads_segments())):
        assert gpd.GeoDataFrame(table).equals(fresh)
    assert pd.Series([SEGMENT_M]).eq(100).all()
