"""How the weights of a model start."""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal

from torch import nn

if TYPE_CHECKING:
    import torch

Initialisation = Literal["default", "he", "xavier"]


def initialise(model: nn.Module, kind: Initialisation) -> None:
    """Draw the weight matrices of all linear, graph and attention layers; their biases are 0.

    Args:
        model: changed in place. Norms, embeddings and the score vectors of graph attention stay.
        kind: ``default`` leaves all as PyTorch and PyG drew it. ``he``: normal with variance
            2 / inputs (He et al. 2015, arXiv 1502.01852, eq. 10). ``xavier``: normal with variance
            2 / (inputs + outputs) (Glorot and Bengio 2010, AISTATS, eq. 12, as a normal).
    """
    if kind == "default":
        return
    from torch_geometric.nn import MessagePassing
    from torch_geometric.nn.dense.linear import Linear as GraphLinear

    for module in model.modules():
        if isinstance(module, nn.Linear | GraphLinear):
            _draw(module.weight, kind)
            _zero(module.bias)
        elif isinstance(module, nn.MultiheadAttention):
            # queries, keys and values lie in one parameter, but are three matrices
            for matrix in module.in_proj_weight.chunk(3):
                _draw(matrix, kind)
            _zero(module.in_proj_bias)
        elif isinstance(module, MessagePassing):
            _zero(getattr(module, "bias", None))


def _draw(matrix: torch.Tensor, kind: Initialisation) -> None:
    if kind == "he":
        nn.init.kaiming_normal_(matrix, nonlinearity="relu")
    else:
        nn.init.xavier_normal_(matrix)


def _zero(bias: torch.Tensor | None) -> None:
    if bias is not None:
        nn.init.zeros_(bias)
