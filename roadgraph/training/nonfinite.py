"""A stop at the first loss that is no number, with where it came from."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any

import torch
from pytorch_lightning.callbacks import Callback

from roadgraph.errors import TrainingError
from roadgraph.training.streaming import Sent
from roadgraph.training.tiling import TileOrigins

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    import pytorch_lightning as pl
    from torch import nn
    from torch.utils.hooks import RemovableHandle

SHOWN_ORIGINS = 8
"""Origins of a batch that a message lists."""


class FiniteLoss(Callback):
    """Ends the training with a :class:`TrainingError` at the first loss that is NaN or infinite.

    Args:
        model: searched for where it came from.
        channels: names of the input channels.
    """

    def __init__(self, model: nn.Module, channels: Sequence[str]) -> None:
        self._model = model
        self._channels = channels
        self._batch: tuple[int, torch.Tensor | TileOrigins] | None = None
        self._call: tuple[tuple[Any, ...], dict[str, Any]] = ((), {})
        self._hook: RemovableHandle | None = None

    def on_train_start(self, trainer: pl.Trainer, module: pl.LightningModule) -> None:
        """Remember what the model is called with, noise and hiding included.

        Not before: averages are copies of the model, and must not copy the hook.
        """
        del trainer, module
        self._hook = self._model.register_forward_pre_hook(self._remember, with_kwargs=True)

    def teardown(self, trainer: pl.Trainer, module: pl.LightningModule, stage: str) -> None:
        """Leave the model as it was."""
        del trainer, module, stage
        self._call = ((), {})
        if self._hook is not None:
            self._hook.remove()

    def on_train_batch_start(
        self, trainer: pl.Trainer, module: pl.LightningModule, batch: Any, index: int
    ) -> None:
        """Remember the batch."""
        del trainer, module
        self._batch = (index, batch)

    def on_before_backward(
        self, trainer: pl.Trainer, module: pl.LightningModule, loss: torch.Tensor
    ) -> None:
        """Look at the loss of a training batch before it spoils the weights."""
        del module
        if self._batch is not None and not _finite_everywhere(trainer, loss.detach()):
            self._stop(trainer, "training", *self._batch, float(loss.detach()))

    def on_validation_batch_end(
        self,
        trainer: pl.Trainer,
        module: pl.LightningModule,
        outputs: Any,
        batch: Any,
        index: int,
        loader: int = 0,
    ) -> None:
        """Look at the loss of a validation batch."""
        del module, loader
        if not _finite_everywhere(trainer, outputs):
            self._stop(trainer, "validation", index, batch, float(outputs))

    def _remember(self, model: nn.Module, args: tuple[Any, ...], kwargs: dict[str, Any]) -> None:
        del model
        self._call = (args, kwargs)

    def _stop(
        self,
        trainer: pl.Trainer,
        stage: str,
        index: int,
        batch: torch.Tensor | TileOrigins | Sent,
        loss: float,
    ) -> None:
        if isinstance(batch, Sent):
            batch = batch.batch
        origins = batch.origins if isinstance(batch, TileOrigins) else batch
        on_tile = f"tile {batch.tile}, " if isinstance(batch, TileOrigins) else ""
        shown = ", ".join(str(origin) for origin in origins[:SHOWN_ORIGINS].tolist())
        more = len(origins) - SHOWN_ORIGINS
        args, kwargs = self._call
        text = (
            f"the {stage} loss is {loss:g} in epoch {trainer.current_epoch}, batch {index}, "
            f"{on_tile}origins {shown}{f' and {more} more' if more > 0 else ''}: "
            f"{first_fault(self._model, args, kwargs, self._channels)}"
        )
        raise TrainingError(_told_by_all(trainer, None if math.isfinite(loss) else text))


def _finite_everywhere(trainer: pl.Trainer, loss: torch.Tensor) -> bool:
    """Return whether the loss of every process is finite, in all of them alike.

    One that stopped alone would leave the others waiting for its part of the gradient.
    """
    finite = torch.isfinite(loss).int()
    if trainer.world_size > 1:
        torch.distributed.all_reduce(finite, torch.distributed.ReduceOp.MIN)
    return bool(finite)


def _told_by_all(trainer: pl.Trainer, text: str | None) -> str:
    """Return the text of the first process that has one."""
    texts = [text]
    if trainer.world_size > 1:
        texts *= trainer.world_size
        torch.distributed.all_gather_object(texts, text)
    return next(found for found in texts if found is not None)


def first_fault(
    model: nn.Module, args: tuple[Any, ...], kwargs: dict[str, Any], channels: Sequence[str]
) -> str:
    """Return what is the first to be NaN or infinite: an input, a weight, a layer or the loss.

    Args:
        model: is called once more.
        args, kwargs: what it was called with; the first is the input ``[B, L, N, F]``.
        channels: names of its ``F`` channels.
    """
    for place, channel in enumerate(channels):
        if not torch.isfinite(args[0][..., place]).all():
            return f"the input channel '{channel}' is not finite"
    for name, weight in model.named_parameters():
        if not torch.isfinite(weight).all():
            layer, _, kind = name.rpartition(".")
            named = f"{kind} of layer {layer}" if layer else f"parameter {name}"
            return (
                f"the {named} is not finite since an earlier step; "
                "a lower training.learning_rate or training.clip_norm may help"
            )
    faults: list[str] = []

    def look(name: str) -> Any:
        def hook(module: nn.Module, inputs: Any, output: Any) -> None:
            del module, inputs
            if not all(torch.isfinite(part).all() for part in _tensors(output)):
                faults.append(name)

        return hook

    hooks = [part.register_forward_hook(look(name)) for name, part in model.named_modules()]
    try:
        with torch.no_grad():
            model(*args, **kwargs)
    finally:
        for handle in hooks:
            handle.remove()
    if faults:
        return f"layer {faults[0] or 'model'} is the first whose output is not finite"
    return "the model's answers are finite: the labels or the weights of the loss are not"


def _tensors(output: Any) -> Iterator[torch.Tensor]:
    """Yield the tensors of floating point numbers in what a module returns."""
    if isinstance(output, torch.Tensor):
        if output.is_floating_point():
            yield output
    elif isinstance(output, dict):
        for part in output.values():
            yield from _tensors(part)
    elif isinstance(output, tuple | list):
        for part in output:
            yield from _tensors(part)
