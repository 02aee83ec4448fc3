"""One process in the place of each; two real ones are in ``test_processes.py``."""

import os
import signal
from collections.abc import Iterator
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from torch import distributed
from torch.distributed import HashStore, Store  # type: ignore[attr-defined]

from roadgraph.dataset.dataset import Dataset
from roadgraph.errors import SettingsError, TrainingError
from roadgraph.training import launched
from roadgraph.training.fit import fit
from roadgraph.training.launched import (
    END,
    TRAIN,
    Crew,
    EndAtOnce,
    crew,
    serve_trainings,
    take_part,
)
from roadgraph.training.loop import Outcome, TrainingJob, train
from roadgraph.training.torchrun import Place
from tests.training.launched_toy import settings_for, uneven_dataset

FIRST, SECOND = Place(0, 2, 2), Place(1, 2, 2)


@pytest.fixture(scope="module")
def dataset() -> Dataset:
    return uneven_dataset()


@pytest.fixture
def store(monkeypatch: pytest.MonkeyPatch) -> Store:
    """The store that ``torchrun`` would open; no one waits long."""
    opened = HashStore()
    monkeypatch.setattr(launched, "rendezvous", lambda *args, **named: iter([(opened, 0, 2)]))
    monkeypatch.setattr(launched, "END_SECONDS", 0)
    return opened


@pytest.fixture
def interrupts() -> Iterator[None]:
    """Put back what a process does when it is interrupted."""
    before = signal.getsignal(signal.SIGINT)
    yield
    signal.signal(signal.SIGINT, before)


def say(store: Store, *words: str) -> None:
    for number, word in enumerate(words):
        store.set(launched._key(number), word)


def said(store: Store) -> list[str]:
    """Return what the others were told until their end."""
    words: list[str] = []
    while END not in words:
        words.append(store.get(launched._key(len(words))).decode())
    return words


def fail_with(monkeypatch: pytest.MonkeyPatch, *errors: Exception | None) -> list[int]:
    """Let trainings fail, one after the other; return the list of those that were begun."""
    begun: list[int] = []

    def training(job: Any, on_epoch: Any, place: Any, store: Any, number: int) -> None:
        begun.append(number)
        error = errors[number]
        if error is not None:
            raise error

    monkeypatch.setattr(launched, "_train", training)
    return begun


def test_the_first_process_runs_the_command_and_lets_the_others_end(
    store: Store,
) -> None:
    seen: list[Crew | None] = []
    take_part(FIRST, lambda: seen.append(crew()))
    assert isinstance(seen[0], Crew)
    assert seen[0].place == FIRST
    assert crew() is None
    assert said(store) == [END]


def test_a_command_that_fails_lets_the_others_end(store: Store) -> None:
    def command() -> None:
        raise SystemExit(2)

    with pytest.raises(SystemExit):
        take_part(FIRST, command)
    assert crew() is None
    assert said(store) == [END]


