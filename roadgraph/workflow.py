"""What the commands do, from the import of a network to a predictions file.

The command line and the pipelines call these functions and only show what they return.
"""

from __future__ import annotations

import shutil
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING

from roadgraph.calendar import ALL_DAYS, Days
from roadgraph.comparison.compare import Compared, compare_members
from roadgraph.comparison.page import page_of
from roadgraph.comparison.recorder import Recorded, Recorder
from roadgraph.comparison.results import write_results
from roadgraph.dataset.loading import road_graph_of
from roadgraph.dataset.preparation import channels_of
from roadgraph.models.graph import road_graph
from roadgraph.models.registry import build_model
from roadgraph.models.summary import summarise, total
from roadgraph.network.carry_over import check_carry_over_path, write_carry_over
from roadgraph.network.diff import diff_networks
from roadgraph.network.importing import ImportedNetwork, import_network, write_import
from roadgraph.network.network import network_folder, read_network
from roadgraph.promotion.promoting import Promotion, promote_challenger, step_back
from roadgraph.report.comparison_page import write_comparison_page
from roadgraph.report.plots import plot_network
from roadgraph.report.tables import shown_layers
from roadgraph.report.trip_plots import plot_worst_trips
from roadgraph.serving.save import save_served_model
from roadgraph.slices.run import SlicesReport, make_slices
from roadgraph.storage import alone, whole_folder
from roadgraph.tracking.outbox import Left
from roadgraph.tracking.overview import Tracking, tracking_of
from roadgraph.tracking.record import now_ms
from roadgraph.tracking.sending import Sender, end_abandoned, resend, waiting
from roadgraph.tracking.store import Store
from roadgraph.tracking.versions import Version
from roadgraph.workspace import Workspace

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    import pandas as pd
    import pyarrow as pa

    from roadgraph.settings import Settings


@dataclass(frozen=True)
class Comparison:
    """What a training or a comparison came to.

    Attributes:
        compared: all runs.
        bundles: folder of each trained model by its title: that of its best seed on validation.
        folder: where tables and plots are.
        recorded: where MLflow has it, or None with ``tracking.enabled=false``.
        page: the HTML page of it, or None when none was asked for.
    """

    compared: Compared
    bundles: dict[str, Path]
    folder: Path
    recorded: Recorded | None
    page: Path | None = None

    @property
    def scores(self) -> pd.DataFrame:
        """A row a run, horizon and part of the test span."""
        return self.compared.scores

    @property
    def truth_scores(self) -> pd.DataFrame | None:
        """The same against the true speeds of a simulation, or None."""
        return self.compared.truth_scores


def run_network(settings: Settings) -> tuple[ImportedNetwork, Workspace]:
    """Import the city's network and write it, with its account and picture, to the workspace."""
    workspace = Workspace.of(settings)
    imported = import_network(settings)
    write_import(imported, settings, workspace.network, plot_network)
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


def run_comparison(
    settings: Settings,
    members: Sequence[Settings],
    seeds: Sequence[int],
    on_epoch: Callable[[str, dict[str, float]], None] = lambda title, figures: None,
    on_run: Callable[[str], None] = lambda title: None,
    report: bool = False,
    days: Days = ALL_DAYS,
) -> Comparison:
    """Train every member with every seed, judge all beside the baselines, write and record it.

    Args:
        settings: of the city and its data, the same for all members.
        members: settings of each model.
        seeds: of the trainings.
        on_epoch: called with a run's title and the figures of every finished epoch.
        on_run: called with a run's title before it begins; one that is there already is not run.
        report: write ``comparison.html`` too.
        days: that are learned from and judged on.
    """
    workspace = Workspace.of(settings)
    recorder = None
    if settings.tracking.enabled:
        store = Store.of(settings, workspace)
        recorder = Recorder(settings, members, seeds, store, save_served_model)
    try:
        compared = compare_members(settings, members, seeds, on_epoch, on_run, recorder, days)
        bundles = {}
        with alone(workspace.results):
            for title in compared.titles:
                with whole_folder(workspace.bundle(title)) as temporary:
                    shutil.copytree(compared.best_of(title).bundle, temporary, dirs_exist_ok=True)
                bundles[title] = workspace.bundle(title)
            write_results(compared, settings, workspace.results)
            if recorder is not None:
                recorder.ended(compared, workspace.results)
        recorded = recorder.close() if recorder is not None else None
    except BaseException as error:
        if recorder is not None:
            recorder.give_up(error)
        raise
    page = None
    if report:
        page = workspace.results / "comparison.html"
        links = recorded.pages if recorded is not None else {}
        content = page_of(compared, settings, workspace.results, links, datetime.now(UTC))
        write_comparison_page(content, page)
    return Comparison(compared, bundles, workspace.results, recorded, page)


def run_tracking(settings: Settings) -> Tracking:
    """Return what the MLflow store has of the city's records."""
    workspace = Workspace.of(settings)
    return tracking_of(workspace.records, Store.of(settings, workspace))


def run_resend(
    settings: Settings, on_sent: Callable[[Path], None] = lambda folder: None
) -> tuple[int, Left]:
    """Send the city's records that the MLflow store did not take, none of them twice.

    Args:
        settings: of the city; they name the store.
        on_sent: called with the folder of each record that is sent.

    Returns:
        How many were sent, and what is left.
    """
    workspace = Workspace.of(settings)
    store = Store.of(settings, workspace)
    end_abandoned(workspace.records, now_ms())
    folders = waiting(workspace.records, store)
    left, reason = resend(folders, Sender(store, save_served_model), on_sent)
    return len(folders) - len(left), Left(tuple(left), reason)


def run_summary(settings: Settings) -> pd.DataFrame:
    """Return the layers of the model that the settings name, on the city's network, as people see.

    Multiply-adds are of one forecast of all segments, memory is what a batch's activations take.
    """
    network = read_network(Workspace.of(settings).network)
    roads = road_graph_of(network)
    minutes = settings.slices.minutes
    channels = channels_of(settings.dataset)
    model = build_model(
        settings.model,
        settings.size,
        channels,
        settings.dataset.window,
        [horizon // minutes for horizon in settings.horizons_min],
        roads.segments,
    )
    graph = road_graph(roads, settings.model.graph, settings.model.self_loop_weight)
    layers = summarise(
        model, graph, settings.training.batch_size, settings.dataset.window, len(channels)
    )
    return shown_layers([*layers, total(layers)])


def run_promotion(settings: Settings, dry_run: bool = False, days: Days = ALL_DAYS) -> Promotion:
    """Decide whether the city's challenger takes its champion's place; carry it out.

    With ``dry_run`` nothing is written to the registry. Of the slices ``days`` alone are looked at.
    """
    return promote_challenger(settings, dry_run, days)


def run_rollback(settings: Settings) -> tuple[Version, Version]:
    """Make the champion before the current one champion again; return both, the current first."""
    return step_back(settings)
