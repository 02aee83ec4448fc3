import dataclasses

import numpy as np
import pytest

from roadgraph.dataset.dataset import Dataset, build_dataset, hidden_segments
from roadgraph.errors import DataError
from roadgraph.evaluation import boosting
from roadgraph.evaluation.baselines import majority_class, persistence
from roadgraph.evaluation.boosting import Boosting, fit_boosting
from roadgraph.evaluation.forecast import Forecast
from roadgraph.evaluation.scores import Score, score_forecast, scoring_origins
from roadgraph.settings import Settings
from tests.dataset.toy import (
    grid_of,
    path_graph,
    segments_of,
    toy_dataset,
    toy_settings,
    waves,
)

SETTINGS = toy_settings(
    dataset={"horizons_min": [15, 60]}, evaluation={"report_horizons_min": [60]}
)
ORIGINS = np.array([600, 601, 650])


@pytest.fixture(scope="module")
def dataset() -> Dataset:
    return toy_dataset(SETTINGS, slices=900, segments=4)


@pytest.fixture(scope="module")
def few_rounds() -> pytest.MonkeyPatch:
    patch = pytest.MonkeyPatch()
    patch.setattr(boosting, "MOST_ROUNDS", 30)
    return patch


@pytest.fixture(scope="module")
def trees(dataset: Dataset, few_rounds: pytest.MonkeyPatch) -> Boosting:
    return fit_boosting(dataset, SETTINGS)


def score_of(said: Forecast, dataset: Dataset) -> Score:
    (score,) = score_forecast(
        said, dataset.labels, dataset.splits.test, dataset.horizons, 15, SETTINGS.evaluation
    )
    return score


def speed_of(dataset: Dataset, origins: np.ndarray, settings: Settings = SETTINGS) -> np.ndarray:
    return fit_boosting(dataset, settings).answers(dataset, origins)["speed"]


def test_answers_come_in_the_form_of_a_models(trees: Boosting, dataset: Dataset) -> None:
    said = trees.answers(dataset, ORIGINS)
    assert {name: answer.shape for name, answer in said.items()} == {
        "congestion": (3, 2, 4, 4),
        "rush_hour": (3, 2, 4, 2),
        "speed": (3, 2, 4),
        "speed_interval": (3, 2, 4, 2),
    }
    for task in ("congestion", "rush_hour"):
        np.testing.assert_allclose(said[task].sum(axis=-1), 1, atol=1e-5)
    assert (said["speed_interval"][..., 0] >= 0).all()
    assert (said["speed_interval"][..., 0] <= said["speed"]).all()
    assert (said["speed"] <= said["speed_interval"][..., 1]).all()


def test_boosting_beats_what_it_is_told(trees: Boosting, dataset: Dataset) -> None:
    origins = scoring_origins(dataset.splits.test, dataset.window, 15, SETTINGS.evaluation)
    said = trees.answers(dataset, origins)
    classes = said["congestion"].argmax(axis=-1)
    mine = score_of(Forecast("boosting", origins, classes, None, None, said["speed"]), dataset)
    last = score_of(persistence(dataset, origins), dataset)
    common = score_of(majority_class(dataset, origins), dataset)
    assert mine.speed_mae_kph < 0.8 * last.speed_mae_kph
    assert mine.macro_f1 > max(last.macro_f1, common.macro_f1)


def test_the_same_data_gives_the_same_trees(trees: Boosting, dataset: Dataset) -> None:
    again = fit_boosting(dataset, SETTINGS)
    for one, two in zip(trees.steps, again.steps, strict=True):
        assert {name: tree.model_to_string() for name, tree in one.items()} == {
            name: tree.model_to_string() for name, tree in two.items()
        }


def test_origins_are_answered_the_same_alone_and_together(
    trees: Boosting, dataset: Dataset, monkeypatch: pytest.MonkeyPatch
) -> None:
    whole = trees.answers(dataset, ORIGINS)["speed"]
    monkeypatch.setattr(boosting, "CELLS_AT_ONCE", 4)
    np.testing.assert_array_equal(whole, trees.answers(dataset, ORIGINS)["speed"])


def test_the_future_is_not_looked_at(dataset: Dataset, few_rounds: pytest.MonkeyPatch) -> None:
    """Poison every slice from the test span on."""
    start = dataset.splits.test.start
    inputs, speed = dataset.inputs.copy(), dataset.labels.speed_kph.copy()
    inputs[start:], speed[start:] = np.nan, np.nan
    measured = dataset.grid.measured.copy()
    measured[start:] = np.nan
    poisoned = dataclasses.replace(
        dataset,
        inputs=inputs,
        labels=dataclasses.replace(dataset.labels, speed_kph=speed),
        grid=dataclasses.replace(dataset.grid, measured=measured),
    )
    origins = np.array([start - 5, start - 1])
    np.testing.assert_array_equal(speed_of(dataset, origins), speed_of(poisoned, origins))


HIDING = toy_settings(
    dataset={"horizons_min": [15, 60], "hidden_share": 0.25},
    evaluation={"report_horizons_min": [60]},
    training={"hidden_share": 0.5},
    model={"segment_embedding": 0},
)


def test_what_hidden_segments_showed_teaches_nothing(few_rounds: pytest.MonkeyPatch) -> None:
    speed = waves(900, 4)
    hidden = hidden_segments(4, HIDING.dataset)
    datasets = [
        build_dataset(grid_of(each), segments_of(grid_of(each)), path_graph(4), HIDING)
        for each in (speed, np.where(hidden, 1.0, speed))
    ]
    one, two = (speed_of(each, ORIGINS, HIDING) for each in datasets)
    np.testing.assert_array_equal(one, two)


def test_trees_that_learned_to_do_without_observations_do_better_without_them(
    dataset: Dataset, few_rounds: pytest.MonkeyPatch
) -> None:
    settings = toy_settings(
        dataset={"horizons_min": [15, 60]},
        evaluation={"report_horizons_min": [60]},
        training={"hidden_share": 0.5},
    )
    origins = dataset.splits.test.origins(dataset.window, max(dataset.horizons))
    everyone = np.ones(4, dtype=bool)
    truth = dataset.labels.speed_kph[origins[:, None] + np.asarray(dataset.horizons)]
    errors = []
    for each in (settings, SETTINGS):
        said = fit_boosting(dataset, each).answers(dataset, origins, everyone)["speed"]
        errors.append(float(np.nanmean(np.abs(said - truth))))
    assert errors[0] < errors[1]


def test_segments_to_estimate_are_learned_from_cells_that_are_not_shown(
    few_rounds: pytest.MonkeyPatch,
) -> None:
    settings = toy_settings(
        task="estimate_hidden",
        dataset={"hidden_share": 0.25},
        training={"hidden_share": 0.5},
        model={"segment_embedding": 0},
    )
    dataset = toy_dataset(settings, slices=900, segments=4)
    said = fit_boosting(dataset, settings).answers(dataset, ORIGINS)
    # If they had been shown their labels, no change of speed were left to learn.
    width = said["speed_interval"][..., 1] - said["speed_interval"][..., 0]
    assert (width > 1).all()


def test_without_any_label_there_is_nothing_to_learn(dataset: Dataset) -> None:
    labels = dataclasses.replace(
        dataset.labels, congestion=np.full_like(dataset.labels.congestion, -1)
    )
    with pytest.raises(DataError, match="no cell of the training span has a label"):
        fit_boosting(dataclasses.replace(dataset, labels=labels), SETTINGS)
