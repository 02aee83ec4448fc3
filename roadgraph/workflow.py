"""What the commands do, from the import of a network to a predictions file.

The command line and the pipelines call these functions and only show what they return.
"""

from __future__ import annotations

import platform
from dataclasses import dataclass, replace
from importlib.metadata import version
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd
import pyarrow.parquet as pq

from roadgraph.calendar import city_zone
from roadgraph.config import settings_to_dict
from roadgraph.dataset.dataset import Dataset, labels_of_speeds
from roadgraph.dataset.grid import speeds_on_grid
from roadgraph.dataset.loading import load_dataset
from roadgraph.errors import DataError, SettingsError, nearest
from roadgraph.evaluation.baselines import all_baselines
from roadgraph.evaluation.metrics import confusion_matrix
from roadgraph.evaluation.scores import score_forecast, score_table, scoring_origins
from roadgraph.models.registry import BACKBONES, GRAPHS, SIZES, model_title
from roadgraph.network.carry_over import check_carry_over_path, write_carry_over
from roadgraph.network.diff import diff_networks
from roadgraph.network.importing import ImportedNetwork, import_network, write_import
from roadgraph.network.network import network_folder, read_network
from roadgraph.predict.predictions import predict_newest
from roadgraph.report.plots import (
    plot_confusion,
    plot_learning_curves,
    plot_network,
    plot_predictions,
    plot_scores,
)
from roadgraph.report.tables import markdown, shown_results
from roadgraph.report.trip_plots import plot_worst_trips
from roadgraph.schema import CONGESTION_CLASSES, NO_LABEL, TRUTH, read_whole
from roadgraph.slices.run import SlicesReport, make_slices
from roadgraph.slices.store import read_slices, stored_slice_minutes
from roadgraph.storage import whole_file, whole_folder
from roadgraph.tracking.store import Record, record_runs, tracking_uri
from roadgraph.training.bundle import Bundle, read_bundle, write_bundle
from roadgraph.training.calibration import speed_error_quantiles
from roadgraph.training.decision import macro_f1_weights
from roadgraph.training.fit import Trained, fit
from roadgraph.training.inference import forecast
from roadgraph.workspace import Workspace

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    import pyarrow as pa

    from roadgraph.dataset.labels import Labels
    from roadgraph.evaluation.forecast import Forecast
    from roadgraph.settings import Settings

DEFAULT_MEMBERS = ("mlp-simple", "gcn-enhanced", "gcn-enhanced-self-loops")


@dataclass(frozen=True)
class Comparison:
    """What a training or a comparison came to.

    Attributes:
        scores: one row a forecaster and horizon, on observed cells; ``baseline`` marks those
            that need no model.
        truth_scores: the same against the true speeds of a simulation on every segment, or None.
        bundles: folder of each trained model by its title.
        folder: where tables and plots are.
        tracking: address of the MLflow store.
    """

    scores: pd.DataFrame
    truth_scores: pd.DataFrame | None
    bundles: dict[str, Path]
    folder: Path
    tracking: str


def run_network(settings: Settings) -> tuple[ImportedNetwork, Workspace]:
    """Import the city's network and write it, with its account and picture, to the workspace."""
    workspace = Workspace.of(settings)
    imported = import_network(settings)
    write_import(imported, settings, workspace.network)
    if imported.network.has_geometry:
        plot_network(imported.network, workspace.network / "network.png")
    return imported, workspace


def run_network_diff(
    old: Path, new: Path, settings: Settings, out: Path | None
) -> tuple[pa.Table, Path]:
    """Compare two imported networks and write the table that carries data over.

    Args:
        old: folder of the network before: that of a city in a workspace, or ``network`` in it.
        new: the network after.
        settings: ``network.diff_tolerance_m`` is used.
        out: file to write; by default ``carry_over.parquet`` beside the new network.

    Returns:
        The table and the file written.
    """
    folders = [network_folder(folder) for folder in (old, new)]
    path = out or folders[1] / "carry_over.parquet"
    check_carry_over_path(path)
    before, after = (read_network(folder) for folder in folders)
    table = diff_networks(before, after, settings.network.diff_tolerance_m)
    write_carry_over(table, path)
    return table, path


