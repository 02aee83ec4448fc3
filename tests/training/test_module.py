from dataclasses import replace
from typing import Any

import numpy as np
import pytest
import torch

from roadgraph.dataset.dataset import Dataset
from roadgraph.schema import MEASURED_FEATURES, NO_LABEL
from roadgraph.settings import Settings
from roadgraph.training.batches import windows
from roadgraph.training.loop import TrainingJob, settings_in_force, untrained
from roadgraph.training.losses import (
    class_weights,
    congestion_loss,
    interval_loss,
    rush_hour_loss,
    speed_loss,
)
from roadgraph.training.module import ForecastModule, shares
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
    """Keeps what the model is given, answers and what is shown instead of telling a trainer."""

    epoch = 0

    def __init__(self, dataset: Dataset, settings: Settings) -> None:
        model, graph = untrained(TrainingJob(dataset, settings, "cpu"))
        super().__init__(model, graph, dataset, settings.training)
        self.given: list[torch.Tensor] = []
        self.shown: list[dict[str, torch.Tensor]] = []
        self.answered: list[dict[str, torch.Tensor]] = []
        model.register_forward_pre_hook(lambda _, given: self.given.append(given[0]))
        model.register_forward_hook(lambda _, given, answers: self.answered.append(answers))

    @property
    def current_epoch(self) -> int:
        return self.epoch

    def _show(
        self, stage: str, total: torch.Tensor, losses: dict[str, torch.Tensor], batch: int
    ) -> None:
        self.shown.append({name: loss.detach() for name, loss in losses.items()})
        self.shown[-1]["total"] = total.detach()


def hidden_cells(module: Seen, given: torch.Tensor) -> torch.Tensor:
    """Return ``[B, N]``: which windows are those of segments without probes."""
    assert module.data.unseen_inputs is not None
    whole = windows(module.data.inputs, ORIGINS, module.data.window)
    unseen = windows(module.data.unseen_inputs, ORIGINS, module.data.window)
    as_unseen = (given == unseen).all(3).all(1)
    as_whole = (given == whole).all(3).all(1)
    assert (as_unseen | as_whole).all()
    return as_unseen


def test_in_training_the_share_of_segments_is_hidden_anew_in_every_epoch(
    dataset: Dataset,
) -> None:
    module = Seen(dataset, settings_for(hidden_share=0.25))
    for epoch in range(2):
        module.epoch = epoch
        module.training_step(ORIGINS, 0)
    other_seed = Seen(dataset, settings_for(hidden_share=0.25, seed=2))
    other_seed.training_step(ORIGINS, 0)
    found = [hidden_cells(module, given) for given in (*module.given, *other_seed.given)]
    for place, hidden in enumerate(found):
        assert float(hidden.float().mean()) == pytest.approx(0.25, abs=0.08)
        assert not any(torch.equal(hidden, other) for other in found[:place])


def test_in_validation_the_same_segments_are_hidden_in_every_epoch_and_for_every_seed(
    dataset: Dataset,
) -> None:
    found = []
    for seed in (1, 2):
        module = Seen(dataset, settings_for(hidden_share=0.25, seed=seed))
        for module.epoch in (0, 1):
            torch.manual_seed(module.epoch)
            module.validation_step(ORIGINS, module.epoch)
        found += [hidden_cells(module, given) for given in module.given]
    assert all(torch.equal(found[0], other) for other in found[1:])
    assert float(found[0].float().mean()) == pytest.approx(0.25, abs=0.08)


@pytest.mark.parametrize("stage", ["training", "validation"])
def test_what_is_hidden_of_an_origin_is_so_in_whatever_batch_and_process(
    dataset: Dataset, stage: str
) -> None:
    whole, parts = (Seen(dataset, settings_for(hidden_share=0.25)) for _ in range(2))
    getattr(whole, f"{stage}_step")(ORIGINS, 0)
    for rank in range(2):
        torch.manual_seed(rank)
        getattr(parts, f"{stage}_step")(ORIGINS[rank::2], rank)
    for rank, given in enumerate(parts.given):
        assert torch.equal(given, whole.given[0][rank::2])


