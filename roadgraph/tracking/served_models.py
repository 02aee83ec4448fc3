"""The served model of a run as an MLflow LoggedModel: to be loaded, compared and registered."""

from __future__ import annotations

import shutil
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Sequence

    from mlflow import MlflowClient
    from mlflow.entities import LoggedModel, Metric


def upload_served_model(
    client: MlflowClient,
    experiment_id: str,
    run_id: str,
    folder: Path,
    name: str,
    metrics: Sequence[Metric] = (),
) -> str:
    """Send the model in ``folder`` to MLflow as what a run brought forth, and return its id.

    A model of that name that the run has already is kept if it is ready; one that was not sent to
    the end is sent again. The model has the run's parameters, as MLflow's own ``log_model`` does.

    Args:
        client: of the store.
        experiment_id: of the run.
        run_id: of the run, which may have ended.
        folder: that :func:`~roadgraph.serving.save.save_served_model` wrote; it is not changed.
        name: of the model among those of the run.
        metrics: of the run, to be shown with the model too, each with the time and step that it
            has in the run.

    Raises:
        MlflowException: the store refused something or did not answer.
    """
    from mlflow.entities import LoggedModelOutput, LoggedModelStatus

    run = client.get_run(run_id)
    model = _model_of(client, experiment_id, run_id, name) or client.create_logged_model(
        experiment_id, name, source_run_id=run_id, params=run.data.params
    )
    model_id = str(model.model_id)
    if model.status != LoggedModelStatus.READY:
        _upload(client, model_id, run_id, folder)
        client.finalize_logged_model(model_id, LoggedModelStatus.READY)
    known = run.outputs.model_outputs if run.outputs else []
    if model_id not in {output.model_id for output in known}:
        client.log_outputs(run_id, [LoggedModelOutput(model_id, step=0)])
    if metrics:
        # MLflow knows a point of the run that it has already, and adds it to the model alone.
        client.log_batch(run_id, [_of_model(metric, model_id) for metric in metrics])
    return model_id


def _upload(client: MlflowClient, model_id: str, run_id: str, folder: Path) -> None:
    """Send a copy of ``folder`` whose ``MLmodel`` names the model and its run."""
    from mlflow.models import Model

    with TemporaryDirectory() as place:
        copy = Path(place) / "model"
        shutil.copytree(folder, copy)
        model = Model.load(copy)
        model.model_id = model.model_uuid = model_id
        model.run_id = run_id
        model.save(copy / "MLmodel")
        client.log_model_artifacts(model_id, str(copy))


def _model_of(
    client: MlflowClient, experiment_id: str, run_id: str, name: str
) -> LoggedModel | None:
    found = client.search_logged_models([experiment_id], f"source_run_id = '{run_id}'")
    return next((model for model in found if model.name == name), None)


def _of_model(metric: Metric, model_id: str) -> Metric:
    from mlflow.entities import Metric

    return Metric(metric.key, metric.value, metric.timestamp, metric.step, model_id=model_id)
