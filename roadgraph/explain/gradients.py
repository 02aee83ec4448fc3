"""Integrated gradients, refined until they add up."""

from __future__ import annotations

import logging
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import torch

if TYPE_CHECKING:
    from collections.abc import Callable

    Answer = Callable[[torch.Tensor], torch.Tensor]
    """From windows ``[B, L, M, C]`` to one number each, ``[B]``."""

GAP_SHARE = 0.01
"""Of the difference that is explained: contributions may miss it by so much."""

FIRST_STEPS = 32
MOST_STEPS = 512

logger = logging.getLogger(__name__)


@dataclass(frozen=True)
class Attribution:
    """How much every input moved an answer.

    Attributes:
        values: ``[L, M, C]`` in the unit of the answer.
        answer: at the inputs.
        baseline: the answer at those that they are compared with.
        steps: points of the path at which the gradient was taken.
        allowed: the gap that was aimed at.
    """

    values: np.ndarray
    answer: float
    baseline: float
    steps: int
    allowed: float

    @property
    def gap(self) -> float:
        """By how much the values miss the difference that they should add up to."""
        return float(self.values.sum()) - (self.answer - self.baseline)

    @property
    def is_rough(self) -> bool:
        """Whether the gap is larger than it should be."""
        return abs(self.gap) > self.allowed


def integrated_gradients(
    answer: Answer, x: torch.Tensor, baseline: torch.Tensor, at_once: int, least: float
) -> Attribution:
    r"""Return how much every input moved an answer away from that at a baseline.

    .. math::
        a_i = (x_i - x'_i) \int_0^1
        \frac{\partial f(x' + \alpha (x - x'))}{\partial x_i} \, d\alpha, \qquad
        \sum_i a_i = f(x) - f(x')

    (Sundararajan, Taly and Yan 2017, "Axiomatic attribution for deep networks", arXiv 1703.01365,
    eq. 1 and proposition 1, which they call completeness.) Captum takes the integral by
    Gauss-Legendre quadrature. The number of steps is doubled until what is missing of the sum is
    below ``GAP_SHARE`` of the difference, or until ``MOST_STEPS``.

    Args:
        answer: gives ``f`` of windows.
        x: ``[1, L, M, C]`` the inputs.
        baseline: ``[1, L, M, C]`` what they are compared with.
        at_once: points of the path that the model is called with at once.
        least: a smaller difference than this may be missed by ``GAP_SHARE`` of this.
    """
    from captum.attr import IntegratedGradients  # takes a second to import

    with torch.no_grad():
        there, ordinary = float(answer(x)[0]), float(answer(baseline)[0])
    allowed = GAP_SHARE * max(abs(there - ordinary), least)
    method = IntegratedGradients(answer)
    steps = FIRST_STEPS
    while True:
        values = method.attribute(x, baseline, n_steps=steps, internal_batch_size=at_once)
        exact = values[0].detach().double().numpy()
        found = Attribution(exact, there, ordinary, steps, allowed)
        if not found.is_rough or steps >= MOST_STEPS:
            break
        steps *= 2
    if found.is_rough:
        logger.warning(
            "after %d steps the contributions still miss the difference of %.4g by %.2g",
            steps, there - ordinary, found.gap,
        )  # fmt: skip
    return found
