"""A training step of `gcn` and `gat`, against the same model with PyG's layers and loader.

    python benchmarks/training_step.py [--repeats 5]

A step is the next batch, its windows, noise, forward, loss of all tasks, backward, clipping and
AdamW. Ours is that of the product's own `ForecastModule`. The peer has PyG's `GCNConv` and
`GATConv`, torch's dropout, and PyG's `DataLoader` over a `Data` object a sample, which joins a
batch to one graph of 16 blocks; weights, losses and optimiser are ours. Both give the same numbers
to 1e-5 before anything is measured. `mlp` has a linear layer where `gcn` has its own. The limit is
the matrix products of `mlp`'s linear layers alone, which each of them has to compute.
"""

from __future__ import annotations

import argparse
from typing import TYPE_CHECKING

import limits
import pyg_peer
import torch
from made_city import made_dataset, made_settings, streets_of
from measuring import Asked, asked_table, devices, in_turn, machine, times_table
from product_step import our_step

from roadgraph.training.batches import windows
from roadgraph.training.loop import TrainingJob, untrained
from roadgraph.training.module import ForecastModule

if TYPE_CHECKING:
    from collections.abc import Callable

    from measuring import Times

    from roadgraph.dataset.dataset import Dataset
    from roadgraph.models.multitask import MultiTaskModel
    from roadgraph.settings import Settings

    Change = Callable[[MultiTaskModel], MultiTaskModel]

SEGMENTS, BATCH, SLICES = 5_000, 16, 60
GRAPH_MODELS = ("gcn", "gat")
ON_CPU = {"gcn": 6.0, "gat": 2.5}  # times as fast as PyG
ON_GPU = {"gcn": 6.0, "gat": 3.0}
OF_MLP = 1.6
GPU_OF_CPU = 30.0
LIMIT = "limit: the dense layers of mlp alone"


def settings_of(name: str) -> Settings:
    """Return the settings of a model of the size ``enhanced``."""
    return made_settings(name, "enhanced", training={"batch_size": BATCH, "device": "cpu"})


def module_of(name: str, dataset: Dataset, change: Change = lambda own: own) -> ForecastModule:
    """Return the product's module of a model, which ``change`` may replace."""
    settings = settings_of(name)
    model, graph = untrained(TrainingJob(dataset, settings, "cpu"))
    return ForecastModule(change(model), graph, dataset, settings.training)


def origins_of(dataset: Dataset) -> torch.Tensor:
    """Return where to train, whole batches of it."""
    origins = dataset.splits.train.origins(dataset.window, max(dataset.horizons))
    return torch.from_numpy(origins[: len(origins) // BATCH * BATCH])


def check(module: ForecastModule, dataset: Dataset) -> None:
    """See that the peer of a model gives its numbers."""
    model = module.model.eval()
    peer = pyg_peer.with_pyg_layers(model).eval()
    x = windows(module.inputs, torch.tensor([SLICES - 1]), dataset.window)
    with torch.no_grad():
        ours = model(x, module.tiles[0])
        theirs = peer(x, pyg_peer.Links.of(dataset.graph))
    torch.testing.assert_close(ours, theirs, atol=1e-5, rtol=1e-5)


def steps_on(dataset: Dataset, device: str, bf16: bool) -> dict[str, Callable[[], object]]:
    """Return what is measured, by name."""
    origins = origins_of(dataset)
    steps: dict[str, Callable[[], object]] = {}
    for name in GRAPH_MODELS:
        module = module_of(name, dataset)
        check(module, dataset)
        peer = pyg_peer.with_pyg_layers(module.model)
        options = module.settings
        steps[peer_of(name)] = pyg_peer.training_step(peer, dataset, origins, options, device, bf16)
        steps[ours_of(name)] = our_step(module, origins, device, bf16)
        with_theirs = module_of(name, dataset, pyg_peer.with_torch_dropout)
        steps[f"{ours_of(name)}, torch's dropout"] = our_step(with_theirs, origins, device, bf16)
    mlp = module_of("mlp", dataset)
    x = windows(mlp.inputs, origins[:BATCH], dataset.window)
    with torch.no_grad():
        dense = limits.dense_products(mlp.model.to(device), x.to(device), mlp.tiles[0], bf16)
    return steps | {ours_of("mlp"): our_step(mlp, origins, device, bf16), LIMIT: dense}


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


def compare_devices(dataset: Dataset, repeats: int) -> None:
    """Print how much faster a GPU is than this CPU with `roadnet`."""
    names = devices()
    steps: dict[str, Callable[[], object]] = {
        name: our_step(module_of("roadnet", dataset), origins_of(dataset), name) for name in names
    }
    times = in_turn(steps, repeats, warm_up=2)
    print(f"\n{times_table('training step of roadnet enhanced', times, 'cpu', 'ms')}")
    reached = times["cpu"].median / times["cuda"].median if "cuda" in times else None
    row = Asked("a training step of `roadnet` on a GPU", "these cores", GPU_OF_CPU, reached)
    print(asked_table([row]), flush=True)


def main() -> None:
    """Measure and print Markdown tables."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--repeats", type=int, default=5)
    repeats = parser.parse_args().repeats
    torch.manual_seed(0)
    streets = streets_of(SEGMENTS)
    dataset = made_dataset(streets, SLICES, settings_of("gcn"))
    print(
        f"{SEGMENTS:,} segments, batch {BATCH}, window {dataset.window}, "
        f"{dataset.inputs.shape[2]} channels; {repeats} steps each, in turn; "
        f"{machine('torch', 'torch_geometric')}"
    )
    for device in devices():
        for bf16 in (False, True) if device == "cuda" else (False,):
            times = in_turn(steps_on(dataset, device, bf16), repeats, warm_up=2)
            print_results(times, device, bf16)
    compare_devices(dataset, repeats)


if __name__ == "__main__":
    main()
