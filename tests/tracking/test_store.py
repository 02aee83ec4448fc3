from pathlib import Path

import pytest
from mlflow import MlflowClient

from roadgraph.config import settings_to_dict
from roadgraph.errors import SettingsError
from roadgraph.settings import Settings, TrackingSettings
from roadgraph.tracking.store import Record, flat, record_runs, tracking_uri
from roadgraph.workspace import Workspace


def test_the_store_is_the_setting_then_the_environment_then_the_workspaces_own(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.delenv("MLFLOW_TRACKING_URI", raising=False)
    settings = Settings(workspace=str(tmp_path))
    workspace = Workspace.of(settings)
    assert tracking_uri(settings, workspace) == f"sqlite:///{tmp_path}/mlflow.db"
    monkeypatch.setenv("MLFLOW_TRACKING_URI", "http://localhost:5000")
    assert tracking_uri(settings, workspace) == "http://localhost:5000"
    chosen = Settings(tracking=type(settings.tracking)(uri="sqlite:///own.db"))
    assert tracking_uri(chosen, workspace) == "sqlite:///own.db"


def test_settings_are_flattened_with_dots() -> None:
    assert flat({"a": 1, "b": {"c": 2, "d": {"e": 3}}}) == {"a": 1, "b.c": 2, "b.d.e": 3}


def test_a_run_holds_parameters_metrics_by_epoch_tags_and_artifacts(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.delenv("MLFLOW_TRACKING_URI", raising=False)
    settings = Settings(workspace=str(tmp_path))
    workspace = Workspace.of(settings)
    bundle = tmp_path / "bundle"
    bundle.mkdir()
    (bundle / "config.yaml").write_text("size: simple\n", "utf-8")
    note = tmp_path / "results.md"
    note.write_text("# Results\n", "utf-8")
    record = Record(
        "gcn-enhanced",
        settings_to_dict(settings),
        history=[
            {"epoch": 0, "val_loss": 2.0, "learning_rate": 0.001},
            {"epoch": 1, "val_loss": 1.5, "learning_rate": float("nan")},
        ],
        metrics={"test/congestion/macro_f1/30min": 0.5, "test/speed/mae_kph/30min": float("nan")},
        tags={"kind": "model"},
        artifacts={"": note, "bundle": bundle},
    )
    (run_id,) = record_runs([record], settings, workspace)
    client = MlflowClient(tracking_uri(settings, workspace))
    run = client.get_run(run_id)
    assert run.info.run_name == "gcn-enhanced"
    assert run.info.status == "FINISHED"
    assert run.data.params["training.max_epochs"] == str(settings.training.max_epochs)
    assert run.data.tags["kind"] == "model"
    assert run.data.metrics["test/congestion/macro_f1/30min"] == 0.5
    assert "test/speed/mae_kph/30min" not in run.data.metrics
    losses = client.get_metric_history(run_id, "val_loss")
    assert [(point.step, point.value) for point in losses] == [(0, 2.0), (1, 1.5)]
    assert {item.path for item in client.list_artifacts(run_id)} == {"results.md", "bundle"}
    assert [item.path for item in client.list_artifacts(run_id, "bundle")] == ["bundle/config.yaml"]


def test_runs_of_one_city_share_an_experiment_of_its_name(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.delenv("MLFLOW_TRACKING_URI", raising=False)
    settings = Settings(workspace=str(tmp_path))
    workspace = Workspace.of(settings)
    for name in ("one", "two"):
        record_runs([Record(name, {})], settings, workspace)
    client = MlflowClient(tracking_uri(settings, workspace))
    experiment = client.get_experiment_by_name("sample")
    assert experiment is not None
    runs = client.search_runs([experiment.experiment_id])
    assert {run.info.run_name for run in runs} == {"one", "two"}


def test_a_store_that_cannot_be_used_is_an_error_that_names_it(tmp_path: Path) -> None:
    settings = Settings(
        workspace=str(tmp_path), tracking=TrackingSettings(uri="nonsense://nowhere")
    )
    with pytest.raises(SettingsError, match="MLflow store 'nonsense://nowhere' cannot be used"):
        record_runs([Record("one", {})], settings, Workspace.of(settings))
