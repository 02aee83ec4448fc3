"""A trained model's answers for any origins."""

from __future__ import annotations

from typing import TYPE_CHECKING

import torch

from roadgraph.training.batches import windows
from roadgraph.training.tiling import TILE_TO_ANSWER

if TYPE_CHECKING:
    from collections.abc import Sequence

    import numpy as np

    from roadgraph.dataset.preparation import Preparation
    from roadgraph.models.graph import Graph
    from roadgraph.models.multitask import MultiTaskModel

ORIGINS_A_BATCH = 32
CELLS_A_BATCH = 2 * TILE_TO_ANSWER
"""Segments times origins that a model is called with, but for at least one origin."""


def answers(
    model: MultiTaskModel,
    tiles: Sequence[Graph],
    inputs: np.ndarray,
    origins: np.ndarray,
    window: int,
    preparation: Preparation,
) -> dict[str, np.ndarray]:
    """Return the model's probabilities and speeds from ``origins``, as it gives them.

    Beside inputs and answers it needs memory for ``CELLS_A_BATCH`` or for one origin of a tile.

    Args:
        model: in evaluation mode.
        tiles: of :func:`~roadgraph.training.tiling.tiles_to_answer`; they hold all ``N`` segments.
        inputs: ``[T, N, C]`` scaled channels.
        origins: ``[O]`` places in time; the window before each must be there.
        window: ``L``.
        preparation: gives the scale of the speeds.

    Returns:
        ``congestion [O, H, N, 4]`` and ``rush_hour [O, H, N, 2]`` probabilities, ``speed
        [O, H, N]`` and its 10 and 90 % quantiles ``speed_interval [O, H, N, 2]`` in km/h, never
        below 0; the entries of the model's tasks.
    """
    found: dict[str, torch.Tensor] = {}
    tensor, moments = torch.from_numpy(inputs), torch.from_numpy(origins)
    segments = inputs.shape[1]
    with torch.inference_mode():
        for tile in tiles:
            cells = segments if tile.places is None else len(tile.places)
            own = slice(None) if tile.places is None else tile.places[: tile.own]
            step = min(max(CELLS_A_BATCH // cells, 1), ORIGINS_A_BATCH)
            for first in range(0, len(moments), step):
                batch = moments[first : first + step]
                given = model(windows(tensor, batch, window, tile.places), tile)
                for name, answer in given.items():
                    values = as_told(name, answer[:, :, : tile.own], preparation)
                    if name not in found:
                        _, horizons, _, *rest = values.shape
                        found[name] = values.new_empty((len(moments), horizons, segments, *rest))
                    found[name][first : first + step, :, own] = values
    return {name: values.numpy() for name, values in found.items()}


def as_told(name: str, answer: torch.Tensor, preparation: Preparation) -> torch.Tensor:
    """Return probabilities, or speeds in km/h, of what a model gives for a task.

    Args:
        name: of the task.
        answer: logits ``[..., classes]``, or speeds in the scale of the channel ``mean_speed``.
        preparation: gives that scale.
    """
    if name.startswith("speed"):
        kph = answer * preparation.speed_std_kph + preparation.speed_mean_kph
        return kph.clamp_min(0)
    return answer.softmax(-1)
