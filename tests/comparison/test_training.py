from dataclasses import replace
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import torch

from roadgraph.comparison.judging import Judge
from roadgraph.comparison.runs import Run, read_run
from roadgraph.comparison.training import train_member
from roadgraph.dataset.dataset import Dataset
from roadgraph.errors import TrainingError
from roadgraph.models.graph import road_graph
from roadgraph.settings import Settings
from roadgraph.training.adjustment import fit_adjustments
from roadgraph.training.bundle import Bundle, read_bundle
from roadgraph.training.inference import answers
from tests.comparison.toy import Killed, quick_settings, toy_judge
from tests.dataset.toy import toy_dataset

SETTINGS = quick_settings(
    training={"max_epochs": 3, "learning_rate": 0.01, "seed": 7}, model={"name": "gcn"}
)


def trained(
    folder: Path,
    settings: Settings = SETTINGS,
    dataset: Dataset | None = None,
    epochs: list[dict[str, float]] | None = None,
) -> Run:
    """Train in ``folder`` and gather the figures of the epochs that were told of."""
    told: list[dict[str, float]] = [] if epochs is None else epochs
    judge = toy_judge(settings, dataset)
    return train_member(settings, judge, "key", folder / "run", folder / "checkpoints", told.append)


def said(bundle: Bundle, dataset: Dataset, origins: np.ndarray) -> dict[str, np.ndarray]:
    tiles = (road_graph(dataset.graph, bundle.options.graph),)
    return answers(bundle.model, tiles, dataset.inputs, origins, bundle.window, bundle.preparation)


@pytest.fixture(scope="module")
def judge() -> Judge:
    return toy_judge(SETTINGS)


@pytest.fixture(scope="module")
def epochs() -> list[dict[str, float]]:
    return []


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory, epochs: list[dict[str, float]]) -> Run:
    return trained(tmp_path_factory.mktemp("trained"), epochs=epochs)


@pytest.fixture(scope="module")
def bundle(run: Run) -> Bundle:
    return read_bundle(run.bundle)


def test_the_facts_of_a_run_are_those_of_its_training(run: Run, bundle: Bundle) -> None:
    facts, losses = run.facts, [epoch["val_loss"] for epoch in run.history]
    assert (facts.title, facts.seed, facts.baseline, facts.key) == ("gcn-simple", 7, False, "key")
    assert facts.parameters == sum(value.numel() for value in bundle.model.parameters())
    assert len(losses) == 3
    assert facts.validation_loss == min(losses)
    assert facts.best_epoch == losses.index(min(losses))
    assert facts.device == "cpu"
    assert facts.diagnosis
    assert facts.training_seconds > 0
    assert facts.prediction_ms > 0


def test_every_finished_epoch_is_told_of(run: Run, epochs: list[dict[str, float]]) -> None:
    assert [epoch["epoch"] for epoch in epochs] == [0, 1, 2]
    assert epochs == run.history


def test_a_trained_models_run_can_be_read_again(run: Run) -> None:
    found = read_run(run.folder, "key")
    assert found is not None
    assert found.facts == run.facts
    assert [epoch["val_loss"] for epoch in found.history] == [
        epoch["val_loss"] for epoch in run.history
    ]
    pd.testing.assert_frame_equal(found.verdict.scores, run.verdict.scores)


def test_the_bundle_gives_the_forecast_that_was_judged(
    run: Run, bundle: Bundle, judge: Judge
) -> None:
    verdict = judge.verdict(
        lambda origins: bundle.adjustments.forecast(
            "gcn-simple", origins, said(bundle, judge.dataset, origins)
        )
    )
    pd.testing.assert_frame_equal(verdict.scores, run.verdict.scores, check_dtype=False)
    pd.testing.assert_frame_equal(
        verdict.validation_scores, run.verdict.validation_scores, check_dtype=False
    )
    np.testing.assert_array_equal(verdict.confusion, run.verdict.confusion)


def test_what_a_refit_learned_from_the_validation_span_is_not_in_the_scores_there(
    run: Run, tmp_path: Path
) -> None:
    refitted = trained(tmp_path, replace(SETTINGS, training=replace(SETTINGS.training, refit=True)))
    pd.testing.assert_frame_equal(refitted.verdict.validation_scores, run.verdict.validation_scores)
    assert not refitted.verdict.scores.equals(run.verdict.scores)


def test_the_adjustment_is_that_of_the_validation_span(bundle: Bundle, judge: Judge) -> None:
    dataset = judge.dataset
    expected = fit_adjustments(
        lambda origins, _: said(bundle, dataset, origins), dataset, SETTINGS.training
    )
    assert bundle.adjustments.to_dict() == expected.to_dict()


def test_nothing_of_a_model_depends_on_the_test_span(
    bundle: Bundle, judge: Judge, tmp_path: Path
) -> None:
    dataset, start = judge.dataset, judge.dataset.splits.test.start
    inputs, labels = dataset.inputs.copy(), dataset.labels
    inputs[start:] = 0
    speeds, classes = labels.speed_kph.copy(), labels.congestion.copy()
    speeds[start:], classes[start:] = 1, 0
    other = replace(labels, speed_kph=speeds, congestion=classes)
    changed = replace(dataset, inputs=inputs, labels=other, score_labels=other)
    again = read_bundle(trained(tmp_path, dataset=changed).bundle)
    assert again.adjustments.to_dict() == bundle.adjustments.to_dict()
    for name, weights in bundle.model.state_dict().items():
        assert torch.equal(again.model.state_dict()[name], weights), name


