from dataclasses import replace

import numpy as np
import pytest
import torch

from roadgraph.dataset.dataset import Dataset
from roadgraph.schema import MEASURED_FEATURES, NO_LABEL
from roadgraph.settings import Settings
from roadgraph.training.batches import windows
from roadgraph.training.loop import TrainingJob, settings_in_force, untrained
from roadgraph.training.module import ForecastModule
from tests.dataset.toy import toy_dataset, toy_settings

ORIGINS = torch.arange(20, 60)
SEGMENTS = 8


def settings_for(task: str = "forecast", **training: object) -> Settings:
    quick = {"device": "cpu", "noise_std": 0.0, "class_weights": "none"}
    hidden = {"hidden_share": 0.3} if task == "estimate_hidden" else {}
    return toy_settings(
        task=task,
        model={"name": "mlp", "segment_embedding": 0},
        dataset=hidden,
        training={**quick, **hidden, **training},
    )


@pytest.fixture(scope="module")
def dataset() -> Dataset:
    return toy_dataset(toy_settings(), segments=SEGMENTS)


class Seen(ForecastModule):
    """Keeps what the model is given and what is shown instead of telling a trainer."""

    def __init__(self, dataset: Dataset, settings: Settings) -> None:
        model, graph = untrained(TrainingJob(dataset, settings, "cpu"))
        super().__init__(model, graph, dataset, settings.training)
        self.given: list[torch.Tensor] = []
        self.shown: list[dict[str, torch.Tensor]] = []
        model.register_forward_pre_hook(lambda _, given: self.given.append(given[0]))

    def _show(
        self, stage: str, total: torch.Tensor, losses: dict[str, torch.Tensor], batch: int
    ) -> None:
        self.shown.append({name: loss.detach() for name, loss in losses.items()})
        self.shown[-1]["total"] = total.detach()


def hidden_cells(module: Seen, given: torch.Tensor) -> torch.Tensor:
    """Return ``[B, N]``: which windows are those of segments without probes."""
    assert module.unseen_inputs is not None
    whole = windows(module.inputs, ORIGINS, module.window)
    unseen = windows(module.unseen_inputs, ORIGINS, module.window)
    as_unseen = (given == unseen).all(3).all(1)
    as_whole = (given == whole).all(3).all(1)
    assert (as_unseen | as_whole).all()
    return as_unseen


def test_in_training_the_share_of_segments_is_hidden_anew_in_every_step(dataset: Dataset) -> None:
    module = Seen(dataset, settings_for(hidden_share=0.25))
    torch.manual_seed(0)
    for index in range(2):
        module.training_step(ORIGINS, index)
    first, second = (hidden_cells(module, given) for given in module.given)
    assert not torch.equal(first, second)
    for hidden in (first, second):
        assert float(hidden.float().mean()) == pytest.approx(0.25, abs=0.08)


def test_in_validation_the_same_segments_are_hidden_whatever_was_drawn_before(
    dataset: Dataset,
) -> None:
    module = Seen(dataset, settings_for(hidden_share=0.25))
    for seed in (1, 2):
        torch.manual_seed(seed)
        module.validation_step(ORIGINS, 3)
    module.validation_step(ORIGINS, 4)
    first, again, other_batch = (hidden_cells(module, given) for given in module.given)
    assert torch.equal(first, again)
    assert not torch.equal(first, other_batch)
    assert first.any()


def test_without_a_hidden_share_the_model_is_given_what_is_there(dataset: Dataset) -> None:
    module = Seen(dataset, settings_for())
    module.training_step(ORIGINS, 0)
    assert torch.equal(module.given[0], windows(module.inputs, ORIGINS, module.window))


def test_noise_falls_on_the_inputs_of_training_alone(dataset: Dataset) -> None:
    module = Seen(dataset, settings_for(noise_std=0.5))
    module.training_step(ORIGINS, 0)
    module.validation_step(ORIGINS, 0)
    noise = module.given[0] - module.given[1]
    assert float(noise.mean()) == pytest.approx(0, abs=0.01)
    assert float(noise.std()) == pytest.approx(0.5, abs=0.01)
    assert torch.equal(module.given[1], windows(module.inputs, ORIGINS, module.window))


def test_where_hidden_segments_are_estimated_they_alone_cost_anything() -> None:
    settings = settings_for("estimate_hidden")
    dataset = toy_dataset(settings, segments=SEGMENTS)
    module = Seen(dataset, settings)
    module.validation_step(ORIGINS, 0)
    (given,), (shown,) = module.given, module.shown
    hidden = hidden_cells(module, given).numpy()
    targets = ORIGINS.numpy() + dataset.horizons[0]
    speed = dataset.labels.speed_kph.copy()
    # Labels of what is not hidden may be anything.
    speed[targets] += np.where(hidden, 0.0, 30.0)
    again = Seen(replace(dataset, labels=replace(dataset.labels, speed_kph=speed)), settings)
    again.validation_step(ORIGINS, 0)
    assert float(again.shown[0]["speed"]) == float(shown["speed"])
    speed[targets] += np.where(hidden, 30.0, 0.0)
    fooled = Seen(replace(dataset, labels=replace(dataset.labels, speed_kph=speed)), settings)
    fooled.validation_step(ORIGINS, 0)
    assert float(fooled.shown[0]["speed"]) > float(shown["speed"])


def test_cells_weigh_as_much_as_their_quality_scores(dataset: Dataset) -> None:
    settings = settings_for(quality_weights=True)
    place = MEASURED_FEATURES.index("quality_score")
    measured = dataset.grid.measured.copy()
    measured[:, :, place] = np.where(np.arange(SEGMENTS) == 2, 1.0, 0.0)
    one_counts = replace(dataset, grid=replace(dataset.grid, measured=measured))
    congestion = dataset.labels.congestion.copy()
    congestion[:, [n for n in range(SEGMENTS) if n != 2]] = NO_LABEL
    one_labelled = replace(dataset, labels=replace(dataset.labels, congestion=congestion))
    by_weight, by_label = Seen(one_counts, settings), Seen(one_labelled, settings_for())
    for module in (by_weight, by_label):
        module.validation_step(ORIGINS, 0)
    assert float(by_weight.shown[0]["congestion"]) == pytest.approx(
        float(by_label.shown[0]["congestion"])
    )


def test_learned_task_weights_are_trained_and_validation_does_not_use_them(
    dataset: Dataset,
) -> None:
    settings = settings_in_force(settings_for(task_weights="uncertainty"))
    module = Seen(dataset, settings)
    optimizer = module.configure_optimizers()
    in_optimizer = {id(value) for group in optimizer.param_groups for value in group["params"]}
    learned = list(module.task_weights.parameters())
    assert learned
    assert {id(value) for value in learned} <= in_optimizer
    module.validation_step(ORIGINS, 0)
    torch.nn.init.constant_(learned[0], 3.0)
    module.validation_step(ORIGINS, 0)
    assert torch.equal(module.shown[0]["total"], module.shown[1]["total"])
