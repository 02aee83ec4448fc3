import dataclasses

import numpy as np
import pytest

from roadgraph.dataset.dataset import Dataset
from roadgraph.errors import DataError
from roadgraph.evaluation import boosting
from roadgraph.evaluation.baselines import majority_class, persistence
from roadgraph.evaluation.boosting import Boosting, fit_boosting
from roadgraph.evaluation.forecast import Forecast
from roadgraph.evaluation.scores import Score, score_forecast, scoring_origins
from tests.dataset.toy import toy_dataset, toy_settings

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


def test_answers_come_in_the_common_shape(trees: Boosting, dataset: Dataset) -> None:
    said = trees.forecast(dataset, ORIGINS)
    assert said.name == "gradient boosting"
    assert said.congestion is not None
    assert said.congestion_probability is not None
    assert said.rush_hour is not None
    assert said.rush_hour_probability is not None
    assert said.speed_kph is not None
    assert said.speed_p10_kph is not None
    assert said.speed_p90_kph is not None
    assert said.congestion.shape == said.speed_kph.shape == (3, 2, 4)
    np.testing.assert_allclose(said.congestion_probability.sum(axis=-1), 1, atol=1e-5)
    np.testing.assert_array_equal(said.congestion, said.congestion_probability.argmax(axis=-1))
    np.testing.assert_array_equal(said.rush_hour, said.rush_hour_probability > 0.5)
    assert (said.speed_p10_kph >= 0).all()
    assert (said.speed_p10_kph <= said.speed_kph).all()
    assert (said.speed_kph <= said.speed_p90_kph).all()


def test_boosting_beats_what_it_is_told(trees: Boosting, dataset: Dataset) -> None:
    origins = scoring_origins(dataset.splits.test, dataset.window, 15, SETTINGS.evaluation)
    mine = score_of(trees.forecast(dataset, origins), dataset)
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
    whole = trees.forecast(dataset, ORIGINS)
    monkeypatch.setattr(boosting, "CELLS_AT_ONCE", 4)
    np.testing.assert_array_equal(whole.speed_kph, trees.forecast(dataset, ORIGINS).speed_kph)


def test_decision_weights_change_the_class_and_not_the_probability(
    trees: Boosting, dataset: Dataset
) -> None:
    said = trees.forecast(dataset, ORIGINS, np.array([1e6, 1, 1, 1]))
    plain = trees.forecast(dataset, ORIGINS)
    assert said.congestion is not None
    assert (said.congestion == 0).all()
    np.testing.assert_array_equal(said.congestion_probability, plain.congestion_probability)


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
    np.testing.assert_array_equal(
        fit_boosting(dataset, SETTINGS).forecast(dataset, origins).speed_kph,
        fit_boosting(poisoned, SETTINGS).forecast(poisoned, origins).speed_kph,
    )


def test_hidden_segments_teach_nothing_and_are_answered(
    dataset: Dataset, few_rounds: pytest.MonkeyPatch
) -> None:
    hidden = np.array([False, True, False, False])
    speed = dataset.labels.speed_kph.copy()
    speed[:, hidden] = 1.0
    other = dataclasses.replace(
        dataset, labels=dataclasses.replace(dataset.labels, speed_kph=speed)
    )
    one = fit_boosting(dataset, SETTINGS, hidden).forecast(dataset, ORIGINS)
    two = fit_boosting(other, SETTINGS, hidden).forecast(other, ORIGINS)
    np.testing.assert_array_equal(one.speed_kph, two.speed_kph)
    assert np.isfinite(one.speed_kph).all() if one.speed_kph is not None else False


def test_without_any_label_there_is_nothing_to_learn(dataset: Dataset) -> None:
    labels = dataclasses.replace(
        dataset.labels, congestion=np.full_like(dataset.labels.congestion, -1)
    )
    with pytest.raises(DataError, match="no cell of the training span has a label"):
        fit_boosting(dataclasses.replace(dataset, labels=labels), SETTINGS)
