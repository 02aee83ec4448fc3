"""One GAT layer over all slices of a batch, against PyG's on a block-diagonal batch.

    python benchmarks/gat_layer.py

Prints medians of forward and backward, their spread, and the ratio to PyG in the same run, for the
layer as it is and for the ways of summing over neighbours that were tried and are exact too; the
limit is the linear layer alone, which every variant has to compute.
"""

from __future__ import annotations

from typing import TYPE_CHECKING
from unittest import mock

import torch
from measuring import devices, in_turn
from one_layer import (
    LINEAR,
    REPEATS,
    WARM_UP,
    WIDTH,
    Bench,
    both_ways,
    print_layers,
    print_machine,
)
from torch.nn import functional
from torch_geometric.nn import GATConv as PyGGATConv

from roadgraph.models import layers
from roadgraph.models.edge_index import csr_matrix
from roadgraph.models.graph import HeadPairs
from roadgraph.models.sparse import attention_product

if TYPE_CHECKING:
    from collections.abc import Callable

    Product = Callable[[torch.Tensor, torch.Tensor, HeadPairs], torch.Tensor]

HEADS = 4


def edge_messages(weights: torch.Tensor, x: torch.Tensor, pairs: HeadPairs) -> torch.Tensor:
    """Sum over neighbours by writing every message out, as PyG does."""
    target = torch.repeat_interleave(pairs.adjacency.crow_indices().diff())
    messages = weights.unsqueeze(-1) * x[pairs.adjacency.col_indices()]
    return torch.zeros_like(x).index_add(0, target, messages)


class _HeadProduct(torch.autograd.Function):
    """One CSR product a head and slice."""

    @staticmethod
    def forward(
        ctx: torch.autograd.function.FunctionCtx,
        weights: torch.Tensor,
        x: torch.Tensor,
        pattern: torch.Tensor,
    ) -> torch.Tensor:
        rows, columns, size = pattern.crow_indices(), pattern.col_indices(), len(x)
        planes = x.flatten(1, 2).transpose(0, 1).contiguous()  # [B * heads, N, C]
        values = weights.flatten(1).T.contiguous()  # [B * heads, E]
        ctx.save_for_backward(values, planes)
        ctx.pattern = pattern  # type: ignore[attr-defined]
        products = [
            csr_matrix(rows, columns, value, size) @ plane
            for value, plane in zip(values, planes, strict=True)
        ]
        answer = torch.empty_like(x)  # no view, so that a bias can be added in place
        torch.stack(products, dim=1, out=answer.flatten(1, 2))
        return answer

    @staticmethod
    def backward(
        ctx: torch.autograd.function.FunctionCtx, gradient: torch.Tensor
    ) -> tuple[torch.Tensor, torch.Tensor, None]:
        values, planes = ctx.saved_tensors  # type: ignore[attr-defined]
        pattern = ctx.pattern  # type: ignore[attr-defined]
        rows, columns, size = pattern.crow_indices(), pattern.col_indices(), planes.shape[1]
        target = torch.repeat_interleave(rows.diff())
        order = torch.argsort(columns, stable=True)
        begins = torch.zeros_like(rows)
        begins[1:] = torch.bincount(columns, minlength=size).cumsum(0)
        pulls = gradient.flatten(1, 2).transpose(0, 1).contiguous()
        of_values, of_planes = [], []
        for value, plane, pull in zip(values, planes, pulls, strict=True):
            matrix = csr_matrix(begins, target[order], value[order], size)
            of_planes.append(matrix @ pull)
            of_values.append((pull[target] * plane[columns]).sum(-1))
        shape = gradient.shape
        of_weights = torch.stack(of_values, dim=1).view(-1, *shape[1:3])
        return of_weights, torch.stack(of_planes, dim=1).view(shape), None


def head_products(weights: torch.Tensor, x: torch.Tensor, pairs: HeadPairs) -> torch.Tensor:
    """Sum over neighbours by one CSR product a head and slice."""
    product: torch.Tensor = _HeadProduct.apply(weights, x, pairs.adjacency)  # type: ignore[no-untyped-call]
    return product


def embedding_bags(weights: torch.Tensor, x: torch.Tensor, pairs: HeadPairs) -> torch.Tensor:
    """Sum over neighbours as weighted bags of embeddings, a slice at a time."""
    block = pairs.gather
    slices = [
        functional.embedding_bag(
            block.columns,
            x[:, place].flatten(0, 1),
            block.rows[:-1],
            mode="sum",
            per_sample_weights=weights[:, place].flatten()[block.place],
        ).view_as(x[:, place])
        for place in range(x.shape[1])
    ]
    return torch.stack(slices, dim=1)


def with_product(
    layer: torch.nn.Module, bench: Bench, product: Product
) -> Callable[[], torch.Tensor]:
    """Return the layer with another way to sum over neighbours."""

    def forward() -> torch.Tensor:
        with mock.patch.object(layers, "attention_product", product):
            return layer(bench.x, bench.graph)

    return forward


def measure(device: str) -> None:
    """Print the table of one device."""
    bench = Bench.on(device)
    theirs = PyGGATConv(WIDTH, WIDTH // HEADS, heads=HEADS).to(device)
    ours = layers.GATConv(WIDTH, WIDTH // HEADS, HEADS).to(device)
    ours.load_state_dict(theirs.state_dict())
    linear = torch.nn.Linear(WIDTH, WIDTH).to(device)
    expected = bench.by_segment(theirs(bench.stacked, bench.blocks))
    steps = {PEER: both_ways(lambda: theirs(bench.stacked, bench.blocks))}
    for name, product in PRODUCTS.items():
        forward = with_product(ours, bench, product)
        torch.testing.assert_close(forward(), expected, atol=1e-5, rtol=1e-5)
        steps[name] = both_ways(forward)
    steps[LINEAR] = both_ways(lambda: linear(bench.x))
    print_layers(in_turn(steps, REPEATS, WARM_UP), PEER, device)


PEER = "PyG GATConv, block-diagonal batch"
PRODUCTS: dict[str, Product] = {
    "roadgraph GATConv, one CSR product a slice": attention_product,
    "tried: one CSR product a head and slice": head_products,
    "tried: bags of embeddings": embedding_bags,
    "tried: every message written out": edge_messages,
}


def main() -> None:
    """Measure in turn and print a Markdown table for each device."""
    torch.manual_seed(0)
    print_machine(f", {HEADS} heads")
    for device in devices():
        measure(device)


if __name__ == "__main__":
    main()
