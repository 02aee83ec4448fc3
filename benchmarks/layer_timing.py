"""How the benchmarks of graph layers time a layer and show it beside PyG's; run those instead."""

from __future__ import annotations

import platform
import statistics
import time
from typing import TYPE_CHECKING

import torch

if TYPE_CHECKING:
    from collections.abc import Callable

SEGMENTS, DEGREE, SLICES, WIDTH = 5000, 3, 16, 64
WARM_UP, REPEATS = 3, 15


def device() -> str:
    """Return where the layers run."""
    return "cuda" if torch.cuda.is_available() else "cpu"


def random_roads() -> tuple[torch.Tensor, torch.Tensor]:
    """Return random links ``[2, E]``, and the same for a block of segments a slice."""
    index = torch.randint(0, SEGMENTS, (2, DEGREE * SEGMENTS))
    offsets = SEGMENTS * torch.arange(SLICES)[:, None, None]
    blocks = (index[None] + offsets).permute(1, 0, 2).reshape(2, -1)
    return index, blocks.to(device())


def random_features() -> tuple[torch.Tensor, torch.Tensor]:
    """Return ``[N, B, F]`` for our layers, and the same block by block for PyG's."""
    x = torch.randn(SEGMENTS, SLICES, WIDTH, device=device(), requires_grad=True)
    return x, x.detach().transpose(0, 1).reshape(-1, WIDTH).requires_grad_()


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


def print_table(rows: dict[str, list[float]], also: str = "") -> None:
    """Print the times of each layer as a Markdown table; the first one is PyG's."""
    base = statistics.median(next(iter(rows.values())))
    print(
        f"{SEGMENTS} segments of degree {DEGREE}, {SLICES} slices, {WIDTH} wide{also}; {device()}, "
        f"{torch.get_num_threads()} threads, torch {torch.__version__}, {platform.machine()}\n"
    )
    print("| layer, forward and backward | median, ms | min-max, ms | times as fast as PyG |")
    print("| --- | --- | --- | --- |")
    for name, times in rows.items():
        median = statistics.median(times)
        print(
            f"| {name} | {median:.1f} | {min(times):.1f}-{max(times):.1f} | {base / median:.1f} |"
        )
