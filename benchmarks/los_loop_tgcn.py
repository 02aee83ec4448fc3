"""An epoch on Los-loop: `gcn` of width 64 against a T-GCN cell of the same width.

    python benchmarks/los_loop_tgcn.py [--epochs 4]

Both are trained on the same dataset object, labels, windows, horizons, batches, order of batches,
speed loss, optimiser and learning rates, for the same number of epochs in turn; of each, the
weights of the epoch with the lowest speed error in validation are judged on the test span, as the
T-GCN paper does. T-GCN (Zhao et al. 2019, arXiv 1811.05320) is written with PyG's `GCNConv` as in
PyTorch Geometric Temporal: a GRU whose gates read a graph convolution of the slice. Its graph holds
the same links both ways, normalised once. It forecasts the change from the window's last speed as
`gcn` does, which helps it; `--absolute` lets it forecast the speed itself as in the paper.
"""

from __future__ import annotations

import argparse
import copy
import sys
from dataclasses import dataclass, replace
from itertools import chain
from pathlib import Path
from typing import TYPE_CHECKING, cast

import numpy as np
import pandas as pd
import torch
from measuring import REPOSITORY, Asked, Times, asked_table, in_turn, machine, times_table
from product_step import our_step
from torch import nn
from torch_geometric.nn import GCNConv

from roadgraph.config import load_settings
from roadgraph.dataset.dataset import build_dataset
from roadgraph.dataset.grid import grid_from_slices
from roadgraph.dataset.loading import road_graph_of
from roadgraph.evaluation.baselines import historical_average, persistence
from roadgraph.evaluation.forecast import Forecast
from roadgraph.evaluation.scores import score_forecast, scoring_origins
from roadgraph.markdown import markdown
from roadgraph.models.edge_index import strongest_links
from roadgraph.network.importing import import_network
from roadgraph.slices.detectors import read_detector_speeds
from roadgraph.training.inference import answers
from roadgraph.training.loop import TrainingJob, untrained
from roadgraph.training.module import ForecastModule
from roadgraph.units import KPH_PER_MPH

if TYPE_CHECKING:
    from collections.abc import Callable

    from roadgraph.dataset.dataset import Dataset, RoadGraph
    from roadgraph.models.multitask import MultiTaskModel
    from roadgraph.settings import Settings

WIDTH = 64
GATES = ("update_gate", "reset_gate", "candidate")
OURS, PEER = "gcn-simple", "T-GCN, written with PyG"
FASTER = 10.0


class TGCN(nn.Module):
    """T-GCN over a window, for all slices of a batch, and a linear head for every horizon.

    Args:
        channels: ``F`` of a slice.
        horizons: ``H``.
        roads: the links.
        speed: place among the channels of the speed from whose last value the change is forecast;
            None: the speed itself is.
    """

    tasks = ("speed",)

    def __init__(self, channels: int, horizons: int, roads: RoadGraph, speed: int | None) -> None:
        super().__init__()
        links = torch.stack([torch.from_numpy(roads.source), torch.from_numpy(roads.target)])
        weight = torch.from_numpy(roads.weight).repeat(2)
        both = torch.cat([links, links.flip(0)], dim=1)
        links, weight = strongest_links(both, weight, roads.segments)
        self.register_buffer("links", links, persistent=False)
        self.register_buffer("weight", weight, persistent=False)
        self.speed = speed
        self.graphs = nn.ModuleDict({gate: GCNConv(channels, WIDTH, cached=True) for gate in GATES})
        self.linears = nn.ModuleDict({gate: nn.Linear(2 * WIDTH, WIDTH) for gate in GATES})
        self.head = nn.Linear(WIDTH, horizons)

    def forward(self, x: torch.Tensor, graph: object) -> dict[str, torch.Tensor]:
        """Return ``speed [B, H, N]`` of ``x [B, L, N, F]``, and an interval without width."""
        del graph
        hidden = x.new_zeros(x.shape[0], x.shape[2], WIDTH)
        for now in x.unbind(1):
            update = self.gate("update_gate", now, hidden).sigmoid()
            reset = self.gate("reset_gate", now, hidden).sigmoid()
            candidate = self.gate("candidate", now, hidden * reset).tanh()
            hidden = update * hidden + (1 - update) * candidate
        speed = self.head(hidden.relu()).transpose(1, 2)
        if self.speed is not None:
            speed = speed + x[:, -1:, :, self.speed]
        # An interval that it does not give must not pull at its weights.
        return {"speed": speed, "speed_interval": torch.stack([speed.detach()] * 2, dim=-1)}

    def gate(self, name: str, now: torch.Tensor, hidden: torch.Tensor) -> torch.Tensor:
        """Return ``[B, N, 64]`` before the gate's curve."""
        heard = self.graphs[name](now, self.links, self.weight)
        return self.linears[name](torch.cat([heard, hidden], dim=-1))


