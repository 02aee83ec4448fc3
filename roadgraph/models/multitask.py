"""The two sizes of a multi-task model; the backbone is the kind of layer in them."""

from __future__ import annotations

from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING, Any, ClassVar, Literal

import torch
from torch import nn
from torch.nn import functional

from roadgraph.models.dense import LinearLayer, SelfAttention
from roadgraph.models.dropout import Dropout
from roadgraph.models.recomputation import recomputed
from roadgraph.schema import CONGESTION_CLASSES, RUSH_HOUR_CLASSES

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from roadgraph.models.graph import Graph

    Layer = Callable[[int, int], nn.Module]

OUTPUTS = {"congestion": len(CONGESTION_CLASSES), "rush_hour": len(RUSH_HOUR_CLASSES), "speed": 3}
"""Numbers that a head gives for each segment and horizon; of the speed: itself and how far below
and above it the 10 and 90 % quantiles lie, both before the softplus."""


@dataclass(frozen=True)
class SpeedBasePlaces:
    """Where in a window ``[L, N, F]`` the speed stands from which a change is forecast.

    Attributes:
        channel: place among the ``F`` channels.
        steps: place among the ``L`` slices, one a horizon; -1 is the last.
    """

    channel: int
    steps: tuple[int, ...]


@dataclass(frozen=True)
class BlockOptions:
    """What stands around the layers; the defaults are those of the original models.

    Attributes:
        attention_heads: heads of a self-attention behind the layers; None: there is none.
        dropout: share of features left out in training, enhanced alone.
        norm: behind each layer, enhanced alone.
        residual: add a block's input to what comes out of it, enhanced alone.
    """

    attention_heads: int | None = None
    dropout: float = 0.3
    norm: Literal["batch", "layer", "none"] = "batch"
    residual: bool = True


class MultiTaskModel(nn.Module):
    """What all models share: shapes in, shapes out.

    Setting ``recompute`` trades time for memory: :meth:`run_block` then keeps no inner activations.

    Args:
        channels: ``F`` input channels of a slice.
        window: ``L`` slices.
        horizons: ``H`` steps ahead.
        tasks: names of the heads, out of ``OUTPUTS``.
        layer: makes a layer ``(in_features, out_features)`` that is called with ``(x, graph)``.
        speed_base: where in the window the speed stands from which the speed head gives the
            change; None when it gives the speed itself.
        options: what stands around the layers.
    """

    recompute: bool = False

    def __init__(
        self,
        channels: int,
        window: int,
        horizons: int,
        tasks: Sequence[str],
        layer: Layer,
        speed_base: SpeedBasePlaces | None = None,
        options: BlockOptions | None = None,
    ) -> None:
        super().__init__()
        self.options = options or BlockOptions()
        self.in_features = channels * window
        self.horizons = horizons
        self.tasks = tuple(tasks)
        self.speed_base = speed_base
        self._build(layer)
        for task in self.tasks:
            setattr(self, f"{task}_head", self._head(OUTPUTS[task] * horizons))

    @property
    def hops(self) -> int:
        """How many links away a segment is heard at most."""
        raise NotImplementedError

    @property
    def hears_all(self) -> bool:
        """Whether a segment hears all others too; on a tile of the graph, those of the tile."""
        raise NotImplementedError

    def _build(self, layer: Layer) -> None:
        raise NotImplementedError

    def _head(self, outputs: int) -> nn.Module:
        raise NotImplementedError

    def embed(self, x: torch.Tensor, graph: Graph) -> torch.Tensor:
        """Return the features that the heads read, ``[N, B, width]``, of ``[N, B, L * F]``."""
        raise NotImplementedError

    def run_block(self, block: Callable[..., torch.Tensor], *inputs: Any) -> torch.Tensor:
        """Return ``block(*inputs)``, with ``recompute`` in training by gradient checkpointing."""
        if self.recompute and self.training:
            return recomputed(self, block, *inputs)
        return block(*inputs)

    def forward(self, x: torch.Tensor, graph: Graph) -> dict[str, torch.Tensor]:
        """Return one entry a task, and the interval beside the speed.

        Args:
            x: ``[B, L, N, F]`` scaled channels.
            graph: the static graph of the ``N`` segments.

        Returns:
            ``congestion [B, H, N, 4]`` and ``rush_hour [B, H, N, 2]`` logits, ``speed [B, H, N]``
            in the scale of the channel ``mean_speed``, and around it ``speed_interval
            [B, H, N, 2]``: its 10 and 90 % quantiles, never above and never below the speed.
        """
        batch, _, segments, _ = x.shape
        # [B, L, N, F] -> [N, B, L * F]: segments first, as the sparse product wants them
        features = x.permute(2, 0, 1, 3).flatten(2)
        # [N, B, L * F] -> [N, B, width]
        features = self.embed(features, graph)
        answers = {}
        for task in self.tasks:
            # [N * B, width] -> [N * B, H * outputs] -> [B, H, N, outputs]
            answer = getattr(self, f"{task}_head")(features.flatten(0, 1))
            answer = answer.view(segments, batch, self.horizons, OUTPUTS[task])
            answers[task] = answer.permute(1, 2, 0, 3)
        if "speed" in answers:
            speed, *margins = answers["speed"].unbind(-1)
            if self.speed_base is not None:
                # [B, H, N]
                speed = speed + x[:, list(self.speed_base.steps), :, self.speed_base.channel]
            below, above = (functional.softplus(margin) for margin in margins)
            answers["speed"] = speed
            answers["speed_interval"] = torch.stack([speed - below, speed + above], dim=-1)
        return answers


