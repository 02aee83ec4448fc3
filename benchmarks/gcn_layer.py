"""One GCN layer over all slices of a batch, against PyG's on a block-diagonal batch.

    python benchmarks/gcn_layer.py

Prints medians of forward and backward, their spread, and the ratio to PyG in the same run; the
limit is the linear layer alone, which every variant has to compute. Then the sparse product alone:
how much of the bandwidth of a plain copy it reaches, first counting every feature as read once and
written once, then counting a read for every neighbour that hears of it.
"""

from __future__ import annotations

import limits
import torch
from measuring import Asked, asked_table, devices, in_turn, times_table
from one_layer import (
    COPY,
    LINEAR,
    REPEATS,
    SLICES,
    WARM_UP,
    WIDTH,
    Bench,
    bandwidth_line,
    both_ways,
    print_layers,
    print_machine,
)
from torch_geometric.nn import GCNConv as PyGGCNConv

from roadgraph.models.layers import GCNConv
from roadgraph.models.sparse import sparse_product

PEER, OURS = "PyG GCNConv, block-diagonal batch", "roadgraph GCNConv, one CSR product"
SHARE_ON_GPU = 60.0  # per cent of the copy bandwidth


def measure_layers(bench: Bench, device: str) -> None:
    """Print the table of the layers."""
    theirs = PyGGCNConv(WIDTH, WIDTH).to(device)
    ours = GCNConv(WIDTH, WIDTH).to(device)
    ours.load_state_dict(theirs.state_dict())
    linear = torch.nn.Linear(WIDTH, WIDTH).to(device)
    expected = bench.by_segment(theirs(bench.stacked, bench.blocks))
    torch.testing.assert_close(ours(bench.x, bench.graph), expected, atol=1e-5, rtol=1e-5)
    steps = {
        PEER: both_ways(lambda: theirs(bench.stacked, bench.blocks)),
        OURS: both_ways(lambda: ours(bench.x, bench.graph)),
        LINEAR: both_ways(lambda: linear(bench.x)),
    }
    print_layers(in_turn(steps, REPEATS, WARM_UP), PEER, device)


def measure_product(bench: Bench, device: str) -> None:
    """Print how near the product with the sparse matrix comes to a copy."""
    operator, x = bench.graph.symmetric, bench.x.detach()
    product = "the sparse product alone, forward"
    steps = {product: lambda: sparse_product(operator, x), COPY: limits.copy(device)}
    times = in_turn(steps, REPEATS, WARM_UP)
    bandwidth = limits.copy_bandwidth(times[COPY])
    shares = [
        100 * counted / times[product].median / bandwidth
        for counted in limits.product_bytes(operator, SLICES * WIDTH)
    ]
    print(times_table("product", times, unit="ms"))
    print(
        f"{bandwidth_line(times)} The product reaches {shares[0]:.0f} % of it with every feature "
        f"read once, {shares[1]:.0f} % with a read for every neighbour.\n"
    )
    if device != "cpu":
        what = "share of the copy bandwidth in the sparse product, a read for every neighbour"
        row = Asked(what, "a copy on the same GPU", SHARE_ON_GPU, shares[1], unit="%")
        print(asked_table([row]), flush=True)


def main() -> None:
    """Measure in turn and print Markdown tables."""
    torch.manual_seed(0)
    print_machine()
    for device in devices():
        bench = Bench.on(device)
        measure_layers(bench, device)
        measure_product(bench, device)


if __name__ == "__main__":
    main()
