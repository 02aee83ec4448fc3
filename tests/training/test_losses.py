import math

import pytest
import torch

from roadgraph.schema import NO_LABEL
from roadgraph.training.losses import (
    CellLoss,
    TaskWeights,
    class_weights,
    congestion_loss,
    interval_loss,
    rush_hour_loss,
    speed_loss,
)


def test_congestion_loss_by_hand_leaves_unlabelled_cells_out() -> None:
    logits = torch.zeros(1, 1, 2, 4)
    logits[0, 0, 1, 0] = 99.0  # a cell without label, which must not count
    label = torch.tensor([[[2, NO_LABEL]]])
    assert congestion_loss(logits, label, None).mean().item() == pytest.approx(math.log(4))


def test_congestion_loss_weighs_classes() -> None:
    logits = torch.tensor([[[[2.0, 0, 0, 0], [0, 0, 0, 0]]]])
    label = torch.tensor([[[0, 3]]])
    weight = torch.tensor([3.0, 1, 1, 1])
    first = math.log(math.exp(2) + 3) - 2
    expected = (3 * first + math.log(4)) / 4
    assert congestion_loss(logits, label, weight).mean().item() == pytest.approx(expected)


def test_rush_hour_label_of_a_slice_holds_for_all_its_segments() -> None:
    logits = torch.zeros(2, 1, 3, 2)
    logits[0, 0, :, 1] = 1.0
    label = torch.tensor([[1], [NO_LABEL]])
    expected = math.log(1 + math.exp(-1))
    assert rush_hour_loss(logits, label).mean().item() == pytest.approx(expected)


def test_speed_loss_by_hand() -> None:
    answer = torch.tensor([[[1.0, 3.0, 50.0]]])
    speed = torch.tensor([[[1.5, 1.0, float("nan")]]])
    # Huber: 0.5 * 0.5^2 within 1, |2| - 0.5 beyond
    assert speed_loss(answer, speed).mean().item() == pytest.approx((0.125 + 1.5) / 2)


def test_speed_losses_of_other_kinds_by_hand() -> None:
    answer, speed = torch.tensor([[[1.0, 3.0]]]), torch.tensor([[[1.5, 1.0]]])
    assert speed_loss(answer, speed, "absolute").mean().item() == pytest.approx(1.25)
    assert speed_loss(answer, speed, "squared").mean().item() == pytest.approx(2.125)


def test_a_cell_of_three_times_the_weight_counts_three_times() -> None:
    answer, speed = torch.tensor([[[1.0, 3.0]]]), torch.tensor([[[1.5, 1.0]]])
    weight = torch.tensor([[[3.0, 1.0]]])
    assert speed_loss(answer, speed, "absolute", weight).mean().item() == pytest.approx(3.5 / 4)
    logits = torch.tensor([[[[2.0, 0, 0, 0], [0, 0, 0, 0]]]])
    first = math.log(math.exp(2) + 3) - 2
    loss = congestion_loss(logits, torch.tensor([[[0, 3]]]), None, weight)
    assert loss.mean().item() == pytest.approx((3 * first + math.log(4)) / 4)


def test_focal_loss_by_hand_and_label_smoothing_as_in_torch() -> None:
    logits = torch.tensor([[[[2.0, 0, 0, 0]]]])
    label = torch.tensor([[[0]]])
    chosen = math.exp(2) / (math.exp(2) + 3)
    focal = congestion_loss(logits, label, focal_gamma=2.0)
    assert focal.mean().item() == pytest.approx((1 - chosen) ** 2 * -math.log(chosen))
    smoothed = congestion_loss(logits, label, label_smoothing=0.1)
    spread = 0.025 * (-math.log(chosen) + 3 * math.log(math.exp(2) + 3))
    assert smoothed.mean().item() == pytest.approx(0.9 * -math.log(chosen) + spread)


def test_interval_loss_by_hand() -> None:
    interval = torch.tensor([[[[1.0, 3.0], [0.0, 0.0]]]])
    speed = torch.tensor([[[0.0, float("nan")]]])
    # 1 below the lower end: 0.9 of it; 3 below the upper end: 0.1 of it
    assert interval_loss(interval, speed).mean().item() == pytest.approx(0.9 + 0.3)


def test_interval_loss_is_least_at_the_quantiles() -> None:
    speed = torch.arange(101.0).view(1, 1, 101)

    def loss(low: float, high: float) -> float:
        ends = torch.tensor([low, high]).expand(1, 1, 101, 2)
        return interval_loss(ends, speed).mean().item()

    assert loss(10, 90) < min(loss(5, 90), loss(15, 90), loss(10, 85), loss(10, 95))


def cells(mean: float, weight: float = 1.0) -> CellLoss:
    return CellLoss(torch.tensor(mean * weight), torch.tensor(weight))