class LayeredModel(MultiTaskModel):
    """What the two sizes share: ``fc`` layers and, with the backbone ``attention``, one more."""

    WIDTH: ClassVar[int]

    def _build(self, layer: Layer) -> None:
        self._build_layers(layer)
        heads = self.options.attention_heads
        self.attention = None if heads is None else SelfAttention(self.WIDTH, heads)

    def _build_layers(self, layer: Layer) -> None:
        raise NotImplementedError

    @property
    def hops(self) -> int:
        """How many links away a segment is heard at most: one a graph layer."""
        layers = [part for name, part in self.named_children() if name.startswith("fc")]
        return sum(not isinstance(part, LinearLayer) for part in layers)

    @property
    def hears_all(self) -> bool:
        """Whether the segments of a slice attend to each other."""
        return self.attention is not None

    def _attend(self, x: torch.Tensor, residual: bool) -> torch.Tensor:
        """Let all segments of a slice attend to each other, ``[N, B, width]`` of the same."""
        if self.attention is None:
            return x
        attended = self.run_block(self.attention, x)
        return attended + x if residual else attended


class SimpleMultiTaskGNN(LayeredModel):
    """Two layers of 64 and linear heads.

    With linear layers, window 1, horizon 1, ten channels and the two class heads it is the
    original SimpleMultiTaskGNN of 5,254 parameters. A self-attention adds to what it reads, or the
    segments, averaged over the city, could hardly be told apart.
    """

    WIDTH = 64

    def _build_layers(self, layer: Layer) -> None:
        self.fc1 = layer(self.in_features, self.WIDTH)
        self.relu1 = nn.ReLU()
        self.fc2 = layer(self.WIDTH, self.WIDTH)
        self.relu2 = nn.ReLU()

    def _head(self, outputs: int) -> nn.Module:
        return nn.Linear(self.WIDTH, outputs)

    def embed(self, x: torch.Tensor, graph: Graph) -> torch.Tensor:
        """Return ``[N, B, 64]``."""
        x = self.run_block(self._block, self.fc1, self.relu1, x, graph)
        x = self.run_block(self._block, self.fc2, self.relu2, x, graph)
        return self._attend(x, residual=True)

    @staticmethod
    def _block(layer: nn.Module, relu: nn.Module, x: torch.Tensor, graph: Graph) -> torch.Tensor:
        activated: torch.Tensor = relu(layer(x, graph))
        return activated


class EnhancedMultiTaskGNN(LayeredModel):
    """Three layers of 128 with norm, ReLU, dropout and residuals, and two-layer heads.

    With linear layers, window 1, horizon 1, ten channels and the two class heads it has 52,102
    parameters; with a self-attention of 4 heads it is the original EnhancedGNNModel of 118,150.
    """

    WIDTH = 128
    HEAD_WIDTH = 64

    def _build_layers(self, layer: Layer) -> None:
        for number in (1, 2, 3):
            inputs = self.in_features if number == 1 else self.WIDTH
            setattr(self, f"fc{number}", layer(inputs, self.WIDTH))
            setattr(self, f"bn{number}", self._norm())
            setattr(self, f"relu{number}", nn.ReLU(inplace=True))
        self.dropout = Dropout(self.options.dropout)

    def _norm(self) -> nn.Module:
        kinds: dict[str, Callable[[int], nn.Module]] = {
            "batch": nn.BatchNorm1d,
            "layer": nn.LayerNorm,
            "none": nn.Identity,
        }
        return kinds[self.options.norm](self.WIDTH)

    def _head(self, outputs: int) -> nn.Module:
        return nn.Sequential(
            nn.Linear(self.WIDTH, self.HEAD_WIDTH),
            nn.ReLU(inplace=True),
            Dropout(self.options.dropout),
            nn.Linear(self.HEAD_WIDTH, outputs),
        )

    def embed(self, x: torch.Tensor, graph: Graph) -> torch.Tensor:
        """Return ``[N, B, 128]``."""
        x = self.run_block(partial(self._block, 1), x, graph)
        for number in (2, 3):
            changed = self.run_block(partial(self._block, number), x, graph)
            x = changed + x if self.options.residual else changed
        return self._attend(x, self.options.residual)

    def _block(self, number: int, x: torch.Tensor, graph: Graph) -> torch.Tensor:
        """Layer, norm over all segments and slices, ReLU, dropout; ``[N, B, 128]``."""
        x = getattr(self, f"fc{number}")(x, graph)
        # On rows, not on a view of them: what is changed in place is copied there for its gradient.
        rows = getattr(self, f"bn{number}")(x.flatten(0, 1))
        activated: torch.Tensor = self.dropout(getattr(self, f"relu{number}")(rows))
        return activated.view_as(x)
