"""The numbers of a forecast that are explained, as functions of what the model sees."""

from __future__ import annotations

from typing import TYPE_CHECKING

import torch

from roadgraph.training.inference import as_told

if TYPE_CHECKING:
    from roadgraph.dataset.preparation import Preparation
    from roadgraph.explain.gradients import Answer
    from roadgraph.explain.heard import Heard
    from roadgraph.models.multitask import MultiTaskModel


def speed_answer(
    model: MultiTaskModel, heard: Heard, step: int, preparation: Preparation
) -> Answer:
    """Return the forecast speed as a function of the window, in km/h.

    It is the number of the predictions: the model's change added to the speed that it starts from,
    on the scale of km/h, and never below 0.

    Args:
        model: in evaluation mode.
        heard: the graph, and which of its segments is asked for.
        step: which of the model's horizons.
        preparation: gives the scale.
    """

    def answer(x: torch.Tensor) -> torch.Tensor:
        given = model(x, heard.graph)["speed"][:, step, heard.own]
        return as_told("speed", given, preparation)

    return answer


def class_probabilities(
    model: MultiTaskModel, heard: Heard, step: int, temperature: float, x: torch.Tensor
) -> torch.Tensor:
    """Return the calibrated probabilities of the congestion classes, ``[B, 4]``.

    Args:
        model: in evaluation mode.
        heard: as in :func:`speed_answer`.
        step: as there.
        temperature: by which the logits are divided.
        x: ``[B, L, M, C]`` windows.
    """
    logits = model(x, heard.graph)["congestion"][:, step, heard.own]
    return (logits / temperature).softmax(-1)


def class_answer(
    model: MultiTaskModel, heard: Heard, step: int, temperature: float, place: int
) -> Answer:
    """Return the calibrated probability of one congestion class as a function of the window.

    Args:
        model: in evaluation mode.
        heard: as in :func:`speed_answer`.
        step: as there.
        temperature: as in :func:`class_probabilities`.
        place: of the class among ``schema.CONGESTION_CLASSES``.
    """

    def answer(x: torch.Tensor) -> torch.Tensor:
        return class_probabilities(model, heard, step, temperature, x)[:, place]

    return answer
