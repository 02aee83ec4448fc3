"""Names of models and what stands behind them."""

from __future__ import annotations

from typing import TYPE_CHECKING

from roadgraph.models.layers import GCNConv, LinearLayer
from roadgraph.models.multitask import (
    EnhancedMultiTaskGNN,
    MultiTaskModel,
    SimpleMultiTaskGNN,
    SpeedBasePlaces,
)
from roadgraph.schema import HISTORY_CHANNELS

if TYPE_CHECKING:
    from collections.abc import Sequence

    from torch import nn

    from roadgraph.settings import Backbone, GraphKind, ModelSettings, Size, SpeedBase

GRAPHS: tuple[GraphKind, ...] = ("network", "self_loops")
BACKBONES: dict[Backbone, type[nn.Module]] = {"mlp": LinearLayer, "gcn": GCNConv}
SIZES: dict[Size, type[MultiTaskModel]] = {
    "simple": SimpleMultiTaskGNN,
    "enhanced": EnhancedMultiTaskGNN,
}


def build_model(
    settings: ModelSettings,
    size: Size,
    channels: Sequence[str],
    window: int,
    horizons: Sequence[int],
) -> MultiTaskModel:
    """Return an untrained model.

    Args:
        settings: backbone, tasks and speed head.
        size: ``simple`` or ``enhanced``.
        channels: names of the ``F`` input channels of a slice.
        window: ``L`` slices.
        horizons: the ``H`` steps ahead.
    """
    return SIZES[size](
        len(channels),
        window,
        len(horizons),
        settings.tasks,
        BACKBONES[settings.name],
        _speed_base(settings.speed_from, channels, window, horizons),
    )


def _speed_base(
    kind: SpeedBase, channels: Sequence[str], window: int, horizons: Sequence[int]
) -> SpeedBasePlaces | None:
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
