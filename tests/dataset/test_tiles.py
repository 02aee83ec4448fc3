from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from roadgraph.dataset.dataset import RoadGraph
from roadgraph.dataset.tiles import cut_by_place, tiles_of
from tests.dataset.toy import path_graph

FEW = settings(max_examples=40)


def roads_of(links: list[tuple[int, int]], midpoints_m: np.ndarray) -> RoadGraph:
    source, target = np.array(links, dtype=np.int64).reshape(-1, 2).T
    weight = np.ones(len(links), dtype=np.float32)
    return RoadGraph(source, target, weight, len(midpoints_m), "", midpoints_m)


@st.composite
def some_roads(draw: st.DrawFn) -> RoadGraph:
    """Return up to 60 segments with random links; some have no place on a map."""
    segments = draw(st.integers(2, 60))
    rng = np.random.default_rng(draw(st.integers(0, 10_000)))
    links = rng.integers(0, segments, (draw(st.integers(0, 90)), 2))
    roads = roads_of([(int(a), int(b)) for a, b in links], rng.random((segments, 2)) * 1000)
    return roads if draw(st.booleans()) else replace(roads, midpoints_m=None)


# Four by two segments, 100 m apart, numbered column by column from the west:
#   1 3 5 7
#   0 2 4 6
BLOCK_M = np.array([[100.0 * (n // 2), 100.0 * (n % 2)] for n in range(8)])
BLOCK = roads_of([], BLOCK_M)


def test_the_longer_side_is_cut_first() -> None:
    assert [own.tolist() for own in cut_by_place(BLOCK, 4)] == [[0, 1, 2, 3], [4, 5, 6, 7]]
    # A square of two by two is cut by longitude, as neither side is longer.
    pairs = [[0, 1], [2, 3], [4, 5], [6, 7]]
    assert [own.tolist() for own in cut_by_place(BLOCK, 2)] == pairs
    upright = replace(BLOCK, midpoints_m=BLOCK_M[:, ::-1] * [1, 2])
    assert [own.tolist() for own in cut_by_place(upright, 4)] == [[0, 1, 2, 3], [4, 5, 6, 7]]


def test_the_number_of_tiles_is_a_multiple_of_what_is_asked_for() -> None:
    sizes = [len(own) for own in cut_by_place(BLOCK, 3, multiple_of=2)]
    assert sizes == [2, 2, 2, 2]
    assert [len(own) for own in cut_by_place(BLOCK, 8, multiple_of=3)] == [2, 3, 3]


def test_more_tiles_than_segments_are_refused() -> None:
    with pytest.raises(ValueError, match=r"needs at least 9 segments for 9 tiles \(8\)"):
        cut_by_place(BLOCK, 8, multiple_of=9)


@FEW
@given(some_roads(), st.integers(1, 70), st.integers(0, 4))
def test_every_segment_is_in_one_tile_and_the_sizes_hardly_differ(
    roads: RoadGraph, tile_segments: int, hops: int
) -> None:
    tiles = tiles_of(roads, tile_segments, hops)
    owns = [tile.places[: tile.own] for tile in tiles]
    assert sorted(np.concatenate(owns).tolist()) == list(range(roads.segments))
    sizes = [len(own) for own in owns]
    assert max(sizes) <= tile_segments
    assert max(sizes) - min(sizes) <= 1
    assert len(tiles) == -(-roads.segments // tile_segments)


@FEW
@given(some_roads(), st.integers(1, 70), st.integers(0, 4))
def test_the_halo_is_what_so_many_links_reach_in_either_direction(
    roads: RoadGraph, tile_segments: int, hops: int
) -> None:
    near = np.eye(roads.segments, dtype=bool)
    near[roads.source, roads.target] = near[roads.target, roads.source] = True
    reach = np.linalg.matrix_power(near.astype(np.int64), hops) > 0
    for tile in tiles_of(roads, tile_segments, hops):
        own = tile.places[: tile.own]
        assert sorted(tile.places.tolist()) == np.flatnonzero(reach[own].any(axis=0)).tolist()


def test_the_rings_of_a_halo_follow_each_other() -> None:
    whole = path_graph(12)
    tile = tiles_of(replace(whole, midpoints_m=np.arange(24.0).reshape(12, 2)), 4, 3)[1]
    assert tile.own == 4
    assert tile.places.tolist() == [4, 5, 6, 7, 3, 8, 2, 9, 1, 10]


def test_without_geometry_a_path_is_cut_along_itself() -> None:
    order = np.random.default_rng(0).permutation(200)
    path = path_graph(200)
    shuffled = replace(path, source=order[path.source], target=order[path.target])
    step = np.argsort(order)
    found = [np.sort(step[own]) for own in cut_by_place(shuffled, 50)]
    for own in found:
        assert np.array_equal(own, np.arange(own[0], own[0] + 50))


def test_without_geometry_connected_parts_follow_each_other() -> None:
    # 0 and 4 have no link; 1 > 3 and 2 > 5 > 6 are two parts
    links = np.array([[1, 3], [2, 5], [5, 6]])
    roads = RoadGraph(links[:, 0], links[:, 1], np.ones(3, dtype=np.float32), 7, "")
    found = [set(own.tolist()) for own in cut_by_place(roads, 2)]
    # An end of each is where its wave begins: 3 > 1, then 6 > 5 > 2.
    assert found == [{0}, {4, 3}, {1, 6}, {5, 2}]


def test_the_same_network_is_cut_the_same_way() -> None:
    rng = np.random.default_rng(1)
    places = rng.integers(0, 5, (300, 2)).astype(float)  # many at the same place
    links = [(int(a), int(b)) for a, b in rng.integers(0, 300, (500, 2))]
    one, other = (tiles_of(roads_of(links, places.copy()), 40, 2) for _ in range(2))
    for tile, same in zip(one, other, strict=True):
        assert np.array_equal(tile.places, same.places)


def test_neighbours_on_the_map_are_near_each_other_inside_a_tile() -> None:
    side = 40
    where = np.stack(np.meshgrid(np.arange(side), np.arange(side)), axis=2).reshape(-1, 2)
    order = np.random.default_rng(2).permutation(side * side)
    (own,) = cut_by_place(roads_of([], 100.0 * where[order]), side * side)
    steps_m = np.abs(np.diff(100.0 * where[order][own], axis=0)).max(axis=1)
    # From one to the next it is a few streets, not half the town, as it is in the network's order.
    assert np.median(steps_m) <= 500