def run_slices(
    settings: Settings, progress: Callable[[str, float], None] = lambda step, share: None
) -> tuple[SlicesReport, Workspace]:
    """Bring the city's slices up to date; draw the trips that fit the roads worst."""
    workspace = Workspace.of(settings)
    network = read_network(workspace.network)
    report = make_slices(settings, network, workspace, progress)
    if report.matching is not None and report.matching.worst:
        plot_worst_trips(network, report.matching.worst, workspace.matching / "worst_trips.png")
    return report, workspace


def members_of(settings: Settings, titles: Sequence[str]) -> list[Settings]:
    """Return the settings of each named model, such as ``gcn-enhanced-self-loops``.

    Raises:
        SettingsError: there is no model of that name.
    """
    known = {
        model_title(replace(settings.model, name=name, graph=graph), size): (name, size, graph)
        for name in BACKBONES
        for size in SIZES
        for graph in GRAPHS
    }
    members = []
    for title in titles:
        if title not in known:
            raise SettingsError(
                f"no model '{title}' (there are {', '.join(known)}){nearest(title, known)}"
            )
        name, size, graph = known[title]
        model = replace(settings.model, name=name, graph=graph)
        members.append(replace(settings, model=model, size=size))
    return members


def run_comparison(
    settings: Settings,
    members: Sequence[Settings],
    on_epoch: Callable[[str, dict[str, float]], None] = lambda title, figures: None,
) -> Comparison:
    """Train every member, judge all on the same test cells beside the baselines, record them.

    Args:
        settings: of the city and its data, the same for all members.
        members: settings of each model.
        on_epoch: called with a member's title and the figures of every finished epoch.
    """
    workspace = Workspace.of(settings)
    network = read_network(workspace.network)
    dataset = load_dataset(settings, workspace, network)
    truth = _truth_labels(settings, dataset)
    span = dataset.splits.test
    minutes = dataset.grid.slice_minutes
    origins = scoring_origins(span, dataset.window, minutes, settings.evaluation)
    forecasts = all_baselines(dataset, origins, settings)
    baselines = {item.name for item in forecasts}
    trainings: dict[str, Trained] = {}
    decisions: dict[str, np.ndarray] = {}
    validated: dict[str, Forecast] = {}
    validation = dataset.splits.validation.origins(dataset.window, max(dataset.horizons))
    for member in members:
        title = model_title(member.model, member.size)
        trained = fit(dataset, member, lambda figures, title=title: on_epoch(title, figures))  # type: ignore[misc]
        trainings[title] = trained
        likeliest = np.ones(len(CONGESTION_CLASSES))
        validated[title] = _forecast(title, trained, dataset, validation, likeliest)
        decisions[title] = _decision_weights(validated[title], dataset, member)
        forecasts.append(_forecast(title, trained, dataset, origins, decisions[title]))

    def scored(labels: Labels) -> pd.DataFrame:
        rows = [
            score
            for item in forecasts
            for score in score_forecast(
                item, labels, span, dataset.horizons, minutes, settings.evaluation
            )
        ]
        table = score_table(rows)
        return table.assign(baseline=table["model"].isin(baselines))

    scores = scored(dataset.labels)
    truth_scores = None if truth is None else scored(truth)
    bundles = {}
    for member in members:
        title = model_title(member.model, member.size)
        bundle = _bundle(
            trainings[title], dataset, member, scores, decisions[title], validated[title]
        )
        write_bundle(bundle, workspace.bundle(title))
        bundles[title] = workspace.bundle(title)
    folder = workspace.results
    with whole_folder(folder) as temporary:
        _write_results(temporary, settings, scores, truth_scores)
        for item in forecasts:
            history = trainings[item.name].history if item.name in trainings else None
            _write_plots(temporary / "plots", item, dataset, history)
        _write_score_plots(temporary / "plots", scores)
    records = [
        _record(item.name, settings_of, scores, trainings.get(item.name), bundles, folder)
        for item, settings_of in zip(
            forecasts, [settings] * len(baselines) + list(members), strict=True
        )
    ]
    record_runs(records, settings, workspace)
    return Comparison(scores, truth_scores, bundles, folder, tracking_uri(settings, workspace))


