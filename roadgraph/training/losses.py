"""The losses of the three tasks; a cell without a label adds nothing."""

from __future__ import annotations

import torch
from torch.nn import functional

from roadgraph.schema import NO_LABEL


def congestion_loss(
    logits: torch.Tensor, label: torch.Tensor, class_weight: torch.Tensor | None
) -> torch.Tensor:
    """Return the cross-entropy of ``logits [B, H, N, 4]`` against ``label [B, H, N]``."""
    return _cross_entropy(logits, label, class_weight)


def rush_hour_loss(logits: torch.Tensor, label: torch.Tensor) -> torch.Tensor:
    """Return the cross-entropy of ``logits [B, H, N, 2]`` against ``label [B, H]``."""
    return _cross_entropy(logits, label.unsqueeze(-1).expand(logits.shape[:-1]), None)


def speed_loss(answer: torch.Tensor, speed: torch.Tensor) -> torch.Tensor:
    """Return the Huber loss of ``answer`` against ``speed``, both ``[B, H, N]``, scaled.

    NaN in ``speed`` says that there is no label.
    """
    known = ~speed.isnan()
    if not known.any():
        return answer.sum() * 0
    return functional.smooth_l1_loss(answer[known], speed[known])


def _cross_entropy(
    logits: torch.Tensor, label: torch.Tensor, class_weight: torch.Tensor | None
) -> torch.Tensor:
    if not (label != NO_LABEL).any():
        return logits.sum() * 0
    return functional.cross_entropy(
        logits.flatten(0, -2), label.flatten(), weight=class_weight, ignore_index=NO_LABEL
    )


def class_weights(congestion: torch.Tensor, classes: int, kind: str) -> torch.Tensor | None:
    """Return the weight of each class, ``[classes]``, with mean 1 over the labelled cells.

    Args:
        congestion: labels of the training span, any shape.
        classes: number of classes.
        kind: ``none``, ``inverse`` (one over the frequency) or ``sqrt_inverse`` (its root).
    """
    if kind == "none":
        return None
    count = torch.bincount(congestion[congestion != NO_LABEL].long(), minlength=classes)
    frequency = count / count.sum()
    # A class that never occurs has no cell to weigh; 1 keeps its weight finite.
    weight = torch.where(count > 0, frequency, torch.ones(())) ** (
        -1.0 if kind == "inverse" else -0.5
    )
    return weight / (weight * frequency).sum()
