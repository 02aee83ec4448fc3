import pytest
import torch

from roadgraph.dataset.dataset import Dataset
from roadgraph.settings import Settings
from roadgraph.training.averaging import swa_start
from roadgraph.training.fit import Trained, fit
from roadgraph.training.loop import TrainingJob, loss_in_validation, settings_in_force, untrained
from roadgraph.training.module import ForecastModule
from tests.dataset.toy import toy_dataset, toy_settings


def settings_for(norm: str = "none", **training: object) -> Settings:
    """Return settings of a training without chance, whose every step can be followed."""
    quick = {
        "max_epochs": 4, "device": "cpu", "batch_size": 4096, "noise_std": 0, "clip_norm": 1000.0,
        "schedule": "constant", "learning_rate": 0.01, "optimizer": "sgd",
    }  # fmt: skip
    model = {"name": "mlp", "dropout": 0.0, "norm": norm}
    size = "simple" if norm == "none" else "enhanced"
    return toy_settings(size=size, model=model, training={**quick, **training})


@pytest.fixture(scope="module")
def dataset() -> Dataset:
    return toy_dataset(toy_settings(), slices=300)


def weights(trained: Trained) -> dict[str, torch.Tensor]:
    return trained.model.state_dict()


def after_epochs(dataset: Dataset, epochs: int) -> dict[str, torch.Tensor]:
    """Return the weights after so many epochs of one step each; the last one is the best."""
    trained = fit(dataset, settings_for(max_epochs=epochs))
    assert trained.best_epoch == epochs - 1
    return weights(trained)


def test_the_last_quarter_of_the_epochs() -> None:
    assert [swa_start(epochs) for epochs in (1, 2, 4, 5, 60)] == [0, 1, 3, 3, 45]


def test_swa_keeps_the_mean_of_the_last_quarter(dataset: Dataset) -> None:
    kept = weights(fit(dataset, settings_for(max_epochs=8, averaging="swa")))
    seventh, eighth = after_epochs(dataset, 7), after_epochs(dataset, 8)
    for name, value in kept.items():
        torch.testing.assert_close(value, (seventh[name] + eighth[name]) / 2)


def test_swa_is_not_stopped_early(dataset: Dataset) -> None:
    settings = settings_for(max_epochs=6, averaging="swa", patience=1, learning_rate=1.0)
    assert len(fit(dataset, settings).history) == 6


def test_ema_keeps_the_moving_average_of_every_step(dataset: Dataset) -> None:
    trained = fit(dataset, settings_for(max_epochs=3, averaging="ema", ema_decay=0.75))
    first, second, third = (after_epochs(dataset, epochs) for epochs in (1, 2, 3))
    for name, value in weights(trained).items():
        wanted = 0.75 * (0.75 * first[name] + 0.25 * second[name]) + 0.25 * third[name]
        torch.testing.assert_close(value, wanted)


def test_every_epoch_is_validated_with_the_moving_average(dataset: Dataset) -> None:
    trained = fit(dataset, settings_for(averaging="ema", ema_decay=0.9))
    losses = [epoch["val_loss"] for epoch in trained.history]
    assert trained.validation_loss == pytest.approx(losses[trained.best_epoch], rel=1e-6)
    plain = fit(dataset, settings_for())
    assert plain.validation_loss == min(epoch["val_loss"] for epoch in plain.history)
    assert losses[-1] > plain.history[-1]["val_loss"]
    # Training itself goes on with the weights, not with their average.
    assert [epoch["train_loss"] for epoch in trained.history] == [
        epoch["train_loss"] for epoch in plain.history
    ]


def test_a_moving_average_is_kept_with_the_batch_norm_that_it_was_validated_with(
    dataset: Dataset,
) -> None:
    settings = settings_for("batch", max_epochs=6, averaging="ema")
    trained = fit(dataset, settings)
    job = TrainingJob(dataset, settings_in_force(settings), "cpu")
    loss = loss_in_validation(job, trained.model, trained.graph)
    assert loss == pytest.approx(min(epoch["val_loss"] for epoch in trained.history), rel=1e-6)
    assert loss == pytest.approx(trained.validation_loss, rel=1e-6)


def test_batch_norm_has_the_statistics_of_the_averaged_weights(dataset: Dataset) -> None:
    settings = settings_for("batch", max_epochs=6, averaging="swa")
    trained = fit(dataset, settings)
    job = TrainingJob(dataset, settings_in_force(settings), "cpu")
    seen: list[torch.Tensor] = []
    norm = trained.model.get_submodule("bn1")
    hook = norm.register_forward_pre_hook(lambda module, inputs: seen.append(inputs[0]))
    module = ForecastModule(trained.model, trained.graph, dataset, settings.training)
    with torch.no_grad():
        origins = torch.from_numpy(job.origins[0])
        steps = torch.arange(1 - dataset.window, 1)
        module.model(module.data.inputs[origins[:, None] + steps], trained.graph)
    hook.remove()
    (cells,) = seen
    flat = cells.flatten(0, -2)
    torch.testing.assert_close(norm.running_mean, flat.mean(0), rtol=1e-4, atol=1e-5)
    torch.testing.assert_close(norm.running_var, flat.var(0), rtol=1e-4, atol=1e-5)
    assert norm.momentum == 0.1
    assert "the averaged weights that are kept have" in trained.diagnosis
    assert f"{trained.validation_loss:.4g}" in trained.diagnosis
    before, _ = untrained(job)
    assert not torch.equal(
        before.get_parameter("fc1.weight"), trained.model.get_parameter("fc1.weight")
    )
