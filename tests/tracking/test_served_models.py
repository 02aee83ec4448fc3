"""Uploads of a small model that counts its rows; that of roadgraph is tested in tests/serving."""

from pathlib import Path

import mlflow.pyfunc
import pandas as pd
import pytest
from mlflow import MlflowClient
from mlflow.entities import LoggedModelStatus, Metric, Param
from mlflow.exceptions import MlflowException
from mlflow.models import Model

from roadgraph.tracking.served_models import upload_served_model

COUNTING = """
import pandas as pd
from mlflow.models import set_model
from mlflow.pyfunc import PythonModel

class Counting(PythonModel):
    def predict(self, context, model_input: pd.DataFrame, params=None):
        return pd.DataFrame({"rows": [len(model_input)]})

set_model(Counting())
"""
ROWS = pd.DataFrame({"speed_kph": [30.0, 40.0]})


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    place = tmp_path_factory.mktemp("counting")
    (place / "counting.py").write_text(COUNTING, "utf-8")
    signature = mlflow.models.infer_signature(ROWS)
    mlflow.pyfunc.save_model(
        place / "model",
        python_model=place / "counting.py",
        pip_requirements=["mlflow"],
        signature=signature,
        input_example={"speed_kph": [30.0]},
    )
    return place / "model"


@pytest.fixture(scope="module")
def address(tmp_path_factory: pytest.TempPathFactory) -> str:
    return f"sqlite:///{tmp_path_factory.mktemp('store') / 'mlflow.db'}"


@pytest.fixture(scope="module")
def client(address: str) -> MlflowClient:
    return MlflowClient(address, address)


@pytest.fixture(scope="module")
def experiment(client: MlflowClient, tmp_path_factory: pytest.TempPathFactory) -> str:
    place = tmp_path_factory.mktemp("artifacts").as_uri()
    return str(client.create_experiment("toy", artifact_location=place))


@pytest.fixture
def run_id(client: MlflowClient, experiment: str) -> str:
    run_id = str(client.create_run(experiment).info.run_id)
    client.log_batch(run_id, [Metric("macro_f1", 0.5, 7, 0)], [Param("size", "simple")])
    client.set_terminated(run_id)
    return run_id


def models_of(client: MlflowClient, run_id: str) -> list[str]:
    outputs = client.get_run(run_id).outputs
    return [output.model_id for output in outputs.model_outputs] if outputs else []


def test_a_model_is_loaded_by_its_id_and_knows_its_run(
    client: MlflowClient,
    address: str,
    experiment: str,
    run_id: str,
    folder: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    model_id = upload_served_model(client, experiment, run_id, folder, "model")
    monkeypatch.setenv("MLFLOW_TRACKING_URI", address)
    loaded = mlflow.pyfunc.load_model(f"models:/{model_id}")
    pd.testing.assert_frame_equal(loaded.predict(ROWS), pd.DataFrame({"rows": [2]}))
    assert (loaded.metadata.model_id, loaded.metadata.run_id) == (model_id, run_id)
    assert loaded.model_id == model_id


def test_the_folder_is_not_changed(
    client: MlflowClient, experiment: str, run_id: str, folder: Path
) -> None:
    before = (folder / "MLmodel").read_bytes()
    upload_served_model(client, experiment, run_id, folder, "model")
    assert (folder / "MLmodel").read_bytes() == before
    assert Model.load(folder).run_id is None


def test_model_and_run_name_each_other_and_share_parameters_and_metrics(
    client: MlflowClient, experiment: str, run_id: str, folder: Path
) -> None:
    figures = [Metric("macro_f1", 0.5, 7, 0)]
    model_id = upload_served_model(client, experiment, run_id, folder, "model", figures)
    model = client.get_logged_model(model_id)
    assert (model.name, model.source_run_id, model.params) == ("model", run_id, {"size": "simple"})
    assert model.status == LoggedModelStatus.READY
    assert [(metric.key, metric.value) for metric in model.metrics or []] == [("macro_f1", 0.5)]
    assert models_of(client, run_id) == [model_id]
    points = client.get_metric_history(run_id, "macro_f1")
    assert [(point.value, point.timestamp) for point in points] == [(0.5, 7)], "no second point"


def test_a_second_upload_finds_the_first(
    client: MlflowClient,
    experiment: str,
    run_id: str,
    folder: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    figures = [Metric("macro_f1", 0.5, 7, 0)]
    first = upload_served_model(client, experiment, run_id, folder, "model", figures)
    monkeypatch.setattr(client, "log_model_artifacts", None)  # must not be called again
    assert upload_served_model(client, experiment, run_id, folder, "model", figures) == first
    assert models_of(client, run_id) == [first]
    assert len(client.get_logged_model(first).metrics or []) == 1


@pytest.mark.parametrize("broken", ["log_model_artifacts", "finalize_logged_model", "log_outputs"])
def test_an_upload_that_broke_off_is_completed(
    client: MlflowClient,
    experiment: str,
    run_id: str,
    folder: Path,
    monkeypatch: pytest.MonkeyPatch,
    broken: str,
) -> None:
    def breaks(*given: object, **named: object) -> None:
        raise MlflowException("the server is down")

    with monkeypatch.context() as patch:
        patch.setattr(client, broken, breaks)
        with pytest.raises(MlflowException, match="the server is down"):
            upload_served_model(client, experiment, run_id, folder, "model")
    (begun,) = client.search_logged_models([experiment], f"source_run_id = '{run_id}'")
    assert upload_served_model(client, experiment, run_id, folder, "model") == begun.model_id
    assert client.get_logged_model(begun.model_id).status == LoggedModelStatus.READY
    files = {item.path for item in client.list_logged_model_artifacts(begun.model_id)}
    assert {"MLmodel", "counting.py"} <= files
    assert models_of(client, run_id) == [begun.model_id]


def test_models_of_other_runs_and_names_stay_apart(
    client: MlflowClient, experiment: str, run_id: str, folder: Path
) -> None:
    other = str(client.create_run(experiment).info.run_id)
    ids = {
        upload_served_model(client, experiment, run, folder, name)
        for run, name in ((run_id, "model"), (run_id, "validated"), (other, "model"))
    }
    assert len(ids) == 3
