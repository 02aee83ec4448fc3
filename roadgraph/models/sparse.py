"""Products with the sparse matrices of a static graph, for all slices of a batch at once.

They always count in the matrix's own precision: under mixed precision torch has no half-precision
sparse product on the CPU, and sums over many neighbours would lose digits.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import torch

if TYPE_CHECKING:
    from roadgraph.models.graph import HeadBlocks, HeadPairs, Operator

BLOCK_BYTES = 4 * 2**20
"""So much of the features is multiplied at once on the CPU: what a row gathers, rows near it gather
too, and should still be in the cache."""


class _SparseProduct(torch.autograd.Function):
    """``gather @ x`` whose gradient is ``scatter @ grad``."""

    @staticmethod
    def forward(
        ctx: Any, x: torch.Tensor, gather: torch.Tensor, scatter: torch.Tensor
    ) -> torch.Tensor:
        ctx.scatter = scatter
        return product_by_blocks(gather, x)

    @staticmethod
    def backward(ctx: Any, *gradients: torch.Tensor) -> tuple[torch.Tensor, None, None]:
        return product_by_blocks(ctx.scatter, gradients[0]), None, None


def sparse_product(operator: Operator, x: torch.Tensor) -> torch.Tensor:
    """Return what every segment gathers, ``[N, B, F]`` of ``[N, B, F]``.

    It is in the operator's precision.
    """
    if torch.compiler.is_compiling():
        from roadgraph.models.traceable import traced_product

        return traced_product(operator, x)
    x = x.to(operator.gather.dtype)
    product: torch.Tensor = _SparseProduct.apply(x, operator.gather, operator.scatter)  # type: ignore[no-untyped-call]
    return product


def product_by_blocks(matrix: torch.Tensor, x: torch.Tensor) -> torch.Tensor:
    """Return the product of a CSR matrix ``[N, N]`` with ``x [N, B, F]`` for all slices."""
    x = x.contiguous()
    with torch.autocast(x.device.type, enabled=False):
        if x.device.type != "cpu":
            return (matrix @ x.flatten(1)).view_as(x)
        answer = torch.empty_like(x)
        slices = max(BLOCK_BYTES // max(x[:, 0].nbytes, 1), 1)
        for block, of_block in zip(x.split(slices, 1), answer.split(slices, 1), strict=True):
            target = of_block.flatten(1)
            # With another tensor, or without ``out``, torch would write zeros first and copy.
            torch.addmm(target, matrix, block.flatten(1), beta=0, out=target)
        return answer


class _AttentionProduct(torch.autograd.Function):
    """Sums over the neighbours by weights that have a gradient too."""

    @staticmethod
    def forward(ctx: Any, weights: torch.Tensor, x: torch.Tensor, pairs: HeadPairs) -> torch.Tensor:
        ctx.save_for_backward(weights, x)
        ctx.pairs = pairs
        return attention_sums(weights, x, pairs.gather)

    @staticmethod
    def backward(ctx: Any, *gradients: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor, None]:
        weights, x = ctx.saved_tensors
        gather, scatter = ctx.pairs.gather, ctx.pairs.scatter
        return *attention_gradients(gradients[0], weights, x, gather, scatter), None


def attention_product(weights: torch.Tensor, x: torch.Tensor, pairs: HeadPairs) -> torch.Tensor:
    """Return the weighted sums over the neighbours, ``[N, B, heads, C]``.

    Args:
        weights: ``[E, B, heads]`` of every pair of ``pairs``.
        x: ``[N, B, heads, C]``, of the same dtype.
        pairs: who hears whom.
    """
    if torch.compiler.is_compiling():
        from roadgraph.models.traceable import traced_attention

        return traced_attention(weights, x, pairs)
    product: torch.Tensor = _AttentionProduct.apply(weights, x, pairs)  # type: ignore[no-untyped-call]
    return product


def attention_sums(weights: torch.Tensor, x: torch.Tensor, gather: HeadBlocks) -> torch.Tensor:
    """Return the weighted sums by one CSR product a slice over all heads.

    A slice at a time, so that what is read again and again stays in the cache. Shapes as in
    :func:`attention_product`.
    """
    answer = torch.empty(x.shape, dtype=x.dtype, device=x.device)
    with torch.autocast(x.device.type, enabled=False):
        for place in range(x.shape[1]):
            matrix = gather.matrix(weights[:, place])
            _multiply_into(answer[:, place], matrix, x[:, place].flatten(0, 1))
    return answer


def attention_gradients(
    gradient: torch.Tensor,
    weights: torch.Tensor,
    x: torch.Tensor,
    gather: HeadBlocks,
    scatter: HeadBlocks,
) -> tuple[torch.Tensor, torch.Tensor]:
    """Return the gradients of ``weights`` (a sampled dense product a slice) and of ``x``."""
    of_weights = torch.empty(weights.shape, dtype=weights.dtype, device=weights.device)
    of_x = torch.empty(x.shape, dtype=x.dtype, device=x.device)
    with torch.autocast(x.device.type, enabled=False):
        for place in range(x.shape[1]):
            pull = gradient[:, place].flatten(0, 1)  # [N * heads, C]
            sampled = torch.sparse.sampled_addmm(
                gather.matrix(weights[:, place]), pull, x[:, place].flatten(0, 1).T, beta=0.0
            )
            of_weights[:, place] = gather.by_pair(sampled.values(), weights[:, place])
            _multiply_into(of_x[:, place], scatter.matrix(weights[:, place]), pull)
    return of_weights, of_x


def _multiply_into(target: torch.Tensor, matrix: torch.Tensor, x: torch.Tensor) -> None:
    """Write ``matrix @ x`` into ``target [N, heads, C]``."""
    if target.is_contiguous() and x.device.type == "cpu":
        rows = target.flatten(0, 1)
        torch.addmm(rows, matrix, x, beta=0, out=rows)
    else:
        target.copy_((matrix @ x).view_as(target))
