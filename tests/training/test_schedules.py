"""Learning rates against formulas and against PyTorch's own schedules."""

import math

import numpy as np
import pytest
import torch
from torch.optim.lr_scheduler import CosineAnnealingLR, LRScheduler, OneCycleLR

from roadgraph.dataset.dataset import Dataset
from roadgraph.settings import TrainingSettings
from roadgraph.training.fit import fit
from roadgraph.training.schedules import PER_STEP, make_schedule, rate_factor
from tests.dataset.toy import toy_dataset, toy_settings


def settings_of(schedule: str, **more: object) -> TrainingSettings:
    return TrainingSettings(schedule=schedule, learning_rate=0.1, **more)  # type: ignore[arg-type]


def optimizer_of(rate: float = 0.1) -> torch.optim.Optimizer:
    weight = torch.nn.Parameter(torch.zeros(1))
    weight.grad = torch.zeros(1)
    return torch.optim.SGD([weight], lr=rate)


def rates(schedule: LRScheduler, steps: int) -> list[float]:
    found = []
    for _ in range(steps):
        found.append(float(schedule.optimizer.param_groups[0]["lr"]))
        schedule.optimizer.step()
        schedule.step()
    return found


def test_constant_stays() -> None:
    assert rates(make_schedule(optimizer_of(), settings_of("constant"), 9, 9), 9) == [0.1] * 9


def test_exponential_falls_by_its_factor_an_epoch() -> None:
    schedule = make_schedule(optimizer_of(), settings_of("exponential", lr_decay=0.5), 4, 99)
    assert rates(schedule, 4) == pytest.approx([0.1, 0.05, 0.025, 0.0125])


def test_cosine_falls_to_its_floor_as_pytorchs_does() -> None:
    schedule = make_schedule(optimizer_of(), settings_of("cosine", lr_floor=0.01), 8, 99)
    reference = CosineAnnealingLR(optimizer_of(), 8, eta_min=0.01)
    found = rates(schedule, 9)
    assert found == pytest.approx(rates(reference, 9))
    assert found[4] == pytest.approx(0.055)
    assert found[8] == pytest.approx(0.01)


def test_one_cycle_is_pytorchs() -> None:
    # PyTorch's peak is at step share * total - 1: 4, ours at the rounded share itself.
    schedule = make_schedule(optimizer_of(), settings_of("one_cycle", warmup_share=0.2), 5, 20)
    reference = OneCycleLR(optimizer_of(), 0.1, 20, pct_start=0.25, cycle_momentum=False)
    found = rates(schedule, 20)
    assert found == pytest.approx([*rates(reference, 19), 0.1 * 4e-6], rel=1e-6)
    assert max(found) == found[4] == pytest.approx(0.1)


def test_warmup_cosine_rises_in_a_line_and_falls_to_its_floor() -> None:
    schedule = make_schedule(
        optimizer_of(), settings_of("warmup_cosine", warmup_share=0.25, lr_floor=0.01), 2, 16
    )
    found = rates(schedule, 16)
    assert found[:4] == pytest.approx([0.025, 0.05, 0.075, 0.1])
    down = [0.01 + 0.09 * (1 + math.cos(math.pi * step / 11)) / 2 for step in range(12)]
    assert found[4:] == pytest.approx(down)


@pytest.mark.parametrize("schedule", ["one_cycle", "warmup_cosine", "cosine"])
@pytest.mark.parametrize("steps", [1, 2, 3, 10])
@pytest.mark.parametrize("share", [0.001, 0.1, 0.9])
def test_the_shortest_trainings_have_a_rate_as_well(
    schedule: str, steps: int, share: float
) -> None:
    factor = rate_factor(settings_of(schedule, warmup_share=share), steps, steps)
    found = [factor(step) for step in range(steps + 1)]
    assert np.isfinite(found).all()
    assert all(0 < value <= 1 for value in found)


def test_a_floor_above_the_rate_never_raises_it() -> None:
    factor = rate_factor(settings_of("cosine", lr_floor=1.0), 5, 5)
    assert [factor(step) for step in range(6)] == [1.0] * 6


def test_plateau_is_no_formula() -> None:
    with pytest.raises(ValueError, match=r"that is a formula \(found 'plateau'\)"):
        rate_factor(settings_of("plateau"), 1, 1)


@pytest.fixture(scope="module")
def dataset() -> Dataset:
    return toy_dataset(toy_settings(), slices=300)


@pytest.mark.parametrize("accumulate", [1, 2])
@pytest.mark.parametrize("schedule", ["cosine", "one_cycle", "warmup_cosine", "exponential"])
def test_a_training_has_the_rates_of_the_formula(
    dataset: Dataset, schedule: str, accumulate: int
) -> None:
    options = {
        "schedule": schedule, "accumulate": accumulate, "max_epochs": 3, "batch_size": 45,
        "device": "cpu", "learning_rate": 0.01,
    }  # fmt: skip
    settings = toy_settings(training=options)
    train = dataset.splits.train.origins(dataset.window, max(dataset.horizons))
    steps = math.ceil(math.ceil(len(train) / 45) / accumulate)
    assert steps == {1: 4, 2: 2}[accumulate]
    factor = rate_factor(settings.training, 3, 3 * steps)
    last = [steps - 1, 2 * steps - 1, 3 * steps - 1]
    places = last if schedule in PER_STEP else range(3)
    wanted = [0.01 * factor(place) for place in places]
    found = [epoch["learning_rate"] for epoch in fit(dataset, settings).history]
    assert found == pytest.approx(wanted)


def test_plateau_falls_after_its_patience_in_a_training(dataset: Dataset) -> None:
    options = {
        "max_epochs": 10, "learning_rate": 0.3, "noise_std": 0, "lr_patience": 1, "patience": 10,
        "lr_factor": 0.5, "lr_floor": 0.1, "device": "cpu", "batch_size": 64,
    }  # fmt: skip
    history = fit(dataset, toy_settings(training=options)).history
    rate, best, waited, wanted = 0.3, math.inf, 0, []
    for epoch in history:
        wanted.append(rate)
        # PyTorch counts an epoch as progress when it is better by a ten-thousandth.
        if epoch["val_loss"] < best * (1 - 1e-4):
            best, waited = epoch["val_loss"], 0
        else:
            waited += 1
        if waited > 1:
            rate, waited = max(rate * 0.5, 0.1), 0
    assert [epoch["learning_rate"] for epoch in history] == pytest.approx(wanted)
    assert len(set(wanted)) > 1
