from collections.abc import Iterator, Sequence
from dataclasses import replace
from functools import partial
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pandas as pd
import pytest

from roadgraph.comparison import baselines
from roadgraph.comparison.baselines import Roads, baseline_makers, prediction_ms, run_baseline
from roadgraph.comparison.judging import Judge
from roadgraph.comparison.runs import read_run
from roadgraph.dataset.dataset import Dataset
from roadgraph.evaluation.baselines import majority_class
from roadgraph.evaluation.boosting import NAME as BOOSTING
from roadgraph.evaluation.boosting import Boosting, fit_boosting
from roadgraph.evaluation.forecast import Forecast
from roadgraph.evaluation.interpolation import INTERPOLATORS
from roadgraph.schema import NO_LABEL
from roadgraph.settings import Settings
from roadgraph.training.adjustment import Adjustments, fit_adjustment
from tests.comparison.toy import quick_settings, toy_judge
from tests.dataset.toy import toy_dataset

ALWAYS = ["persistence", "historical average", "majority class", BOOSTING]
SETTINGS = quick_settings()
HIDING = quick_settings(dataset={"hidden_share": 0.34})


@pytest.fixture(scope="module")
def judge() -> Judge:
    return toy_judge(SETTINGS)


@pytest.fixture(scope="module")
def trees(judge: Judge) -> Boosting:
    return fit_boosting(judge.dataset, SETTINGS)


def roads_of(dataset: Dataset) -> Roads:
    segments = dataset.graph.segments
    return Roads(np.full(segments, 100.0), np.full(segments, "residential"))


def boosting_of(dataset: Dataset, settings: Settings, origins: np.ndarray) -> Forecast:
    return baseline_makers(dataset, settings, roads_of(dataset))[BOOSTING]()(origins)


def clock_of(durations_ms: Sequence[float]) -> SimpleNamespace:
    """Return a clock by which what is timed one after the other takes so long."""

    def ticks() -> Iterator[float]:
        for duration in durations_ms:
            yield 0.0
            yield duration / 1000

    return SimpleNamespace(perf_counter=ticks().__next__)


def test_where_nothing_is_hidden_the_interpolators_are_no_baselines(judge: Judge) -> None:
    makers = baseline_makers(judge.dataset, SETTINGS, roads_of(judge.dataset))
    assert list(makers) == ALWAYS


def test_where_segments_are_hidden_the_interpolators_stand_behind_the_others() -> None:
    dataset = toy_dataset(HIDING)
    assert list(baseline_makers(dataset, HIDING, roads_of(dataset))) == [*ALWAYS, *INTERPOLATORS]


def test_every_maker_makes_the_forecaster_of_its_name() -> None:
    judge = toy_judge(HIDING)
    makers = baseline_makers(judge.dataset, HIDING, roads_of(judge.dataset))
    for name, make in makers.items():
        forecast = make()(judge.origins)
        assert forecast.name == name
        np.testing.assert_array_equal(forecast.origins, judge.origins)


def test_no_baseline_looks_at_hidden_segments() -> None:
    dataset = toy_dataset(HIDING)
    shown = replace(
        dataset,
        score_labels=replace(
            dataset.score_labels,
            congestion=np.zeros_like(dataset.score_labels.congestion),
            speed_kph=np.zeros_like(dataset.score_labels.speed_kph),
        ),
    )
    origins = toy_judge(HIDING, dataset).origins
    for name in (*ALWAYS, *INTERPOLATORS):
        first, second = (
            baseline_makers(each, HIDING, roads_of(each))[name]()(origins)
            for each in (dataset, shown)
        )
        np.testing.assert_array_equal(first.congestion, second.congestion)


def test_a_baselines_run_can_be_read_again(judge: Judge, tmp_path: Path) -> None:
    makers = baseline_makers(judge.dataset, SETTINGS, roads_of(judge.dataset))
    run = run_baseline("persistence", makers["persistence"], judge, "key", tmp_path / "run")
    found = read_run(tmp_path / "run", "key")
    assert found is not None
    assert found.facts == run.facts
    assert (found.facts.title, found.facts.seed, found.facts.baseline) == ("persistence", 0, True)
    assert found.facts.parameters is None
    assert found.facts.validation_loss is None
    assert found.history == []
    assert not found.bundle.exists()
    pd.testing.assert_frame_equal(found.verdict.scores, run.verdict.scores)
    np.testing.assert_array_equal(found.verdict.confusion, run.verdict.confusion)