def test_the_mean_of_cells_is_that_over_all_they_weigh() -> None:
    loss = congestion_loss(
        torch.zeros(1, 1, 2, 4), torch.tensor([[[2, 3]]]), None, torch.tensor([[[0.5, 2.5]]])
    )
    assert loss.weight.item() == pytest.approx(3)
    assert loss.total.item() == pytest.approx(3 * math.log(4))
    assert loss.mean().item() == pytest.approx(math.log(4))


def test_fixed_task_weights_add_up_the_losses() -> None:
    weights = TaskWeights({"congestion": 2.0, "speed": 0.5}, learned=False)
    assert weights({"congestion": cells(3.0, 7.0), "speed": cells(4.0)}).item() == pytest.approx(8)
    assert not list(weights.parameters())
    assert weights.weight("speed") == 0.5


@pytest.mark.parametrize("learned", [True, False])
def test_a_task_of_weight_zero_gets_no_gradient_at_all(learned: bool) -> None:
    weights = TaskWeights({"congestion": 1.0, "speed": 0.0}, learned=learned)
    answer = torch.tensor(2.0, requires_grad=True)
    total = weights({"congestion": cells(3.0), "speed": CellLoss(answer, torch.tensor(1.0))})
    assert total.item() == pytest.approx(3)
    assert total.requires_grad == learned
    alone = TaskWeights({"speed": 0.0}, learned=learned)
    with pytest.raises(ValueError, match=r"needs a task with a weight above 0 .*'speed': 0.0"):
        alone({"speed": cells(1.0)})


def test_learned_task_weights_settle_at_half_the_inverse_of_the_loss() -> None:
    weights = TaskWeights({"congestion": 1.0, "speed": 1.0, "rush_hour": 0.0}, learned=True)
    losses = {"congestion": cells(0.1), "speed": cells(2.0), "rush_hour": cells(9.0)}
    assert weights.weight("speed") == pytest.approx(1)
    optimiser = torch.optim.Adam(weights.parameters(), lr=0.05)
    for _ in range(400):
        optimiser.zero_grad()
        weights(losses).backward()
        optimiser.step()
    # d/ds (e^-s L + s / 2) = 0 at e^-s = 1 / (2 L)
    assert weights.weight("congestion") == pytest.approx(5, rel=0.02)
    assert weights.weight("speed") == pytest.approx(0.25, rel=0.02)
    assert weights.weight("rush_hour") == 0


def test_a_learned_task_weight_stays_where_a_batch_has_no_label_of_the_task() -> None:
    weights = TaskWeights({"congestion": 2.0, "rush_hour": 4.0}, learned=True)
    labels = torch.full((1, 2), NO_LABEL)
    none = rush_hour_loss(torch.zeros(1, 2, 3, 2, requires_grad=True), labels)
    total = weights({"congestion": cells(3.0), "rush_hour": none})
    total.backward()
    # The other task's term alone: e^-s L + s / 2 with s = -ln 2.
    assert total.item() == pytest.approx(2 * 3 - math.log(2) / 2)
    assert weights.log_variance["rush_hour"].grad == 0
    assert weights.log_variance["congestion"].grad == pytest.approx(-2 * 3 + 0.5)


@pytest.mark.parametrize("task", ["congestion", "rush_hour", "speed"])
def test_a_batch_without_any_label_costs_nothing_and_has_a_gradient_of_zero(task: str) -> None:
    shape = {"congestion": (1, 1, 2, 4), "rush_hour": (1, 1, 2, 2), "speed": (1, 1, 2)}[task]
    answer = torch.randn(shape, requires_grad=True)
    loss = {
        "congestion": lambda: congestion_loss(answer, torch.full((1, 1, 2), NO_LABEL), None),
        "rush_hour": lambda: rush_hour_loss(answer, torch.full((1, 1), NO_LABEL)),
        "speed": lambda: speed_loss(answer, torch.full((1, 1, 2), float("nan"))),
    }[task]().mean()
    # A task may weigh 100, and mixed precision scales the loss by 65,536.
    (100 * 65536 * loss).backward()
    assert loss.item() == 0
    assert answer.grad is not None
    assert (answer.grad == 0).all()


def test_class_weights_have_mean_one_over_the_cells() -> None:
    labels = torch.tensor([0, 1, 1, 1, 3, 3, 3, 3, NO_LABEL])
    inverse = class_weights(labels, 4, "inverse")
    root = class_weights(labels, 4, "sqrt_inverse")
    assert inverse is not None
    assert root is not None
    # frequencies 1/8, 3/8, 4/8: inverse 8, 8/3, 2 over their mean of 3
    torch.testing.assert_close(inverse[[0, 1, 3]], torch.tensor([8 / 3, 8 / 9, 2 / 3]))
    assert (root[0] / root[3]).item() == pytest.approx(2)
    frequency = torch.tensor([1, 3, 0, 4]) / 8
    assert (root * frequency).sum().item() == pytest.approx(1)
    assert torch.isfinite(root).all()


def test_class_weights_none_is_none() -> None:
    assert class_weights(torch.tensor([0, 3]), 4, "none") is None
