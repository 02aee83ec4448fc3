"""Graph layers that act on all slices of a batch at once."""

from __future__ import annotations

from typing import TYPE_CHECKING

import torch
from torch import nn
from torch.nn import functional
from torch_geometric.nn import MessagePassing
from torch_geometric.nn.dense.linear import Linear
from torch_geometric.nn.inits import glorot
from torch_geometric.utils import softmax

# PyG reads the annotations of messages at run time
from roadgraph.models.graph import HeadPairs, Operator
from roadgraph.models.sparse import attention_product, sparse_product

if TYPE_CHECKING:
    from roadgraph.models.graph import Graph


class GCNConv(MessagePassing):
    r"""Graph convolution over every slice of a batch in one sparse product.

    .. math:: X' = \hat D^{-1/2} (A + I) \hat D^{-1/2} X W + b

    (Kipf and Welling 2017, "Semi-supervised classification with graph convolutional networks",
    arXiv 1609.02907.) The same numbers and the same state dict as PyG's ``GCNConv``; the
    normalisation is done once, in :func:`~roadgraph.models.graph.normalised_graph`. As the sum over
    the neighbours and the weights act on different axes, the narrower of input and output is
    summed.

    Shapes: ``x [N, B, F_in]`` (segments first, so that no copy is needed) to ``[N, B, F_out]``.
    """

    def __init__(self, in_features: int, out_features: int) -> None:
        super().__init__(aggr="add", node_dim=0)
        self.in_features = in_features
        self.out_features = out_features
        self.lin = Linear(in_features, out_features, bias=False, weight_initializer="glorot")
        self.bias = nn.Parameter(torch.zeros(out_features))

    def forward(self, x: torch.Tensor, graph: Graph) -> torch.Tensor:
        """Return ``[N, B, F_out]``."""
        if self._sums_first(x):
            gathered = self._gathered(x, graph.symmetric)  # [N, B, F_in]
            return functional.linear(gathered, self.lin.weight, self.bias).to(self.bias.dtype)
        return self._gathered(self.lin(x), graph.symmetric).add_(self.bias)

    def _gathered(self, x: torch.Tensor, operator: Operator) -> torch.Tensor:
        if torch.compiler.is_compiling():  # which does not find its way through PyG's checks
            return self.message_and_aggregate(None, x, operator)
        answer: torch.Tensor = self.propagate(operator.gather, x=x, operator=operator)
        return answer

    def _sums_first(self, x: torch.Tensor) -> bool:
        """Return whether no more is summed over neighbours, forward and backward, before W."""
        before = self.in_features * (1 + (torch.is_grad_enabled() and x.requires_grad))
        return before <= self.out_features * (1 + torch.is_grad_enabled())

    def message_and_aggregate(
        self, edge_index: torch.Tensor | None, x: torch.Tensor, operator: Operator
    ) -> torch.Tensor:
        """Gather the neighbours of all segments at once, ``[N, B, F]``."""
        del edge_index  # the operator's own matrix, which PyG asks for
        return sparse_product(operator, x)


class GATConv(MessagePassing):
    r"""Graph attention over every slice of a batch, on a static graph.

    .. math::
        x'_i = \Big\Vert_h \sum_{j} \alpha^h_{ij} W^h x_j + b, \qquad
        \alpha^h_{ij} = \mathrm{softmax}_j \big( \mathrm{LeakyReLU}_{0.2}
        (a^h_s \cdot W^h x_j + a^h_t \cdot W^h x_i) \big)

    (Velickovic et al. 2018, "Graph attention networks", arXiv 1710.10903.) The same numbers and
    the same state dict as PyG's ``GATConv`` with concatenated heads, which takes one slice at a
    time; the sums over the neighbours are one CSR product a slice.

    Shapes: ``x [N, B, F_in]`` to ``[N, B, heads * F_out]``.

    Args:
        in_features: ``F_in``.
        out_features: ``F_out`` of each head.
        heads: how many are set side by side.
    """

    NEGATIVE_SLOPE = 0.2  # of the paper, section 3.3

    def __init__(self, in_features: int, out_features: int, heads: int) -> None:
        super().__init__(aggr="add", node_dim=0)
        self.heads = heads
        self.out_features = out_features
        self.lin = Linear(
            in_features, heads * out_features, bias=False, weight_initializer="glorot"
        )
        self.att_src = nn.Parameter(torch.empty(1, heads, out_features))
        self.att_dst = nn.Parameter(torch.empty(1, heads, out_features))
        self.bias = nn.Parameter(torch.zeros(heads * out_features))
        glorot(self.att_src)
        glorot(self.att_dst)

    def forward(self, x: torch.Tensor, graph: Graph) -> torch.Tensor:
        """Return ``[N, B, heads * F_out]``."""
        neighbours = graph.neighbours
        pairs = neighbours.of_heads(self.heads)
        # Features of all heads, and every segment's part in the logits, as the one heard and as the
        # one that hears, in one product; in full precision for the softmax.
        # [N, B, F_in] -> [N, B, heads * F_out + 2 * heads]
        both = functional.linear(x, self._weights()).to(self.lin.weight.dtype)
        sizes = (self.heads * self.out_features, self.heads, self.heads)
        features, heard, hearing = both.split(sizes, dim=-1)
        with torch.autocast(x.device.type, enabled=False):
            features = features.unflatten(-1, (self.heads, self.out_features))
            if torch.compiler.is_compiling():  # which does not find its way through PyG's checks
                source, target = neighbours.source, neighbours.target
                alpha = self.edge_update(heard[source], hearing[target], target, len(x))
                gathered = self.message_and_aggregate(None, features, alpha, pairs)
            else:
                edge_index = torch.stack([neighbours.source, neighbours.target])
                alpha = self.edge_updater(edge_index, alpha=(heard, hearing))  # [E, B, heads]
                gathered = self.propagate(pairs.adjacency, x=features, alpha=alpha, pairs=pairs)
            return gathered.flatten(2) + self.bias

    def _weights(self) -> torch.Tensor:
        """Return ``W``, ``a_s W`` and ``a_t W`` of all heads, one below the other."""
        scores = [torch.block_diag(*att[0]) for att in (self.att_src, self.att_dst)]
        weight = self.lin.weight
        return torch.cat([weight, torch.cat(scores) @ weight])

    def edge_update(
        self,
        alpha_j: torch.Tensor,
        alpha_i: torch.Tensor,
        index: torch.Tensor,
        dim_size: int | None,
    ) -> torch.Tensor:
        """Return how much every target hears of each source, ``[E, B, heads]``, sums of 1."""
        logits = functional.leaky_relu(alpha_j + alpha_i, self.NEGATIVE_SLOPE)
        return softmax(logits, index, num_nodes=dim_size)

    def message_and_aggregate(
        self,
        edge_index: torch.Tensor | None,
        x: torch.Tensor,
        alpha: torch.Tensor,
        pairs: HeadPairs,
    ) -> torch.Tensor:
        """Sum over the neighbours of all segments at once, ``[N, B, heads, F_out]``."""
        del edge_index  # the same pairs as in ``pairs``, which PyG asks for
        return attention_product(alpha, x, pairs)
