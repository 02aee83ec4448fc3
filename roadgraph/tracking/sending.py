"""From a record's folder to its run in an MLflow store, so that nothing ever arrives twice."""

from __future__ import annotations

import json
import logging
import math
import tempfile
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

from roadgraph.errors import RoadgraphError
from roadgraph.masking import without_secrets
from roadgraph.tracking.record import (
    Progress,
    Sent,
    read_progress,
    read_record,
    read_sent,
    write_sent,
)
from roadgraph.tracking.registry import register
from roadgraph.tracking.served_models import upload_served_model

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Sequence

    from mlflow import MlflowClient
    from mlflow.entities import DatasetInput, Metric

    from roadgraph.tracking.record import DataUsed, Record
    from roadgraph.tracking.store import Store

    Serve = Callable[[Path, Path, Path], Path]

logger = logging.getLogger(__name__)

METRICS_A_CALL = 900  # MLflow takes at most 1,000 in one call
PARAMETERS_A_CALL = 100
PARAMETER_CHARACTERS = 6000  # MLflow's limit
RECORD_TAG = "roadgraph.record"
PARENT_TAG = "mlflow.parentRunId"  # MLflow's own, by which its pages fold runs
REGISTER_FILE = "register.json"
MODEL_NAME = "model"


class Sender:
    """Sends records to one store, and remembers what it has sent of those that still grow.

    A run is found by the tag :data:`RECORD_TAG` before one is made, and points of curves carry the
    time at which they came about, so that MLflow knows one that it has already. Sending may
    therefore break off anywhere and be repeated.

    Args:
        store: to send to.
        serve: writes the served model of a bundle and a network into a folder and returns it;
            None logs no served models.
    """

    def __init__(self, store: Store, serve: Serve | None = None) -> None:
        self._store = store
        self._serve = serve
        self._client: MlflowClient | None = None
        self._experiments: dict[str, str] = {}
        self._opened: dict[str, str] = {}
        self._lines: dict[str, int] = {}

    def send(self, folder: Path) -> Sent:
        """Send what the store does not have yet of the record in ``folder``.

        Of one that is ``RUNNING`` parameters, tags and progress are sent, of another all. Where
        ``register.json`` lies in the folder, the model is registered too.

        Raises:
            TrackingError: another process has held the store for long.
            Exception: whatever MLflow and its libraries raise when the store does not answer.
        """
        with self._store.held():
            record = read_record(folder)
            sent = read_sent(folder).get(self._store.name, Sent())
            if record is None or is_settled(folder, self._store):
                return sent
            if not sent.finished:
                sent = self._send(record, sent, folder)
            if sent.finished and not sent.version and (folder / REGISTER_FILE).is_file():
                sent = self._registered(sent, folder)
            return sent

    def experiment(self, name: str) -> str:
        """Return the id of the experiment ``name``."""
        if name not in self._experiments:
            self._experiments[name] = self._store.experiment(self._connected(), name)
        return self._experiments[name]

    def _connected(self) -> MlflowClient:
        if self._client is None:
            self._client = self._store.client()
        return self._client

    def _send(self, record: Record, sent: Sent, folder: Path) -> Sent:
        client = self._connected()
        run_id = self._opened.get(record.record_id) or self._open(record, sent.run_id)
        if run_id != sent.run_id:
            sent = replace(sent, run_id=run_id, experiment=self.experiment(record.experiment))
            write_sent(self._store.name, sent, folder)
        lines = read_progress(folder)
        _log_metrics(client, run_id, lines[self._lines.get(record.record_id, 0) :])
        self._lines[record.record_id] = len(lines)
        if record.status == "RUNNING":
            return sent
        assert record.ended_ms is not None
        _log_tags(client, run_id, record)
        _log_metrics(client, run_id, [_final(record)])
        for place, paths in record.artifacts.items():
            for path in paths:
                _log_artifact(client, run_id, folder.parent / path, place)
        if self._serve is not None and record.network and not sent.model_id:
            try:
                sent = replace(sent, model_id=self._log_model(record, run_id, folder))
            except RoadgraphError as error:
                # The network has changed since, say; the figures are worth keeping all the same.
                logger.warning("%s is logged without a served model: %s", record.title, error)
                client.set_tag(run_id, "served_model", f"none: {error}")
            write_sent(self._store.name, sent, folder)
        client.set_terminated(run_id, record.status, record.ended_ms)
        sent = replace(sent, finished=True)
        write_sent(self._store.name, sent, folder)
        return sent

    def _open(self, record: Record, known: str) -> str:
        client = self._connected()
        experiment = self.experiment(record.experiment)
        run_id = known or self._run_of(record.record_id, experiment)
        tags = {RECORD_TAG: record.record_id}
        parent = self._run_of(record.parent, experiment) if record.parent else ""
        if parent:
            tags[PARENT_TAG] = parent
        if not run_id:
            run_id = str(
                client.create_run(
                    experiment, start_time=record.started_ms, tags=tags, run_name=record.title
                ).info.run_id
            )
        elif record.status == "RUNNING":
            client.update_run(run_id, status="RUNNING")  # one that was taken up again
        _log_parameters(client, run_id, record)
        _log_tags(client, run_id, record)
        if record.data:
            client.log_inputs(run_id, datasets=[_dataset(data) for data in record.data])
        self._opened[record.record_id] = run_id
        return run_id

    def _run_of(self, record_id: str, experiment: str) -> str:
        """Return the id of the run of a record, or "" when the store has none."""
        if record_id in self._opened:
            return self._opened[record_id]
        found = self._connected().search_runs(
            [experiment], f"tags.`{RECORD_TAG}` = '{record_id}'", max_results=1
        )
        return str(found[0].info.run_id) if found else ""

    def _log_model(self, record: Record, run_id: str, folder: Path) -> str:
        assert self._serve is not None
        (bundle,) = (folder.parent / path for path in record.artifacts["bundle"])
        with tempfile.TemporaryDirectory() as temporary:
            served = self._serve(bundle, folder.parent / record.network, Path(temporary) / "model")
            experiment = self.experiment(record.experiment)
            figures = _metrics([_final(record)])
            return upload_served_model(
                self._connected(), experiment, run_id, served, MODEL_NAME, figures
            )

    def _registered(self, sent: Sent, folder: Path) -> Sent:
        asked = json.loads((folder / REGISTER_FILE).read_text("utf-8"))
        version = "none: it has no served model"
        if sent.model_id:
            # Not `models:/<id>`, which a database store looks up in MLflow's global store.
            source = str(self._connected().get_logged_model(sent.model_id).artifact_location)
            version = register(
                self._connected(),
                asked["name"],
                source,
                sent.run_id,
                asked["tags"],
                model_id=sent.model_id,
            )
        sent = replace(sent, version=version)
        write_sent(self._store.name, sent, folder)
        return sent


