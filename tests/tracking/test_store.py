import multiprocessing
import os
from pathlib import Path

import pytest
from mlflow.exceptions import MlflowException

from roadgraph.errors import SettingsError, TrackingError
from roadgraph.settings import Settings, TrackingSettings
from roadgraph.tracking import store as store_module
from roadgraph.tracking.store import Store, tracking_uri, without_login
from roadgraph.workspace import Workspace
from tests.tracking.toy import store_of, toy_workspace


@pytest.fixture(autouse=True)
def _no_store_in_the_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("MLFLOW_TRACKING_URI", raising=False)


def store_at(uri: str, **tracking: object) -> Store:
    return store_of(Settings(tracking=TrackingSettings(uri=uri, **tracking)))  # type: ignore[arg-type]


def test_the_store_is_the_setting_then_the_environment_then_the_workspaces_own(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    settings = Settings(workspace=str(tmp_path))
    workspace = Workspace.of(settings)
    assert tracking_uri(settings, workspace) == f"sqlite:///{tmp_path}/mlflow.db"
    monkeypatch.setenv("MLFLOW_TRACKING_URI", "http://localhost:5000")
    assert tracking_uri(settings, workspace) == "http://localhost:5000"
    chosen = Settings(tracking=type(settings.tracking)(uri="sqlite:///own.db"))
    assert tracking_uri(chosen, workspace) == "sqlite:///own.db"


@pytest.mark.parametrize("uri", ["nonsense://nowhere", "file:///tmp/mlruns", "mlruns", "a:b@c"])
def test_a_kind_of_store_that_there_is_not_is_refused_before_anything_is_trained(uri: str) -> None:
    with pytest.raises(SettingsError, match=r"set tracking.uri or MLFLOW_TRACKING_URI to a server"):
        store_at(uri)


def test_the_refusal_shows_no_password() -> None:
    with pytest.raises(SettingsError) as error:
        store_at("ftp://ann:geheim@host/")
    assert "geheim" not in str(error.value)


@pytest.mark.parametrize(
    ("uri", "name", "pages"),
    [
        ("http://ann:pw@host:5000/x/", "http://ann:***@host:5000/x/", "http://host:5000/x"),
        ("postgresql+psycopg2://a:b@db/m", "postgresql+psycopg2://a:***@db/m", None),
        ("sqlite:///some/mlflow.db", "sqlite:///some/mlflow.db", None),
    ],
)
def test_a_store_is_named_without_its_password(uri: str, name: str, pages: str | None) -> None:
    store = store_at(uri)
    assert store.name == name
    assert store.pages == (pages or "http://127.0.0.1:5000")
    assert (store.artifacts is None) == uri.startswith("http")


def test_a_runs_page_is_where_the_settings_say() -> None:
    store = store_at("http://10.0.0.1:5000", ui="https://mlflow.example.org/")
    assert store.page("7", "abc") == "https://mlflow.example.org/#/experiments/7/runs/abc"


@pytest.mark.parametrize("ui", ["mlflow.example.org", "ftp://host", "host:5000"])
def test_pages_that_are_none_are_refused_before_anything_is_trained(ui: str) -> None:
    with pytest.raises(SettingsError, match=r"tracking\.ui: needs the address of a web page"):
        store_at("http://host", ui=ui)


def test_a_login_is_cut_off_as_a_whole() -> None:
    assert without_login("https://ann:p@ss@host/a@b") == "https://host/a@b"


def test_calls_end_soon_unless_the_environment_says_otherwise(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("MLFLOW_HTTP_REQUEST_MAX_RETRIES", "5")
    monkeypatch.setenv("MLFLOW_HTTP_REQUEST_TIMEOUT", "")  # so that it is put back afterwards
    monkeypatch.delenv("MLFLOW_HTTP_REQUEST_TIMEOUT")
    store_at("http://127.0.0.1:9", timeout_s=3).client()
    assert os.environ["MLFLOW_HTTP_REQUEST_TIMEOUT"] == "3"
    assert os.environ["MLFLOW_HTTP_REQUEST_MAX_RETRIES"] == "5"


def test_all_runs_of_a_city_share_an_experiment_of_its_name(
    tmp_path: Path, empty_store: Path
) -> None:
    settings = toy_workspace(tmp_path, empty_store)
    store = store_of(settings)
    client = store.client()
    first = store.experiment(client, "toy")
    assert store.experiment(client, "toy") == first
    experiment = client.get_experiment(first)
    assert experiment.name == "toy"
    place = (Path(settings.workspace) / "mlartifacts").resolve().as_uri()
    assert experiment.artifact_location == place


def test_an_experiment_that_another_machine_made_meanwhile_is_taken(
    tmp_path: Path, empty_store: Path
) -> None:
    store = store_of(toy_workspace(tmp_path, empty_store))
    client = store.client()
    made = client.create_experiment("toy")

    class Late:
        """Sees the experiment at the second look alone."""

        def __init__(self) -> None:
            self.looks = 0

        def get_experiment_by_name(self, name: str) -> object:
            self.looks += 1
            return client.get_experiment_by_name(name) if self.looks > 1 else None

        def create_experiment(self, name: str, artifact_location: str) -> str:
            return client.create_experiment(name, artifact_location=artifact_location)

    assert store.experiment(Late(), "toy") == made  # type: ignore[arg-type]


def test_a_name_that_mlflow_refuses_is_its_error(tmp_path: Path, empty_store: Path) -> None:
    store = store_of(toy_workspace(tmp_path, empty_store))
    with pytest.raises(MlflowException):
        store.experiment(store.client(), "")


def _hold(path: Path, started: object, ended: object) -> None:
    from filelock import FileLock

    with FileLock(path):
        started.set()  # type: ignore[attr-defined]
        ended.wait(60)  # type: ignore[attr-defined]


def test_a_store_that_another_process_holds_for_long_is_an_error_that_names_the_lock(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(store_module, "LOCK_SECONDS", 0.1)
    store = store_of(Settings(workspace=str(tmp_path)))
    context = multiprocessing.get_context("spawn")
    started, ended = context.Event(), context.Event()
    process = context.Process(target=_hold, args=(store.lock, started, ended))
    process.start()
    assert started.wait(60)
    with (
        pytest.raises(TrackingError, match=r"held the MLflow store .*\.tracking\.lock"),
        store.held(),
    ):
        pass
    ended.set()
    process.join(60)
    with store.held():
        assert store.lock.is_file()
