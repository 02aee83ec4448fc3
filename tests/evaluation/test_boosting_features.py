import dataclasses

import numpy as np

from roadgraph.calendar import city_zone
from roadgraph.dataset.dataset import RoadGraph
from roadgraph.evaluation.boosting_features import CellFeatures, neighbour_means
from roadgraph.schema import MEASURED_FEATURES
from tests.dataset.toy import path_graph, toy_dataset, toy_settings

NAN = np.nan
UTC = city_zone("UTC")
NONE_HIDDEN = np.zeros(4, dtype=bool)
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


def test_features_of_a_cell_rest_on_its_window_alone() -> None:
    features = CellFeatures.of(DATASET, UTC, NONE_HIDDEN)
    origin, segment = np.array([500, 600]), np.array([1, 2])
    table = features.at(origin, segment, 2)
    assert len(table) == 2
    assert np.isfinite(table[:, : 6 * DATASET.window]).all()
    changed = DATASET.inputs.copy()
    changed[501:] = 99.0
    changed[: 500 - DATASET.window + 1] = 99.0
    others = dataclasses.replace(
        features, moving=changed[:, :, MOVING], resting=changed[:, :, RESTING]
    )
    at = (np.array([500]), np.array([1]), 2)
    np.testing.assert_array_equal(others.at(*at), features.at(*at))


def test_the_typical_speed_in_training_leaves_the_targets_own_day_out() -> None:
    features = CellFeatures.of(DATASET, UTC, NONE_HIDDEN)
    target = 200 + int(DATASET.grid.observed[200:, 1].argmax())
    at = (np.array([target - 2]), np.array([1]), 2)
    seen, known = features.at(*at, training=True), features.at(*at)
    assert features.seen_typical is not None
    assert features.typical is not None
    assert seen[0, -2] == features.seen_typical[target, 1]
    assert known[0, -2] == features.typical[target, 1]
    assert seen[0, -2] != known[0, -2]
    assert seen[0, -1] == seen[0, -2] - features.last_kph[target - 2, 1]


def test_without_history_channels_there_is_no_typical_speed() -> None:
    plain = toy_dataset(toy_settings(dataset={"history_channels": False}), 700, 4)
    features = CellFeatures.of(plain, UTC, NONE_HIDDEN)
    assert features.typical is None
    at = (np.array([500]), np.array([1]), 1)
    # two channels of history, the typical speed at the target and its distance to the last one
    with_history = CellFeatures.of(DATASET, UTC, NONE_HIDDEN).at(*at)
    assert features.at(*at).shape[1] == with_history.shape[1] - 4


def test_what_hidden_segments_showed_is_in_no_feature() -> None:
    hidden = np.array([False, True, False, False])
    features = CellFeatures.of(DATASET, UTC, hidden)
    assert np.isnan(features.around[:, 0, 1]).all()  # downstream of 0 lies only 1
    assert np.isfinite(CellFeatures.of(DATASET, UTC, NONE_HIDDEN).around[:, 0, 1]).any()
