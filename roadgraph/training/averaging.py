"""Weights to keep: of the best epoch, their moving average, or the mean of the last epochs."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import torch
from pytorch_lightning.callbacks import Callback
from torch import nn
from torch.nn.modules.batchnorm import _BatchNorm
from torch.optim.swa_utils import AveragedModel, get_ema_multi_avg_fn

if TYPE_CHECKING:
    import pytorch_lightning as pl

    from roadgraph.settings import TrainingSettings


def swa_start(epochs: int) -> int:
    """Return the epoch, from 0, with which the last quarter of ``epochs`` begins."""
    return 3 * epochs // 4


class Averaging(Callback):
    """Keeps the average of the weights that ``training.averaging`` asks for.

    ``ema``: after every step of the optimiser, ``average = d * average + (1 - d) * weights`` with
    ``d`` of ``training.ema_decay``, beginning at the weights after the first step. Every epoch is
    validated with the average, so that early stopping and the best epoch are those of what is
    kept.

    ``swa``: the mean of the weights after each of the last quarter of ``max_epochs`` (Izmailov et
    al. 2018, "Averaging weights leads to wider optima", arXiv 1803.05407), without a learning rate
    of its own. The epochs are validated with the weights of the moment; the mean is validated when
    it is complete. Nothing stops such a training early: it would have no last quarter.

    Args:
        settings: kind of average and its decay.
    """

    def __init__(self, settings: TrainingSettings) -> None:
        self._kind = settings.averaging
        self._decay = settings.ema_decay
        self._start = swa_start(settings.max_epochs)
        self._average: AveragedModel | None = None
        self._state: dict[str, Any] | None = None
        self._steps = 0
        self._aside: dict[str, torch.Tensor] = {}

    def validated(self, model: nn.Module) -> nn.Module:
        """Return what an epoch is validated with, out of the average and the ``model`` itself."""
        if self._kind == "ema" and self._average is not None:
            return self._average.module
        return model

    def kept(self, best: dict[str, torch.Tensor]) -> dict[str, torch.Tensor]:
        """Return the weights to keep after a training, given the best epoch's."""
        if self._kind == "swa" and self._average is not None:
            return weights_of(self._average.module)
        return best

    def on_fit_start(self, trainer: pl.Trainer, module: pl.LightningModule) -> None:
        """Copy the model, which is on its device now."""
        del trainer
        if self._kind == "none":
            return
        assert isinstance(module.model, nn.Module)
        if self._kind == "ema":
            # The statistics of batch norm are averaged with the weights that they belong to.
            function = get_ema_multi_avg_fn(self._decay)
            self._average = AveragedModel(module.model, multi_avg_fn=function, use_buffers=True)
        else:
            self._average = AveragedModel(module.model)
        if self._state is not None:
            self._average.load_state_dict(self._state)

    def on_train_start(self, trainer: pl.Trainer, module: pl.LightningModule) -> None:
        """Count from the step that the training begins with."""
        del module
        self._steps = trainer.global_step

    def on_train_batch_end(
        self, trainer: pl.Trainer, module: pl.LightningModule, outputs: Any, batch: Any, index: int
    ) -> None:
        """Take the weights into the moving average after a step."""
        del outputs, batch, index
        if self._kind == "ema" and self._average is not None and trainer.global_step > self._steps:
            self._average.update_parameters(module.model)  # type: ignore[arg-type]
        self._steps = trainer.global_step

    def on_train_epoch_end(self, trainer: pl.Trainer, module: pl.LightningModule) -> None:
        """Take the weights into the mean after an epoch of the last quarter."""
        if self._kind == "swa" and self._average and trainer.current_epoch >= self._start:
            self._average.update_parameters(module.model)  # type: ignore[arg-type]

    def on_validation_start(self, trainer: pl.Trainer, module: pl.LightningModule) -> None:
        """Put the moving average in the place of the weights."""
        del trainer
        assert isinstance(module.model, nn.Module)
        average = self.validated(module.model)
        if average is not module.model:
            weights = module.model.state_dict()
            self._aside = {name: value.clone() for name, value in weights.items()}
            module.model.load_state_dict(average.state_dict())

    def on_validation_end(self, trainer: pl.Trainer, module: pl.LightningModule) -> None:
        """Put the weights back."""
        del trainer
        if self._aside:
            assert isinstance(module.model, nn.Module)
            module.model.load_state_dict(self._aside)
            self._aside = {}

    def state_dict(self) -> dict[str, Any]:
        """Return the average."""
        return {} if self._average is None else self._average.state_dict()

    def load_state_dict(self, state_dict: dict[str, Any]) -> None:
        """Keep the average until the model is copied."""
        self._state = state_dict or None


class BatchNormPass(Callback):
    """Makes a validation run fill the statistics of batch norm anew, as means over all batches.

    The statistics of averaged weights are not the average of statistics. As in ``update_bn`` of
    :mod:`torch.optim.swa_utils`, and as when the weights were trained, dropout is on.
    """

    def on_validation_start(self, trainer: pl.Trainer, module: pl.LightningModule) -> None:
        """Forget the statistics; with momentum None PyTorch takes plain means."""
        del trainer
        self._momenta = {}
        self._dropouts = [part for part in module.modules() if isinstance(part, nn.Dropout)]
        for norm in batch_norms(module):
            self._momenta[norm] = norm.momentum
            norm.reset_running_stats()
            norm.momentum = None
        for part in (*self._momenta, *self._dropouts):
            part.train()

    def on_validation_end(self, trainer: pl.Trainer, module: pl.LightningModule) -> None:
        """Leave batch norm as it was found, but for its statistics."""
        del trainer, module
        for norm, momentum in self._momenta.items():
            norm.momentum = momentum
        for part in (*self._momenta, *self._dropouts):
            part.eval()


def batch_norms(module: nn.Module) -> list[_BatchNorm]:
    """Return the batch norm layers of ``module``."""
    return [part for part in module.modules() if isinstance(part, _BatchNorm)]


def weights_of(model: nn.Module) -> dict[str, torch.Tensor]:
    """Return a copy of the weights and buffers on the CPU."""
    return {name: value.detach().cpu().clone() for name, value in model.state_dict().items()}
