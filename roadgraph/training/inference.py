"""A trained model's answers for any origins."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import torch

from roadgraph.evaluation.forecast import Forecast
from roadgraph.training.batches import windows
from roadgraph.training.decision import decide

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
    """Return the model's probabilities and speeds from ``origins``.

    Args:
        model: in evaluation mode.
        graph: that it was trained on.
        inputs: ``[T, N, C]`` scaled channels.
        origins: ``[O]`` places in time; the window before each must be there.
        window: ``L``.
        preparation: gives the scale of the speeds.

    Returns:
        ``congestion [O, H, N, 4]`` and ``rush_hour [O, H, N, 2]`` probabilities, ``speed
        [O, H, N]`` in km/h, never below 0; one entry a task of the model.
    """
    collected: dict[str, list[np.ndarray]] = {task: [] for task in model.tasks}
    tensor = torch.from_numpy(inputs)
    with torch.inference_mode():
        for batch in torch.from_numpy(origins).split(ORIGINS_A_BATCH):
            for task, answer in model(windows(tensor, batch, window), graph).items():
                if task == "speed":
                    kph = answer * preparation.speed_std_kph + preparation.speed_mean_kph
                    collected[task].append(kph.clamp_min(0).numpy())
                else:
                    collected[task].append(answer.softmax(-1).numpy())
    return {task: np.concatenate(parts) for task, parts in collected.items()}


def forecast(
    name: str,
    model: MultiTaskModel,
    graph: Graph,
    inputs: np.ndarray,
    origins: np.ndarray,
    window: int,
    preparation: Preparation,
    decision_weights: np.ndarray,
) -> Forecast:
    """Return the model's answers in the form in which every forecaster is judged.

    The congestion class is decided with ``decision_weights`` ``[4]``. Rush hour is a property of
    the slice, so its probability is the mean over the segments.
    """
    given = answers(model, graph, inputs, origins, window, preparation)
    probability = given.get("congestion")
    rush = given.get("rush_hour")
    return Forecast(
        name,
        origins,
        None if probability is None else decide(probability, decision_weights),
        probability,
        None if rush is None else (rush[..., 1].mean(axis=2) > 0.5).astype(np.int8),
        given.get("speed"),
    )