def run_prediction(settings: Settings, bundle_folder: Path | None, out: Path | None) -> Path:
    """Forecast from the newest slices; write the table and, with geometry, its map.

    Args:
        settings: of the city; without ``bundle_folder`` they name the model too.
        bundle_folder: the trained bundle.
        out: file to write; by default ``predictions.parquet`` in the workspace.

    Returns:
        The file written.
    """
    workspace = Workspace.of(settings)
    title = model_title(settings.model, settings.size)
    bundle = read_bundle(bundle_folder or workspace.bundle(title))
    network = read_network(workspace.network)
    slices = read_slices(workspace.slices)
    table = predict_newest(bundle, network, slices, stored_slice_minutes(workspace.slices))
    path = out or workspace.predictions
    if path.suffix not in (".parquet", ".csv"):
        raise SettingsError(f"--out {path}: write a .parquet or a .csv file")
    frame = table.to_pandas()
    with whole_file(path) as temporary:
        if path.suffix == ".csv":
            frame.to_csv(temporary, index=False)
        else:
            pq.write_table(table, temporary, compression="zstd")
    if network.has_geometry and frame["congestion"].notna().all():
        zone = city_zone(bundle.timezone)
        plot_predictions(network, frame, zone, path.with_suffix(".png"))
    return path


def _truth_labels(settings: Settings, dataset: Dataset) -> Labels | None:
    if not settings.city.truth:
        return None
    path = Path(settings.city.truth)
    if not path.is_file():
        raise DataError(f"truth {path} is missing; set city.truth, or empty it: city.truth=''")
    speeds = speeds_on_grid(TRUTH.conform(read_whole(path)), dataset.grid)
    return labels_of_speeds(dataset.grid, speeds, dataset.free_flow_kph, settings)


def _forecast(
    title: str,
    trained: Trained,
    dataset: Dataset,
    origins: np.ndarray,
    decision_weights: np.ndarray,
) -> Forecast:
    return forecast(
        title,
        trained.model,
        trained.graph,
        dataset.inputs,
        origins,
        dataset.window,
        dataset.preparation,
        decision_weights,
    )


def _decision_weights(said: Forecast, dataset: Dataset, member: Settings) -> np.ndarray:
    """Return the weights of the classes, learned from a forecast of the validation span."""
    if member.training.decision == "likeliest" or said.congestion_probability is None:
        return np.ones(len(CONGESTION_CLASSES))
    label = dataset.labels.congestion[said.origins[:, None] + np.asarray(dataset.horizons)]
    known = label != NO_LABEL
    return macro_f1_weights(said.congestion_probability[known], label[known])


def _bundle(
    trained: Trained,
    dataset: Dataset,
    member: Settings,
    scores: pd.DataFrame,
    decision_weights: np.ndarray,
    said: Forecast,
) -> Bundle:
    """Return the bundle; ``said`` is the model's forecast of the validation span."""
    title = said.name
    errors = np.zeros((len(dataset.horizons), 2))
    if said.speed_kph is not None:
        errors = speed_error_quantiles(said, dataset.labels, dataset.horizons)
    kept = scores[scores["baseline"] | (scores["model"] == title)]
    return Bundle(
        title=title,
        model=trained.model,
        preparation=dataset.preparation,
        options=member.model,
        settings=_portable(member),
        city=member.city.name,
        timezone=member.city.timezone,
        slice_minutes=dataset.grid.slice_minutes,
        window=dataset.window,
        horizons=dataset.horizons,
        decision_weights=decision_weights,
        speed_errors=errors,
        segment_ids=dataset.grid.segment_ids,
        network_fingerprint=dataset.graph.fingerprint,
        metrics=[
            {str(key): value for key, value in row.items()} for row in kept.to_dict("records")
        ],
        history=trained.history,
    )


def _portable(settings: Settings) -> dict[str, object]:
    """Return the settings without absolute paths, which belong to one machine alone."""
    content = settings_to_dict(settings)
    content["workspace"] = Path(settings.workspace).name
    for key in ("roads", "fixes", "speeds", "truth", "detector_ids"):
        content["city"][key] = Path(content["city"][key]).name
    return content


