"""What a history of losses says about a training, in one line."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

RECENT = 5
"""Epochs, at the end, of which the slope of the validation loss is taken."""
STILL_FALLING = 0.005
"""Fall of the validation loss an epoch, as a share of it, from which more epochs would help."""
RISE = 0.10
"""Rise of the validation loss since the best epoch that, with a falling training loss, overfits."""
GAP = 0.50
"""Share of the training loss by which the validation loss of the best epoch may be above it."""
LEARNED = 0.05
"""Share of the first epoch's training loss that must be gone by the last, or nothing was learned.

The thresholds are rules of thumb: they say what is worth a look, not what is proven.
"""
BY_HEART = {"congestion": 0.25, "rush_hour": 0.25, "speed": 0.5}
"""By task: share of the first epoch's loss to which a sound model brings that of a few batches.

The loss of a class comes near 0 within the steps of a self-check. That of the speed does not: it
begins low, at the change from the last speed, and the ends of the interval creep up to the speed
ever more slowly. On toy data and with default settings the small models come to 0.17, 0.17 and 0.4,
the enhanced ones below 0.1; who answers the same everywhere, to 0.8 and more of the class losses,
unless nearly all cells are of one class.
"""

Verdict = Literal["fine", "overfitting", "underfitting", "not converged"]


@dataclass(frozen=True)
class Diagnosis:
    """What a training came to.

    Attributes:
        verdict: in a word.
        text: one line with the numbers that it rests on.
    """

    verdict: Verdict
    text: str


def diagnose(history: Sequence[Mapping[str, float]]) -> Diagnosis:
    """Return the verdict on a training, the first of these that holds.

    * ``not converged``: one epoch alone; or the validation loss still falls, by ``STILL_FALLING``
      an epoch or more over the last ``RECENT`` epochs, and the best epoch is one of the last two.
    * ``overfitting``: since the best epoch the validation loss rose by ``RISE`` or more while the
      training loss fell; or it is above the training loss of the best epoch by ``GAP`` or more.
    * ``underfitting``: the training loss fell by less than ``LEARNED`` from the first to the last
      epoch.
    * ``fine``.

    Where the weights of the tasks are learned, training and validation weigh them differently; the
    losses that are compared are then the plain sums of the tasks'.

    Args:
        history: entries with ``train_loss`` and ``val_loss``, one an epoch.

    Raises:
        ValueError: no epoch.
    """
    if not history:
        raise ValueError("needs at least one epoch (found none)")
    train, validation = _losses(history, "train"), _losses(history, "val")
    best = int(np.argmin(validation))
    gap = _share(validation[best] - train[best], train[best])
    rise = _share(validation[-1] - validation[best], validation[best])
    learned = _share(train[0] - train[-1], train[0])
    slope = _slope(validation[-RECENT:])
    verdict: Verdict = "fine"
    if len(history) == 1 or (slope <= -STILL_FALLING and best >= len(history) - 2):
        verdict = "not converged"
    elif (rise >= RISE and train[-1] < train[best]) or gap >= GAP:
        verdict = "overfitting"
    elif learned < LEARNED:
        verdict = "underfitting"
    text = (
        f"{verdict}: best epoch {best + 1} of {len(history)}, "
        f"loss {train[best]:.4g} training, {validation[best]:.4g} validation (gap {gap:+.0%}); "
        f"at the end {train[-1]:.4g} and {validation[-1]:.4g} "
        f"(validation {rise:+.0%} since the best, {slope:+.1%} an epoch lately; "
        f"training {-learned:+.0%} since the first)"
    )
    return Diagnosis(verdict, text)


def learned_by_heart(history: Sequence[Mapping[str, float]], batches: int) -> str:
    """Return one line on the self-check ``training.overfit_batches``.

    A sound model on a few batches alone, without noise and dropout, brings the loss of every task
    down to its share in ``BY_HEART`` of the first epoch's; where it does not, it is too small for
    them, the learning rate or the number of epochs does not fit, or something in the training is
    broken. The epoch that counts is the best one, whose weights are kept.

    Args:
        history: entries with ``train_<task>``, ``val_<task>`` and ``val_loss``, one an epoch.
        batches: that were to be learned.

    Raises:
        ValueError: no epoch.
    """
    if not history:
        raise ValueError("needs at least one epoch (found none)")
    first, best = history[0], min(history, key=lambda epoch: epoch["val_loss"])
    tasks = [task for task in BY_HEART if f"val_{task}" in first]
    needed = {task: BY_HEART[task] * first[f"train_{task}"] for task in tasks}
    failed = [task for task in tasks if not best[f"val_{task}"] <= needed[task]]
    word = f"not learned by heart: {', '.join(failed)}" if failed else "learned by heart"
    losses = ", ".join(
        f"{task} {first[f'train_{task}']:.4g} to {best[f'val_{task}']:.4g} "
        f"(needs {needed[task]:.4g})"
        for task in tasks
    )
    return (
        f"self-check on {batches} batches: {word}; loss from the first of {len(history)} epochs "
        f"to the best: {losses}"
    )


def _losses(history: Sequence[Mapping[str, float]], stage: str) -> np.ndarray:
    learned = [name.removeprefix("weight_") for name in history[0] if name.startswith("weight_")]
    names = [f"{stage}_{task}" for task in learned] or [f"{stage}_loss"]
    return np.array([sum(epoch[name] for name in names) for epoch in history])


def _share(part: float, whole: float) -> float:
    return float(part / max(abs(whole), 1e-12))


def _slope(losses: np.ndarray) -> float:
    """Return the least-squares slope an epoch, as a share of the mean loss."""
    if len(losses) == 1:
        return 0.0
    slope = np.polyfit(np.arange(len(losses)), losses, 1)[0]
    return _share(slope, losses.mean())
