import dataclasses

import numpy as np

from roadgraph.dataset.dataset import Dataset, build_dataset, hidden_segments
from roadgraph.schema import NO_LABEL
from roadgraph.settings import DatasetSettings
from tests.dataset.toy import grid_of, path_graph, segments_of, toy_dataset, toy_settings, waves


def built(speed: np.ndarray, observed: np.ndarray | None = None) -> Dataset:
    grid = grid_of(speed)
    if observed is not None:
        grid = dataclasses.replace(grid, observed=observed)
    return build_dataset(grid, segments_of(grid), path_graph(speed.shape[1]), toy_settings())


def test_a_future_poisoned_with_nan_reaches_no_training_number() -> None:
    speed = waves(400, 3)
    clean = built(speed)
    stop = clean.splits.train.stop
    poisoned_speed = speed.copy()
    poisoned_speed[stop:] = np.nan
    # The mask says that the poison was observed, so nothing filters it out on the way.
    observed = ~np.isnan(speed)
    observed[stop:] = True
    poisoned = built(poisoned_speed, observed)
    for name in ("mean", "std", "fill", "statics"):
        value = getattr(poisoned.preparation, name)
        assert np.isfinite(value).all(), name
        np.testing.assert_array_equal(value, getattr(clean.preparation, name), name)
    np.testing.assert_array_equal(poisoned.free_flow_kph, clean.free_flow_kph)
    np.testing.assert_array_equal(poisoned.inputs[:stop], clean.inputs[:stop])
    np.testing.assert_array_equal(poisoned.labels.congestion[:stop], clean.labels.congestion[:stop])
    np.testing.assert_array_equal(poisoned.labels.rush_hour[:stop], clean.labels.rush_hour[:stop])
    assert np.isnan(poisoned.inputs[stop:]).any(), "the poison must have been there"


def test_every_number_of_a_training_batch_lies_before_the_end_of_the_training_span() -> None:
    dataset = toy_dataset(toy_settings())
    reach = max(dataset.horizons)
    origins = dataset.splits.train.origins(dataset.window, reach)
    assert origins.max() + reach == dataset.splits.train.stop - 1
    assert origins.min() - dataset.window + 1 == 0


def test_horizons_are_minutes_over_the_length_of_a_slice() -> None:
    assert toy_dataset(toy_settings()).horizons == (1, 2, 3, 4)


def test_labels_are_missing_exactly_where_nothing_was_observed() -> None:
    dataset = toy_dataset(toy_settings())
    np.testing.assert_array_equal(dataset.labels.congestion == NO_LABEL, ~dataset.grid.observed)


def test_hidden_segments_have_no_observation_and_no_label_but_a_score_label() -> None:
    settings = toy_settings(dataset={"hidden_share": 0.5})
    open_eyed = toy_dataset(toy_settings(), segments=4)
    dataset = toy_dataset(settings, segments=4)
    assert dataset.hidden.sum() == 2
    assert not dataset.grid.observed[:, dataset.hidden].any()
    assert (dataset.labels.congestion[:, dataset.hidden] == NO_LABEL).all()
    assert np.isnan(dataset.labels.speed_kph[:, dataset.hidden]).all()
    np.testing.assert_array_equal(dataset.score_labels.congestion, open_eyed.labels.congestion)
    np.testing.assert_array_equal(dataset.label_free_flow_kph, open_eyed.free_flow_kph)


def test_what_hidden_segments_show_does_not_change_with_their_observations() -> None:
    settings = toy_settings(dataset={"hidden_share": 0.5})
    speed = waves(400, 4)
    hidden = hidden_segments(4, settings.dataset)
    poisoned = np.where(hidden[None], 3.0, speed)
    pair = [
        build_dataset(grid_of(s), segments_of(grid_of(s)), path_graph(4), settings)
        for s in (speed, poisoned)
    ]
    np.testing.assert_array_equal(pair[0].inputs, pair[1].inputs)
    np.testing.assert_array_equal(pair[0].unseen_inputs, pair[1].unseen_inputs)
    np.testing.assert_array_equal(pair[0].labels.congestion, pair[1].labels.congestion)


def test_hidden_segments_are_the_same_for_a_seed_and_others_for_another() -> None:
    first = hidden_segments(40, DatasetSettings(hidden_share=0.3))
    again = hidden_segments(40, DatasetSettings(hidden_share=0.3))
    other = hidden_segments(40, DatasetSettings(hidden_share=0.3, hidden_seed=2))
    assert first.sum() == 12
    np.testing.assert_array_equal(first, again)
    assert (first != other).any()


def test_a_hidden_segments_inputs_are_its_unseen_inputs() -> None:
    dataset = toy_dataset(toy_settings(dataset={"hidden_share": 0.5}), segments=4)
    np.testing.assert_allclose(
        dataset.inputs[:, dataset.hidden], dataset.unseen_inputs[:, dataset.hidden], atol=1e-5
    )


def test_tasks_of_the_newest_slice_have_the_horizon_zero() -> None:
    settings = toy_settings(task="nowcast_same_slice")
    assert toy_dataset(settings).horizons == (0,)
    assert settings.task_evaluation.report_horizons_min == (0,)