@dataclass
class Contestant:
    """A model in training.

    Attributes:
        name: in the tables.
        module: of it.
        epoch: a pass over the training span.
        best_kph: the lowest speed error in validation, RMSE.
        weights: of that epoch.
        best_epoch: its number.
    """

    name: str
    module: ForecastModule
    epoch: Callable[[], None]
    best_kph: float = float("inf")
    weights: dict[str, torch.Tensor] | None = None
    best_epoch: int = 0

    def validate(self, dataset: Dataset, number: int) -> None:
        """Keep the weights where they are the best so far."""
        origins = dataset.splits.validation.origins(dataset.window, max(dataset.horizons))
        target = dataset.labels.speed_kph[origins[:, None] + np.asarray(dataset.horizons)]
        error = self.speed_kph(dataset, origins) - target
        rmse = float(np.sqrt(np.nanmean(error**2)))
        if rmse < self.best_kph:
            self.best_kph, self.best_epoch = rmse, number
            self.weights = copy.deepcopy(self.module.model.state_dict())

    def speed_kph(self, dataset: Dataset, origins: np.ndarray) -> np.ndarray:
        """Return the speeds forecast from ``origins [O]``, ``[O, H, N]``."""
        model = self.module.model.eval()
        given = answers(
            model,
            self.module.tiles,
            dataset.inputs,
            origins,
            dataset.window,
            dataset.preparation,
        )
        model.train()
        return given["speed"]


def los_loop() -> tuple[Settings, Dataset]:
    """Return the city's settings and data; stop with a plain message where they are not here."""
    settings = load_settings(["city=los_loop", "model=gcn", "size=simple", "training.device=cpu"])
    roads, speeds = (REPOSITORY / path for path in (settings.city.roads, settings.city.speeds))
    if not (roads.is_file() and speeds.is_file()):
        missing = next(path for path in (settings.city.roads, settings.city.speeds))
        print(f"Skipped: the Los-loop data is not here ({missing}).")
        sys.exit(0)
    settings = replace(settings, city=replace(settings.city, roads=str(roads), speeds=str(speeds)))
    network = import_network(settings).network
    slices = read_detector_speeds(Path(speeds), settings.city, settings.slices.minutes)
    grid = grid_from_slices(slices, network.segment_ids, settings.slices.minutes)
    return settings, build_dataset(grid, network.segments, road_graph_of(network), settings)


