import dataclasses

import numpy as np
import pytest

from roadgraph.dataset.dataset import Dataset, RoadGraph, build_dataset
from roadgraph.evaluation.forecast import Forecast
from roadgraph.evaluation.interpolation import (
    INTERPOLATORS,
    INVERSE_DISTANCE,
    NEAREST,
    ROAD_CLASS,
    interpolations,
    nearby_segments,
)
from tests.dataset.toy import grid_of, path_graph, segments_of, toy_settings

NAN = np.nan
LENGTH = np.full(5, 100.0)
ALIKE = np.array(["residential"] * 5)


def dataset_of(speed: np.ndarray) -> Dataset:
    grid = grid_of(speed)
    return build_dataset(grid, segments_of(grid), path_graph(speed.shape[1]), toy_settings())


def answers(
    dataset: Dataset,
    origins: list[int],
    hidden: list[int] | None = None,
    length_m: np.ndarray = LENGTH,
    road_class: np.ndarray = ALIKE,
) -> dict[str, Forecast]:
    mask = None if hidden is None else np.isin(np.arange(len(length_m)), hidden)
    said = interpolations(dataset, np.array(origins), toy_settings(), length_m, road_class, mask)
    return {item.name: item for item in said}


def speeds(item: Forecast) -> np.ndarray:
    assert item.speed_kph is not None
    return item.speed_kph[0, 0]


def steady(*kph: float, slices: int = 200) -> np.ndarray:
    """Return the same speed in every slice for each of the segments."""
    return np.tile(np.array(kph, dtype=np.float64), (slices, 1))


def test_distances_run_from_middle_to_middle_in_either_direction() -> None:
    # 0 > 1 > 2 of 100, 200 and 400 m: 150 m and 300 m between their middles
    length = np.array([100.0, 200.0, 400.0])
    near = nearby_segments(path_graph(3), length, np.ones(3, dtype=bool))
    np.testing.assert_array_equal(near.place, [[0, 1, 2], [1, 0, 2], [2, 1, 0]])
    np.testing.assert_allclose(near.distance_m, [[0, 150, 450], [0, 150, 300], [0, 300, 450]])


def test_only_usable_segments_within_reach_are_near_and_the_nearest_are_kept() -> None:
    usable = np.array([True, False, True, True])
    near = nearby_segments(path_graph(4), np.full(4, 100.0), usable, most=2)
    np.testing.assert_array_equal(near.place, [[0, 2], [0, 2], [2, 3], [3, 2]])
    far = nearby_segments(path_graph(2), np.array([100.0, 20_000.0]), np.ones(2, dtype=bool))
    np.testing.assert_array_equal(far.place, [[0, -1], [1, -1]])


def test_an_unknown_length_is_the_median_and_without_any_links_are_counted() -> None:
    everything = np.ones(3, dtype=bool)
    some = nearby_segments(path_graph(3), np.array([100.0, NAN, 300.0]), everything)
    np.testing.assert_allclose(some.distance_m[0], [0, 150, 400])
    none = nearby_segments(path_graph(3), np.full(3, NAN), everything)
    np.testing.assert_allclose(none.distance_m[0], [0, 1, 2])


def test_renumbering_the_segments_renumbers_what_is_near() -> None:
    rng = np.random.default_rng(0)
    source, target = np.triu_indices(8, k=1)
    kept = rng.random(len(source)) < 0.4
    graph = RoadGraph(source[kept], target[kept], np.ones(kept.sum(), dtype=np.float32), 8, "")
    length, usable = rng.uniform(50, 500, 8), rng.random(8) < 0.7
    order = rng.permutation(8)
    moved = np.argsort(order)
    other = dataclasses.replace(graph, source=moved[graph.source], target=moved[graph.target])
    one = nearby_segments(graph, length, usable)
    two = nearby_segments(other, length[order], usable[order])
    np.testing.assert_allclose(two.distance_m, one.distance_m[order])
    np.testing.assert_array_equal(
        order[two.place][two.place >= 0], one.place[order][two.place >= 0]
    )


def test_a_hidden_segment_gets_the_speed_of_its_nearest_observed_one() -> None:
    length = np.array([100.0, 100.0, 100.0, 500.0, 100.0])
    dataset = dataset_of(steady(10, 20, 99, 40, 50))
    said = answers(dataset, [160], hidden=[2], length_m=length)
    # segment 1 is 100 m away, segment 3 is 300 m away
    np.testing.assert_allclose(speeds(said[NEAREST]), [10, 20, 20, 40, 50])


