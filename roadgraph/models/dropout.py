"""Dropout that does not hold up a training on the CPU."""

from __future__ import annotations

import torch
from torch import nn
from torch.nn import functional

VALUES = 2**16
"""Each feature is kept or left out by 16 random bits, so the share is exact to 1 / 65,536."""


class Dropout(nn.Dropout):
    r"""Leaves out features at random in training and scales the others.

    .. math:: y = x \, m / (1 - p), \qquad P(m = 0) = p

    (Srivastava et al. 2014, "Dropout: a simple way to prevent neural networks from overfitting",
    JMLR 15.) On the CPU torch draws a number a feature on one core, a fifth of a training step or
    more (``benchmarks/training_step.py``); here one draw of 64 bits decides on four features. The
    draws come from torch's generator, so seeds, checkpoints and recomputed activations hold. Other
    devices take torch's own.
    """

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """Return ``x`` with features left out, of the same shape; in evaluation ``x`` itself."""
        if not self.training or self.p == 0:
            return x
        if x.device.type != "cpu":
            return functional.dropout(x, self.p)
        return x * keep_mask(x, self.p)


def keep_mask(x: torch.Tensor, p: float) -> torch.Tensor:
    """Return 0 for features to leave out and ``1 / (1 - p)`` for the others, of the shape of ``x``.

    Args:
        x: gives shape and dtype, on the CPU.
        p: share to leave out, a multiple of 1 / ``VALUES`` in effect.
    """
    left_out = round(p * VALUES)
    if left_out == VALUES:
        return torch.zeros(x.shape, dtype=x.dtype)
    draws = torch.randint(-(2**63), 2**63 - 1, (-(-x.numel() // 4),))
    bits = draws.view(torch.int16)[: x.numel()].view(x.shape)
    kept = torch.empty(x.shape, dtype=x.dtype)
    torch.ge(bits, left_out - VALUES // 2, out=kept)
    return kept.mul_(VALUES / (VALUES - left_out))
