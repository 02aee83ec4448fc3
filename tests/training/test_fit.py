import json
import logging
from dataclasses import replace
from pathlib import Path
from typing import get_args

import numpy as np
import pytest
import torch

from roadgraph.dataset.dataset import Dataset
from roadgraph.dataset.splits import Span
from roadgraph.errors import SettingsError
from roadgraph.settings import Backbone, Settings
from roadgraph.training.diagnosis import diagnose
from roadgraph.training.fit import choose_device, fit
from roadgraph.training.inference import answers
from roadgraph.training.loop import TrainingJob, settings_in_force, train, untrained
from tests.dataset.toy import toy_dataset, toy_settings


def settings_for(**training: object) -> Settings:
    quick = {"max_epochs": 3, "device": "cpu", "batch_size": 64}
    return toy_settings(model={"name": "gcn"}, training={**quick, **training})


@pytest.fixture(scope="module")
def dataset() -> Dataset:
    return toy_dataset(toy_settings())


def test_training_lowers_the_loss_and_tells_of_every_epoch(dataset: Dataset) -> None:
    told: list[dict[str, float]] = []
    trained = fit(dataset, settings_for(max_epochs=6, learning_rate=0.01), told.append)
    assert told == trained.history
    assert [epoch["epoch"] for epoch in told] == [0, 1, 2, 3, 4, 5]
    assert told[-1]["train_loss"] < 0.8 * told[0]["train_loss"]
    assert {"val_loss", "val_congestion", "val_rush_hour", "val_speed", "learning_rate"} <= set(
        told[0]
    )
    assert trained.device == "cpu"


def test_the_same_seed_gives_the_same_numbers_and_another_seed_does_not(dataset: Dataset) -> None:
    first, again, other = (
        fit(dataset, settings_for(seed=seed)).history[-1]["val_loss"] for seed in (1, 1, 2)
    )
    assert first == again
    assert first != other


def test_the_weights_of_the_best_epoch_are_kept(dataset: Dataset) -> None:
    # A learning rate that is far too high makes a later epoch worse than an earlier one.
    settings = settings_for(max_epochs=8, learning_rate=0.5, noise_std=0, patience=8)
    trained = fit(dataset, settings)
    losses = [epoch["val_loss"] for epoch in trained.history]
    assert trained.best_epoch == int(np.argmin(losses))
    shorter = fit(
        dataset,
        settings_for(max_epochs=trained.best_epoch + 1, learning_rate=0.5, noise_std=0, patience=8),
    )
    for name, value in shorter.model.state_dict().items():
        torch.testing.assert_close(trained.model.state_dict()[name], value, msg=name)


def test_training_stops_after_its_patience_without_progress(dataset: Dataset) -> None:
    # A learning rate that is far too high soon makes no progress any more.
    settings = settings_for(max_epochs=100, learning_rate=0.5, patience=3, noise_std=0)
    trained = fit(dataset, settings)
    assert len(trained.history) == trained.best_epoch + 1 + 3
    assert len(trained.history) < 100


def test_the_learning_rate_falls_on_a_plateau(dataset: Dataset) -> None:
    settings = settings_for(
        max_epochs=8, learning_rate=0.5, lr_patience=1, lr_factor=0.1, patience=8, noise_std=0
    )
    rates = [epoch["learning_rate"] for epoch in fit(dataset, settings).history]
    assert rates[0] == 0.5
    assert rates[-1] <= 0.05


def test_training_does_not_read_the_test_span(dataset: Dataset) -> None:
    start = dataset.splits.test.start
    inputs = dataset.inputs.copy()
    inputs[start:] = np.nan
    poisoned = replace(dataset, inputs=inputs)
    assert fit(poisoned, settings_for()).history == fit(dataset, settings_for()).history


