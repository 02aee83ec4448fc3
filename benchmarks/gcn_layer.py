"""One GCN layer over all slices of a batch, against PyG's on a block-diagonal batch.

    python benchmarks/gcn_layer.py

Prints medians of forward and backward, their spread, and the ratio to PyG in the same run; the
limit is the linear layer alone, which every variant has to compute.
"""

from __future__ import annotations

import torch
from layer_timing import (
    SEGMENTS,
    WIDTH,
    device,
    milliseconds,
    print_table,
    random_features,
    random_roads,
)
from torch_geometric.nn import GCNConv as PyGGCNConv

from roadgraph.models.graph import normalised_graph
from roadgraph.models.layers import GCNConv


def main() -> None:
    """Measure in turn and print a Markdown table."""
    torch.manual_seed(0)
    index, blocks = random_roads()
    graph = normalised_graph(index, None, SEGMENTS).to(device())
    ours = GCNConv(WIDTH, WIDTH).to(device())
    theirs = PyGGCNConv(WIDTH, WIDTH).to(device())
    linear = torch.nn.Linear(WIDTH, WIDTH).to(device())
    x, stacked = random_features()
    print_table(
        {
            "PyG GCNConv, block-diagonal batch": milliseconds(lambda: theirs(stacked, blocks)),
            "roadgraph GCNConv, one CSR product": milliseconds(lambda: ours(x, graph)),
            "limit: the linear layer alone": milliseconds(lambda: linear(x)),
        }
    )


if __name__ == "__main__":
    main()