def test_of_equally_near_segments_the_first_is_taken() -> None:
    said = answers(dataset_of(steady(10, 20, 99, 40, 50)), [160], hidden=[2])
    assert speeds(said[NEAREST])[2] == 20


def test_the_last_observation_in_the_window_counts_and_older_ones_do_not() -> None:
    speed = steady(10, 20, 99, 40, 50)
    speed[157, 1] = 25.0
    speed[158:161, 1] = NAN  # the window of four slices holds 157
    said = answers(dataset_of(speed), [160], hidden=[2])
    assert speeds(said[NEAREST])[2] == 25
    speed[157, 1] = NAN
    said = answers(dataset_of(speed), [160], hidden=[2])
    assert speeds(said[NEAREST])[2] == 40


def test_inverse_distance_weighs_by_nearness() -> None:
    said = answers(dataset_of(steady(10, 20, 99, 40, 70)), [160], hidden=[2])
    # 200, 100, 100 and 200 m away: weights 1, 2, 2, 1
    assert speeds(said[INVERSE_DISTANCE])[2] == pytest.approx((10 + 40 + 80 + 70) / 6)


def test_inverse_distance_leaves_a_segments_own_observation_as_it_is() -> None:
    said = answers(dataset_of(steady(10, 20, 99, 40, 50)), [160], hidden=[2])
    np.testing.assert_allclose(
        speeds(said[INVERSE_DISTANCE])[[0, 1, 3, 4]], [10, 20, 40, 50], rtol=0.05
    )


def test_the_road_class_says_the_mean_of_its_observed_segments_at_that_time() -> None:
    speed = steady(10, 20, 99, 40, 60, slices=960)
    speed[24::96, 0] = 4.0  # at 06:00
    classes = np.array(["a", "a", "a", "b", "b"])
    said = answers(dataset_of(speed), [96 * 8 + 23], hidden=[2], road_class=classes)
    answer = said[ROAD_CLASS].speed_kph
    assert answer is not None
    np.testing.assert_allclose(answer[0, 0], [12, 12, 12, 50, 50])
    np.testing.assert_allclose(answer[0, 1], [15, 15, 15, 50, 50])


def test_where_nothing_near_was_observed_the_road_class_is_said() -> None:
    speed = steady(10, 20, 99, 40, 50)
    speed[150:] = NAN
    said = answers(dataset_of(speed), [170], hidden=[2])
    for name in (NEAREST, INVERSE_DISTANCE):
        np.testing.assert_allclose(speeds(said[name]), [30] * 5)  # (10 + 20 + 40 + 50) / 4


def test_observations_of_hidden_segments_change_nothing() -> None:
    one, two = steady(10, 20, 99, 40, 50), steady(10, 20, 5, 40, 50)
    flow = dataset_of(one).free_flow_kph
    first = answers(dataset_of(one), [160, 161], hidden=[2])
    second = answers(
        dataclasses.replace(dataset_of(two), free_flow_kph=flow), [160, 161], hidden=[2]
    )
    for name in INTERPOLATORS:
        np.testing.assert_array_equal(first[name].speed_kph, second[name].speed_kph)
        np.testing.assert_array_equal(first[name].congestion, second[name].congestion)


def test_speeds_become_classes_by_free_flow() -> None:
    dataset = dataset_of(steady(10, 20, 99, 40, 50))
    dataset = dataclasses.replace(dataset, free_flow_kph=np.full(5, 50.0))
    said = answers(dataset, [160], hidden=[2])[NEAREST].congestion
    assert said is not None
    np.testing.assert_array_equal(said[0, 0], [0, 1, 1, 3, 3])  # 0.2, 0.4, 0.4, 0.8 and 1


def test_horizon_0_is_the_newest_slice_itself() -> None:
    speed = steady(10, 20, 99, 40, 50, slices=960)
    speed[24::96] = 4.0
    dataset = dataclasses.replace(dataset_of(speed), horizons=(0,))
    said = answers(dataset, [96 * 8 + 24], hidden=[2])
    for name in INTERPOLATORS:
        answer = said[name].speed_kph
        assert answer is not None
        assert answer.shape == (1, 1, 5)
        assert answer[0, 0, 2] == 4


def test_with_every_segment_hidden_only_the_common_speed_is_left() -> None:
    said = answers(dataset_of(steady(10, 20, 99, 40, 50)), [160], hidden=list(range(5)))
    for name in INTERPOLATORS:
        assert np.isfinite(speeds(said[name])).all()