def test_a_refit_learns_the_validation_span_too_for_the_best_number_of_epochs(
    dataset: Dataset,
) -> None:
    options = {
        "max_epochs": 8, "schedule": "warmup_cosine", "learning_rate": 0.1, "noise_std": 0,
        "class_weights": "none",
    }  # fmt: skip
    once, again = (fit(dataset, settings_for(**options, refit=refit)) for refit in (False, True))
    assert again.history == once.history
    assert again.diagnosis == once.diagnosis
    assert once.validated is once.model
    first, kept = once.model.state_dict(), again.validated.state_dict()
    assert all(torch.equal(first[name], kept[name]) for name in first)
    # The same by hand: a dataset whose training span reaches to the end of the validation span.
    splits = dataset.splits
    longer = Span(splits.train.start, splits.validation.stop)
    both = replace(dataset, splits=replace(splits, train=longer))
    job = TrainingJob(both, settings_for(**options), "cpu", refit_epochs=once.best_epoch + 1)
    by_hand = train(job, lambda figures: None).weights
    assert once.best_epoch < 7
    refitted = again.model.state_dict()
    assert all(torch.equal(by_hand[name], refitted[name]) for name in by_hand)
    assert not all(torch.equal(first[name], refitted[name]) for name in first)


def test_a_training_ends_with_a_diagnosis_that_is_logged(
    dataset: Dataset, caplog: pytest.LogCaptureFixture
) -> None:
    with caplog.at_level(logging.INFO, "roadgraph"):
        trained = fit(dataset, settings_for(max_epochs=2))
    assert trained.diagnosis == diagnose(trained.history).text
    assert caplog.messages == [trained.diagnosis]


@pytest.mark.parametrize(
    ("optimizer", "rate"), [("adamw", 0.01), ("adam", 0.01), ("sgd", 0.01), ("rmsprop", 0.001)]
)
def test_every_optimiser_lowers_the_loss(dataset: Dataset, optimizer: str, rate: float) -> None:
    history = fit(
        dataset, settings_for(optimizer=optimizer, max_epochs=4, learning_rate=rate)
    ).history
    assert history[-1]["train_loss"] < 0.95 * history[0]["train_loss"]


@pytest.mark.parametrize("name", get_args(Backbone))
def test_half_precision_trains_to_nearly_the_same_loss(dataset: Dataset, name: Backbone) -> None:
    settings = settings_for(max_epochs=3)
    settings = replace(settings, model=replace(settings.model, name=name))
    half = replace(settings, training=replace(settings.training, precision="bf16"))
    one, other = fit(dataset, settings), fit(dataset, half)
    assert one.history != other.history
    assert other.history[-1]["val_loss"] == pytest.approx(one.history[-1]["val_loss"], rel=0.05)
    assert {value.dtype for value in other.model.parameters()} == {torch.float32}


def test_fp16_without_a_gpu_is_an_error_before_anything_is_trained(dataset: Dataset) -> None:
    told: list[dict[str, float]] = []
    with pytest.raises(SettingsError, match=r"precision=fp16 needs a GPU.*use bf16 or 32"):
        fit(dataset, settings_for(precision="fp16"), told.append)
    assert told == []


@pytest.mark.parametrize(
    ("options", "text"),
    [
        ({"recompute_activations": True}, r"training\.recompute_activations=false"),
        ({"tile_segments": 2}, r"training\.tile_segments=0"),
    ],
)
def test_what_cannot_be_compiled_is_an_error_before_any_process_is_started(
    dataset: Dataset, monkeypatch: pytest.MonkeyPatch, options: dict[str, object], text: str
) -> None:
    monkeypatch.delattr("roadgraph.training.fit.train_in_processes")
    with pytest.raises(SettingsError, match=text):
        fit(dataset, settings_for(**options, compile="on", devices=2))


@pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a GPU")
@pytest.mark.parametrize("precision", ["bf16", "fp16"])
def test_a_gpu_trains_in_half_precision(dataset: Dataset, precision: str) -> None:
    settings = settings_for(max_epochs=4, device="gpu")
    half = fit(dataset, settings_for(max_epochs=4, device="gpu", precision=precision))
    whole = fit(dataset, settings)
    assert half.history[-1]["val_loss"] == pytest.approx(whole.history[-1]["val_loss"], rel=0.1)