def _write_results(
    folder: Path, settings: Settings, scores: pd.DataFrame, truth_scores: pd.DataFrame | None
) -> None:
    scores.to_csv(folder / "results.csv", index=False)
    text = f"# Results, {settings.city.name}, test span, cells with an observation\n\n"
    text += f"Speeds in {settings.city.speed_unit}. Baselines and models on the same cells.\n\n"
    text += markdown(shown_results(scores, settings.city))
    if truth_scores is not None:
        truth_scores.to_csv(folder / "results_truth.csv", index=False)
        text += "\n# The same against the simulator's truth, every segment with a vehicle\n\n"
        text += markdown(shown_results(truth_scores, settings.city))
    if settings.labels.rush_hour == "clock":
        text += "\nRush hour is a function of the clock here, so its score says nothing.\n"
    (folder / "results.md").write_text(text, "utf-8")


def _write_plots(
    folder: Path, item: Forecast, dataset: Dataset, history: list[dict[str, float]] | None
) -> None:
    if history is not None:
        plot_learning_curves(history, item.name, folder / f"{item.name}-learning-curves.png")
    if item.congestion is None:
        return
    # The confusion is shown half-way: at 30 minutes where the horizons are 15 to 60.
    place = (len(dataset.horizons) - 1) // 2
    targets = item.origins + dataset.horizons[place]
    inside = targets < dataset.splits.test.stop
    label = dataset.labels.congestion[targets[inside]]
    known = label != NO_LABEL
    confusion = confusion_matrix(
        label[known], item.congestion[inside, place][known], len(CONGESTION_CLASSES)
    )
    minutes = dataset.horizons[place] * dataset.grid.slice_minutes
    name = item.name.replace(" ", "-")
    plot_confusion(
        confusion,
        f"{item.name}\nCongestion {minutes} minutes ahead, test span",
        folder / f"{name}-confusion.png",
    )


def _write_score_plots(folder: Path, scores: pd.DataFrame) -> None:
    for column, axis_title, title in (
        ("macro_f1", "macro F1", "Congestion on the test span"),
        ("speed_mae_kph", "mean absolute error, km/h", "Speed on the test span"),
    ):
        if scores[column].notna().any():
            plot_scores(scores, column, axis_title, title, folder / f"{column}.png")


METRIC_NAMES = {
    "accuracy": "congestion/accuracy",
    "macro_f1": "congestion/macro_f1",
    "gridlock_recall": "congestion/recall_gridlock",
    "congested_recall": "congestion/recall_congested",
    "moderate_recall": "congestion/recall_moderate",
    "free_flow_recall": "congestion/recall_free_flow",
    "log_loss": "congestion/log_loss",
    "calibration_error": "congestion/calibration_error",
    "rush_hour_accuracy": "rush_hour/accuracy",
    "rush_hour_f1": "rush_hour/f1",
    "speed_mae_kph": "speed/mae_kph",
    "speed_rmse_kph": "speed/rmse_kph",
}


def _record(
    name: str,
    settings: Settings,
    scores: pd.DataFrame,
    trained: Trained | None,
    bundles: dict[str, Path],
    folder: Path,
) -> Record:
    rows = scores[scores["model"] == name]
    metrics = {
        f"test/{METRIC_NAMES[column]}/{row['horizon_min']}min": float(row[column])
        for row in rows.to_dict("records")
        for column in METRIC_NAMES
    }
    tags = {
        "kind": "baseline" if trained is None else "model",
        "roadgraph": version("roadgraph"),
        "python": platform.python_version(),
    }
    artifacts = {"": folder / "results.md"}
    plain_name = name.replace(" ", "-")
    for kind in ("confusion", "learning-curves"):
        plot = folder / "plots" / f"{plain_name}-{kind}.png"
        if plot.is_file():
            artifacts[f"plots/{kind}"] = plot
    if trained is None:
        content: dict[str, object] = {"city": settings_to_dict(settings)["city"]}
        return Record(name, content, metrics=metrics, tags=tags, artifacts=artifacts)
    metrics["training_seconds"] = trained.seconds
    metrics["best_epoch"] = trained.best_epoch
    metrics["parameters"] = sum(value.numel() for value in trained.model.parameters())
    tags["device"] = trained.device
    artifacts["bundle"] = bundles[name]
    return Record(name, settings_to_dict(settings), trained.history, metrics, tags, artifacts)