@pytest.mark.usefixtures("interrupts")
def test_another_process_trains_until_the_end_and_never_runs_the_command(
    store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    begun = fail_with(monkeypatch, None, TrainingError("a loss that all have met"), None)
    say(store, TRAIN, TRAIN, TRAIN, END)
    take_part(SECOND, lambda: pytest.fail("it ran the command"))
    assert begun == [0, 1, 2]
    assert signal.getsignal(signal.SIGINT) == signal.SIG_DFL


def test_an_error_that_another_process_meets_alone_ends_it(
    store: Store, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    fail_with(monkeypatch, MemoryError("no more"))
    say(store, TRAIN)
    with pytest.raises(TrainingError, match=r"^training process 1 failed: MemoryError: no more$"):
        serve_trainings(SECOND, store)
    assert caplog.messages == []


@pytest.mark.parametrize(
    "error",
    [
        RuntimeError("[gloo/transport/tcp/pair.cc:537] Connection closed by peer"),
        distributed.DistNetworkError("failed to recv"),
    ],
)
def test_a_process_whose_others_have_ended_says_so_and_waits_for_its_own_end(
    store: Store,
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
    dataset: Dataset,
    error: Exception,
) -> None:
    waited: list[float] = []
    monkeypatch.setattr("time.sleep", waited.append)
    begun = fail_with(monkeypatch, error, None)
    alone = Crew(FIRST, store)
    job = TrainingJob(dataset, settings_for(devices=2), "cpu")
    for _ in range(2):  # and trains no more
        with pytest.raises(TrainingError, match=r"^training process 0 failed: "):
            alone.train(job, lambda figures: None)
    assert begun == [0]
    assert waited == [launched.END_SECONDS]
    assert [text.split(";")[0] for text in caplog.messages] == [
        "another training process has ended"
    ]


def test_after_an_error_that_all_have_met_the_next_training_goes_on(
    store: Store, monkeypatch: pytest.MonkeyPatch, dataset: Dataset
) -> None:
    begun = fail_with(monkeypatch, TrainingError("the loss is nan"), None)
    together = Crew(FIRST, store)
    job = TrainingJob(dataset, settings_for(devices=2), "cpu")
    with pytest.raises(TrainingError, match=r"^the loss is nan$"):
        together.train(job, lambda figures: None)
    together.train(job, lambda figures: None)
    together.dismiss()
    assert begun == [0, 1]
    assert said(store) == [TRAIN, TRAIN, END]


def test_a_job_travels_through_a_process_group_that_lasts_for_its_training(
    monkeypatch: pytest.MonkeyPatch, dataset: Dataset
) -> None:
    jobs: list[TrainingJob] = []
    outcome = Outcome([], {}, 1.0)

    def training(job: TrainingJob, *others: object) -> Outcome:
        assert distributed.get_world_size() == 1
        assert torch.get_num_threads() == (os.cpu_count() or 1)
        jobs.append(job)
        return outcome

    monkeypatch.setattr(launched, "train", training)
    threads = torch.get_num_threads()
    alone = Crew(Place(0, 1, 1), HashStore())
    for _ in range(2):
        job = TrainingJob(dataset, settings_for(), "cpu")
        assert alone.train(job, lambda figures: None) is outcome
        assert not distributed.is_initialized()
        assert torch.get_num_threads() == threads
    for job in jobs:
        assert job.settings == settings_for()
        np.testing.assert_array_equal(job.dataset.inputs, dataset.inputs)


def test_a_state_that_some_do_not_see_is_an_error(
    monkeypatch: pytest.MonkeyPatch, dataset: Dataset, tmp_path: Path
) -> None:
    path = tmp_path / "state.ckpt"
    path.touch()

    def gather(found: list[bool], own: bool) -> None:
        found[:] = [own, False]

    monkeypatch.setattr(distributed, "all_gather_object", gather)
    job = TrainingJob(dataset, settings_for(devices=2), "cpu", path)
    with pytest.raises(TrainingError, match=r"training processes 1 do not see .*state\.ckpt; the"):
        launched._check_sight(job, FIRST)
    path.unlink()
    launched._check_sight(job, FIRST)


def test_a_training_ends_at_once_when_it_is_asked_to(dataset: Dataset) -> None:
    before = signal.getsignal(signal.SIGTERM)
    during: list[Any] = []
    job = TrainingJob(dataset, settings_for(max_epochs=1), "cpu")
    train(job, lambda figures: during.append(signal.getsignal(signal.SIGTERM)), more=(EndAtOnce(),))
    assert during == [signal.SIG_DFL]
    assert signal.getsignal(signal.SIGTERM) == before


def test_more_processes_on_a_node_than_gpus_are_an_error(
    store: Store, monkeypatch: pytest.MonkeyPatch, dataset: Dataset
) -> None:
    monkeypatch.setattr(torch.cuda, "is_available", lambda: True)
    monkeypatch.setattr(torch.cuda, "device_count", lambda: 1)
    settings = settings_for(devices=4, device="gpu")
    text = r"training\.devices=4: 1 GPUs were found for the 2 processes of this node"
    with pytest.raises(SettingsError, match=text):
        take_part(Place(0, 4, 2), partial(fit, dataset, settings))
