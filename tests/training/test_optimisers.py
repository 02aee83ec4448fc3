"""One step of every optimiser against its formula, on one weight of 2 with a gradient of 3."""

import pytest
import torch

from roadgraph.settings import TrainingSettings
from roadgraph.training.optimisers import make_optimizer

RATE, DECAY, EPS = 0.1, 0.5, 1e-3


def weight_after(steps: int, free: bool = False, **settings: object) -> float:
    weight = torch.nn.Parameter(torch.tensor(2.0, dtype=torch.float64))
    options = TrainingSettings(
        learning_rate=RATE,
        weight_decay=DECAY,
        eps=EPS,
        **settings,  # type: ignore[arg-type]
    )
    other = torch.nn.Parameter(torch.tensor(1.0))
    groups = ([other], [weight]) if free else ([weight], [])
    optimizer = make_optimizer(groups[0], options, groups[1])
    for _ in range(steps):
        weight.grad = torch.tensor(3.0, dtype=torch.float64)
        optimizer.step()
    return weight.item()


def test_sgd_adds_the_decay_to_the_gradient_and_keeps_momentum() -> None:
    first = 2 - RATE * (3 + DECAY * 2)
    velocity = 0.8 * (3 + DECAY * 2) + (3 + DECAY * first)
    assert weight_after(1, optimizer="sgd", momentum=0.8) == pytest.approx(first)
    assert weight_after(2, optimizer="sgd", momentum=0.8) == pytest.approx(first - RATE * velocity)


def test_adam_adds_the_decay_to_the_gradient() -> None:
    # After one step the corrected means are the gradient and its square.
    gradient = 3 + DECAY * 2
    wanted = 2 - RATE * gradient / (gradient + EPS)
    assert weight_after(1, optimizer="adam") == pytest.approx(wanted)


def test_adamw_pulls_the_weight_itself() -> None:
    wanted = 2 * (1 - RATE * DECAY) - RATE * 3 / (3 + EPS)
    assert weight_after(1, optimizer="adamw") == pytest.approx(wanted)


def test_adam_takes_its_betas_from_the_settings() -> None:
    # A constant gradient hides the betas in Adam's corrected means, so another comes second.
    weight = torch.nn.Parameter(torch.tensor(0.0, dtype=torch.float64))
    options = TrainingSettings(learning_rate=RATE, weight_decay=0, eps=EPS, beta1=0.5, beta2=0.75)
    optimizer = make_optimizer([weight], options)
    for gradient in (1.0, 3.0):
        weight.grad = torch.tensor(gradient, dtype=torch.float64)
        before = weight.item()
        optimizer.step()
    mean = (0.5 * 0.5 * 1 + 0.5 * 3) / (1 - 0.5**2)
    square = (0.75 * 0.25 * 1 + 0.25 * 9) / (1 - 0.75**2)
    assert weight.item() - before == pytest.approx(-RATE * mean / (square**0.5 + EPS))


def test_rmsprop_divides_by_the_root_of_the_mean_square() -> None:
    gradient = 3 + DECAY * 2
    wanted = 2 - RATE * gradient / ((0.01 * gradient**2) ** 0.5 + EPS)
    assert weight_after(1, optimizer="rmsprop", momentum=0.8) == pytest.approx(wanted)


@pytest.mark.parametrize("optimizer", ["adamw", "adam", "sgd", "rmsprop"])
def test_no_decay_pulls_a_free_parameter(optimizer: str) -> None:
    step = {"adamw": 3 / (3 + EPS), "adam": 3 / (3 + EPS), "sgd": 3, "rmsprop": 3 / (0.3 + EPS)}
    free = weight_after(1, free=True, optimizer=optimizer)
    assert free == pytest.approx(2 - RATE * step[optimizer])


def test_another_optimiser_is_an_error() -> None:
    with pytest.raises(ValueError, match=r"needs adamw, adam, rmsprop or sgd \(found 'lion'\)"):
        weight_after(1, optimizer="lion")
