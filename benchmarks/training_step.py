"""A training step of `gcn` and `gat`, against the same model with PyG's layers and loader.

    python benchmarks/training_step.py [--repeats 5] [--compile]

Every model trains in a process of its own; they take turns, a step each. A step is the next batch,
its windows, noise, forward, loss of all tasks, backward, clipping and AdamW. Ours is that of the
product's own `ForecastModule`. The peer has PyG's `GCNConv` and `GATConv`, torch's dropout, and
PyG's `DataLoader` over a `Data` object a sample, which joins a batch to one graph of 16 blocks;
weights, losses and optimiser are ours. Both give the same numbers to 1e-5 before anything is
measured. `mlp` has a linear layer where `gcn` has its own. The limit is the matrix products of
`mlp`'s linear layers alone, which each of them has to compute.
"""

from __future__ import annotations

import argparse
from functools import partial
from typing import TYPE_CHECKING

import limits
import pyg_peer
import torch
from made_city import made_dataset, made_settings, streets_of
from measuring import Asked, apart, asked_table, devices, in_turn, machine, times_table
from product_step import our_step

from roadgraph.training.compilation import MODES
from roadgraph.training.loop import TrainingJob, untrained
from roadgraph.training.module import ForecastModule

if TYPE_CHECKING:
    from collections.abc import Callable

    from measuring import Times

    from roadgraph.dataset.dataset import Dataset
    from roadgraph.models.graph import Graph
    from roadgraph.models.multitask import MultiTaskModel
    from roadgraph.settings import Settings

    Maker = Callable[[], Callable[[], object]]

SEGMENTS, BATCH, SLICES = 5_000, 16, 60
WARM_UP = 1
GRAPH_MODELS = ("gcn", "gat")
ON_CPU = {"gcn": 6.0, "gat": 2.5}  # times as fast as PyG
ON_GPU = {"gcn": 6.0, "gat": 3.0}
OF_MLP = 1.6
GPU_OF_CPU = 30.0
LIMIT = "limit: the dense layers of mlp alone"


def settings_of(name: str) -> Settings:
    """Return the settings of a model of the size ``enhanced``."""
    return made_settings(name, "enhanced", training={"batch_size": BATCH, "device": "cpu"})


def made(name: str) -> tuple[Dataset, MultiTaskModel, Graph]:
    """Return the data, and an untrained model with its graph."""
    settings = settings_of(name)
    dataset = made_dataset(streets_of(SEGMENTS), SLICES, settings)
    return dataset, *untrained(TrainingJob(dataset, settings, "cpu"))


