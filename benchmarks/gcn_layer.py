"""One GCN layer over all slices of a batch, against PyG's on a block-diagonal batch.

    python benchmarks/gcn_layer.py

Prints medians of forward and backward, their spread, and the ratio to PyG in the same run; the
limit is the linear layer alone, which every variant has to compute.
"""

from __future__ import annotations

import platform
import statistics
import time
from typing import TYPE_CHECKING

import torch
from torch_geometric.nn import GCNConv as PyGGCNConv

from roadgraph.models.graph import normalised_graph
from roadgraph.models.layers import GCNConv

if TYPE_CHECKING:
    from collections.abc import Callable

SEGMENTS, DEGREE, SLICES, WIDTH = 5000, 3, 16, 64
WARM_UP, REPEATS = 3, 15


def milliseconds(step: Callable[[], torch.Tensor]) -> list[float]:
    """Return the time of forward and backward of ``step``, a number a repetition."""
    times = []
    for repeat in range(WARM_UP + REPEATS):
        start = time.perf_counter()
        step().sum().backward()
        if torch.cuda.is_available():
            torch.cuda.synchronize()
        if repeat >= WARM_UP:
            times.append(1000 * (time.perf_counter() - start))
    return times


def main() -> None:
    """Measure in turn and print a Markdown table."""
    torch.manual_seed(0)
    device = "cuda" if torch.cuda.is_available() else "cpu"
    index = torch.randint(0, SEGMENTS, (2, DEGREE * SEGMENTS))
    offsets = SEGMENTS * torch.arange(SLICES)[:, None, None]
    blocks = (index[None] + offsets).permute(1, 0, 2).reshape(2, -1).to(device)
    graph = normalised_graph(index, None, SEGMENTS).to(device)
    ours = GCNConv(WIDTH, WIDTH).to(device)
    theirs = PyGGCNConv(WIDTH, WIDTH).to(device)
    linear = torch.nn.Linear(WIDTH, WIDTH).to(device)
    x = torch.randn(SEGMENTS, SLICES, WIDTH, device=device, requires_grad=True)
    stacked = x.detach().transpose(0, 1).reshape(-1, WIDTH).requires_grad_()
    rows = {
        "PyG GCNConv, block-diagonal batch": milliseconds(lambda: theirs(stacked, blocks)),
        "roadgraph GCNConv, one CSR product": milliseconds(lambda: ours(x, graph)),
        "limit: the linear layer alone": milliseconds(lambda: linear(x)),
    }
    base = statistics.median(rows["PyG GCNConv, block-diagonal batch"])
    print(
        f"{SEGMENTS} segments of degree {DEGREE}, {SLICES} slices, {WIDTH} wide; {device}, "
        f"{torch.get_num_threads()} threads, torch {torch.__version__}, {platform.machine()}\n"
    )
    print("| layer, forward and backward | median, ms | min-max, ms | times as fast as PyG |")
    print("| --- | --- | --- | --- |")
    for name, times in rows.items():
        median = statistics.median(times)
        print(
            f"| {name} | {median:.1f} | {min(times):.1f}-{max(times):.1f} | {base / median:.1f} |"
        )


if __name__ == "__main__":
    main()
