"""Verdicts on made-up histories."""

import pytest

from roadgraph.training.diagnosis import diagnose, learned_by_heart


def history(train: list[float], validation: list[float]) -> list[dict[str, float]]:
    return [
        {"train_loss": one, "val_loss": other} for one, other in zip(train, validation, strict=True)
    ]


FLAT = [1.0, 0.6, 0.5, 0.45, 0.44, 0.44, 0.44, 0.44, 0.44, 0.44]


def test_losses_that_fell_and_came_to_rest_together_are_fine() -> None:
    assert diagnose(history(FLAT, [loss + 0.05 for loss in FLAT])).verdict == "fine"


def test_a_validation_loss_that_rises_while_the_training_loss_falls_overfits() -> None:
    train = [1.0, 0.8, 0.6, 0.5, 0.4, 0.3]
    assert diagnose(history(train, [1.0, 0.8, 0.7, 0.72, 0.75, 0.78])).verdict == "overfitting"
    assert diagnose(history(train, [1.0, 0.8, 0.7, 0.72, 0.74, 0.75])).verdict == "fine"


def test_a_rise_of_both_losses_is_no_overfitting() -> None:
    assert diagnose(history([1.0, 0.5, 0.6, 0.7], [1.0, 0.5, 0.6, 0.7])).verdict == "fine"


def test_a_best_epoch_far_above_its_training_loss_overfits() -> None:
    train = [1.0, 0.5, 0.4, 0.4, 0.4, 0.4, 0.4]
    assert diagnose(history(train, [1.0, 0.7, 0.61, 0.61, 0.61, 0.61, 0.61])).verdict == (
        "overfitting"
    )
    assert diagnose(history(train, [1.0, 0.7, 0.59, 0.59, 0.59, 0.59, 0.59])).verdict == "fine"


def test_a_training_loss_that_hardly_fell_underfits() -> None:
    train = [1.0, 0.99, 0.98, 0.98, 0.98, 0.98, 0.98]
    assert diagnose(history(train, [1.0] * 7)).verdict == "underfitting"
    train = [1.0, 0.96, 0.95, 0.94, 0.94, 0.94, 0.94]
    assert diagnose(history(train, [1.0] * 7)).verdict == "fine"


def test_a_validation_loss_that_still_falls_has_not_converged() -> None:
    train = [1.0, 0.9, 0.8, 0.7, 0.6]
    assert diagnose(history(train, train)).verdict == "not converged"
    # A fall of 0.4 % an epoch is no longer one.
    slow = [0.700, 0.697, 0.694, 0.691, 0.688]
    assert diagnose(history([1.0, *slow[1:]], slow)).verdict == "fine"


def test_one_epoch_alone_has_not_converged() -> None:
    assert diagnose(history([1.0], [1.0])).verdict == "not converged"


def test_the_line_has_the_numbers_that_the_verdict_rests_on() -> None:
    text = diagnose(history([1.0, 0.5, 0.4, 0.3], [1.0, 0.6, 0.8, 1.0])).text
    assert text == (
        "overfitting: best epoch 2 of 4, loss 0.5 training, 0.6 validation (gap +20%); "
        "at the end 0.3 and 1 (validation +67% since the best, +2.4% an epoch lately; "
        "training -70% since the first)"
    )


def test_learned_weights_of_the_tasks_do_not_disturb_the_comparison() -> None:
    """With them the loss that is minimised may be below 0, far from that of validation."""
    entries = [
        {
            "train_loss": -loss, "val_loss": 9.0, "train_speed": loss, "val_speed": loss + 0.01,
            "weight_speed": 3.0,
        }
        for loss in FLAT
    ]  # fmt: skip
    found = diagnose(entries)
    assert found.verdict == "fine"
    assert "loss 0.44 training, 0.45 validation" in found.text


def of_tasks(loss: float, **losses: float) -> dict[str, float]:
    return {"val_loss": loss} | {
        f"{stage}_{task}": value for stage in ("train", "val") for task, value in losses.items()
    }


@pytest.mark.parametrize(
    ("congestion", "speed", "word"),
    [
        (0.25, 0.1, "learned by heart"),
        (0.26, 0.1, "not learned by heart: congestion"),
        (0.25, 0.11, "not learned by heart: speed"),
        (float("nan"), 0.11, "not learned by heart: congestion, speed"),
    ],
)
def test_a_self_check_is_passed_at_a_share_of_the_first_loss_of_every_task(
    congestion: float, speed: float, word: str
) -> None:
    entries = [
        of_tasks(1.2, congestion=1.0, speed=0.2),
        of_tasks(0.3, congestion=congestion, speed=speed),
        of_tasks(0.4, congestion=0.0, speed=0.0),
    ]
    assert learned_by_heart(entries, 2) == (
        f"self-check on 2 batches: {word}; loss from the first of 3 epochs to the best: "
        f"congestion 1 to {congestion:g} (needs 0.25), speed 0.2 to {speed:g} (needs 0.1)"
    )


def test_a_history_without_an_epoch_is_an_error() -> None:
    with pytest.raises(ValueError, match="needs at least one epoch"):
        diagnose([])
    with pytest.raises(ValueError, match="needs at least one epoch"):
        learned_by_heart([], 1)