def test_accumulated_batches_make_the_step_of_one_large_batch(dataset: Dataset) -> None:
    """Without anything drawn, and with batches that weigh alike: all cells have a label."""
    speed = np.nan_to_num(dataset.labels.speed_kph, nan=30.0)
    congestion = np.maximum(dataset.labels.congestion, 0)
    rush_hour = np.maximum(dataset.labels.rush_hour, 0)
    labels = replace(dataset.labels, speed_kph=speed, congestion=congestion, rush_hour=rush_hour)
    train = dataset.splits.train.origins(dataset.window, max(dataset.horizons))
    size = len(train) // 4
    splits = replace(
        dataset.splits,
        train=replace(dataset.splits.train, stop=dataset.splits.train.stop - len(train) % 4),
    )
    full = replace(dataset, labels=labels, splits=splits)
    # A rate that hardly moves the weights between the two orders of the same origins.
    quiet = {"noise_std": 0, "max_epochs": 1, "optimizer": "sgd", "momentum": 0.0}
    four = fit(full, settings_for(batch_size=size, accumulate=4, **quiet))
    one = fit(full, settings_for(batch_size=4 * size, **quiet))
    for name, value in four.model.state_dict().items():
        torch.testing.assert_close(value, one.model.state_dict()[name], msg=name)
    alone = fit(full, settings_for(batch_size=size, **quiet))
    assert alone.history != four.history


