"""How a gradient becomes a step."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import torch

if TYPE_CHECKING:
    from collections.abc import Iterable

    from torch import nn

    from roadgraph.settings import TrainingSettings


def make_optimizer(
    weights: Iterable[nn.Parameter], settings: TrainingSettings, free: Iterable[nn.Parameter] = ()
) -> torch.optim.Optimizer:
    """Return the optimiser of ``training.optimizer``.

    ``weight_decay`` pulls the weights themselves in AdamW (Loshchilov and Hutter 2019, arXiv
    1711.05101) and is added to the gradient as ``weight_decay * weight`` in the others.

    Args:
        weights: of the model.
        settings: optimiser and its figures.
        free: parameters that no weight decay pulls to 0.

    Raises:
        ValueError: another optimiser.
    """
    groups: list[dict[str, Any]] = [{"params": list(weights)}]
    if free := list(free):
        groups.append({"params": free, "weight_decay": 0.0})
    common: dict[str, Any] = {"lr": settings.learning_rate, "weight_decay": settings.weight_decay}
    betas = (settings.beta1, settings.beta2)
    if settings.optimizer == "adamw":
        return torch.optim.AdamW(groups, betas=betas, eps=settings.eps, **common)
    if settings.optimizer == "adam":
        return torch.optim.Adam(groups, betas=betas, eps=settings.eps, **common)
    if settings.optimizer == "rmsprop":
        return torch.optim.RMSprop(groups, eps=settings.eps, momentum=settings.momentum, **common)
    if settings.optimizer == "sgd":
        return torch.optim.SGD(groups, momentum=settings.momentum, **common)
    raise ValueError(f"needs adamw, adam, rmsprop or sgd (found '{settings.optimizer}')")
