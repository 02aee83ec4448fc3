"""Names of models and what stands behind them."""

from __future__ import annotations

from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING

from roadgraph.errors import SettingsError
from roadgraph.models.dense import LinearLayer
from roadgraph.models.initialisation import initialise
from roadgraph.models.multitask import (
    BlockOptions,
    EnhancedMultiTaskGNN,
    LayeredModel,
    MultiTaskModel,
    SimpleMultiTaskGNN,
    SpeedBasePlaces,
)
from roadgraph.models.roadnet import RoadNet
from roadgraph.schema import HISTORY_CHANNELS

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from torch import nn

    from roadgraph.settings import Backbone, GraphKind, ModelSettings, Size, SpeedBase

    LayerOf = Callable[[ModelSettings, int, int], nn.Module]
    Builder = Callable[[ModelSettings, Size, "Inputs"], MultiTaskModel]

GRAPHS: tuple[GraphKind, ...] = ("network", "self_loops")
SIZES: dict[Size, type[LayeredModel]] = {
    "simple": SimpleMultiTaskGNN,
    "enhanced": EnhancedMultiTaskGNN,
}
ROADNET_SIZES: dict[Size, tuple[int, int]] = {"simple": (64, 2), "enhanced": (128, 3)}
"""Width and rounds of news."""


@dataclass(frozen=True)
class Inputs:
    """What a model is made for.

    Attributes:
        channels: names of the ``F`` input channels of a slice.
        window: ``L`` slices.
        horizons: the ``H`` steps ahead.
        segments: ``N``; None when it runs in any city.
    """

    channels: Sequence[str]
    window: int
    horizons: Sequence[int]
    segments: int | None = None


def _linear(settings: ModelSettings, inputs: int, outputs: int) -> nn.Module:
    del settings
    return LinearLayer(inputs, outputs)


def _gcn(settings: ModelSettings, inputs: int, outputs: int) -> nn.Module:
    # PyG, which graph layers are made with, takes longer to import than torch itself.
    from roadgraph.models.layers import GCNConv

    del settings
    return GCNConv(inputs, outputs)


def _gat(settings: ModelSettings, inputs: int, outputs: int) -> nn.Module:
    from roadgraph.models.layers import GATConv

    return GATConv(inputs, _head_width(settings, outputs), settings.heads)


def _head_width(settings: ModelSettings, width: int) -> int:
    if width % settings.heads:
        raise SettingsError(
            f"model.heads must divide the width {width}: 1, 2, 4, 8, 16 or 32 "
            f"(found {settings.heads})"
        )
    return width // settings.heads


def _layered(
    layer: LayerOf, settings: ModelSettings, size: Size, inputs: Inputs, attention: bool = False
) -> MultiTaskModel:
    model = SIZES[size]
    if attention:
        _head_width(settings, model.WIDTH)
    return model(
        channels=len(inputs.channels),
        window=inputs.window,
        horizons=len(inputs.horizons),
        tasks=settings.tasks,
        layer=partial(layer, settings),
        speed_base=_speed_base(settings.speed_from, inputs),
        options=BlockOptions(
            attention_heads=settings.heads if attention else None,
            dropout=settings.dropout,
            norm=settings.norm,
            residual=settings.residual,
        ),
    )


def _roadnet(settings: ModelSettings, size: Size, inputs: Inputs) -> MultiTaskModel:
    width, blocks = ROADNET_SIZES[size]
    return RoadNet(
        channels=inputs.channels,
        segments=inputs.segments,
        width=width,
        blocks=blocks,
        dropout=settings.dropout,
        embedding=settings.segment_embedding,
        window=inputs.window,
        horizons=len(inputs.horizons),
        tasks=settings.tasks,
        layer=LinearLayer,
        speed_base=_speed_base(settings.speed_from, inputs),
    )


BACKBONES: dict[Backbone, Builder] = {
    "mlp": partial(_layered, _linear),
    "attention": partial(_layered, _linear, attention=True),
    "gcn": partial(_layered, _gcn),
    "gat": partial(_layered, _gat),
    "roadnet": _roadnet,
}


def build_model(
    settings: ModelSettings,
    size: Size,
    channels: Sequence[str],
    window: int,
    horizons: Sequence[int],
    segments: int | None = None,
) -> MultiTaskModel:
    """Return an untrained model.

    Args:
        settings: backbone, tasks and everything else of the model.
        size: ``simple`` or ``enhanced``.
        channels: names of the ``F`` input channels of a slice.
        window: ``L`` slices.
        horizons: the ``H`` steps ahead.
        segments: ``N``, for an embedding of each.

    Raises:
        SettingsError: ``heads`` do not divide the width of the model.
    """
    inputs = Inputs(channels, window, horizons, segments)
    model = BACKBONES[settings.name](settings, size, inputs)
    initialise(model, settings.initialisation)
    return model


def _speed_base(kind: SpeedBase, inputs: Inputs) -> SpeedBasePlaces | None:
    channels, window, horizons = inputs.channels, inputs.window, inputs.horizons
    if kind == "nothing":
        return None
    if kind == "last":
        return SpeedBasePlaces(channels.index("mean_speed"), (-1,) * len(horizons))
    # The channel looks to the farthest horizon, so an earlier slice shows a nearer one's time;
    # where the window is too short for that, its first slice comes nearest.
    steps = tuple(max(step - max(horizons), 1 - window) - 1 for step in horizons)
    return SpeedBasePlaces(channels.index(HISTORY_CHANNELS[1]), steps)


def model_title(settings: ModelSettings, size: Size) -> str:
    """Return the name of a model in tables and runs, such as ``gcn-enhanced``."""
    control = "-self-loops" if settings.graph == "self_loops" else ""
    return f"{settings.name}-{size}{control}"
