import dataclasses

import numpy as np

from roadgraph.dataset.dataset import Dataset, build_dataset
from roadgraph.schema import NO_LABEL
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
