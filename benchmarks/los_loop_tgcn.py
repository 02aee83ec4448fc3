"""An epoch on Los-loop: `gcn` of width 64 against a T-GCN cell of the same width.

    python benchmarks/los_loop_tgcn.py [--epochs 4]

Both are trained on the same dataset, labels, windows, horizons, batches, order of batches, speed
loss, optimiser and learning rates, for the same number of epochs, in turn, each in a process of its
own; of each, the weights of the epoch with the lowest speed error in validation are judged on the
test span, by the errors that the T-GCN paper shows. `gcn` is then trained once more from the start,
for as many epochs as the peer's time allows.
T-GCN (Zhao et al. 2019, arXiv 1811.05320) is written with PyG's `GCNConv` as in
PyTorch Geometric Temporal: a GRU whose gates read a graph convolution of the slice. Its graph holds
the same links both ways, normalised once. It forecasts the change from the window's last speed as
`gcn` does, which helps it; `--absolute` lets it forecast the speed itself as in the paper.
"""

from __future__ import annotations

import argparse
import copy
import sys
from dataclasses import dataclass, field, replace
from functools import partial
from itertools import chain
from pathlib import Path
from typing import TYPE_CHECKING, cast

import numpy as np
import pandas as pd
import torch
from measuring import REPOSITORY, Asked, Times, apart, asked_table, in_turn, machine, times_table
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
    from collections.abc import Callable, Mapping

    from measuring import Step

    from roadgraph.dataset.dataset import Dataset, RoadGraph
    from roadgraph.models.multitask import MultiTaskModel
    from roadgraph.settings import Settings

    Errors = dict[int, tuple[float, float]]  # by horizon in minutes: RMSE and MAE in mph

WIDTH = 64
GATES = ("update_gate", "reset_gate", "candidate")
OURS, PEER = "gcn-simple", "T-GCN, written with PyG"
FASTER = 10.0
LONGEST = 25  # epochs, though more may fit into the peer's time: these are past the best one


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
    """A model in training, which does what it is told.

    Attributes:
        module: of it.
        settings: of the city.
        dataset: of the city.
        step: of the training.
        batches: an epoch has.
        best_kph: the lowest speed error in validation, RMSE.
        best_epoch: its number.
        weights: of that epoch.
    """

    module: ForecastModule
    settings: Settings
    dataset: Dataset
    step: Callable[[], None]
    batches: int
    best_kph: float = float("inf")
    best_epoch: int = 0
    weights: dict[str, torch.Tensor] = field(default_factory=dict)

    def __call__(self, task: str, epoch: int = 0) -> Errors | int | None:
        """Train for an epoch, validate it, or judge the best weights on the test span."""
        if task == "train":
            for _ in range(self.batches):
                self.step()
        elif task == "validate":
            self.validate(epoch)
        elif task == "judge":
            return self.judge()
        return self.best_epoch

    def validate(self, epoch: int) -> None:
        """Keep the weights where they are the best so far."""
        data = self.dataset
        origins = data.splits.validation.origins(data.window, max(data.horizons))
        target = data.labels.speed_kph[origins[:, None] + np.asarray(data.horizons)]
        error_kph = self.speed_kph(origins) - target
        rmse_kph = float(np.sqrt(np.nanmean(error_kph**2)))
        if rmse_kph < self.best_kph:
            self.best_kph, self.best_epoch = rmse_kph, epoch
            self.weights = copy.deepcopy(self.module.model.state_dict())

    def judge(self) -> Errors:
        """Return the errors of the best weights on the test span."""
        self.module.model.load_state_dict(self.weights)
        origins = test_origins(self.dataset, self.settings)
        forecast = Forecast("", origins, None, None, None, self.speed_kph(origins))
        return errors(forecast, self.dataset, self.settings)

    def speed_kph(self, origins: np.ndarray) -> np.ndarray:
        """Return the speeds forecast from ``origins [O]``, ``[O, H, N]``."""
        data, model = self.dataset, self.module.model
        tiles = self.module.tiles
        given = answers(model.eval(), tiles, data.inputs, origins, data.window, data.preparation)
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