def is_settled(folder: Path, store: Store) -> bool:
    """Return whether ``store`` has all of the record in ``folder``, which is complete."""
    sent = read_sent(folder).get(store.name, Sent())
    return sent.finished and bool(sent.version or not (folder / REGISTER_FILE).is_file())


def resend(
    folders: Sequence[Path], sender: Sender, on_sent: Callable[[Path], None] = lambda folder: None
) -> tuple[Sequence[Path], str]:
    """Send the records in ``folders``; stop at the first that the store does not take.

    Args:
        folders: from :func:`waiting`.
        sender: to the store.
        on_sent: called with the folder of each record that is settled.

    Returns:
        What is left, and why, or "".
    """
    for place, folder in enumerate(folders):
        try:
            sender.send(folder)
        except Exception as error:
            logger.info("a record was not sent", exc_info=error)
            return folders[place:], reason_of(error)
        on_sent(folder)
    return [], ""


def reason_of(error: Exception) -> str:
    """Return the first line of what ``error`` says, without passwords."""
    lines = str(error).strip().splitlines()
    return without_secrets(lines[0] if lines else type(error).__name__)


def waiting(folders: Iterable[Path], store: Store) -> list[Path]:
    """Return the folders of complete records that were meant for ``store`` and are not all there.

    Runs that others stand under come first.
    """
    found = []
    for folder in folders:
        record = read_record(folder)
        meant = store.name in read_sent(folder)
        if record and record.status != "RUNNING" and meant and not is_settled(folder, store):
            found.append((bool(record.parent), record.started_ms, folder))
    return [folder for *_, folder in sorted(found)]


def _final(record: Record) -> Progress:
    assert record.ended_ms is not None
    return Progress(0, record.ended_ms, record.metrics)


def _metrics(progress: Sequence[Progress]) -> list[Metric]:
    from mlflow.entities import Metric

    return [
        Metric(name, float(value), each.at_ms, each.step)
        for each in progress
        for name, value in each.figures.items()
        if math.isfinite(value)
    ]


def _log_metrics(client: MlflowClient, run_id: str, progress: Sequence[Progress]) -> None:
    metrics = _metrics(progress)
    for start in range(0, len(metrics), METRICS_A_CALL):
        client.log_batch(run_id, metrics=metrics[start : start + METRICS_A_CALL])


def _log_parameters(client: MlflowClient, run_id: str, record: Record) -> None:
    from mlflow.entities import Param

    parameters = [
        Param(name, value[:PARAMETER_CHARACTERS]) for name, value in record.parameters.items()
    ]
    for start in range(0, len(parameters), PARAMETERS_A_CALL):
        client.log_batch(run_id, params=parameters[start : start + PARAMETERS_A_CALL])


def _log_tags(client: MlflowClient, run_id: str, record: Record) -> None:
    from mlflow.entities import RunTag

    tags = [RunTag(name, value) for name, value in record.tags.items()]
    client.log_batch(run_id, tags=tags)


def _log_artifact(client: MlflowClient, run_id: str, path: Path, place: str) -> None:
    if path.is_dir():
        client.log_artifacts(run_id, str(path), place or None)
    else:
        client.log_artifact(run_id, str(path), place or None)


def _dataset(data: DataUsed) -> DatasetInput:
    from mlflow.entities import Dataset, DatasetInput, InputTag

    source = json.dumps({"path": data.source})
    dataset = Dataset(
        data.name, data.digest, "local", source, profile=json.dumps(dict(data.profile))
    )
    return DatasetInput(dataset, [InputTag("mlflow.data.context", data.context)])
