"""Small graphs and models for the tests of models."""

import torch

from roadgraph.models.graph import Graph, normalised_graph
from roadgraph.models.multitask import MultiTaskModel
from roadgraph.models.registry import BACKBONES, SIZES, build_model
from roadgraph.schema import FEATURES
from roadgraph.settings import Backbone, ModelSettings, Size

TASKS = ("congestion", "rush_hour", "speed")
MODELS = [(backbone, size) for backbone in BACKBONES for size in SIZES]


def random_links(segments: int, links: int, seed: int) -> tuple[torch.Tensor, torch.Tensor]:
    """Return links without self-loops or doubles, and weights."""
    generator = torch.Generator().manual_seed(seed)
    index = torch.randint(0, segments, (2, links), generator=generator)
    index = torch.unique(index[:, index[0] != index[1]], dim=1)
    return index, torch.rand(index.shape[1], generator=generator) + 0.1


def ring(segments: int) -> tuple[torch.Tensor, Graph]:
    """Return the links ``0 -> 1 -> ... -> 0`` and their graph."""
    index = torch.stack([torch.arange(segments), torch.arange(segments).roll(-1)])
    return index, normalised_graph(index, None, segments)


def model_of(
    backbone: Backbone,
    size: Size,
    window: int = 2,
    horizons: int = 3,
    segments: int | None = None,
    **settings: object,
) -> MultiTaskModel:
    """Return an untrained model of the ten features, whose heads answer something."""
    torch.manual_seed(0)
    options = {"segment_embedding": 0, **settings}
    model = build_model(
        ModelSettings(name=backbone, **options),  # type: ignore[arg-type]
        size,
        FEATURES,
        window,
        tuple(range(1, horizons + 1)),
        segments,
    )
    for name, value in model.named_parameters():
        if "_head." in name and not value.any():
            torch.nn.init.normal_(value)
    return model
