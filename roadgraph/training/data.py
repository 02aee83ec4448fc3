"""What a training reads, as tensors, and what one step of it reads."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

import torch
from torch import nn

from roadgraph.schema import MEASURED_FEATURES
from roadgraph.training.batches import windows

if TYPE_CHECKING:
    from collections.abc import Callable

    from roadgraph.dataset.dataset import Dataset
    from roadgraph.models.graph import Graph
    from roadgraph.settings import TrainingSettings

STORAGE: dict[str, torch.dtype] = {"float32": torch.float32, "bf16": torch.bfloat16}


class StepData(NamedTuple):
    """What a step reads of ``M`` segments, of which the first ``O`` are the tile's own.

    Attributes:
        x: ``[B, L, M, C]`` scaled inputs in float32, segments first in memory.
        unseen: the same as if nothing had been observed; None where nothing is hidden.
        congestion: ``[B, H, O]`` int8 labels.
        rush_hour: ``[B, H]`` int8 labels.
        speed: ``[B, H, O]`` scaled, NaN where there is no label.
        quality: ``[B, H, O]`` of the measurements; None where cells are not weighed by it.
    """

    x: torch.Tensor
    unseen: torch.Tensor | None
    congestion: torch.Tensor
    rush_hour: torch.Tensor
    speed: torch.Tensor
    quality: torch.Tensor | None

    def changed(self, change: Callable[[torch.Tensor], torch.Tensor]) -> StepData:
        """Return it with ``change`` made to every tensor."""
        x, unseen, congestion, rush_hour, speed, quality = self
        return StepData(
            change(x),
            None if unseen is None else change(unseen),
            change(congestion),
            change(rush_hour),
            change(speed),
            None if quality is None else change(quality),
        )


class TrainingData(nn.Module):
    """A whole dataset as one tensor a kind, of which a step gathers its part.

    Args:
        dataset: inputs and labels.
        settings: ``hidden_share``, ``quality_weights`` and ``storage`` are used.
    """

    inputs: torch.Tensor
    unseen_inputs: torch.Tensor | None
    congestion: torch.Tensor
    rush_hour: torch.Tensor
    speed: torch.Tensor
    quality: torch.Tensor | None
    steps: torch.Tensor

    def __init__(self, dataset: Dataset, settings: TrainingSettings) -> None:
        super().__init__()
        self.window = dataset.window
        labels, preparation = dataset.labels, dataset.preparation
        speed = (labels.speed_kph - preparation.speed_mean_kph) / preparation.speed_std_kph
        quality = dataset.grid.measured[:, :, MEASURED_FEATURES.index("quality_score")]
        stored = STORAGE[settings.storage]
        for name, value in {
            "inputs": torch.from_numpy(dataset.inputs).to(stored),
            "unseen_inputs": (
                torch.from_numpy(dataset.unseen_inputs).to(stored)
                if settings.hidden_share
                else None
            ),
            "congestion": torch.from_numpy(labels.congestion),
            "rush_hour": torch.from_numpy(labels.rush_hour),
            "speed": torch.from_numpy(speed),
            "quality": torch.from_numpy(quality).nan_to_num() if settings.quality_weights else None,
            "steps": torch.tensor(dataset.horizons),
        }.items():
            # The data move to the device with the model, but are no part of what is saved.
            self.register_buffer(name, value, persistent=False)

    @property
    def nbytes(self) -> int:
        """Return the memory that the data take."""
        return sum(value.nbytes for value in self.buffers())

    def of(self, origins: torch.Tensor, tile: Graph) -> StepData:
        """Return what a step from ``origins [B]`` on ``tile`` reads, where the data lie."""
        places = tile.places
        targets = origins[:, None] + self.steps  # [B, H]
        cells: tuple[torch.Tensor, ...] = (targets,)
        if places is not None:
            cells = (targets[:, :, None], places[: tile.own])
        unseen = self.unseen_inputs
        return StepData(
            self._windows(self.inputs, origins, places),
            None if unseen is None else self._windows(unseen, origins, places),
            self.congestion[cells],
            self.rush_hour[targets],
            self.speed[cells],
            None if self.quality is None else self.quality[cells],
        )

    def _windows(
        self, inputs: torch.Tensor, origins: torch.Tensor, places: torch.Tensor | None
    ) -> torch.Tensor:
        return windows(inputs, origins, self.window, places).float()
