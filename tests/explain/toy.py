"""Bundles of the straight road, as trained or with other models, and what they are asked for."""

from dataclasses import replace
from typing import Any

import pandas as pd
import torch
from torch import nn

from roadgraph.explain.explaining import explain_forecast
from roadgraph.explain.explanation import Explanation
from roadgraph.models.graph import Graph
from roadgraph.models.multitask import MultiTaskModel
from roadgraph.models.registry import build_model
from roadgraph.network.network import Network
from roadgraph.predict.forecaster import Forecaster
from roadgraph.training.bundle import Bundle
from tests.predict.toy import END, NETWORK, SLICES_TABLE


def explained(
    bundle: Bundle,
    segment_id: str = "B",
    at: pd.Timestamp = END,
    network: Network = NETWORK,
    **others: Any,
) -> Explanation:
    """Explain a forecast from the toy city's slices."""
    forecaster = Forecaster.of(bundle, network)
    observations = forecaster.observations(SLICES_TABLE, 15)
    return explain_forecast(forecaster, network, observations, at, segment_id, **others)


def with_model(bundle: Bundle, **options: Any) -> Bundle:
    """Return ``bundle`` with an untrained model in the place of its own."""
    torch.manual_seed(3)
    chosen = replace(bundle.options, **options)
    channels, horizons = bundle.preparation.channels, bundle.horizons
    model = build_model(chosen, "simple", channels, bundle.window, horizons)
    for name, value in model.named_parameters():
        if "_head." in name and not value.any():
            nn.init.normal_(value, std=0.1)
    return replace(bundle, title=f"{chosen.name}-simple", model=model.eval(), options=chosen)


class LinearModel(MultiTaskModel):
    """Speeds that are a sum of the window's channels; hears no neighbour."""

    @property
    def hops(self) -> int:
        return 0

    @property
    def hears_all(self) -> bool:
        return False

    def _build(self, layer: Any) -> None:
        del layer

    def _head(self, outputs: int) -> nn.Module:
        head = nn.Linear(self.in_features, outputs)
        nn.init.zeros_(head.weight)
        nn.init.zeros_(head.bias)
        return head

    def embed(self, x: torch.Tensor, graph: Graph) -> torch.Tensor:
        del graph
        return x


def linear_bundle(bundle: Bundle, weights: dict[str, float], bias: float = 0.0) -> Bundle:
    """Return ``bundle`` with a model of the speed alone.

    It is ``bias`` plus the weighted channels of the window's last slice, all of them scaled.
    """
    channels, horizons = bundle.preparation.channels, len(bundle.horizons)
    model = LinearModel(len(channels), bundle.window, horizons, ["speed"], nn.Linear)
    head = model.speed_head
    assert isinstance(head, nn.Linear)
    with torch.no_grad():
        for horizon in range(horizons):
            head.bias[3 * horizon] = bias
            for name, weight in weights.items():
                place = (bundle.window - 1) * len(channels) + channels.index(name)
                head.weight[3 * horizon, place] = weight
    options = replace(bundle.options, name="mlp", tasks=("speed",))
    return replace(bundle, title="linear", model=model.eval(), options=options)
