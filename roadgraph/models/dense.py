"""Layers that do not look at the graph: none of PyG is needed for them."""

from __future__ import annotations

from typing import TYPE_CHECKING

from torch import nn

if TYPE_CHECKING:
    import torch

    from roadgraph.models.graph import Graph


class LinearLayer(nn.Linear):
    """A linear layer in the place of a graph layer: it does not look at the graph."""

    def forward(self, x: torch.Tensor, graph: Graph | None = None) -> torch.Tensor:
        """Return ``[N, B, F_out]`` of ``x [N, B, F_in]``."""
        del graph
        return super().forward(x)


class SelfAttention(nn.MultiheadAttention):
    """Attention of every segment to all segments of its slice, whatever the graph says.

    On a tile of the graph these are the tile's. Memory grows with the segments, time with their
    square: torch never has the weights of all pairs at once, in training neither.

    (Vaswani et al. 2017, "Attention is all you need", arXiv 1706.03762, section 3.2.)
    """

    def forward(self, x: torch.Tensor) -> torch.Tensor:  # type: ignore[override]
        """Return ``[N, B, F]`` of ``x [N, B, F]``: the segments are the sequence."""
        answer: torch.Tensor = super().forward(x, x, x, need_weights=False)[0]
        return answer
