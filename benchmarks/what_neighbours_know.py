"""How much of a segment's departure from its typical speed its neighbours know.

    python benchmarks/what_neighbours_know.py

Fits, by least squares on the validation span of the sample city, how far each segment's speed lies
from what is typical of the time of the week, from the same of the segment itself, of the mean of
the city and of its neighbours up- and downstream (one and two links away), all some minutes before.
Prints the share of the variance that each explains: what a graph model can gain at most in a
linear way. Then how well the simulator's truth of the very slice that is asked for would do on
the test span as a forecast of what the taxis observed: what no forecaster can beat. Needs
`roadgraph network` and `roadgraph slices` of the sample city.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np

from roadgraph.config import load_settings
from roadgraph.dataset.dataset import Dataset, labels_of_speeds
from roadgraph.dataset.grid import speeds_on_grid
from roadgraph.dataset.history import fit_history
from roadgraph.dataset.loading import load_dataset
from roadgraph.evaluation import metrics
from roadgraph.evaluation.boosting_features import neighbour_means
from roadgraph.network.network import read_network
from roadgraph.schema import CONGESTION_CLASSES, NO_LABEL, TRUTH, read_whole
from roadgraph.settings import Settings
from roadgraph.workspace import Workspace

LAGS = (0, 1, 2, 4)  # slices


def explained(target: np.ndarray, features: list[np.ndarray]) -> float:
    """Return the share of the variance of ``target [M]`` that a linear fit of ``features`` has."""
    table = np.stack([*features, np.ones(len(target))], axis=1)
    weights, *_ = np.linalg.lstsq(table, target, rcond=None)
    return float(1 - ((target - table @ weights) ** 2).mean() / target.var())


def shares(dataset: Dataset, speed_kph: np.ndarray, lag: int) -> dict[str, float]:
    """Return the explained shares at ``lag`` slices, by what is known."""
    grid, stop, span = dataset.grid, dataset.splits.train.stop, dataset.splits.validation
    history, _ = fit_history(
        speed_kph[:stop], grid.slice_starts[:stop], dataset.zone, grid.slice_minutes
    )
    departure = speed_kph - history.at(grid.slice_starts, dataset.zone)
    rows = np.arange(span.start, span.stop - lag)
    target, own = departure[rows + lag], departure[rows]
    around = neighbour_means(departure, dataset.graph)[rows]
    count = (~np.isnan(own)).sum(axis=1, keepdims=True)
    mean = np.nansum(own, axis=1, keepdims=True) / np.maximum(count, 1)
    city = np.broadcast_to(mean, own.shape)
    known = ~np.isnan(target) & ~np.isnan(own) & ~np.isnan(around).any(axis=-1)
    neighbours = [around[..., place][known] for place in range(around.shape[-1])]
    base = [city[known]] if lag == 0 else [city[known], own[known]]
    return {
        "neighbours": explained(target[known], neighbours),
        "city, and the segment itself where it is earlier": explained(target[known], base),
        "all of them": explained(target[known], [*base, *neighbours]),
    }


def ceiling(dataset: Dataset, truth_kph: np.ndarray, settings: Settings) -> str:
    """Return how the true speeds do as a forecast of the observed ones, in a sentence."""
    test = slice(dataset.splits.test.start, dataset.splits.test.stop)
    said = labels_of_speeds(dataset.grid, truth_kph, dataset.free_flow_kph, settings, true=True)
    label, answer = dataset.labels.congestion[test], said.congestion[test]
    both = (label != NO_LABEL) & (answer != NO_LABEL)
    confusion = metrics.confusion_matrix(label[both], answer[both], len(CONGESTION_CLASSES))
    seen, true = dataset.labels.speed_kph[test], truth_kph[test]
    known = ~np.isnan(seen) & ~np.isnan(true)
    return (
        f"the truth as a forecast: macro F1 {metrics.macro_f1(confusion):.3f}, accuracy "
        f"{metrics.accuracy(confusion):.3f}, speed MAE "
        f"{metrics.mean_absolute_error(seen[known], true[known]):.2f} km/h"
    )


def main() -> None:
    """Print a Markdown table."""
    settings = load_settings(["city=sample"])
    workspace = Workspace.of(settings)
    network = read_network(workspace.network)
    dataset = load_dataset(settings, workspace, network)
    truth = speeds_on_grid(TRUTH.conform(read_whole(Path(settings.city.truth))), dataset.grid)
    seen = np.where(dataset.grid.observed, dataset.grid.speed_kph, np.nan)
    rows = {
        f"{name}, {lag * dataset.grid.slice_minutes} min": shares(dataset, speeds, lag)
        for name, speeds in (("simulator's truth", truth), ("observed", seen))
        for lag in LAGS
    }
    columns = list(next(iter(rows.values())))
    print(f"| speeds, time before | {' | '.join(columns)} |")
    print(f"| --- |{' --- |' * len(columns)}")
    for name, row in rows.items():
        print(f"| {name} | {' | '.join(f'{100 * value:.1f} %' for value in row.values())} |")
    print(f"\n{ceiling(dataset, truth, settings)}")


if __name__ == "__main__":
    main()
