"""What the benchmarks of one graph layer share; run those instead."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import limits
import torch
from made_city import streets_of
from measuring import machine, times_table
from pyg_peer import Links

from roadgraph.models.graph import Graph, road_graph

if TYPE_CHECKING:
    from collections.abc import Callable

    from measuring import Times

SEGMENTS, SLICES, WIDTH = 5_000, 16, 64
WARM_UP, REPEATS = 3, 9
LINEAR, COPY = "limit: the linear layer alone", "limit: a copy of 256 MiB"


@dataclass(frozen=True)
class Bench:
    """Features on a graph, for a layer of ours and for one of PyG's.

    Attributes:
        graph: of the made city.
        x: ``[N, B, F]``.
        stacked: the same slice by slice, ``[B * N, F]``.
        blocks: links ``[2, B * E]`` of a block-diagonal batch.
    """

    graph: Graph
    x: torch.Tensor
    stacked: torch.Tensor
    blocks: torch.Tensor

    @classmethod
    def on(cls, device: str) -> Bench:
        """Return the bench of one device."""
        roads = streets_of(SEGMENTS).road_graph()
        x = torch.randn(SEGMENTS, SLICES, WIDTH, device=device, requires_grad=True)
        stacked = x.detach().transpose(0, 1).reshape(-1, WIDTH).requires_grad_()
        links = Links.of(roads).edge_index
        offsets = SEGMENTS * torch.arange(SLICES)[:, None, None]
        blocks = (links[None] + offsets).permute(1, 0, 2).reshape(2, -1).to(device)
        return cls(road_graph(roads, "network").to(device), x, stacked, blocks)

    def by_segment(self, stacked: torch.Tensor) -> torch.Tensor:
        """Return PyG's answer ``[B * N, F]`` as ours, ``[N, B, F]``."""
        return stacked.view(SLICES, SEGMENTS, -1).transpose(0, 1)


def both_ways(layer: Callable[[], torch.Tensor]) -> Callable[[], None]:
    """Return a step that goes forward and backward through ``layer``."""
    pull = torch.randn_like(layer())
    return lambda: layer().backward(pull)


def print_machine(also: str = "") -> None:
    """Print what the figures hold for."""
    print(
        f"{SEGMENTS:,} segments of degree 3, links heard both ways, {SLICES} slices, {WIDTH} "
        f"wide{also}; {REPEATS} runs each, in turn; {machine('torch', 'torch_geometric')}"
    )


def print_layers(times: dict[str, Times], peer: str, device: str) -> None:
    """Print the times of layers on one device."""
    print(f"\n{device}:\n")
    print(times_table("layer, forward and backward", times, peer, "ms"), flush=True)


def bandwidth_line(times: dict[str, Times]) -> str:
    """Return the copy bandwidth in a sentence."""
    return f"Copying reads and writes {limits.copy_bandwidth(times[COPY]) / 1e9:.0f} GB/s."
