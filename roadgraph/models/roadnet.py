"""The spatio-temporal graph model of roadgraph."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import torch
from torch import nn
from torch.nn import functional

from roadgraph.models.dropout import Dropout
from roadgraph.models.multitask import MultiTaskModel
from roadgraph.models.sparse import sparse_product
from roadgraph.schema import HISTORY_CHANNELS, MEASURED_FEATURES, OBSERVED_CHANNEL

if TYPE_CHECKING:
    from collections.abc import Sequence

    from roadgraph.models.graph import Graph

HUBS = 16  # summaries of the city that a block makes
CHANGING = (*MEASURED_FEATURES, OBSERVED_CHANNEL, *HISTORY_CHANNELS)
"""Channels of which the model sees every slice of the window; of the others the last tells all.

What is typical an hour ahead of an earlier slice is what is typical of the horizons in between.
"""


class CityExchange(nn.Module):
    r"""Lets every segment hear of the whole city through a few summaries.

    .. math:: Y = \mathrm{softmax}_{hubs}(X Q) \; \mathrm{softmax}_{segments}(X K)^\top X

    Attention whose cost grows with the number of segments, not with its square (Shen et al. 2021,
    "Efficient attention: attention with linear complexities", arXiv 1812.01243). It has no weight
    of a segment's own, so it works in any city. On a tile of the graph, the tile with its halo is
    the whole city.

    Shapes: ``x [N, B, W]`` to ``[N, B, W]``.
    """

    def __init__(self, width: int) -> None:
        super().__init__()
        self.ask = nn.Linear(width, HUBS)
        self.tell = nn.Linear(width, HUBS)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """Return what the city tells each segment."""
        told = self.tell(x).softmax(0)  # [N, B, hubs]: whom a hub listens to
        asked = self.ask(x).softmax(-1)  # [N, B, hubs]: which hub a segment listens to
        summaries = torch.einsum("nbk,nbw->bkw", told, x)
        return torch.einsum("nbk,bkw->nbw", asked, summaries)


class RoadBlock(nn.Module):
    """One round of news: from upstream, from downstream and from the city, each by its own weights.

    Vehicles come from upstream and queues grow from downstream, so the two are kept apart.

    Shapes: ``x [N, B, W]`` to ``[N, B, W]``.
    """

    def __init__(self, width: int, dropout: float) -> None:
        super().__init__()
        self.norm = nn.LayerNorm(width)
        self.city = CityExchange(width)
        self.mix = nn.Linear(4 * width, 2 * width)
        self.out = nn.Linear(2 * width, width)
        self.dropout = Dropout(dropout)

    def forward(self, x: torch.Tensor, graph: Graph) -> torch.Tensor:
        """Return ``x`` and what the news change of it."""
        own = self.norm(x)
        upstream = sparse_product(graph.upstream, own)  # [N, B, W]
        downstream = sparse_product(graph.downstream, own)
        heard = torch.cat([own, upstream, downstream, self.city(own)], dim=-1)  # [N, B, 4 W]
        change: torch.Tensor = self.dropout(self.out(functional.gelu(self.mix(heard))))
        return x + change


class RoadNet(MultiTaskModel):
    """What the window shows of each segment, passed along the roads both ways and over the city.

    It reads every slice of the changing channels (speeds, counts, the mask of what was observed,
    typical speeds) and the last slice of the others (clock, statics), and, unless its size is 0,
    a learned embedding of the segment. Without it no weight belongs to a segment, and the model
    runs in any city whose channels it has. The speed head forecasts the change from the last
    observation, and starts with none.

    Args:
        channels: names of the ``F`` input channels of a slice.
        segments: ``N``; needed with an embedding.
        width: of the features of a segment.
        blocks: rounds of news.
        dropout: share of features left out in training.
        embedding: learned features of every segment; 0 for none.
        **others: of :class:`~roadgraph.models.multitask.MultiTaskModel`.

    Raises:
        ValueError: there is an embedding, but it is not known of how many segments.
    """

    def __init__(
        self,
        channels: Sequence[str],
        segments: int | None,
        width: int,
        blocks: int,
        dropout: float,
        embedding: int,
        **others: Any,
    ) -> None:
        if embedding and segments is None:
            raise ValueError("needs the number of segments for an embedding of each")
        self._channels = len(channels)
        self._changing = [place for place, name in enumerate(channels) if name in CHANGING]
        self._lasting = [place for place, name in enumerate(channels) if name not in CHANGING]
        self._segments = segments
        self._width = width
        self._blocks = blocks
        self._dropout = dropout
        self._embedding = embedding
        super().__init__(len(channels), **others)

    def _build(self, layer: Any) -> None:
        del layer  # the kinds of layer that the backbones differ in
        window = self.in_features // self._channels
        features = len(self._changing) * window + len(self._lasting) + self._embedding
        self.embedding = None
        if self._embedding:
            # A segment that never has a label keeps the zeros, which are the mean of the others.
            self.embedding = nn.Parameter(torch.zeros(self._segments or 0, self._embedding))
        self.read = nn.Linear(features, self._width)
        self.blocks = nn.ModuleList(
            RoadBlock(self._width, self._dropout) for _ in range(self._blocks)
        )
        self.norm = nn.LayerNorm(self._width)

    def _head(self, outputs: int) -> nn.Module:
        head = nn.Linear(self._width, outputs)
        nn.init.zeros_(head.weight)
        nn.init.zeros_(head.bias)
        return head

    @property
    def hops(self) -> int:
        """How many links away a segment is heard at most: one a round of news."""
        return self._blocks

    @property
    def hears_all(self) -> bool:
        """Every round of news brings some from the whole city."""
        return True

    def embed(self, x: torch.Tensor, graph: Graph) -> torch.Tensor:
        """Return ``[N, B, width]`` of ``[N, B, L * F]``."""
        window = x.unflatten(-1, (-1, self._channels))  # [N, B, L, F]
        read = [window[..., self._changing].flatten(2), window[:, :, -1, self._lasting]]
        if self.embedding is not None:
            own = self.embedding if graph.places is None else self.embedding[graph.places]
            read.append(own[:, None].expand(-1, x.shape[1], -1))
        # [N, B, features] -> [N, B, width]
        features = self.read(torch.cat(read, dim=-1))
        for block in self.blocks:
            features = self.run_block(block, features, graph)
        normed: torch.Tensor = self.norm(features)
        return normed
