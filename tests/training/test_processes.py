"""Two processes share every batch and reach what one process does.

Each process imports PyTorch and Lightning anew, some seconds of work for a core: one test has them.
"""

import os
import queue
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from roadgraph.dataset.dataset import Dataset
from roadgraph.errors import TrainingError
from roadgraph.settings import Settings
from roadgraph.training import processes
from roadgraph.training.checkpoints import checkpoint_path, training_fingerprint
from roadgraph.training.fit import fit
from roadgraph.training.loop import TrainingJob, train
from tests.dataset.toy import toy_dataset, toy_settings


def settings_for(**training: object) -> Settings:
    quick = {
        "max_epochs": 3, "device": "cpu", "batch_size": 86, "learning_rate": 0.01, "noise_std": 0,
    }  # fmt: skip
    return toy_settings(model={"name": "gcn"}, training={**quick, **training})


def full_dataset() -> Dataset:
    """Return a dataset whose batches of 86 fall into halves that weigh alike.

    Every cell has a label, and there are 172 origins to train from.
    """
    dataset = toy_dataset(toy_settings(), slices=300)
    span = dataset.splits.train
    spare = len(span.origins(dataset.window, max(dataset.horizons))) - 172
    splits = replace(dataset.splits, train=replace(span, stop=span.stop - spare))
    labels = replace(
        dataset.labels,
        speed_kph=np.nan_to_num(dataset.labels.speed_kph, nan=30.0),
        congestion=np.maximum(dataset.labels.congestion, 0),
        rush_hour=np.maximum(dataset.labels.rush_hour, 0),
    )
    return replace(dataset, labels=labels, splits=splits)


class KilledError(Exception):
    """In the place of a signal."""


def test_two_processes_go_on_from_a_state_and_reach_the_losses_of_one(tmp_path: Path) -> None:
    """One process leaves a state after its first epoch; two take it up."""
    dataset, two = full_dataset(), settings_for(devices=2)
    fingerprint = training_fingerprint(dataset, two)
    path = checkpoint_path(tmp_path, fingerprint)

    def kill(figures: dict[str, float]) -> None:
        raise KilledError

    with pytest.raises(KilledError):
        train(TrainingJob(dataset, settings_for(), "cpu", path, fingerprint), kill)
    left = path.stat().st_mtime_ns
    told: list[dict[str, float]] = []

    def on_epoch(figures: dict[str, float]) -> None:
        told.append(figures)
        assert path.stat().st_mtime_ns > left

    trained = fit(dataset, two, on_epoch, tmp_path)
    assert list(tmp_path.iterdir()) == []
    alone = fit(dataset, settings_for())
    assert [epoch["epoch"] for epoch in trained.history] == [0, 1, 2]
    assert told == trained.history[1:]
    for one, other in zip(alone.history, trained.history, strict=True):
        for name in ("train_loss", "val_loss"):
            assert other[name] == pytest.approx(one[name], rel=1e-4)
    for name, value in trained.model.state_dict().items():
        torch.testing.assert_close(
            value, alone.model.state_dict()[name], rtol=1e-3, atol=1e-4, msg=name
        )


class Worker:
    """A process that has ended."""

    def __init__(self, exitcode: int | None) -> None:
        self.exitcode = exitcode


def test_an_error_of_a_process_is_sent_and_raised(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("MASTER_ADDR", "MASTER_PORT", "WORLD_SIZE", "NODE_RANK", "LOCAL_RANK"):
        monkeypatch.setenv(name, "")  # so that what is set is taken back
    threads = torch.get_num_threads()
    dataset = full_dataset()
    inputs = dataset.inputs.copy()
    inputs[60] = np.nan
    job = TrainingJob(replace(dataset, inputs=inputs), settings_for(), "cpu")
    said: queue.Queue[tuple[str, Any]] = queue.Queue()
    processes._work(0, 1, 1, job, said)
    torch.set_num_threads(threads)
    with pytest.raises(TrainingError, match="the training loss is nan in epoch 0, batch "):
        processes._listen(said, [Worker(0), Worker(None)], lambda figures: None)


def test_a_process_that_ends_without_a_word_is_an_error() -> None:
    with pytest.raises(TrainingError, match=r"ended without a word \(exit codes 1: -9\)"):
        processes._listen(queue.Queue(), [Worker(None), Worker(-9)], lambda figures: None)


def test_the_last_word_of_a_process_that_ended_is_heard() -> None:
    said: queue.Queue[tuple[str, Any]] = queue.Queue()
    said.put(("epoch", {"epoch": 0.0}))
    said.put(("error", TrainingError("its own words")))
    told: list[dict[str, float]] = []
    with pytest.raises(TrainingError, match="its own words"):
        processes._listen(said, [Worker(1)], told.append)
    assert told == [{"epoch": 0.0}]


def test_what_the_processes_are_told_does_not_stay_here(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("TORCH_CPP_LOG_LEVEL", raising=False)
    with processes._quiet_reducer():
        assert os.environ["TORCH_CPP_LOG_LEVEL"] == "ERROR"
    assert "TORCH_CPP_LOG_LEVEL" not in os.environ
    monkeypatch.setenv("TORCH_CPP_LOG_LEVEL", "INFO")
    with processes._quiet_reducer():
        assert os.environ["TORCH_CPP_LOG_LEVEL"] == "INFO"
    assert os.environ["TORCH_CPP_LOG_LEVEL"] == "INFO"
