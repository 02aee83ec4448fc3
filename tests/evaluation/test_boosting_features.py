import dataclasses

import numpy as np

from roadgraph.dataset.dataset import RoadGraph, build_dataset
from roadgraph.evaluation.boosting_features import CellFeatures, neighbour_means
from roadgraph.schema import MEASURED_FEATURES
from tests.dataset.toy import (
    grid_of,
    path_graph,
    segments_of,
    toy_dataset,
    toy_settings,
    waves,
)

NAN = np.nan
SEEN = np.zeros(1, dtype=bool)
DATASET = toy_dataset(toy_settings(), slices=700, segments=4)
CHANNELS = DATASET.preparation.channels
MOVING = [place for place, name in enumerate(CHANNELS) if name in (*MEASURED_FEATURES, "observed")]
RESTING = [place for place in range(len(CHANNELS)) if place not in MOVING]


def test_neighbours_are_averaged_up_and_down_one_and_two_links_away() -> None:
    means = neighbour_means(np.array([[10.0, 20, 30, 40]]), path_graph(4))
    expected = [[NAN, 20, NAN, 30], [10, 30, NAN, 40], [20, 40, 10, NAN], [30, NAN, 20, NAN]]
    np.testing.assert_array_equal(means[0], expected)


def test_neighbours_count_by_the_weight_of_their_link_and_only_where_observed() -> None:
    graph = RoadGraph(np.array([0, 1]), np.array([2, 2]), np.array([1.0, 3.0]), 3, "")
    means = neighbour_means(np.array([[10.0, 20, NAN], [10, NAN, NAN]]), graph)
    np.testing.assert_allclose(means[:, 2, 0], [(10 + 3 * 20) / 4, 10])


def test_a_segment_is_no_neighbour_of_its_own() -> None:
    both_ways = RoadGraph(np.array([0, 1]), np.array([1, 0]), np.ones(2, dtype=np.float32), 2, "")
    means = neighbour_means(np.array([[10.0, 20]]), both_ways)
    np.testing.assert_array_equal(means[0], [[20, 20, NAN, NAN], [10, 10, NAN, NAN]])


def test_features_of_a_cell_rest_on_its_window_alone() -> None:
    features = CellFeatures.of(DATASET)
    origin, segment = np.array([500, 600]), np.array([1, 2])
    table = features.at(origin, segment, 2, np.zeros(2, dtype=bool))
    assert len(table) == 2
    assert np.isfinite(table[:, : 6 * DATASET.window]).all()
    changed = DATASET.inputs.copy()
    changed[501:] = 99.0
    changed[: 500 - DATASET.window + 1] = 99.0
    others = dataclasses.replace(
        features,
        seen=dataclasses.replace(
            features.seen, moving=changed[:, :, MOVING], resting=changed[:, :, RESTING]
        ),
    )
    at = (np.array([500]), np.array([1]), 2, SEEN)
    np.testing.assert_array_equal(others.at(*at), features.at(*at))


def test_the_typical_speed_in_training_leaves_the_targets_own_day_out() -> None:
    features = CellFeatures.of(DATASET)
    target = 200 + int(DATASET.grid.observed[200:, 1].argmax())
    at = (np.array([target - 2]), np.array([1]), 2, SEEN)
    seen, known = features.at(*at, training=True), features.at(*at)
    assert features.seen.typical is not None
    assert seen[0, -2] == features.seen.left_out[target, 1]
    assert known[0, -2] == features.seen.typical[target, 1]
    assert seen[0, -2] != known[0, -2]
    assert seen[0, -1] == seen[0, -2] - features.seen.last_kph[target - 2, 1]


def test_without_history_channels_there_is_no_typical_speed() -> None:
    plain = toy_dataset(toy_settings(dataset={"history_channels": False}), 700, 4)
    features = CellFeatures.of(plain)
    assert features.seen.typical is None
    at = (np.array([500]), np.array([1]), 1, SEEN)
    # two channels of history, the typical speed at the target and its distance to the last one
    with_history = CellFeatures.of(DATASET).at(*at)
    assert features.at(*at).shape[1] == with_history.shape[1] - 4


def test_a_cell_treated_as_unseen_shows_nothing_of_its_own() -> None:
    speed = waves(700, 8)
    poisoned = np.where(np.arange(8) == 3, 3.0, speed)
    rows = []
    for each in (speed, poisoned):
        settings = toy_settings()
        dataset = build_dataset(grid_of(each), segments_of(grid_of(each)), path_graph(8), settings)
        features = CellFeatures.of(dataset)
        row = features.at(np.array([500]), np.array([3]), 1, ~SEEN)[0]
        assert np.array_equal(
            row[: 6 * dataset.window].reshape(dataset.window, 6),
            features.unseen.moving[500 - np.arange(dataset.window), 3],
        )
        assert not features.unseen.moving[:, 3, -1].max() > features.unseen.moving[:, 3, -1].min()
        rows.append(row[-2])
    # Its eighth of what is typical of its class is what is left of its own speed.
    assert abs(rows[0] - rows[1]) < abs(speed[:, 3][~np.isnan(speed[:, 3])].mean() - 3) / 8 + 1
