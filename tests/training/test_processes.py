"""Two processes share every batch and reach what one process does.

Each process imports PyTorch and Lightning anew, some seconds of work for a core: one test has them,
also those that ``torchrun`` starts.
"""

import logging
import os
import queue
import re
import shutil
import subprocess
import sys
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from roadgraph.errors import TrainingError
from roadgraph.training import processes
from roadgraph.training.checkpoints import checkpoint_path, training_fingerprint
from roadgraph.training.fit import fit
from roadgraph.training.loop import TrainingJob, train
from roadgraph.training.torchrun import CPP_LOG_LEVEL, QUIET
from tests.training import launched_toy
from tests.training.launched_toy import settings_for, uneven_dataset


class KilledError(Exception):
    """In the place of a signal."""


def test_two_processes_go_on_from_a_state_and_reach_the_losses_of_one(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    """One process leaves a state after its first epoch; two take it up.

    Labels are missing and segments are hidden. What the first process logs is logged here.
    """
    dataset, two = uneven_dataset(), settings_for(devices=2)
    fingerprint = training_fingerprint(dataset, two)
    path = checkpoint_path(tmp_path, fingerprint)

    def kill(figures: dict[str, float]) -> None:
        raise KilledError

    with pytest.raises(KilledError):
        train(TrainingJob(dataset, settings_for(), "cpu", path, fingerprint), kill)
    left = path.stat().st_mtime_ns
    same = tmp_path / "torchrun" / launched_toy.STATES / path.name
    same.parent.mkdir(parents=True)
    shutil.copy(path, same)
    told: list[dict[str, float]] = []

    def on_epoch(figures: dict[str, float]) -> None:
        told.append(figures)
        assert path.stat().st_mtime_ns > left

    with caplog.at_level(logging.INFO, "roadgraph"):
        trained = fit(dataset, two, on_epoch, tmp_path)
    assert list(tmp_path.iterdir()) == [tmp_path / "torchrun"]
    alone = fit(dataset, settings_for())
    assert [epoch["epoch"] for epoch in trained.history] == [0, 1, 2]
    assert told == trained.history[1:]
    for one, other in zip(alone.history, trained.history, strict=True):
        for name in one:
            if name.startswith(("train_", "val_")):
                assert other[name] == pytest.approx(one[name], rel=1e-4), name
    for name, value in trained.model.state_dict().items():
        torch.testing.assert_close(
            value, alone.model.state_dict()[name], rtol=1e-3, atol=1e-4, msg=name
        )
    going_on, diagnosis = caplog.messages
    assert going_on == f"going on with the interrupted training in {path}"
    assert diagnosis == trained.diagnosis
    assert_torchrun_comes_to(trained.model.state_dict(), tmp_path / "torchrun")


def assert_torchrun_comes_to(weights: dict[str, torch.Tensor], folder: Path) -> None:
    """Run ``launched_toy``, which goes on from the same state, loses a process and begins again."""
    command = [sys.executable, "-W", "ignore", "-m", "torch.distributed.run", "--standalone"]
    command += ["--nproc-per-node", "2", "--max-restarts", "1"]
    run = subprocess.run(
        [*command, "-m", launched_toy.__name__, str(folder)],
        capture_output=True,
        text=True,
        check=False,
        env={**os.environ, "OMP_NUM_THREADS": "1", CPP_LOG_LEVEL: QUIET},
    )
    assert run.returncode == 0, run.stderr
    assert "exitcode: -9) local_rank: 1" in run.stderr
    # The second epoch came before the death, the third after it.
    assert (folder / launched_toy.EPOCHS).read_text("utf-8").split() == ["1", "2"]
    fault = (folder / launched_toy.FAULT).read_text("utf-8")
    assert re.match(r"the training loss is nan in epoch 0, batch \d+, origins .* the input", fault)
    assert list((folder / launched_toy.STATES).iterdir()) == []
    found = torch.load(folder / launched_toy.WEIGHTS, weights_only=True)
    assert found.keys() == weights.keys()
    for name, value in weights.items():
        torch.testing.assert_close(found[name], value, rtol=1e-6, atol=1e-6, msg=name)


def test_two_processes_with_a_tile_each_reach_what_one_does_on_the_whole_graph() -> None:
    """All origins are one batch, so a step of both sees all that a step of the one sees.

    Labels are missing and segments are hidden.
    """
    dataset = uneven_dataset()
    alone: dict[str, Any] = {"batch_size": 4096, "optimizer": "sgd"}
    whole = fit(dataset, settings_for(**alone))
    # The tile of the one process has two segments, that of the other one.
    both = fit(dataset, settings_for(**alone, tile_segments=2, devices=2))
    assert len(both.history) == len(whole.history) == 3
    for one, other in zip(whole.history, both.history, strict=True):
        for name in one:
            if name.startswith(("train_", "val_")):
                assert other[name] == pytest.approx(one[name], rel=1e-4), name
    for name, value in both.model.state_dict().items():
        expected = whole.model.state_dict()[name]
        torch.testing.assert_close(value, expected, rtol=1e-3, atol=1e-4, msg=name)


class Worker:
    """A process that has ended."""

    def __init__(self, exitcode: int | None) -> None:
        self.exitcode = exitcode


def test_an_error_of_a_process_is_sent_and_raised(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("MASTER_ADDR", "MASTER_PORT", "WORLD_SIZE", "NODE_RANK", "LOCAL_RANK"):
        monkeypatch.setenv(name, "")  # so that what is set is taken back
    threads = torch.get_num_threads()
    dataset = uneven_dataset()
    inputs = dataset.inputs.copy()
    inputs[60] = np.nan
    job = TrainingJob(replace(dataset, inputs=inputs), settings_for(), "cpu")
    said: queue.Queue[tuple[str, Any]] = queue.Queue()
    processes._work(0, 1, 1, job, said)
    torch.set_num_threads(threads)
    with pytest.raises(TrainingError, match="the training loss is nan in epoch 0, batch "):
        processes._listen(said, [Worker(0), Worker(None)], lambda figures: None)


def test_any_other_error_of_a_process_is_named_in_a_line(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("MASTER_ADDR", "MASTER_PORT", "WORLD_SIZE", "NODE_RANK", "LOCAL_RANK"):
        monkeypatch.setenv(name, "")
    monkeypatch.setattr(torch, "set_num_threads", lambda count: None)

    def fail(*args: object) -> None:
        raise RuntimeError("shapes differ:\n  3 and 4")

    monkeypatch.setattr(processes, "train", fail)
    said: queue.Queue[tuple[str, Any]] = queue.Queue()
    processes._work(1, 2, 1, TrainingJob(uneven_dataset(), settings_for(), "cpu"), said)
    text = "^training process 1 failed: RuntimeError: shapes differ: 3 and 4$"
    with pytest.raises(TrainingError, match=text):
        processes._listen(said, [Worker(None), Worker(0)], lambda figures: None)


def test_the_first_process_alone_sends_what_it_logs_from_a_level_on(
    caplog: pytest.LogCaptureFixture,
) -> None:
    log = logging.getLogger("roadgraph.training.watch")
    said: queue.Queue[tuple[str, Any]] = queue.Queue()
    before = logging.getLogger("roadgraph").level
    with processes.logging_to(said, logging.WARNING):
        log.info("too low")
        log.warning("layer %s", "fc1")
    with processes.logging_to(None, logging.WARNING):
        log.warning("of another process")
    assert logging.getLogger("roadgraph").level == before
    assert caplog.text == ""
    said.put(("error", TrainingError("the end")))
    with pytest.raises(TrainingError, match="the end"):
        processes._listen(said, [Worker(0)], lambda figures: None)
    assert caplog.messages == ["layer fc1"]


@pytest.mark.parametrize(
    ("size", "norm", "warned"),
    [("enhanced", "batch", True), ("enhanced", "layer", False), ("simple", "batch", False)],
)
def test_batch_norm_of_each_process_on_the_cpu_is_warned_of(
    caplog: pytest.LogCaptureFixture,
    monkeypatch: pytest.MonkeyPatch,
    size: str,
    norm: str,
    warned: bool,
) -> None:
    def start(kind: str) -> None:
        raise KilledError

    monkeypatch.setattr("torch.multiprocessing.get_context", start)
    with pytest.raises(KilledError):
        fit(uneven_dataset(), settings_for(size, norm, devices=2))
    text = "training.devices=2 on the CPU: batch norm takes the statistics of each process's own"
    assert (text in caplog.text) == warned


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