def origins_of(dataset: Dataset) -> torch.Tensor:
    """Return where to train, whole batches of it."""
    origins = dataset.splits.train.origins(dataset.window, max(dataset.horizons))
    return torch.from_numpy(origins[: len(origins) // BATCH * BATCH])


def ours(
    name: str,
    device: str,
    bf16: bool = False,
    torch_dropout: bool = False,
    compiled: str | None = None,
) -> Callable[[], None]:
    """Return the product's training step."""
    dataset, model, graph = made(name)
    if torch_dropout:
        model = pyg_peer.with_torch_dropout(model)
    module = ForecastModule(model, graph, dataset, settings_of(name).training)
    return our_step(module, origins_of(dataset), device, bf16, compiled)


def theirs(name: str, device: str, bf16: bool = False) -> Callable[[], None]:
    """Return the peer's training step, after it has given our model's numbers."""
    dataset, model, graph = made(name)
    peer = pyg_peer.with_pyg_layers(model)
    x = torch.randn(1, dataset.window, SEGMENTS, dataset.inputs.shape[2])
    with torch.no_grad():
        torch.testing.assert_close(
            model.eval()(x, graph),
            peer.eval()(x, pyg_peer.Links.of(dataset.graph)),
            atol=1e-5,
            rtol=1e-5,
        )
    options = settings_of(name).training
    return pyg_peer.training_step(peer, dataset, origins_of(dataset), options, device, bf16)


def dense_layers(device: str, bf16: bool = False) -> Callable[[], None]:
    """Return the limit."""
    dataset, model, graph = made("mlp")
    x = torch.randn(BATCH, dataset.window, SEGMENTS, dataset.inputs.shape[2], device=device)
    return limits.dense_products(model.to(device), x, graph, bf16)


def makers_on(device: str, bf16: bool, compiled: tuple[str, ...]) -> dict[str, Maker]:
    """Return what is measured, by name."""
    makers: dict[str, Maker] = {}
    for name in GRAPH_MODELS:
        makers[peer_of(name)] = partial(theirs, name, device, bf16)
        makers[ours_of(name)] = partial(ours, name, device, bf16)
        makers[f"{ours_of(name)}, torch's dropout"] = partial(ours, name, device, bf16, True)
        for mode in compiled:
            again = partial(ours, name, device, bf16, compiled=mode)
            makers[f"{ours_of(name)}, torch.compile {mode}"] = again
    makers[ours_of("mlp")] = partial(ours, "mlp", device, bf16)
    return makers | {LIMIT: partial(dense_layers, device, bf16)}


def peer_of(name: str) -> str:
    """Return how a peer is called."""
    return f"{name}: PyG's layers and loader"


def ours_of(name: str) -> str:
    """Return how one of ours is called."""
    return f"{name}: roadgraph"


def print_results(times: dict[str, Times], device: str, bf16: bool) -> None:
    """Print the table of one device and precision, and what was asked."""
    base = times[ours_of("mlp")].median
    faster, of_mlp = {}, {}
    for name, own in times.items():
        of_mlp[name] = f"{own.median / base:.2f}"
        kind = name.partition(":")[0]
        if kind in GRAPH_MODELS:
            faster[name] = f"{times[peer_of(kind)].median / own.median:.1f}"
    where = f"{device}, {'bf16' if bf16 else 'float32'}"
    columns = {"times as fast as PyG": faster, "times mlp's": of_mlp}
    print(f"\n{where}:\n")
    print(times_table("training step", times, unit="ms", more=columns), flush=True)
    bounds = ON_CPU if device == "cpu" else ON_GPU
    asked = [
        Asked(
            f"a training step of `{name}` enhanced ({where})",
            "PyG's layers and `DataLoader`",
            bounds[name],
            times[peer_of(name)].median / times[ours_of(name)].median,
        )
        for name in GRAPH_MODELS
    ]
    if device == "cpu":
        ratio = times[ours_of("gcn")].median / base
        asked.append(
            Asked("a training step of `gcn` enhanced", "`mlp` enhanced", OF_MLP, ratio, False)
        )
    print(asked_table(asked), flush=True)


def compare_devices(repeats: int) -> None:
    """Print how much faster a GPU is than this CPU with `roadnet`."""
    with apart({device: partial(ours, "roadnet", device) for device in devices()}) as steps:
        times = in_turn(steps, repeats, WARM_UP)
    print(times_table("training step of roadnet enhanced", times, "cpu", "ms"))
    reached = times["cpu"].median / times["cuda"].median if "cuda" in times else None
    row = Asked("a training step of `roadnet` on a GPU", "these cores", GPU_OF_CPU, reached)
    print(asked_table([row]), flush=True)


def main() -> None:
    """Measure and print Markdown tables."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--repeats", type=int, default=5)
    parser.add_argument("--compile", action="store_true", help="torch.compile on the CPU too")
    given = parser.parse_args()
    data = made_dataset(streets_of(SEGMENTS), SLICES, settings_of("gcn"))
    print(
        f"{SEGMENTS:,} segments, batch {BATCH}, window {data.window}, {data.inputs.shape[2]} "
        f"channels; {given.repeats} steps each, in turn, each in a process of its own; "
        f"{machine('torch', 'torch_geometric')}"
    )
    for device in devices():
        gpu = device == "cuda"
        compiled = tuple(MODES.values()) if gpu else (MODES["on"],) if given.compile else ()
        for bf16 in (False, True) if gpu else (False,):
            with apart(makers_on(device, bf16, compiled)) as steps:
                print_results(in_turn(steps, given.repeats, WARM_UP), device, bf16)
    compare_devices(given.repeats)


if __name__ == "__main__":
    main()
