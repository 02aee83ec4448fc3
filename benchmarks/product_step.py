"""The product's own training step, as the benchmarks time it; run those instead.

What the training loop does around it is done by hand, so that steps of several models can take
turns.
"""

from __future__ import annotations

import warnings
from itertools import count
from typing import TYPE_CHECKING, cast

import torch
from torch import nn

from roadgraph.training.batches import OriginBatches
from roadgraph.training.compilation import Compilation
from roadgraph.training.memory import keep_freed_memory

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from pytorch_lightning import Trainer
    from torch.optim.lr_scheduler import LRScheduler

    from roadgraph.settings import TrainingSettings
    from roadgraph.training.module import ForecastModule

    Schedule = Callable[[torch.optim.Optimizer], LRScheduler]

# Without a trainer Lightning says so at every figure that the module shows.
warnings.filterwarnings("ignore", message=".*self.trainer. reference is not registered.*")


def our_step(
    module: ForecastModule,
    origins: torch.Tensor,
    device: str,
    bf16: bool = False,
    compiled: str | None = None,
    schedule: Schedule | None = None,
) -> Callable[[], None]:
    """Return the training step of the product's own module.

    Args:
        module: model, data and settings.
        origins: to train on, in batches whose order is another in every epoch.
        device: where.
        bf16: forward pass in mixed precision.
        compiled: mode of torch.compile.
        schedule: of the learning rate, a step at a time.
    """
    module = module.to(device).train()
    module.tiles = tuple(tile.to(device) for tile in module.tiles)
    options = module.settings
    if options.keep_memory and device == "cpu":
        keep_freed_memory()
    if compiled is not None:
        Compilation(compiled).on_train_start(cast("Trainer", None), module)
    optimiser = module.configure_optimizers()
    rate = None if schedule is None else schedule(optimiser)
    batches = _endless(origins, options)

    def step() -> None:
        batch = next(batches).to(device)
        optimiser.zero_grad()
        with torch.autocast(device, torch.bfloat16, enabled=bf16):
            loss = module.training_step(batch, 0)
        loss.backward()
        nn.utils.clip_grad_norm_(module.parameters(), options.clip_norm)
        optimiser.step()
        if rate is not None:
            rate.step()

    return step


def _endless(origins: torch.Tensor, options: TrainingSettings) -> Iterator[torch.Tensor]:
    batches = OriginBatches(origins.numpy(), options.batch_size, options.seed)
    for epoch in count():
        batches.set_epoch(epoch)
        yield from batches
