"""The numbers of a forecast that are explained, as read from what a model says."""

from __future__ import annotations

from typing import TYPE_CHECKING

from roadgraph.training.inference import as_told

if TYPE_CHECKING:
    from collections.abc import Callable

    import torch

    from roadgraph.dataset.preparation import Preparation

    Reading = Callable[[dict[str, torch.Tensor]], torch.Tensor]
    """From a model's outputs for ``B`` windows to one number each, ``[B]``."""


def speed_reading(step: int, own: int, preparation: Preparation) -> Reading:
    """Return how the forecast speed is read, in km/h.

    It is the number of the predictions: the model's change added to the speed that it starts from,
    on the scale of km/h, and never below 0.

    Args:
        step: which of the model's horizons.
        own: which of its segments.
        preparation: gives the scale.
    """

    def read(given: dict[str, torch.Tensor]) -> torch.Tensor:
        return as_told("speed", given["speed"][:, step, own], preparation)

    return read


def class_probabilities(
    given: dict[str, torch.Tensor], step: int, own: int, temperature: float
) -> torch.Tensor:
    """Return the calibrated probabilities of the congestion classes, ``[B, 4]``.

    Args:
        given: the model's outputs for ``B`` windows.
        step: as in :func:`speed_reading`.
        own: as there.
        temperature: by which the logits are divided.
    """
    return (given["congestion"][:, step, own] / temperature).softmax(-1)


def class_reading(step: int, own: int, temperature: float, place: int) -> Reading:
    """Return how the calibrated probability of one congestion class is read.

    Args:
        step: as in :func:`speed_reading`.
        own: as there.
        temperature: as in :func:`class_probabilities`.
        place: of the class among ``schema.CONGESTION_CLASSES``.
    """

    def read(given: dict[str, torch.Tensor]) -> torch.Tensor:
        return class_probabilities(given, step, own, temperature)[:, place]

    return read