def test_shares_are_even_and_have_nothing_to_do_with_each_other() -> None:
    origins, places = torch.arange(5000, 5400), torch.arange(500)
    first, other = (shares(chance, origins, places) for chance in ("1 0", "1 1"))
    assert first.min() >= 0
    assert first.max() < 1
    counts = torch.histc(first, 20, 0, 1) / first.numel()
    torch.testing.assert_close(counts, torch.full((20,), 0.05), atol=0.002, rtol=0)
    # The mean share of an origin, of a segment, and neighbours in time, place and epoch.
    assert float(first.mean(1).std()) == pytest.approx((1 / 12 / 500) ** 0.5, rel=0.2)
    assert float(first.mean(0).std()) == pytest.approx((1 / 12 / 400) ** 0.5, rel=0.2)
    for one, two in (
        (first[1:], first[:-1]), (first[:, 1:], first[:, :-1]), (first, other),
    ):  # fmt: skip
        pair = torch.stack([one.flatten(), two.flatten()])
        assert float(torch.corrcoef(pair)[0, 1]) == pytest.approx(0, abs=0.01)
    assert torch.equal(first[7:9, 30:50], shares("1 0", origins[7:9], places[30:50]))


@pytest.mark.parametrize(
    "options",
    [
        {"class_weights": "inverse"},
        {"class_weights": "sqrt_inverse"},
        {"focal_gamma": 2.0},
        {"label_smoothing": 0.2},
        {"speed_loss": "absolute"},
        {"speed_loss": "squared"},
        {"class_weights": "inverse", "focal_gamma": 1.0, "label_smoothing": 0.1},
    ],
)
def test_the_loss_is_that_of_the_settings(dataset: Dataset, options: dict[str, Any]) -> None:
    plain, module = Seen(dataset, settings_for()), Seen(dataset, settings_for(**options))
    for each in (plain, module):
        each.validation_step(ORIGINS, 0)
    (shown,), (given,) = module.shown, module.answered
    targets = ORIGINS[:, None] + torch.tensor(dataset.horizons)
    labels, preparation = dataset.labels, dataset.preparation
    congestion = torch.from_numpy(labels.congestion).long()
    kmh = torch.from_numpy(labels.speed_kph)[targets]
    speed = (kmh - preparation.speed_mean_kph) / preparation.speed_std_kph
    weight = class_weights(
        congestion[: dataset.splits.train.stop], 4, options.get("class_weights", "none")
    )
    expected = {
        "congestion": congestion_loss(
            given["congestion"],
            congestion[targets],
            weight,
            focal_gamma=options.get("focal_gamma", 0.0),
            label_smoothing=options.get("label_smoothing", 0.0),
        ).mean(),
        "rush_hour": rush_hour_loss(
            given["rush_hour"], torch.from_numpy(labels.rush_hour).long()[targets]
        ).mean(),
        "speed": speed_loss(given["speed"], speed, options.get("speed_loss", "huber")).mean()
        + interval_loss(given["speed_interval"], speed).mean(),
    }
    expected["total"] = torch.stack(list(expected.values())).sum()
    assert set(shown) == set(expected)
    for name, loss in expected.items():
        torch.testing.assert_close(shown[name], loss.detach(), msg=name)
    # Of all options each changes the one loss that it is about.
    changed = "speed" if "speed_loss" in options else "congestion"
    differing = {name for name in shown if not torch.equal(shown[name], plain.shown[0][name])}
    assert differing == {changed, "total"}


def test_a_task_of_weight_zero_has_no_loss(dataset: Dataset) -> None:
    module = Seen(dataset, settings_for(rush_hour_weight=0.0))
    module.training_step(ORIGINS, 0).backward()
    assert set(module.shown[0]) == {"congestion", "speed", "total"}
    head = [w.grad for name, w in module.model.named_parameters() if name.startswith("rush_hour")]
    assert head == [None] * len(head)
    assert head


def test_without_a_hidden_share_the_model_is_given_what_is_there(dataset: Dataset) -> None:
    module = Seen(dataset, settings_for())
    module.training_step(ORIGINS, 0)
    assert torch.equal(module.given[0], windows(module.data.inputs, ORIGINS, module.data.window))


def test_noise_falls_on_the_inputs_of_training_alone(dataset: Dataset) -> None:
    module = Seen(dataset, settings_for(noise_std=0.5))
    module.training_step(ORIGINS, 0)
    module.validation_step(ORIGINS, 0)
    noise = module.given[0] - module.given[1]
    assert float(noise.mean()) == pytest.approx(0, abs=0.01)
    assert float(noise.std()) == pytest.approx(0.5, abs=0.01)
    assert torch.equal(module.given[1], windows(module.data.inputs, ORIGINS, module.data.window))


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
