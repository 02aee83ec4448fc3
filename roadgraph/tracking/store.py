"""The MLflow store: one experiment a city, one run a trained model or baseline."""

from __future__ import annotations

import logging
import math
import os
import time
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from roadgraph.errors import SettingsError

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from mlflow import MlflowClient

    from roadgraph.settings import Settings
    from roadgraph.workspace import Workspace

METRICS_A_CALL = 900  # MLflow takes at most 1,000 in one call
PARAMETER_CHARACTERS = 6000  # MLflow's limit


@dataclass(frozen=True)
class Record:
    """What there is to record of one run.

    Attributes:
        title: name of the run, such as ``gcn-enhanced``.
        settings: nested; recorded flat as ``training.max_epochs``.
        history: figures of every epoch, each with its number under ``epoch``.
        metrics: final figures by name.
        tags: texts by name.
        artifacts: files and folders to keep, under the folder's name in the run ("" the top).
    """

    title: str
    settings: Mapping[str, Any]
    history: Sequence[Mapping[str, float]] = ()
    metrics: Mapping[str, float] = field(default_factory=dict)
    tags: Mapping[str, str] = field(default_factory=dict)
    artifacts: Mapping[str, Path] = field(default_factory=dict)


def tracking_uri(settings: Settings, workspace: Workspace) -> str:
    """Return the store's address: the setting, the environment's, or the workspace's own."""
    own = f"sqlite:///{(workspace.store / 'mlflow.db').as_posix()}"
    return settings.tracking.uri or os.environ.get("MLFLOW_TRACKING_URI") or own


def record_runs(records: Sequence[Record], settings: Settings, workspace: Workspace) -> list[str]:
    """Record finished runs and return their ids.

    Everything of a run is sent after its training, in few calls, so that recording costs the
    training nothing.

    Raises:
        SettingsError: there is no such store.
    """
    from mlflow import MlflowClient
    from mlflow.exceptions import MlflowException

    # MLflow sets its own level when it is imported, and tells of every step of its database.
    for name in ("alembic", "mlflow"):
        logging.getLogger(name).setLevel(logging.WARNING)
    uri = tracking_uri(settings, workspace)
    if uri.startswith("sqlite:///"):
        Path(uri.removeprefix("sqlite:///")).parent.mkdir(parents=True, exist_ok=True)
    try:
        client = MlflowClient(uri)
        experiment = _experiment(client, settings, workspace, uri)
    except MlflowException as error:
        reason = str(error).strip().splitlines()[0]
        raise SettingsError(
            f"the MLflow store '{uri}' cannot be used ({reason}); bundles and results are written, "
            "set tracking.uri or MLFLOW_TRACKING_URI and train again to record them"
        ) from error
    return [_record(client, experiment, record) for record in records]


def _experiment(client: MlflowClient, settings: Settings, workspace: Workspace, uri: str) -> str:
    found = client.get_experiment_by_name(settings.city.name)
    if found is not None:
        return str(found.experiment_id)
    # A store in a file has no server that would know where artifacts go.
    place = (workspace.store / "mlartifacts").resolve().as_uri() if "sqlite:" in uri else None
    return str(client.create_experiment(settings.city.name, artifact_location=place))


def _record(client: MlflowClient, experiment: str, record: Record) -> str:
    from mlflow.entities import Metric, Param, RunTag

    now_ms = int(time.time() * 1000)
    run_id: str = client.create_run(experiment, run_name=record.title).info.run_id
    metrics = [
        Metric(name, float(value), now_ms, int(epoch["epoch"]))
        for epoch in record.history
        for name, value in epoch.items()
        if name != "epoch" and math.isfinite(value)
    ]
    metrics += [
        Metric(name, float(value), now_ms, 0)
        for name, value in record.metrics.items()
        if math.isfinite(value)
    ]
    parameters = [
        Param(name, str(value)[:PARAMETER_CHARACTERS])
        for name, value in flat(record.settings).items()
    ]
    tags = [RunTag(name, value) for name, value in record.tags.items()]
    client.log_batch(run_id, params=parameters[:100], tags=tags)
    for start in range(100, len(parameters), 100):
        client.log_batch(run_id, params=parameters[start : start + 100])
    for start in range(0, len(metrics), METRICS_A_CALL):
        client.log_batch(run_id, metrics=metrics[start : start + METRICS_A_CALL])
    for folder, path in record.artifacts.items():
        if path.is_dir():
            client.log_artifacts(run_id, str(path), folder or None)
        else:
            client.log_artifact(run_id, str(path), folder or None)
    client.set_terminated(run_id)
    return run_id


def flat(settings: Mapping[str, Any], prefix: str = "") -> dict[str, Any]:
    """Return nested settings as one level of dotted names."""
    result: dict[str, Any] = {}
    for name, value in settings.items():
        if isinstance(value, dict):
            result.update(flat(value, f"{prefix}{name}."))
        else:
            result[f"{prefix}{name}"] = value
    return result
