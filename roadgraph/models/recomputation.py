"""Gradient checkpointing: what a block computed is thrown away and computed again when needed."""

from __future__ import annotations

from contextlib import contextmanager, nullcontext
from typing import TYPE_CHECKING, Any

import torch
from torch.nn.modules.batchnorm import _BatchNorm
from torch.utils.checkpoint import checkpoint

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from torch import nn


def recomputed(model: nn.Module, block: Callable[..., torch.Tensor], *inputs: Any) -> torch.Tensor:
    """Return ``block(*inputs)``; its inner activations are computed anew for the gradient.

    The same numbers as without: dropout draws the same again, and the running statistics of batch
    norm take a batch in once. (Chen et al. 2016, "Training deep nets with sublinear memory cost",
    arXiv 1604.06174.)

    Args:
        model: holds every batch norm of the block.
        block: gives a tensor.
        inputs: tensors and whatever else the block takes.
    """
    if not torch.is_grad_enabled():
        return block(*inputs)
    answer: torch.Tensor = checkpoint(
        block,
        *inputs,
        use_reentrant=False,
        context_fn=lambda: (nullcontext(), _kept_statistics(model)),
    )
    return answer


@contextmanager
def _kept_statistics(model: nn.Module) -> Iterator[None]:
    """Let batch norm see its batch without counting it a second time."""
    norms = [module for module in model.modules() if isinstance(module, _BatchNorm)]
    before = [(norm.momentum, norm.num_batches_tracked) for norm in norms]
    for norm in norms:
        norm.momentum = 0.0
        if norm.num_batches_tracked is not None:
            norm.num_batches_tracked = norm.num_batches_tracked.clone()
    try:
        yield
    finally:
        for norm, (momentum, batches) in zip(norms, before, strict=True):
            norm.momentum = momentum
            norm.num_batches_tracked = batches
