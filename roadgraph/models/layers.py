"""Layers that act on all slices of a batch at once."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import torch
from torch import nn
from torch_geometric.nn import MessagePassing
from torch_geometric.nn.dense.linear import Linear

if TYPE_CHECKING:
    from roadgraph.models.graph import Graph


class _SparseProduct(torch.autograd.Function):
    """``gather @ x`` whose gradient is ``scatter @ grad``, both by one CSR product."""

    @staticmethod
    def forward(
        ctx: Any, x: torch.Tensor, gather: torch.Tensor, scatter: torch.Tensor
    ) -> torch.Tensor:
        ctx.scatter = scatter
        return gather @ x

    @staticmethod
    def backward(ctx: Any, *gradients: torch.Tensor) -> tuple[torch.Tensor, None, None]:
        return ctx.scatter @ gradients[0], None, None


class GCNConv(MessagePassing):
    r"""Graph convolution over every slice of a batch in one sparse product.

    .. math:: X' = \hat D^{-1/2} (A + I) \hat D^{-1/2} X W + b

    (Kipf and Welling 2017, "Semi-supervised classification with graph convolutional networks",
    arXiv 1609.02907.) The same numbers and the same state dict as PyG's ``GCNConv``; the
    normalisation is done once, in :func:`~roadgraph.models.graph.normalised_graph`.

    Shapes: ``x [N, B, F_in]`` (segments first, so that no copy is needed) to ``[N, B, F_out]``.
    """

    def __init__(self, in_features: int, out_features: int) -> None:
        super().__init__(aggr="add")
        self.lin = Linear(in_features, out_features, bias=False, weight_initializer="glorot")
        self.bias = nn.Parameter(torch.zeros(out_features))

    def forward(self, x: torch.Tensor, graph: Graph) -> torch.Tensor:
        """Return ``[N, B, F_out]``."""
        x = self.lin(x)
        flat = x.flatten(1)  # [N, B * F_out]
        gathered = self.propagate(graph.gather, x=flat, scatter=graph.scatter)
        return gathered.view_as(x) + self.bias

    def message_and_aggregate(
        self, edge_index: torch.Tensor, x: torch.Tensor, scatter: torch.Tensor
    ) -> torch.Tensor:
        """Gather the neighbours of all segments at once, ``[N, B * F]``."""
        product: torch.Tensor = _SparseProduct.apply(x, edge_index, scatter)  # type: ignore[no-untyped-call]
        return product


class LinearLayer(nn.Linear):
    """A linear layer in the place of a graph layer: it does not look at the graph."""

    def forward(self, x: torch.Tensor, graph: Graph | None = None) -> torch.Tensor:
        """Return ``[N, B, F_out]`` of ``x [N, B, F_in]``."""
        del graph
        return super().forward(x)
