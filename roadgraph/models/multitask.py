"""The two sizes of a multi-task model; the backbone is the kind of layer in them."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import torch
from torch import nn

from roadgraph.schema import CONGESTION_CLASSES, RUSH_HOUR_CLASSES

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from roadgraph.models.graph import Graph

    Layer = Callable[[int, int], nn.Module]

OUTPUTS = {"congestion": len(CONGESTION_CLASSES), "rush_hour": len(RUSH_HOUR_CLASSES), "speed": 1}
"""Numbers that a head gives for each segment and horizon."""


@dataclass(frozen=True)
class SpeedBasePlaces:
    """Where in a window ``[L, N, F]`` the speed stands from which a change is forecast.

    Attributes:
        channel: place among the ``F`` channels.
        steps: place among the ``L`` slices, one a horizon; -1 is the last.
    """

    channel: int
    steps: tuple[int, ...]


class MultiTaskModel(nn.Module):
    """What both sizes share: shapes in, shapes out.

    Args:
        channels: ``F`` input channels of a slice.
        window: ``L`` slices.
        horizons: ``H`` steps ahead.
        tasks: names of the heads, out of ``OUTPUTS``.
        layer: makes a layer ``(in_features, out_features)`` that is called with ``(x, graph)``.
        speed_base: where in the window the speed stands from which the speed head gives the
            change; None when it gives the speed itself.
    """

    def __init__(
        self,
        channels: int,
        window: int,
        horizons: int,
        tasks: Sequence[str],
        layer: Layer,
        speed_base: SpeedBasePlaces | None = None,
    ) -> None:
        super().__init__()
        self.in_features = channels * window
        self.horizons = horizons
        self.tasks = tuple(tasks)
        self.speed_base = speed_base
        self._build(layer)
        for task in self.tasks:
            setattr(self, f"{task}_head", self._head(OUTPUTS[task] * horizons))

    def _build(self, layer: Layer) -> None:
        raise NotImplementedError

    def _head(self, outputs: int) -> nn.Module:
        raise NotImplementedError

    def embed(self, x: torch.Tensor, graph: Graph) -> torch.Tensor:
        """Return the features that the heads read, ``[N, B, width]``, of ``[N, B, L * F]``."""
        raise NotImplementedError

    def forward(self, x: torch.Tensor, graph: Graph) -> dict[str, torch.Tensor]:
        """Return one entry a task.

        Args:
            x: ``[B, L, N, F]`` scaled channels.
            graph: the static graph of the ``N`` segments.

        Returns:
            ``congestion [B, H, N, 4]`` and ``rush_hour [B, H, N, 2]`` logits, ``speed [B, H, N]``
            in the scale of the channel ``mean_speed``.
        """
        batch, _, segments, _ = x.shape
        # [B, L, N, F] -> [N, B, L * F]: segments first, as the sparse product wants them
        features = x.permute(2, 0, 1, 3).flatten(2)
        # [N, B, L * F] -> [N, B, width]
        features = self.embed(features, graph)
        answers = {}
        for task in self.tasks:
            # [N, B, width] -> [N, B, H * outputs] -> [B, H, N, outputs]
            answer = getattr(self, f"{task}_head")(features)
            answer = answer.view(segments, batch, self.horizons, OUTPUTS[task])
            answers[task] = answer.permute(1, 2, 0, 3)
        if "speed" in answers:
            answers["speed"] = answers["speed"].squeeze(-1)
            if self.speed_base is not None:
                base = x[:, list(self.speed_base.steps), :, self.speed_base.channel]  # [B, H, N]
                answers["speed"] = answers["speed"] + base
        return answers


class SimpleMultiTaskGNN(MultiTaskModel):
    """Two layers of 64 and linear heads.

    With linear layers, window 1, horizon 1, ten channels and the two class heads it is the
    original SimpleMultiTaskGNN of 5,254 parameters.
    """

    def _build(self, layer: Layer) -> None:
        self.fc1 = layer(self.in_features, 64)
        self.fc2 = layer(64, 64)

    def _head(self, outputs: int) -> nn.Module:
        return nn.Linear(64, outputs)

    def embed(self, x: torch.Tensor, graph: Graph) -> torch.Tensor:
        """Return ``[N, B, 64]``."""
        x = torch.relu(self.fc1(x, graph))
        return torch.relu(self.fc2(x, graph))


class EnhancedMultiTaskGNN(MultiTaskModel):
    """Three layers of 128 with batch norm, ReLU, dropout and residuals, and two-layer heads.

    With linear layers, window 1, horizon 1, ten channels and the two class heads it has 52,102
    parameters: the original EnhancedGNNModel without its attention.
    """

    DROPOUT = 0.3  # of the original model

    def _build(self, layer: Layer) -> None:
        self.fc1 = layer(self.in_features, 128)
        self.fc2 = layer(128, 128)
        self.fc3 = layer(128, 128)
        self.bn1 = nn.BatchNorm1d(128)
        self.bn2 = nn.BatchNorm1d(128)
        self.bn3 = nn.BatchNorm1d(128)
        self.dropout = nn.Dropout(self.DROPOUT)

    def _head(self, outputs: int) -> nn.Module:
        return nn.Sequential(
            nn.Linear(128, 64), nn.ReLU(), nn.Dropout(self.DROPOUT), nn.Linear(64, outputs)
        )

    def embed(self, x: torch.Tensor, graph: Graph) -> torch.Tensor:
        """Return ``[N, B, 128]``."""
        # every block: layer, batch norm over all segments and slices, ReLU, dropout
        first = self._activate(self.fc1(x, graph), self.bn1)
        second = self._activate(self.fc2(first, graph), self.bn2) + first
        return self._activate(self.fc3(second, graph), self.bn3) + second

    def _activate(self, x: torch.Tensor, norm: nn.BatchNorm1d) -> torch.Tensor:
        normed = norm(x.flatten(0, 1)).view_as(x)
        activated: torch.Tensor = self.dropout(torch.relu(normed))
        return activated