def test_a_baselines_run_has_the_scores_of_its_forecast_from_the_judges_origins(
    judge: Judge, tmp_path: Path
) -> None:
    run = run_baseline(
        "majority class",
        baseline_makers(judge.dataset, SETTINGS, roads_of(judge.dataset))["majority class"],
        judge,
        "key",
        tmp_path / "run",
    )
    expected = judge.verdict(partial(majority_class, judge.dataset))
    pd.testing.assert_frame_equal(run.verdict.scores, expected.scores)
    pd.testing.assert_frame_equal(run.verdict.validation_scores, expected.validation_scores)


def test_making_a_baseline_is_its_training_and_its_forecasts_are_timed_apart(
    judge: Judge, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(baselines, "time", clock_of([3000, 5, 1, 9, 2, 4]))
    makers = baseline_makers(judge.dataset, SETTINGS, roads_of(judge.dataset))
    run = run_baseline("persistence", makers["persistence"], judge, "key", tmp_path / "run")
    assert run.facts.training_seconds == pytest.approx(3)
    assert run.facts.prediction_ms == pytest.approx(4)


def test_the_time_of_a_prediction_is_the_median_of_five_from_one_slice_each(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(baselines, "time", clock_of([5, 1, 900, 2, 4]))
    asked: list[list[int]] = []
    found = prediction_ms(lambda origins: asked.append(origins.tolist()), np.arange(10, 17))
    assert found == pytest.approx(4)
    assert asked == [[10], [11], [12], [13], [14]]


def test_the_time_of_a_prediction_is_the_median_of_as_many_slices_as_there_are(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(baselines, "time", clock_of([1, 4]))
    assert prediction_ms(lambda origins: None, np.array([3, 4])) == pytest.approx(2.5)


def test_gradient_boosting_is_adjusted_on_the_validation_span_as_models_are(
    judge: Judge, trees: Boosting
) -> None:
    dataset = judge.dataset
    validation = dataset.splits.validation.origins(2, 2)
    adjustment = fit_adjustment(
        trees.answers(dataset, validation), validation, dataset, SETTINGS.training
    )
    expected = Adjustments.same(adjustment, dataset.graph.segments).forecast(
        BOOSTING, judge.origins, trees.answers(dataset, judge.origins)
    )
    forecast = boosting_of(dataset, SETTINGS, judge.origins)
    for name in ("congestion", "congestion_probability", "rush_hour", "speed_p10_kph"):
        np.testing.assert_array_equal(getattr(forecast, name), getattr(expected, name))
    assert forecast.congestion is not None
    assert forecast.congestion_probability is not None
    likeliest = forecast.congestion_probability.argmax(axis=-1)
    assert (forecast.congestion != likeliest).any(), "otherwise this test could not fail"


def test_gradient_boosting_says_the_likeliest_class_where_models_do(judge: Judge) -> None:
    settings = quick_settings(training={"decision": "likeliest"})
    forecast = boosting_of(judge.dataset, settings, judge.origins)
    assert forecast.congestion_probability is not None
    np.testing.assert_array_equal(
        forecast.congestion, forecast.congestion_probability.argmax(axis=-1)
    )


def test_gradient_boosting_says_the_likeliest_class_without_labels_for_validation(
    judge: Judge,
) -> None:
    dataset = judge.dataset
    congestion = dataset.labels.congestion.copy()
    congestion[dataset.splits.validation.start : dataset.splits.validation.stop] = NO_LABEL
    unlabelled = replace(dataset, labels=replace(dataset.labels, congestion=congestion))
    forecast = boosting_of(unlabelled, SETTINGS, judge.origins)
    assert forecast.congestion_probability is not None
    np.testing.assert_array_equal(
        forecast.congestion, forecast.congestion_probability.argmax(axis=-1)
    )
