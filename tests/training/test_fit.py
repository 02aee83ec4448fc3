import numpy as np
import pytest
import torch

from roadgraph.dataset.dataset import Dataset
from roadgraph.errors import SettingsError
from roadgraph.settings import Settings
from roadgraph.training.fit import choose_device, fit
from roadgraph.training.inference import forecast
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
    poisoned = Dataset(**{**vars(dataset), "inputs": inputs})
    assert fit(poisoned, settings_for()).history == fit(dataset, settings_for()).history


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
    answer = forecast(
        "toy", trained.model, trained.graph, dataset.inputs, np.array([300]), dataset.window,
        dataset.preparation, np.ones(4),
    )  # fmt: skip
    given = {
        "congestion": answer.congestion is not None,
        "rush_hour": answer.rush_hour is not None,
        "speed": answer.speed_kph is not None,
    }
    assert [task for task, there in given.items() if there] == list(tasks)
