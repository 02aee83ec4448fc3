"""A training that was killed and taken up ends with the numbers of one that was not."""

import logging
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch

from roadgraph.dataset.dataset import Dataset
from roadgraph.settings import Settings
from roadgraph.training.checkpoints import checkpoint_path, training_fingerprint, usable_checkpoint
from roadgraph.training.fit import Trained, fit
from tests.dataset.toy import toy_dataset, toy_settings


class KilledError(Exception):
    """In the place of a signal."""


def settings_for(**training: object) -> Settings:
    """Return settings with all that is drawn by chance: noise, dropout, order."""
    quick = {
        "max_epochs": 6, "device": "cpu", "batch_size": 64, "learning_rate": 0.1, "lr_patience": 1,
        "lr_factor": 0.5, "noise_std": 0.1,
    }  # fmt: skip
    return toy_settings(size="enhanced", model={"name": "mlp"}, training={**quick, **training})


@pytest.fixture(scope="module")
def dataset() -> Dataset:
    return toy_dataset(toy_settings(), slices=300)


def kill_after(dataset: Dataset, settings: Settings, epochs: int, folder: Path) -> None:
    told = []

    def on_epoch(figures: dict[str, float]) -> None:
        told.append(figures)
        if len(told) == epochs:
            raise KilledError

    with pytest.raises(KilledError):
        fit(dataset, settings, on_epoch, folder)


def assert_same(one: Trained, other: Trained) -> None:
    assert one.history == other.history
    assert one.best_epoch == other.best_epoch
    assert one.validation_loss == other.validation_loss
    for name, value in one.model.state_dict().items():
        assert torch.equal(value, other.model.state_dict()[name]), name


@pytest.mark.parametrize(
    "training",
    [
        {},
        {"schedule": "one_cycle", "optimizer": "sgd", "accumulate": 2},
        {"averaging": "ema", "ema_decay": 0.8},
        {"averaging": "swa", "schedule": "constant"},
        {"task_weights": "uncertainty", "schedule": "cosine", "hidden_share": 0.3},
        {"precision": "bf16", "optimizer": "rmsprop", "learning_rate": 0.01},
    ],
    ids=str,
)
def test_a_killed_training_ends_as_if_it_had_not_been_killed(
    dataset: Dataset, tmp_path: Path, training: dict[str, object]
) -> None:
    settings = settings_for(**training)
    whole = fit(dataset, settings)
    kill_after(dataset, settings, 2, tmp_path)
    kill_after(dataset, settings, 3, tmp_path)
    told: list[dict[str, float]] = []
    taken_up = fit(dataset, settings, told.append, tmp_path)
    assert told == whole.history[5:]
    assert_same(whole, taken_up)
    assert list(tmp_path.iterdir()) == []


def test_a_plateau_and_early_stopping_go_on_from_where_they_stood(
    dataset: Dataset, tmp_path: Path
) -> None:
    settings = settings_for(max_epochs=40, learning_rate=0.5, patience=4)
    whole = fit(dataset, settings)
    assert len(whole.history) < 40
    assert len({epoch["learning_rate"] for epoch in whole.history}) > 1
    kill_after(dataset, settings, len(whole.history) - 1, tmp_path)
    assert_same(whole, fit(dataset, settings, checkpoints=tmp_path))


def test_a_training_that_was_killed_when_it_was_over_trains_no_further(
    dataset: Dataset, tmp_path: Path
) -> None:
    for settings in (settings_for(max_epochs=40, learning_rate=0.5, patience=3), settings_for()):
        whole = fit(dataset, settings)
        kill_after(dataset, settings, len(whole.history), tmp_path)
        told: list[dict[str, float]] = []
        assert_same(whole, fit(dataset, settings, told.append, tmp_path))
        assert told == []


def test_without_resume_a_training_starts_anew(dataset: Dataset, tmp_path: Path) -> None:
    kill_after(dataset, settings_for(), 2, tmp_path)
    told: list[dict[str, float]] = []
    fit(dataset, settings_for(resume=False), told.append, tmp_path)
    assert [epoch["epoch"] for epoch in told] == list(range(6))


def test_the_state_of_other_settings_or_other_data_is_not_used(
    dataset: Dataset, tmp_path: Path
) -> None:
    settings = settings_for(max_epochs=3)
    kill_after(dataset, settings, 2, tmp_path)
    inputs = dataset.inputs.copy()
    inputs[5, 1, 0] += 1
    other_data = replace(dataset, inputs=inputs)
    for data, member in (
        (dataset, settings_for(max_epochs=4)),
        (dataset, settings_for(max_epochs=3, seed=2)),
        (dataset, replace(settings, size="simple")),
        (dataset, replace(settings, model=replace(settings.model, name="gcn"))),
        (other_data, settings),
    ):
        told: list[dict[str, float]] = []
        fit(data, member, told.append, tmp_path)
        assert told[0]["epoch"] == 0
    # None of them touched the state that was there.
    left: list[dict[str, float]] = []
    fit(dataset, settings, left.append, tmp_path)
    assert [epoch["epoch"] for epoch in left] == [2]


def test_a_state_under_the_name_of_another_training_is_not_used(
    dataset: Dataset, tmp_path: Path
) -> None:
    kill_after(dataset, settings_for(), 1, tmp_path)
    (path,) = tmp_path.iterdir()
    fingerprint = training_fingerprint(dataset, settings_for())
    assert path == checkpoint_path(tmp_path, fingerprint)
    assert usable_checkpoint(path, fingerprint)
    assert not usable_checkpoint(path, fingerprint[:-1] + "x")
    assert not usable_checkpoint(tmp_path / "none.ckpt", fingerprint)


def test_a_damaged_state_is_told_of_and_not_used(
    dataset: Dataset, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    settings = settings_for(max_epochs=2)
    kill_after(dataset, settings, 1, tmp_path)
    (path,) = tmp_path.iterdir()
    path.write_bytes(path.read_bytes()[:1000])
    told: list[dict[str, float]] = []
    with caplog.at_level(logging.WARNING, "roadgraph"):
        fit(dataset, settings, told.append, tmp_path)
    assert [epoch["epoch"] for epoch in told] == [0, 1]
    assert f"{path} cannot be read" in caplog.text


def test_the_fingerprint_is_that_of_what_changes_the_numbers(dataset: Dataset) -> None:
    one = training_fingerprint(dataset, settings_for())
    assert one == training_fingerprint(toy_dataset(toy_settings(), slices=300), settings_for())
    for same in ({"device": "auto"}, {"resume": False}, {"profile": True}, {"temperature": False}):
        assert one == training_fingerprint(dataset, settings_for(**same))
    for other in ({"seed": 2}, {"max_epochs": 7}, {"noise_std": 0.2}, {"devices": 2}):
        assert one != training_fingerprint(dataset, settings_for(**other))
    weight = dataset.graph.weight + np.float32(1)
    graph = replace(dataset.graph, weight=weight)
    assert one != training_fingerprint(replace(dataset, graph=graph), settings_for())
