"""Against a real MLflow server over HTTP."""

import shutil
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest
from mlflow import MlflowClient

from roadgraph.comparison.members import members_of
from roadgraph.comparison.runs import NO_SEED
from roadgraph.settings import Settings, TrackingSettings
from roadgraph.tracking.record import read_record, read_sent
from roadgraph.tracking.sending import RECORD_TAG
from roadgraph.workflow import run_comparison, run_resend, run_tracking
from roadgraph.workspace import Workspace
from tests.comparison.conftest import in_a_copy
from tests.tracking.server import MlflowServer, free_port
from tests.tracking.toy_records import curve, runs_of

EPOCHS = 4


@pytest.fixture
def quick_calls(monkeypatch: pytest.MonkeyPatch) -> None:
    """Have a server that is down be found out soon."""
    monkeypatch.setenv("MLFLOW_HTTP_REQUEST_MAX_RETRIES", "0")
    monkeypatch.setenv("MLFLOW_HTTP_REQUEST_TIMEOUT", "20")


@pytest.fixture
def servers() -> Iterator[list[MlflowServer]]:
    """The servers of a test, which are dead after it."""
    started: list[MlflowServer] = []
    yield started
    for server in started:
        server.kill()


@pytest.mark.usefixtures("quick_calls")
def test_a_server_that_dies_in_the_middle_of_a_training_costs_nothing_and_gets_the_rest_later(
    imported: Settings, tmp_path: Path, empty_store: Path, servers: list[MlflowServer]
) -> None:
    database, artifacts, port = tmp_path / "server.db", tmp_path / "artifacts", free_port()
    shutil.copy(empty_store, database)
    settings = in_a_copy(imported, tmp_path)
    settings = replace(
        settings,
        tracking=TrackingSettings(uri=f"http://127.0.0.1:{port}"),
        training=replace(settings.training, max_epochs=EPOCHS, patience=EPOCHS),
    )
    servers.append(MlflowServer(database, artifacts, port))
    servers[0].wait()
    client = MlflowClient(settings.tracking.uri, settings.tracking.uri)
    seen: list[set[str]] = []

    def kill_at_the_second_epoch(title: str, figures: dict[str, float]) -> None:
        if figures["epoch"] != 1:
            return
        # Only once the run is to be seen, so that it is there in part.
        for _ in range(600):
            if "mlp-simple seed 1" in runs_of(client, "toy"):
                break
        seen.append(set(runs_of(client, "toy")))
        servers[0].kill()

    comparison = run_comparison(
        settings, members_of(settings, ["mlp-simple"]), [1], kill_at_the_second_epoch
    )
    assert len(seen) == 1
    assert "mlp-simple seed 1" in seen[0]
    # The training has lost nothing, and what was not sent lies beside the bundle.
    (run,) = (run for run in comparison.compared.runs if run.facts.seed != NO_SEED)
    assert [epoch["epoch"] for epoch in run.history] == list(range(EPOCHS))
    assert (comparison.bundles["mlp-simple"] / "model.safetensors").is_file()
    assert comparison.recorded is not None
    left = {
        record.title
        for folder in comparison.recorded.left.folders
        if (record := read_record(folder)) is not None
    }
    assert "mlp-simple seed 1" in left
    assert set(run_tracking(settings).waiting) == left
    # Nobody listens: nothing is sent, and nothing is lost.
    sent, still = run_resend(settings)
    assert (sent, len(still.folders)) == (0, len(left))
    assert still.reason == "Connection refused"

    servers.append(MlflowServer(database, artifacts, port))
    servers[1].wait()
    sent, still = run_resend(settings)
    assert (sent, still.folders) == (len(left), ())
    whole = _told(client)
    assert run_resend(settings)[0] == 0
    assert run_tracking(settings).waiting == ()
    assert _told(client) == whole
    runs = runs_of(client, "toy")
    assert {run.info.status for run in runs.values()} == {"FINISHED"}
    trained = runs["mlp-simple seed 1"]
    assert [step for step, *_ in curve(client, trained, "val_loss")] == list(range(EPOCHS))
    losses = [value for *_, value in curve(client, trained, "val_loss")]
    assert losses == [epoch["val_loss"] for epoch in run.history]
    records = [
        record
        for folder in Workspace.of(settings).records
        if (record := read_record(folder)) is not None
    ]
    assert {run.data.tags[RECORD_TAG] for run in runs.values()} == {
        record.record_id for record in records
    }
    paths = {item.path for item in client.list_artifacts(trained.info.run_id)}
    assert {"bundle", "console.log", "classes.json", "training_history.json", "plots"} <= paths
    version = client.get_model_version_by_alias("toy", "champion")
    assert version.run_id == trained.info.run_id
    store = settings.tracking.uri
    (model_id,) = {
        read_sent(folder)[store].model_id for folder in Workspace.of(settings).records
    } - {""}
    assert f"/{model_id}/" in str(version.source)


def _told(client: MlflowClient) -> dict[str, tuple[int, int]]:
    """Return how many points and parameters each run has."""
    return {
        name: (
            sum(len(curve(client, run, metric)) for metric in ("val_loss", "training_seconds")),
            len(run.data.params),
        )
        for name, run in runs_of(client, "toy").items()
    }
