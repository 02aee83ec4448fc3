"""Products with the sparse matrices of a static graph, for all slices of a batch at once.

They always count in the matrix's own precision: under mixed precision torch has no half-precision
sparse product on the CPU, and sums over many neighbours would lose digits.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import torch

if TYPE_CHECKING:
    from roadgraph.models.graph import HeadPairs, Operator


class _SparseProduct(torch.autograd.Function):
    """``gather @ x`` whose gradient is ``scatter @ grad``, both by one CSR product."""

    @staticmethod
    def forward(
        ctx: Any, x: torch.Tensor, gather: torch.Tensor, scatter: torch.Tensor
    ) -> torch.Tensor:
        ctx.scatter = scatter
        with torch.autocast(x.device.type, enabled=False):
            return gather @ x

    @staticmethod
    def backward(ctx: Any, *gradients: torch.Tensor) -> tuple[torch.Tensor, None, None]:
        with torch.autocast(gradients[0].device.type, enabled=False):
            return ctx.scatter @ gradients[0], None, None


def sparse_product(operator: Operator, x: torch.Tensor) -> torch.Tensor:
    """Return ``operator.gather @ x``, ``[N, M]`` of ``[N, M]``, in the operator's precision."""
    x = x.to(operator.gather.dtype)
    product: torch.Tensor = _SparseProduct.apply(x, operator.gather, operator.scatter)  # type: ignore[no-untyped-call]
    return product


class _AttentionProduct(torch.autograd.Function):
    """One CSR product a slice over all heads; the gradient of the weights is a sampled one."""

    @staticmethod
    def forward(ctx: Any, weights: torch.Tensor, x: torch.Tensor, pairs: HeadPairs) -> torch.Tensor:
        ctx.save_for_backward(weights, x)
        ctx.pairs = pairs
        answer = torch.empty_like(x)
        with torch.autocast(x.device.type, enabled=False):
            for place in range(x.shape[1]):
                product = pairs.gather.matrix(weights[:, place]) @ x[:, place].flatten(0, 1)
                answer[:, place] = product.view_as(answer[:, place])
        return answer

    @staticmethod
    def backward(ctx: Any, *gradients: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor, None]:
        (gradient,) = gradients
        weights, x = ctx.saved_tensors
        gather, scatter = ctx.pairs.gather, ctx.pairs.scatter
        of_weights, of_x = torch.empty_like(weights), torch.empty_like(x)
        with torch.autocast(x.device.type, enabled=False):
            for place in range(x.shape[1]):
                pull = gradient[:, place].flatten(0, 1)  # [N * heads, C]
                sampled = torch.sparse.sampled_addmm(
                    gather.matrix(weights[:, place]), pull, x[:, place].flatten(0, 1).T, beta=0.0
                )
                of_weights[:, place] = gather.by_pair(sampled.values(), weights[:, place])
                product = scatter.matrix(weights[:, place]) @ pull
                of_x[:, place] = product.view_as(of_x[:, place])
        return of_weights, of_x, None


def attention_product(weights: torch.Tensor, x: torch.Tensor, pairs: HeadPairs) -> torch.Tensor:
    """Return the weighted sums over the neighbours, ``[N, B, heads, C]``.

    A slice at a time, so that what is read again and again stays in the cache.

    Args:
        weights: ``[E, B, heads]`` of every pair of ``pairs``.
        x: ``[N, B, heads, C]``, of the same dtype.
        pairs: who hears whom.
    """
    product: torch.Tensor = _AttentionProduct.apply(weights, x, pairs)  # type: ignore[no-untyped-call]
    return product
