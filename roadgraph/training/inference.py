"""A trained model's answers for any origins."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import torch

from roadgraph.training.batches import windows

if TYPE_CHECKING:
    from roadgraph.dataset.preparation import Preparation
    from roadgraph.models.graph import Graph
    from roadgraph.models.multitask import MultiTaskModel

ORIGINS_A_BATCH = 32


def answers(
    model: MultiTaskModel,
    graph: Graph,
    inputs: np.ndarray,
    origins: np.ndarray,
    window: int,
    preparation: Preparation,
) -> dict[str, np.ndarray]:
    """Return the model's probabilities and speeds from ``origins``, as it gives them.

    Args:
        model: in evaluation mode.
        graph: that it was trained on.
        inputs: ``[T, N, C]`` scaled channels.
        origins: ``[O]`` places in time; the window before each must be there.
        window: ``L``.
        preparation: gives the scale of the speeds.

    Returns:
        ``congestion [O, H, N, 4]`` and ``rush_hour [O, H, N, 2]`` probabilities, ``speed
        [O, H, N]`` and its 10 and 90 % quantiles ``speed_interval [O, H, N, 2]`` in km/h, never
        below 0; the entries of the model's tasks.
    """
    collected: dict[str, list[np.ndarray]] = {}
    tensor = torch.from_numpy(inputs)
    with torch.inference_mode():
        for batch in torch.from_numpy(origins).split(ORIGINS_A_BATCH):
            for name, answer in model(windows(tensor, batch, window), graph).items():
                if name.startswith("speed"):
                    kph = answer * preparation.speed_std_kph + preparation.speed_mean_kph
                    values = kph.clamp_min(0)
                else:
                    values = answer.softmax(-1)
                collected.setdefault(name, []).append(values.numpy())
    return {name: np.concatenate(parts) for name, parts in collected.items()}
