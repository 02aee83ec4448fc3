"""What MLflow keeps of the runs of a comparison, each recorded once a store."""

from __future__ import annotations

import json
import platform
import re
from dataclasses import replace
from importlib.metadata import version
from typing import TYPE_CHECKING

import pandas as pd

from roadgraph.comparison.results import PICTURES, is_trivial, picture_name
from roadgraph.config import settings_to_dict
from roadgraph.evaluation.parts import ALL
from roadgraph.models.registry import model_title
from roadgraph.storage import write_json
from roadgraph.tracking.store import Record, record_runs, tracking_uri
from roadgraph.workspace import Workspace

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from roadgraph.comparison.compare import Compared
    from roadgraph.comparison.runs import Run
    from roadgraph.settings import Settings

METRIC_NAMES = {
    "accuracy": "congestion/accuracy",
    "macro_f1": "congestion/macro_f1",
    "micro_f1": "congestion/micro_f1",
    "macro_precision": "congestion/macro_precision",
    "macro_auc": "congestion/macro_auc",
    "gridlock_recall": "congestion/recall_gridlock",
    "congested_recall": "congestion/recall_congested",
    "moderate_recall": "congestion/recall_moderate",
    "free_flow_recall": "congestion/recall_free_flow",
    "log_loss": "congestion/log_loss",
    "calibration_error": "congestion/calibration_error",
    "skill_macro_f1": "congestion/skill",
    "answered_share": "congestion/answered_share",
    "accuracy_answered": "congestion/accuracy_answered",
    "macro_f1_answered": "congestion/macro_f1_answered",
    "rush_hour_accuracy": "rush_hour/accuracy",
    "rush_hour_precision": "rush_hour/precision",
    "rush_hour_recall": "rush_hour/recall",
    "rush_hour_f1": "rush_hour/f1",
    "rush_hour_auc": "rush_hour/auc",
    "speed_mae_kph": "speed/mae_kph",
    "speed_rmse_kph": "speed/rmse_kph",
    "skill_speed_mae": "speed/skill",
    "interval_coverage": "speed/interval_coverage",
}
RECORDED = "recorded.json"
"""In the folder of a run: address of an MLflow store, without password, to the run's id in it."""


def record_comparison(
    compared: Compared, members: Sequence[Settings], settings: Settings, folder: Path
) -> str:
    """Record the runs that the MLflow store does not have yet; return its address.

    Each run's id is kept as soon as it is recorded, so that a store that fails later gets only
    the rest the next time.

    Args:
        compared: the runs.
        members: settings of each model.
        settings: of the city; name the store.
        folder: of the results, whose table and plots go with every run.
    """
    workspace = Workspace.of(settings)
    address = tracking_uri(settings, workspace)
    by_title = {model_title(member.model, member.size): member for member in members}
    store = _without_password(address)
    scores = compared.scores
    for run in {(run.facts.title, run.facts.seed): run for run in compared.runs}.values():
        recorded = _recorded(run)
        if store not in recorded:
            record = _record(run, by_title.get(run.facts.title), scores, settings, folder)
            (name,) = record_runs([record], settings, workspace)
            write_json(run.folder / RECORDED, {**recorded, store: name})
    return address


def _without_password(address: str) -> str:
    """Return ``user@host`` of an address for ``user:password@host``; other addresses as they are.

    The password ends at the last ``@`` before the path.
    """
    return re.sub(r"(?<=://)([^/:@]*):[^/]*@", r"\1@", address)


def _recorded(run: Run) -> dict[str, str]:
    path = run.folder / RECORDED
    return dict(json.loads(path.read_text("utf-8"))) if path.is_file() else {}


def _record(
    run: Run, member: Settings | None, scores: pd.DataFrame, settings: Settings, folder: Path
) -> Record:
    facts = run.facts
    rows = scores[
        (scores["model"] == facts.title) & (scores["seed"] == facts.seed) & (scores["part"] == ALL)
    ]
    metrics = {
        f"test/{METRIC_NAMES[column]}/{row['horizon_min']}min": float(row[column])
        for row in rows.to_dict("records")
        for column in METRIC_NAMES
    }
    metrics["training_seconds"] = facts.training_seconds
    metrics["prediction_ms"] = facts.prediction_ms
    tags = {
        "kind": "baseline" if facts.baseline else "model",
        "task": settings.task,
        "roadgraph": version("roadgraph"),
        "python": platform.python_version(),
    }
    if is_trivial(settings):
        tags["trivial"] = "yes"
    if settings.labels.rush_hour == "clock":
        tags["rush_hour"] = "from the clock"
    artifacts = {"": folder / "results.md"}
    for kind in PICTURES:
        plot = folder / "plots" / picture_name(facts, kind)
        if plot.is_file():
            artifacts[f"plots/{kind}"] = plot
    if member is None:
        content = {"city": settings_to_dict(settings)["city"]}
        return Record(facts.title, content, metrics=metrics, tags=tags, artifacts=artifacts)
    for name in ("best_epoch", "parameters", "validation_loss"):
        metrics[name] = float(getattr(facts, name))
    tags |= {"device": str(facts.device), "diagnosis": str(facts.diagnosis)}
    artifacts["bundle"] = run.bundle
    seeded = replace(member, training=replace(member.training, seed=facts.seed))
    history = [
        {name: value for name, value in epoch.items() if value is not None} for epoch in run.history
    ]
    content = settings_to_dict(seeded)
    del content["tracking"]  # whose address may hold a password
    return Record(facts.title, content, history, metrics, tags, artifacts)
