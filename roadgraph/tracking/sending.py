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
    FAILURE_TAG,
    RECORD_FILE,
    Progress,
    Sent,
    digest_of,
    is_abandoned,
    read_progress,
    read_record,
    read_sent,
    write_record,
    write_sent,
)
from roadgraph.tracking.registry import register
from roadgraph.tracking.served_models import upload_served_model

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Sequence

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
PASSING_TAGS = (FAILURE_TAG, "failed/")
"""Begin the tags that say what failed, until it does not any more."""
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
        ``register.json`` lies in the folder, the model is registered too. A run that somebody
        deleted in MLflow's pages stays deleted; one that the store has lost is sent anew.

        Raises:
            TrackingError: another process has held the store for long.
            Exception: whatever MLflow and its libraries raise when the store does not answer.
        """
        with self._store.held():
            record, digest = read_record(folder), digest_of(folder, RECORD_FILE)
            sent = read_sent(folder).get(self._store.name, Sent())
            if record is None:
                return sent
            if sent.run_id and record.record_id not in self._opened:
                there = self._lifecycle(sent.run_id)
                if there == "deleted":
                    asked = digest_of(folder, REGISTER_FILE)
                    gone = "none: its run was deleted"
                    sent = replace(sent, digest=digest, version=gone, register_digest=asked)
                    return self._keep(sent, folder)
                if there is None:
                    sent = Sent()
            if sent.digest != digest:
                sent = self._send(record, digest, sent, folder)
            if sent.digest and sent.register_digest != digest_of(folder, REGISTER_FILE):
                sent = self._registered(sent, folder)
            return sent

    def _experiment(self, name: str) -> str:
        if name not in self._experiments:
            self._experiments[name] = self._store.experiment(self._connected(), name)
        return self._experiments[name]

    def _connected(self) -> MlflowClient:
        if self._client is None:
            self._client = self._store.client()
        return self._client

    def _lifecycle(self, run_id: str) -> str | None:
        """Return ``active`` or ``deleted``, or None where the store knows no such run."""
        from mlflow.exceptions import MlflowException

        try:
            return str(self._connected().get_run(run_id).info.lifecycle_stage)
        except MlflowException as error:
            if error.error_code == "RESOURCE_DOES_NOT_EXIST":
                return None
            raise

    def _keep(self, sent: Sent, folder: Path) -> Sent:
        write_sent(self._store.name, sent, folder)
        return sent

    def _send(self, record: Record, digest: str, sent: Sent, folder: Path) -> Sent:
        client = self._connected()
        opened = self._opened.get(record.record_id)
        run_id = opened or self._open(record, sent.run_id, folder)
        if run_id != sent.run_id:
            experiment = self._experiment(record.experiment)
            sent = self._keep(replace(sent, run_id=run_id, experiment=experiment), folder)
        lines = read_progress(folder)
        _log_metrics(client, run_id, lines[self._lines.get(record.record_id, 0) :])
        self._lines[record.record_id] = len(lines)
        if record.status == "RUNNING":
            return sent
        assert record.ended_ms is not None
        if opened:  # with the tags that it had then
            self._log_tags(run_id, record)
        _log_metrics(client, run_id, [_final(record)])
        self._log_artifacts(run_id, record, folder)
        if self._serve is not None and record.network and not sent.model_id:
            model_id = self._log_model(record, run_id, folder)
            sent = self._keep(replace(sent, model_id=model_id), folder)
        client.set_terminated(run_id, record.status, record.ended_ms)
        return self._keep(replace(sent, digest=digest), folder)

    def _open(self, record: Record, known: str, folder: Path) -> str:
        client = self._connected()
        experiment = self._experiment(record.experiment)
        run_id = known or self._run_of(record.record_id, experiment)
        tags = {RECORD_TAG: record.record_id}
        if record.parent:
            parent = self._parent(folder.parent / record.parent)
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
        self._log_tags(run_id, replace(record, tags={**record.tags, **tags}))
        if record.data:
            client.log_inputs(run_id, datasets=[_dataset(data) for data in record.data])
        self._opened[record.record_id] = run_id
        return run_id

    def _parent(self, folder: Path) -> str:
        """Return the id of the run of the record above, which is made first.

        It is "" where there is no record, or its run was deleted in MLflow's pages.
        """
        record = read_record(folder)
        if record is None:
            return ""
        if record.record_id not in self._opened:
            sent = read_sent(folder).get(self._store.name, Sent())
            there = self._lifecycle(sent.run_id) if sent.run_id else None
            if there == "deleted":
                return ""
            run_id = self._open(record, sent.run_id if there else "", folder)
            if run_id != sent.run_id:
                experiment = self._experiment(record.experiment)
                self._keep(Sent(run_id, experiment), folder)
        return self._opened[record.record_id]

    def _run_of(self, record_id: str, experiment: str) -> str:
        """Return the id of the run of a record, or "" when the store has none."""
        found = self._connected().search_runs(
            [experiment], f"tags.`{RECORD_TAG}` = '{record_id}'", max_results=1
        )
        return str(found[0].info.run_id) if found else ""

    def _log_tags(self, run_id: str, record: Record) -> None:
        """Set the tags; what failed once and does not any more is taken away."""
        from mlflow.entities import RunTag

        client = self._connected()
        for name in client.get_run(run_id).data.tags:
            if name.startswith(PASSING_TAGS) and name not in record.tags:
                client.delete_tag(run_id, name)
        tags = [RunTag(name, value) for name, value in record.tags.items()]
        client.log_batch(run_id, tags=tags)

    def _log_artifacts(self, run_id: str, record: Record, folder: Path) -> None:
        missing = []
        for place, paths in record.artifacts.items():
            for path in paths:
                if (folder.parent / path).exists():
                    _log_artifact(self._connected(), run_id, folder.parent / path, place)
                else:
                    missing.append(path)
        if missing:
            # Somebody has deleted the run's folder; its figures are worth keeping all the same.
            logger.warning("%s is logged without what is gone: %s", record.title, missing)
            self._connected().set_tag(run_id, "artifacts.missing", ", ".join(missing))

    def _log_model(self, record: Record, run_id: str, folder: Path) -> str:
        assert self._serve is not None
        (bundle,) = (folder.parent / path for path in record.artifacts["bundle"])
        try:
            with tempfile.TemporaryDirectory() as temporary:
                network = folder.parent / record.network
                served = self._serve(bundle, network, Path(temporary) / "model")
                experiment, figures = (
                    self._experiment(record.experiment),
                    _metrics([_final(record)]),
                )
                return upload_served_model(
                    self._connected(), experiment, run_id, served, MODEL_NAME, figures
                )
        except RoadgraphError as error:
            # The network has changed since, say.
            logger.warning("%s is logged without a served model: %s", record.title, error)
            self._connected().set_tag(run_id, "served_model", f"none: {error}")
            return ""

    def _registered(self, sent: Sent, folder: Path) -> Sent:
        digest = digest_of(folder, REGISTER_FILE)
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
        return self._keep(replace(sent, version=version, register_digest=digest), folder)


def is_settled(folder: Path, store: Store) -> bool:
    """Return whether ``store`` has all of the record in ``folder``, as it is now."""
    sent = read_sent(folder).get(store.name, Sent())
    asked = digest_of(folder, REGISTER_FILE)
    return sent.digest == digest_of(folder, RECORD_FILE) != "" and sent.register_digest == asked


def resend(
    folders: Sequence[Path], sender: Sender, on_sent: Callable[[Path], None] = lambda folder: None
) -> tuple[list[Path], str]:
    """Send the records in ``folders``.

    One that the store does not take is left, and the others go on; when the store does not answer
    at all, the rest is left.

    Args:
        folders: from :func:`waiting`.
        sender: to the store.
        on_sent: called with the folder of each record that is settled.

    Returns:
        What is left, and why the last of it is, or "".
    """
    left: list[Path] = []
    reason = ""
    for place, folder in enumerate(folders):
        try:
            sender.send(folder)
        except Exception as error:
            logger.info("a record was not sent", exc_info=error)
            reason = reason_of(error)
            if is_unreachable(error):
                return [*left, *folders[place:]], reason
            left.append(folder)
            continue
        on_sent(folder)
    return left, reason


def is_unreachable(error: BaseException) -> bool:
    """Return whether ``error`` says that the store does not answer, not that it refuses."""
    from requests.exceptions import ConnectionError as NoConnection
    from requests.exceptions import Timeout
    from sqlalchemy.exc import OperationalError

    kinds = (ConnectionError, TimeoutError, NoConnection, Timeout, OperationalError)
    return any(isinstance(each, kinds) for each in _causes(error))


def reason_of(error: BaseException) -> str:
    """Return why, in a line without passwords; of a broken connection what broke it."""
    for cause in reversed(list(_causes(error))):
        if isinstance(cause, ConnectionError | TimeoutError) and (cause.strerror or str(cause)):
            return without_secrets(cause.strerror or str(cause))
    lines = str(error).strip().splitlines()
    return without_secrets(lines[0] if lines else type(error).__name__)


def _causes(error: BaseException) -> Iterator[BaseException]:
    """Yield an error and all that led to it, the first cause last."""
    at: BaseException | None = error
    seen: set[int] = set()
    while at is not None and id(at) not in seen:
        seen.add(id(at))
        yield at
        at = at.__cause__ or at.__context__


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


def end_abandoned(folders: Iterable[Path], at_ms: int) -> None:
    """Mark records as ``KILLED`` whose processes on this machine are gone without ending them.

    They ended when they last said something, or at ``at_ms`` when they never did.
    """
    for folder in folders:
        record = read_record(folder)
        if record is not None and is_abandoned(record):
            lines = read_progress(folder)
            ended_ms = lines[-1].at_ms if lines else at_ms
            write_record(replace(record, status="KILLED", ended_ms=ended_ms), folder)


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