def contestants(
    dataset: Dataset, settings: Settings, epochs: int, absolute: bool
) -> list[Contestant]:
    """Return both models with their steps, untrained."""
    model, graph = untrained(TrainingJob(dataset, settings, "cpu"))
    speed = None if absolute else dataset.preparation.channels.index("mean_speed")
    peer = TGCN(dataset.inputs.shape[2], len(dataset.horizons), dataset.graph, speed)
    options = settings.training
    origins = dataset.splits.train.origins(dataset.window, max(dataset.horizons))
    batches = -(-len(origins) // options.batch_size)
    found = []
    for name, each in ((PEER, peer), (OURS, model)):
        module = ForecastModule(cast("MultiTaskModel", each), graph, dataset, options)
        step = our_step(
            module,
            torch.from_numpy(origins),
            "cpu",
            schedule=lambda optimiser: torch.optim.lr_scheduler.OneCycleLR(
                optimiser, options.learning_rate, epochs * batches, pct_start=options.warmup_share
            ),
        )
        found.append(Contestant(name, module, repeated(step, batches)))
    return found


def repeated(step: Callable[[], None], times: int) -> Callable[[], None]:
    """Return a step that takes another so many times."""

    def all_of_them() -> None:
        for _ in range(times):
            step()

    return all_of_them


def trained(models: list[Contestant], dataset: Dataset, epochs: int) -> dict[str, Times]:
    """Train all for ``epochs`` in turn; return the times of their epochs."""
    rounds = []
    for epoch in range(1, epochs + 1):
        rounds.append(in_turn({each.name: each.epoch for each in models}, 1, warm_up=0))
        for each in models:
            each.validate(dataset, epoch)
    return {
        each.name: Times(tuple(chain.from_iterable(times[each.name].wall for times in rounds)))
        for each in models
    }


def scores(
    forecast: Forecast, dataset: Dataset, settings: Settings
) -> dict[int, tuple[float, float]]:
    """Return RMSE and MAE in mph by horizon in minutes, of all steps up to it."""
    rows = score_forecast(
        forecast,
        dataset.labels,
        dataset.splits.test,
        dataset.horizons,
        dataset.grid.slice_minutes,
        settings.evaluation,
    )
    return {
        row.horizon_min: (row.speed_rmse_kph / KPH_PER_MPH, row.speed_mae_kph / KPH_PER_MPH)
        for row in rows
    }


def judged(
    models: list[Contestant], dataset: Dataset, settings: Settings
) -> dict[str, dict[int, tuple[float, float]]]:
    """Return the errors on the test span of the models and of what takes no training."""
    minutes = dataset.grid.slice_minutes
    origins = scoring_origins(dataset.splits.test, dataset.window, minutes, settings.evaluation)
    found = {
        forecast.name: scores(forecast, dataset, settings)
        for forecast in (
            persistence(dataset, origins),
            historical_average(dataset, origins, settings),
        )
    }
    for each in models:
        assert each.weights is not None
        each.module.model.load_state_dict(each.weights)
        speed_kph = each.speed_kph(dataset, origins)
        forecast = Forecast(each.name, origins, None, None, None, speed_kph)
        found[f"{each.name} (epoch {each.best_epoch})"] = scores(forecast, dataset, settings)
    return found


def main() -> None:
    """Train both in turn and print Markdown tables."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--epochs", type=int, default=4)
    parser.add_argument("--absolute", action="store_true", help="T-GCN forecasts the speed itself")
    given = parser.parse_args()
    settings, dataset = los_loop()
    models = contestants(dataset, settings, given.epochs, given.absolute)
    print(
        f"Los-loop, {dataset.graph.segments} detectors, window {dataset.window}, "
        f"{len(dataset.horizons)} horizons, batch {settings.training.batch_size}, float32, "
        f"{given.epochs} epochs each; {machine('torch', 'torch_geometric')}\n"
    )
    times = trained(models, dataset, given.epochs)
    print(times_table("an epoch of training", times, PEER), flush=True)
    found = judged(models, dataset, settings)
    print("RMSE / MAE in mph of all steps up to the horizon, test span:\n")
    rows = [
        {"": name} | {f"{at} min": f"{rmse:.2f} / {mae:.2f}" for at, (rmse, mae) in own.items()}
        for name, own in found.items()
    ]
    print(markdown(pd.DataFrame(rows)))
    theirs, ours = list(found.values())[-2:]
    worst = max(ours[at][0] / theirs[at][0] for at in ours)
    against = f"{PEER}, width {WIDTH}"
    print(
        asked_table(
            [
                Asked(
                    "an epoch on Los-loop, `gcn` simple",
                    against,
                    FASTER,
                    times[PEER].median / times[OURS].median,
                ),
                Asked(
                    f"its speed RMSE after {given.epochs} epochs, the horizon where it is worst",
                    against,
                    1.0,
                    worst,
                    at_least=False,
                ),
            ]
        )
    )


if __name__ == "__main__":
    main()