def test_the_bundle_holds_the_scores_the_history_and_the_settings(run: Run, bundle: Bundle) -> None:
    rows = pd.DataFrame(bundle.metrics)
    figures = ["model", "horizon_min", "part", "cells", "macro_f1", "speed_mae_kph"]
    pd.testing.assert_frame_equal(rows[figures], run.verdict.scores[figures], check_dtype=False)
    assert len(bundle.history) == len(run.history)
    assert bundle.settings["training"]["seed"] == 7
    assert (bundle.title, bundle.city, bundle.timezone) == ("gcn-simple", "toy", "UTC")
    assert (bundle.window, bundle.horizons, bundle.slice_minutes) == (2, (1, 2), 15)
    assert bundle.segment_ids == ("s0", "s1", "s2")
    assert bundle.network_fingerprint == "fingerprint"


def test_the_bundle_names_no_folder_of_this_machine(tmp_path: Path) -> None:
    settings = replace(
        quick_settings(
            city={
                "roads": str(tmp_path / "roads.geojson"),
                "fixes": str(tmp_path / "fixes"),
                "speeds": str(tmp_path / "speeds.csv"),
                "detector_ids": str(tmp_path / "ids.txt"),
            },
            training={"max_epochs": 1},
        ),
        workspace=str(tmp_path / "work"),
    )
    run = trained(tmp_path, settings)
    assert str(tmp_path) not in (run.bundle / "config.yaml").read_text("utf-8")
    content = read_bundle(run.bundle).settings
    assert "workspace" not in content
    assert content["city"]["roads"] == "roads.geojson"
    assert content["city"]["detector_ids"] == "ids.txt"


def test_the_same_seed_gives_the_same_run_and_another_one_does_not(
    run: Run, tmp_path: Path
) -> None:
    again = trained(tmp_path / "again")
    seeded = replace(SETTINGS, training=replace(SETTINGS.training, seed=8))
    other = trained(tmp_path / "other", seeded)
    pd.testing.assert_frame_equal(again.verdict.scores, run.verdict.scores)
    assert again.facts.validation_loss == run.facts.validation_loss
    assert other.facts.validation_loss != run.facts.validation_loss


def test_an_interrupted_training_leaves_no_run_and_is_taken_up(run: Run, tmp_path: Path) -> None:
    judge = toy_judge(SETTINGS)

    def interrupt(figures: dict[str, float]) -> None:
        if figures["epoch"] == 1:
            raise Killed

    with pytest.raises(Killed):
        train_member(SETTINGS, judge, "key", tmp_path / "run", tmp_path / "checkpoints", interrupt)
    assert read_run(tmp_path / "run", "key") is None
    assert list((tmp_path / "checkpoints").iterdir())
    epochs: list[dict[str, float]] = []
    again = trained(tmp_path, epochs=epochs)
    assert [epoch["epoch"] for epoch in epochs] == [2]
    assert [epoch["epoch"] for epoch in again.history] == [0, 1, 2]
    pd.testing.assert_frame_equal(again.verdict.scores, run.verdict.scores)
    assert list((tmp_path / "checkpoints").iterdir()) == []


def test_a_failed_training_leaves_the_run_before_as_it_was(run: Run, tmp_path: Path) -> None:
    trained(tmp_path)
    bad = replace(SETTINGS, training=replace(SETTINGS.training, learning_rate=1e30))
    with pytest.raises(TrainingError, match="loss is"):
        trained(tmp_path, bad)
    found = read_run(tmp_path / "run", "key")
    assert found is not None
    pd.testing.assert_frame_equal(found.verdict.scores, run.verdict.scores)


def test_a_model_of_one_task_has_scores_of_that_task_alone(tmp_path: Path) -> None:
    speeds = trained(tmp_path, quick_settings(model={"tasks": ["speed"]}))
    assert speeds.verdict.confusion is None
    assert speeds.verdict.scores["macro_f1"].isna().all()
    assert speeds.verdict.scores["speed_mae_kph"].notna().all()
    assert read_bundle(speeds.bundle).options.tasks == ("speed",)


def test_the_control_is_trained_without_neighbours(tmp_path: Path) -> None:
    settings = quick_settings(model={"name": "gcn", "graph": "self_loops"})
    dataset = toy_dataset(settings)
    control = trained(tmp_path, settings, dataset)
    assert control.facts.title == "gcn-simple-self-loops"
    bundle = read_bundle(control.bundle)
    origins = toy_judge(settings, dataset).origins
    inputs = dataset.inputs.copy()
    inputs[:, 1] += 1
    moved = replace(dataset, inputs=inputs)
    before, after = said(bundle, dataset, origins), said(bundle, moved, origins)
    np.testing.assert_array_equal(before["speed"][:, :, [0, 2]], after["speed"][:, :, [0, 2]])
    assert (before["speed"][:, :, 1] != after["speed"][:, :, 1]).any()