def contestant(name: str, epochs: int, absolute: bool) -> Contestant:
    """Return a model that is untrained yet.

    Args:
        name: ``OURS`` or ``PEER``.
        epochs: that it will be trained for, by which the learning rate goes.
        absolute: the peer forecasts the speed itself.
    """
    settings, dataset = los_loop()
    model, graph = untrained(TrainingJob(dataset, settings, "cpu"))
    options = settings.training
    if name == PEER:
        speed = None if absolute else dataset.preparation.channels.index("mean_speed")
        peer = TGCN(dataset.inputs.shape[2], len(dataset.horizons), dataset.graph, speed)
        model = cast("MultiTaskModel", peer)
        options = replace(options, keep_memory=False)
    module = ForecastModule(model, graph, dataset, options)
    origins = dataset.splits.train.origins(dataset.window, max(dataset.horizons))
    batches = -(-len(origins) // options.batch_size)

    def schedule(optimiser: torch.optim.Optimizer) -> torch.optim.lr_scheduler.OneCycleLR:
        return torch.optim.lr_scheduler.OneCycleLR(
            optimiser, options.learning_rate, epochs * batches, pct_start=options.warmup_share
        )

    step = our_step(module, torch.from_numpy(origins), "cpu", schedule=schedule)
    return Contestant(module, settings, dataset, step, batches)


def test_origins(dataset: Dataset, settings: Settings) -> np.ndarray:
    """Return where to forecast from on the test span."""
    minutes = dataset.grid.slice_minutes
    return scoring_origins(dataset.splits.test, dataset.window, minutes, settings.evaluation)


def untrained_errors(dataset: Dataset, settings: Settings) -> dict[str, Errors]:
    """Return the errors of what takes no training."""
    origins = test_origins(dataset, settings)
    forecasts = persistence(dataset, origins), historical_average(dataset, origins, settings)
    return {forecast.name: errors(forecast, dataset, settings) for forecast in forecasts}


def errors(forecast: Forecast, dataset: Dataset, settings: Settings) -> Errors:
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


def trained(steps: Mapping[str, Step], epochs: int) -> dict[str, Times]:
    """Train all for ``epochs`` in turn; return the times of their epochs without validation."""
    rounds = []
    for epoch in range(1, epochs + 1):
        tasks = {name: partial(step, "train") for name, step in steps.items()}
        rounds.append(in_turn(tasks, 1, warm_up=0))
        for step in steps.values():
            step("validate", epoch)
    return {
        name: Times(tuple(chain.from_iterable(times[name].wall for times in rounds)))
        for name in steps
    }


def print_errors(found: dict[str, Errors]) -> None:
    """Print the errors of all."""
    print("RMSE / MAE in mph of all steps up to the horizon, test span:\n")
    rows = [
        {"": name} | {f"{at} min": f"{rmse:.2f} / {mae:.2f}" for at, (rmse, mae) in own.items()}
        for name, own in found.items()
    ]
    print(markdown(pd.DataFrame(rows)))


def main() -> None:
    """Train both in turn and print Markdown tables."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--epochs", type=int, default=4)
    parser.add_argument("--absolute", action="store_true", help="T-GCN forecasts the speed itself")
    given = parser.parse_args()
    settings, dataset = los_loop()
    print(
        f"Los-loop, {dataset.graph.segments} detectors, window {dataset.window}, "
        f"{len(dataset.horizons)} horizons, batch {settings.training.batch_size}, float32; "
        f"{given.epochs} epochs each; {machine('torch', 'torch_geometric')}\n"
    )
    found = untrained_errors(dataset, settings)
    makers = {
        name: partial(contestant, name, given.epochs, given.absolute) for name in (PEER, OURS)
    }
    with apart(makers) as steps:
        times = trained(steps, given.epochs)
        print(times_table("an epoch of training", times, PEER, "ms"), flush=True)
        judged = {name: judged_best(name, step) for name, step in steps.items()}
    epochs = min(int(sum(times[PEER].wall) / times[OURS].median), LONGEST)
    with apart({OURS: partial(contestant, OURS, epochs, given.absolute)}) as steps:
        trained(steps, epochs)
        longer = judged_best(OURS, steps[OURS])
    named = {**judged, "longer": (f"{longer[0]} of {epochs}, no longer in time", longer[1])}
    print_errors(found | dict(named.values()))
    against, ratio = f"{PEER}, width {WIDTH}", times[PEER].median / times[OURS].median
    asked = [Asked("an epoch on Los-loop, `gcn` simple", against, FASTER, ratio)]
    for what, own in (
        (f"its speed RMSE after {given.epochs} epochs", judged[OURS][1]),
        (f"the same after {epochs}, which took no longer than the peer's", longer[1]),
    ):
        worst = max(own[at][0] / judged[PEER][1][at][0] for at in own)
        where = f"{what}, at the horizon where it is worst"
        asked.append(Asked(where, against, 1.0, worst, at_least=False))
    print(asked_table(asked))


def judged_best(name: str, step: Step) -> tuple[str, Errors]:
    """Return the name of a trained model with its best epoch, and its errors on the test span."""
    return f"{name} (epoch {step('best')})", cast("Errors", step("judge"))


if __name__ == "__main__":
    main()
