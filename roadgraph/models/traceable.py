"""The sparse products as operators that ``torch.compile`` takes as they are.

It cannot look into products with sparse matrices; these operators take the matrices in pieces and
tell it shapes and gradients, so that a model is compiled in one piece, around them.
"""

from __future__ import annotations

from typing import Any

import torch

from roadgraph.models.edge_index import csr_matrix
from roadgraph.models.graph import HeadBlocks, HeadPairs, Operator
from roadgraph.models.sparse import attention_gradients, attention_sums, product_by_blocks

PIECES = 3  # of a CSR matrix
BLOCKS = 4  # tensors of HeadBlocks


def traced_product(operator: Operator, x: torch.Tensor) -> torch.Tensor:
    """Return ``gather @ x``, ``[N, B, F]``, of ``x [N, B, F]`` in the operator's precision."""
    pieces = operator.pieces
    answer: torch.Tensor = _gather(x.to(pieces[-1].dtype), *pieces)
    return answer


def traced_attention(weights: torch.Tensor, x: torch.Tensor, pairs: HeadPairs) -> torch.Tensor:
    """Return the weighted sums over the neighbours, ``[N, B, heads, C]``."""
    answer: torch.Tensor = _attend(weights, x, [*_tensors(pairs.gather), *_tensors(pairs.scatter)])
    return answer


def _tensors(blocks: HeadBlocks) -> tuple[torch.Tensor, ...]:
    return blocks.rows, blocks.columns, blocks.place, blocks.inverse


@torch.library.custom_op("roadgraph::sparse_product", mutates_args=())
def _gather(
    x: torch.Tensor,
    rows: torch.Tensor,
    columns: torch.Tensor,
    values: torch.Tensor,
    back_rows: torch.Tensor,
    back_columns: torch.Tensor,
    back_values: torch.Tensor,
) -> torch.Tensor:
    del back_rows, back_columns, back_values  # of the gradient
    return product_by_blocks(csr_matrix(rows, columns, values, len(rows) - 1), x)


@_gather.register_fake
def _gather_shape(x: torch.Tensor, *pieces: torch.Tensor) -> torch.Tensor:
    del pieces
    return torch.empty_like(x, memory_format=torch.contiguous_format)


def _keep_pieces(ctx: Any, inputs: tuple[torch.Tensor, ...], output: torch.Tensor) -> None:
    del output
    ctx.save_for_backward(*inputs[1:])


def _gather_gradient(ctx: Any, gradient: torch.Tensor) -> tuple[torch.Tensor | None, ...]:
    pieces = ctx.saved_tensors
    return _gather(gradient, *pieces[PIECES:], *pieces[:PIECES]), *([None] * len(pieces))


_gather.register_autograd(_gather_gradient, setup_context=_keep_pieces)


@torch.library.custom_op("roadgraph::attention_product", mutates_args=())
def _attend(weights: torch.Tensor, x: torch.Tensor, blocks: list[torch.Tensor]) -> torch.Tensor:
    return attention_sums(weights, x, HeadBlocks(*blocks[:BLOCKS]))


@_attend.register_fake
def _attend_shape(
    weights: torch.Tensor, x: torch.Tensor, blocks: list[torch.Tensor]
) -> torch.Tensor:
    del weights, blocks
    return torch.empty_like(x, memory_format=torch.contiguous_format)


@torch.library.custom_op("roadgraph::attention_gradients", mutates_args=())
def _attend_back(
    gradient: torch.Tensor, weights: torch.Tensor, x: torch.Tensor, blocks: list[torch.Tensor]
) -> tuple[torch.Tensor, torch.Tensor]:
    return attention_gradients(
        gradient, weights, x, HeadBlocks(*blocks[:BLOCKS]), HeadBlocks(*blocks[BLOCKS:])
    )


@_attend_back.register_fake
def _attend_back_shapes(
    gradient: torch.Tensor, weights: torch.Tensor, x: torch.Tensor, blocks: list[torch.Tensor]
) -> tuple[torch.Tensor, torch.Tensor]:
    del gradient, blocks
    return (
        torch.empty_like(weights, memory_format=torch.contiguous_format),
        torch.empty_like(x, memory_format=torch.contiguous_format),
    )


def _keep_all(ctx: Any, inputs: tuple[Any, ...], output: torch.Tensor) -> None:
    del output
    weights, x, blocks = inputs
    ctx.save_for_backward(weights, x, *blocks)


def _attend_gradient(
    ctx: Any, gradient: torch.Tensor
) -> tuple[torch.Tensor, torch.Tensor, list[None]]:
    weights, x, *blocks = ctx.saved_tensors
    of_weights, of_x = _attend_back(gradient, weights, x, blocks)
    return of_weights, of_x, [None] * len(blocks)


_attend.register_autograd(_attend_gradient, setup_context=_keep_all)
