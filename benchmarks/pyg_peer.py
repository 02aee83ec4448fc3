"""The peer of the benchmarks: our model with PyTorch Geometric's layers and its loader.

What one writes with PyG: its ``GCNConv`` and ``GATConv``, torch's own dropout, and a ``Data``
object a sample, which its ``DataLoader`` joins to one graph of as many blocks as there are samples.
All else of the model, its weights and the losses are ours.
"""

from __future__ import annotations

from copy import deepcopy
from dataclasses import dataclass
from itertools import chain, repeat
from typing import TYPE_CHECKING

import torch
from torch import nn
from torch_geometric.data import Data
from torch_geometric.loader import DataLoader
from torch_geometric.nn import GATConv as PyGGATConv
from torch_geometric.nn import GCNConv as PyGGCNConv

from roadgraph.models.dropout import Dropout
from roadgraph.models.layers import GATConv, GCNConv
from roadgraph.training.losses import (
    congestion_loss,
    interval_loss,
    rush_hour_loss,
    speed_loss,
)
from roadgraph.training.optimisers import make_optimizer

if TYPE_CHECKING:
    from collections.abc import Callable

    from roadgraph.dataset.dataset import Dataset, RoadGraph
    from roadgraph.models.multitask import MultiTaskModel
    from roadgraph.settings import TrainingSettings


@dataclass(frozen=True)
class Links:
    """A graph as PyG's layers take it, in the place of ours.

    Attributes:
        edge_index: links ``[2, E]`` both ways; the layers add the self-loops.
        places, own: what ours has of a part of a graph; this is a whole one.
    """

    edge_index: torch.Tensor
    places: None = None
    own: None = None

    @classmethod
    def of(cls, roads: RoadGraph) -> Links:
        """Return the links that ``road_graph`` makes of the made city."""
        links = torch.stack([torch.from_numpy(roads.source), torch.from_numpy(roads.target)])
        return cls(torch.cat([links, links.flip(0)], dim=1))


class OneSlice(nn.Module):
    """A layer of PyG in the place of one of ours: ``[N, 1, F_out]`` of ``x [N, 1, F_in]``."""

    def __init__(self, layer: nn.Module) -> None:
        super().__init__()
        self.layer = layer

    def forward(self, x: torch.Tensor, graph: Links | Data) -> torch.Tensor:
        """Return what PyG's layer makes of the one slice that there is."""
        return self.layer(x[:, 0], graph.edge_index)[:, None]


def with_pyg_layers(model: MultiTaskModel) -> MultiTaskModel:
    """Return the model with PyG's layers and torch's dropout, and with the same weights.

    It takes one slice, or several as one of many segments, and :class:`Links` or a batch of PyG.
    """
    peer = with_torch_dropout(model)
    for name, layer in list(peer.named_modules()):
        if isinstance(layer, GCNConv):
            theirs = PyGGCNConv(layer.lin.in_channels, layer.lin.out_channels)
        elif isinstance(layer, GATConv):
            theirs = PyGGATConv(layer.lin.in_channels, layer.out_features, heads=layer.heads)
        else:
            continue
        theirs.load_state_dict(layer.state_dict())
        peer.set_submodule(name, OneSlice(theirs))
    return peer


def with_torch_dropout(model: MultiTaskModel) -> MultiTaskModel:
    """Return the model with torch's own dropout, and with the same weights."""
    copy = deepcopy(model)
    for name, layer in list(copy.named_modules()):
        if isinstance(layer, Dropout):
            copy.set_submodule(name, nn.Dropout(layer.p))
    return copy


def samples(dataset: Dataset, origins: torch.Tensor) -> list[Data]:
    """Return a graph a sample, with window and targets, as PyG's loader wants them."""
    links, steps = Links.of(dataset.graph).edge_index, torch.tensor(dataset.horizons)
    inputs, labels = torch.from_numpy(dataset.inputs), dataset.labels
    congestion = torch.from_numpy(labels.congestion).long()
    rush_hour = torch.from_numpy(labels.rush_hour).long()
    preparation = dataset.preparation
    speed = (labels.speed_kph - preparation.speed_mean_kph) / preparation.speed_std_kph
    return [
        Data(
            x=inputs[origin - dataset.window + 1 : origin + 1].transpose(0, 1).contiguous(),
            edge_index=links,
            congestion=congestion[origin + steps].T.contiguous(),  # [N, H]
            rush_hour=rush_hour[origin + steps][None],  # [1, H]
            speed=torch.from_numpy(speed)[origin + steps].T.contiguous(),  # [N, H]
        )
        for origin in origins.tolist()
    ]


def training_step(
    model: MultiTaskModel,
    dataset: Dataset,
    origins: torch.Tensor,
    options: TrainingSettings,
    device: str,
    bf16: bool = False,
) -> Callable[[], None]:
    """Return the step: the next batch of the loader, forward, loss, backward, optimiser."""
    model = model.to(device).train()
    optimiser = make_optimizer(model.parameters(), options, ())
    loader = DataLoader(
        samples(dataset, origins), batch_size=options.batch_size, shuffle=True, drop_last=True
    )
    batches = chain.from_iterable(repeat(loader))

    def step() -> None:
        batch = next(batches).to(device)
        x = batch.x.transpose(0, 1)[None]  # [1, L, B * N, F]
        x = x + options.noise_std * torch.randn_like(x)
        optimiser.zero_grad()
        with torch.autocast(device, torch.bfloat16, enabled=bf16):
            loss = loss_of(model(x, batch), batch)
        loss.backward()
        nn.utils.clip_grad_norm_(model.parameters(), options.clip_norm)
        optimiser.step()

    return step


def loss_of(answers: dict[str, torch.Tensor], batch: Data) -> torch.Tensor:
    """Return the sum of the tasks' losses of a block-diagonal batch."""
    speed = batch.speed.T[None]  # [1, H, B * N]
    hours = answers["rush_hour"].unflatten(2, (len(batch.rush_hour), -1))[0].transpose(0, 1)
    return (
        congestion_loss(answers["congestion"], batch.congestion.T[None]).mean()
        + rush_hour_loss(hours, batch.rush_hour).mean()
        + speed_loss(answers["speed"], speed).mean()
        + interval_loss(answers["speed_interval"], speed).mean()
    )
