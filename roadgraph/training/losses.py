"""The losses of the three tasks; a cell without a label adds nothing.

Every loss is a mean over the cells that have a label, each counted with its weight. Sum and weight
are kept apart until the mean is taken, as the cells may lie in several processes. Cells without a
label are counted with the weight 0 instead of being picked out, so that every batch has the same
shapes and a GPU is never waited for.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import torch
from torch import nn
from torch.nn import functional

from roadgraph.evaluation.forecast import INTERVAL_QUANTILES
from roadgraph.schema import NO_LABEL

if TYPE_CHECKING:
    from collections.abc import Mapping


@dataclass(frozen=True)
class CellLoss:
    """The loss of some cells.

    Attributes:
        total: sum over the labelled cells, each times its weight, a scalar.
        weight: what these cells weigh together, a scalar; 0 where there is none.
    """

    total: torch.Tensor
    weight: torch.Tensor

    def mean(self) -> torch.Tensor:
        """Return the weighted mean; 0, with a gradient of 0, where nothing weighs anything."""
        # Over a tiny number instead, the gradient would be infinite times 0.
        return self.total / torch.where(self.weight > 0, self.weight, 1)


def congestion_loss(
    logits: torch.Tensor,
    label: torch.Tensor,
    class_weight: torch.Tensor | None = None,
    cell_weight: torch.Tensor | None = None,
    focal_gamma: float = 0.0,
    label_smoothing: float = 0.0,
) -> CellLoss:
    r"""Return the focal cross-entropy of the cells, weighted by class and cell.

    .. math:: -w_y \, (1 - p_y)^\gamma \sum_c q_c \ln p_c

    with ``q`` the label, of which a share is spread over all classes (label smoothing, Szegedy et
    al. 2016, arXiv 1512.00567), and gamma the focus on cells that the model is unsure of (Lin et
    al. 2017, arXiv 1708.02002). With gamma 0 it is the plain cross-entropy.

    Args:
        logits: ``[B, H, N, 4]``.
        label: ``[B, H, N]`` class indices or ``NO_LABEL``.
        class_weight: ``[4]``.
        cell_weight: ``[B, H, N]``, at least 0.
        focal_gamma: 0 or more.
        label_smoothing: share of the label, 0-1.
    """
    known = label != NO_LABEL
    loss = functional.cross_entropy(
        logits.flatten(0, -2),
        label.flatten(),
        ignore_index=NO_LABEL,
        reduction="none",
        label_smoothing=label_smoothing,
    ).view_as(label)
    of_class = label.clamp_min(0)
    if focal_gamma:
        chosen = logits.log_softmax(-1).gather(-1, of_class.unsqueeze(-1)).squeeze(-1)
        # The slope of a power below 1 is infinite at 0.
        unsure = (1 - chosen.exp()).clamp_min(torch.finfo(chosen.dtype).eps)
        loss = loss * unsure**focal_gamma
    weight = known.to(loss.dtype) if class_weight is None else class_weight[of_class] * known
    if cell_weight is not None:
        weight = weight * cell_weight
    return CellLoss((loss * weight).sum(), weight.sum())


def rush_hour_loss(logits: torch.Tensor, label: torch.Tensor) -> CellLoss:
    """Return the cross-entropy of ``logits [B, H, N, 2]`` against ``label [B, H]``."""
    cells = label.unsqueeze(-1).expand(logits.shape[:-1])
    return congestion_loss(logits, cells)


def speed_loss(
    answer: torch.Tensor,
    speed: torch.Tensor,
    kind: str = "huber",
    cell_weight: torch.Tensor | None = None,
) -> CellLoss:
    """Return the loss of ``answer`` against ``speed``, both ``[B, H, N]``, scaled.

    NaN in ``speed`` says that there is no label.

    Args:
        answer: the forecast.
        speed: what was measured.
        kind: ``huber`` (a square up to 1), ``absolute`` or ``squared``.
        cell_weight: ``[B, H, N]``, at least 0.
    """
    error = answer - speed.nan_to_num()
    if kind == "absolute":
        loss = error.abs()
    elif kind == "squared":
        loss = error.square()
    else:
        loss = functional.smooth_l1_loss(error, torch.zeros_like(error), reduction="none")
    weight = _weight_of_labelled(speed, cell_weight)
    return CellLoss((loss * weight).sum(), weight.sum())


def interval_loss(
    interval: torch.Tensor, speed: torch.Tensor, cell_weight: torch.Tensor | None = None
) -> CellLoss:
    r"""Return the sum of the quantile losses of both ends of the speed interval.

    .. math:: \max(\tau e, (\tau - 1) e), \quad e = speed - end

    (Koenker and Bassett 1978, "Regression quantiles") with tau of ``INTERVAL_QUANTILES``.

    Args:
        interval: ``[B, H, N, 2]``, scaled.
        speed: ``[B, H, N]``, scaled, NaN where there is no label.
        cell_weight: ``[B, H, N]``, at least 0.
    """
    error = speed.nan_to_num().unsqueeze(-1) - interval
    quantile = error.new_tensor(INTERVAL_QUANTILES)
    loss = torch.maximum(quantile * error, (quantile - 1) * error).sum(-1)
    weight = _weight_of_labelled(speed, cell_weight)
    return CellLoss((loss * weight).sum(), weight.sum())


def _weight_of_labelled(speed: torch.Tensor, cell_weight: torch.Tensor | None) -> torch.Tensor:
    known = ~speed.isnan()
    return known.to(speed.dtype) if cell_weight is None else cell_weight * known


class TaskWeights(nn.Module):
    r"""Joins the losses of the tasks.

    Fixed: :math:`\sum_i w_i L_i`. Learned from the tasks' own (homoscedastic) uncertainty:

    .. math:: \sum_i e^{-s_i} L_i + s_i / 2, \quad s_i = -\ln w_i \text{ at the start}

    (Kendall, Gal and Cipolla 2018, "Multi-task learning using uncertainty to weigh losses",
    arXiv 1705.07115, eq. 10 with s the logarithm of the variance).

    A task without a label in a batch has no term in it: :math:`s_i / 2` alone would lower its
    :math:`s_i` for nothing. Nor has a task of weight 0, whose head then gets no gradient at all.

    Args:
        weights: by task; with ``learned`` a task of weight 0 stays without weight.
        learned: learn them.
    """

    def __init__(self, weights: Mapping[str, float], *, learned: bool) -> None:
        super().__init__()
        self._fixed = dict(weights)
        self.log_variance = nn.ParameterDict(
            {
                task: nn.Parameter(-torch.tensor(weight).log())
                for task, weight in weights.items()
                if learned and weight > 0
            }
        )

    def forward(self, losses: Mapping[str, CellLoss]) -> torch.Tensor:
        """Return the loss to be minimised of the losses by task.

        Raises:
            ValueError: no task has a weight.
        """
        terms = [self._term(task, loss) for task, loss in losses.items() if self._fixed[task]]
        if not terms:
            raise ValueError(f"needs a task with a weight above 0 (found {self._fixed})")
        return torch.stack(terms).sum()

    def weight(self, task: str) -> float:
        """Return by how much a task counts now."""
        if task in self.log_variance:
            return float((-self.log_variance[task].detach()).exp())
        return self._fixed[task]

    def _term(self, task: str, loss: CellLoss) -> torch.Tensor:
        if task not in self.log_variance:
            return self._fixed[task] * loss.mean()
        log_variance = self.log_variance[task]
        term = (-log_variance).exp() * loss.mean() + log_variance / 2
        return torch.where(loss.weight > 0, term, torch.zeros_like(term))


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
