"""How the learning rate changes: formulas of the step or the epoch, and what applies them.

Lightning steps a plateau schedule after the last hook of an epoch, too late for a checkpoint of
that epoch to hold it; so the schedules are stepped here, at one documented place.
"""

from __future__ import annotations

import math
from functools import partial
from typing import TYPE_CHECKING, Any

from pytorch_lightning.callbacks import Callback
from torch.optim.lr_scheduler import LambdaLR, LRScheduler, ReduceLROnPlateau

if TYPE_CHECKING:
    from collections.abc import Callable

    import pytorch_lightning as pl
    import torch

    from roadgraph.settings import TrainingSettings

PER_STEP = ("one_cycle", "warmup_cosine")
"""Schedules that change with every step of the optimiser; the others change after an epoch."""

ONE_CYCLE_START = 1 / 25
ONE_CYCLE_END = 1e-4 / 25
"""Of the highest rate at the first and the last step: the defaults of PyTorch's OneCycleLR."""


def cosine_factor(step: int, total: int, floor: float) -> float:
    """Return ``floor + (1 - floor) (1 + cos(pi step / total)) / 2``, at ``total`` the floor.

    Loshchilov and Hutter 2017, "SGDR", arXiv 1608.03983, eq. 5.
    """
    return floor + (1 - floor) * _down(step, total)


def warmup_cosine_factor(step: int, total: int, warmup: int, floor: float) -> float:
    """Return a straight rise that ends with step ``warmup - 1``, then the cosine to the floor."""
    if step < warmup:
        return (step + 1) / warmup
    return cosine_factor(step - warmup, max(total - 1 - warmup, 1), floor)


def one_cycle_factor(step: int, total: int, warmup: int) -> float:
    """Return half a cosine up from 1/25 to 1 at step ``warmup``, and one down to 4e-6 at the last.

    Smith and Topin 2018, "Super-convergence", arXiv 1708.07120, in the form of PyTorch's
    ``OneCycleLR``. The momentum stays as it is set.
    """
    if step < warmup:
        return 1 - (1 - ONE_CYCLE_START) * _down(step, warmup)
    return cosine_factor(step - warmup, max(total - 1 - warmup, 1), ONE_CYCLE_END)


def _down(step: int, total: int) -> float:
    """Return half a cosine from 1 at step 0 to 0 at ``total``, where it stays."""
    return (1 + math.cos(math.pi * min(step / total, 1.0))) / 2


def rate_factor(settings: TrainingSettings, epochs: int, steps: int) -> Callable[[int], float]:
    """Return the factor of ``learning_rate`` at a step (``PER_STEP``) or else at an epoch.

    Args:
        settings: schedule and its figures.
        epochs: of the whole training.
        steps: of the optimiser in the whole training.

    Raises:
        ValueError: a schedule that is no formula.
    """
    floor = min(settings.lr_floor / settings.learning_rate, 1.0)
    warmup = min(max(round(settings.warmup_share * steps), 1), max(steps - 1, 1))
    if settings.schedule == "constant":
        return partial(pow, 1.0)
    if settings.schedule == "exponential":
        return partial(pow, settings.lr_decay)
    if settings.schedule == "cosine":
        return partial(cosine_factor, total=epochs, floor=floor)
    if settings.schedule == "one_cycle":
        return partial(one_cycle_factor, total=steps, warmup=warmup)
    if settings.schedule == "warmup_cosine":
        return partial(warmup_cosine_factor, total=steps, warmup=warmup, floor=floor)
    raise ValueError(f"needs a schedule that is a formula (found '{settings.schedule}')")


def make_schedule(
    optimizer: torch.optim.Optimizer, settings: TrainingSettings, epochs: int, steps: int
) -> LRScheduler:
    """Return the schedule of ``training.schedule`` over a training of so many epochs and steps."""
    if settings.schedule == "plateau":
        return ReduceLROnPlateau(
            optimizer,
            factor=settings.lr_factor,
            patience=settings.lr_patience,
            min_lr=settings.lr_floor,
        )
    return LambdaLR(optimizer, rate_factor(settings, epochs, steps))


class RateSchedule(Callback):
    """Steps the schedule after a step of the optimiser or after an epoch, and remembers the rate.

    Attributes:
        schedule: set when the optimiser is made, before a checkpoint is read.
        rate: of the newest step.
    """

    schedule: LRScheduler

    def __init__(self, settings: TrainingSettings) -> None:
        self.settings = settings
        self.rate = settings.learning_rate
        self._steps = 0
        self._state: dict[str, Any] | None = None

    def on_fit_start(self, trainer: pl.Trainer, module: pl.LightningModule) -> None:
        """Make the schedule of the whole training."""
        del module
        steps, epochs = trainer.estimated_stepping_batches, trainer.max_epochs
        assert isinstance(steps, int)
        assert epochs is not None
        self.schedule = make_schedule(trainer.optimizers[0], self.settings, epochs, steps)
        # The optimiser, restored after this, holds the rate that goes with this state.
        if self._state is not None:
            self.schedule.load_state_dict(self._state)

    def on_train_start(self, trainer: pl.Trainer, module: pl.LightningModule) -> None:
        """Count from the step that the training begins with."""
        del module
        self._steps = trainer.global_step

    def on_before_optimizer_step(
        self, trainer: pl.Trainer, module: pl.LightningModule, optimizer: torch.optim.Optimizer
    ) -> None:
        """Remember the rate of the step."""
        del trainer, module
        self.rate = float(optimizer.param_groups[0]["lr"])

    def on_train_batch_end(
        self, trainer: pl.Trainer, module: pl.LightningModule, outputs: Any, batch: Any, index: int
    ) -> None:
        """Change the rate after a step; a batch whose gradients are kept for later is none."""
        del module, outputs, batch, index
        if trainer.global_step > self._steps and self.settings.schedule in PER_STEP:
            self.schedule.step()
        self._steps = trainer.global_step

    def on_train_epoch_end(self, trainer: pl.Trainer, module: pl.LightningModule) -> None:
        """Change the rate after an epoch."""
        del module
        if isinstance(self.schedule, ReduceLROnPlateau):
            self.schedule.step(float(trainer.callback_metrics["val_loss"]))
        elif self.settings.schedule not in PER_STEP:
            self.schedule.step()

    def state_dict(self) -> dict[str, Any]:
        """Return where the schedule stands."""
        return self.schedule.state_dict()

    def load_state_dict(self, state_dict: dict[str, Any]) -> None:
        """Keep the state until the schedule is made."""
        self._state = state_dict