def test_no_more_batches_are_accumulated_than_an_epoch_has(dataset: Dataset) -> None:
    """Three batches: a step of all of them, and of two, whose second group is incomplete."""
    train = dataset.splits.train.origins(dataset.window, max(dataset.horizons))
    options = {
        "noise_std": 0, "max_epochs": 1, "optimizer": "sgd", "momentum": 0.0, "weight_decay": 0.0,
        "batch_size": -(-len(train) // 3),
    }  # fmt: skip

    def moved(accumulate: int, clip_norm: float = 1000.0) -> torch.Tensor:
        settings = settings_for(accumulate=accumulate, clip_norm=clip_norm, **options)
        before, _ = untrained(TrainingJob(dataset, settings, "cpu"))
        after = fit(dataset, settings).model
        pairs = zip(after.parameters(), before.parameters(), strict=True)
        return torch.cat([(one - other).detach().flatten() for one, other in pairs])

    whole = moved(3)
    torch.testing.assert_close(moved(1000), whole)
    # Every batch counts alike in the incomplete group too: half of its sum, not a third of it.
    torch.testing.assert_close(moved(2), whole * 3 / 2, rtol=0.05, atol=1e-5)


def test_gradients_are_clipped_to_their_norm(dataset: Dataset) -> None:
    """The first step of plain SGD is the gradient: its length is the rate times the norm."""
    options = {
        "optimizer": "sgd", "momentum": 0.0, "weight_decay": 0.0, "learning_rate": 0.1,
        "max_epochs": 1, "batch_size": 4096, "clip_norm": 0.01,
    }  # fmt: skip
    settings = settings_for(**options)
    before, _ = untrained(TrainingJob(dataset, settings, "cpu"))
    after = fit(dataset, settings).model
    moved = [
        (one - other).detach()
        for one, other in zip(after.parameters(), before.parameters(), strict=True)
    ]
    length = torch.cat([part.flatten() for part in moved]).norm()
    assert length.item() == pytest.approx(0.1 * 0.01, rel=1e-3)


def test_recomputed_activations_train_to_the_same_weights(dataset: Dataset) -> None:
    plain = fit(dataset, settings_for())
    recomputed = fit(dataset, settings_for(recompute_activations=True))
    assert recomputed.model.recompute
    assert not plain.model.recompute
    for name, value in recomputed.model.state_dict().items():
        torch.testing.assert_close(value, plain.model.state_dict()[name], msg=name)


@pytest.mark.parametrize(("name", "size"), [("mlp", "simple"), ("gcn", "enhanced")])
def test_a_self_check_learns_a_few_batches_by_heart(dataset: Dataset, name: str, size: str) -> None:
    """With all that is meant to keep a training from it; with default settings beside that."""
    hindering = {
        "noise_std": 1.0, "hidden_share": 0.5, "label_smoothing": 0.3, "weight_decay": 1.0,
        "averaging": "swa", "schedule": "exponential", "lr_decay": 0.1, "patience": 1,
        "max_epochs": 1, "refit": True,
    }  # fmt: skip
    settings = toy_settings(
        size=size,
        model={"name": name, "dropout": 0.5},
        training={"device": "cpu", "overfit_batches": 6, "batch_size": 8, **hindering},
    )
    trained = fit(dataset, settings)
    assert trained.diagnosis.startswith("self-check on 6 batches: learned by heart; loss from ")
    assert trained.validated is trained.model


def test_a_self_check_that_learns_nothing_names_the_tasks(dataset: Dataset) -> None:
    settings = settings_for(overfit_batches=30, batch_size=4, learning_rate=1e-6, speed_weight=0.0)
    text = fit(dataset, settings).diagnosis
    assert ": not learned by heart: congestion, rush_hour; loss from the first of 20 " in text


@pytest.mark.parametrize(
    ("batches", "accumulate", "epochs"), [(2, 1, 300), (1, 1, 600), (7, 2, 150), (2, 9, 600)]
)
def test_a_self_check_has_its_steps_before_anything_stops_it(
    batches: int, accumulate: int, epochs: int
) -> None:
    settings = settings_for(overfit_batches=batches, accumulate=accumulate, patience=1)
    options = settings_in_force(settings).training
    assert (options.max_epochs, options.patience) == (epochs, epochs)
    longer = settings_for(overfit_batches=2, max_epochs=700, patience=800)
    options = settings_in_force(longer).training
    assert (options.max_epochs, options.patience) == (700, 800)


def test_a_self_check_sees_its_few_batches_alone(dataset: Dataset) -> None:
    settings = settings_in_force(settings_for(overfit_batches=2, batch_size=8))
    train, validation = TrainingJob(dataset, settings, "cpu").origins
    first = dataset.splits.train.start + dataset.window - 1
    assert train.tolist() == validation.tolist() == list(range(first, first + 16))


def test_a_trace_of_the_first_steps_is_written_and_told_of(
    dataset: Dataset, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    settings = settings_for(profile=True, max_epochs=2)
    with caplog.at_level(logging.INFO, "roadgraph"):
        fit(dataset, settings, checkpoints=tmp_path / "states")
        fit(dataset, settings, trace=tmp_path / "given")
    told = [text for text in caplog.messages if text.startswith("the trace of the first steps is")]
    assert [Path(text.split()[-1]) for text in told] == [
        tmp_path / "trace.json", tmp_path / "given" / "trace.json"
    ]  # fmt: skip
    for path in (tmp_path / "trace.json", tmp_path / "given" / "trace.json"):
        names = {event.get("name") for event in json.loads(path.read_text())["traceEvents"]}
        assert {"aten::addmm", "autograd::engine::evaluate_function: AddmmBackward0"} & names


def test_without_a_folder_the_trace_goes_to_the_current_one(
    dataset: Dataset, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    fit(dataset, settings_for(profile=True, max_epochs=1))
    assert [path.name for path in tmp_path.iterdir()] == ["trace.json"]


def test_more_processes_than_slices_are_an_error(dataset: Dataset) -> None:
    settings = settings_for(devices=64, overfit_batches=1, batch_size=8)
    with pytest.raises(SettingsError, match=r"devices=64: there are only 8 slices to share"):
        fit(dataset, settings)


def test_more_processes_than_gpus_are_an_error(
    dataset: Dataset, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(torch.cuda, "is_available", lambda: True)
    monkeypatch.setattr(torch.cuda, "device_count", lambda: 1)
    with pytest.raises(SettingsError, match=r"training\.devices=2: 1 GPUs were found"):
        fit(dataset, settings_for(devices=2, device="gpu"))


def test_a_gpu_that_is_not_there_is_an_error(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    with pytest.raises(SettingsError, match=r"training\.device=gpu: no GPU was found"):
        choose_device("gpu")
    assert choose_device("cpu") == "cpu"


def test_a_gpu_that_is_there_is_taken(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(torch.cuda, "is_available", lambda: True)
    assert choose_device("gpu") == "gpu"


def test_auto_takes_a_gpu_where_there_is_one() -> None:
    assert choose_device("auto") == ("gpu" if torch.cuda.is_available() else "cpu")


@pytest.mark.parametrize("tasks", [("congestion",), ("rush_hour",), ("speed",)])
def test_a_model_of_one_task_trains_and_forecasts_it_alone(
    dataset: Dataset, tasks: tuple[str, ...]
) -> None:
    settings = toy_settings(model={"tasks": tasks}, training={"max_epochs": 1, "device": "cpu"})
    trained = fit(dataset, settings)
    given = answers(
        trained.model, trained.tiles, dataset.inputs, np.array([300]), dataset.window,
        dataset.preparation,
    )  # fmt: skip
    assert {
        task
        for task in ("congestion", "rush_hour", "speed")
        if any(name.startswith(task) for name in given)
    } == set(tasks)
