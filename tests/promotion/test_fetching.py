"""What a forecast is made with, and with what when the store is away."""

import json
import logging
import shutil
import threading
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path

import pytest
from mlflow import MlflowClient

from roadgraph.errors import RegistryError, SettingsError, TrackingError
from roadgraph.promotion import fetching
from roadgraph.promotion.fetching import CHAMPION_FILE, kept_bundle, registered_bundle
from roadgraph.settings import Settings, TrackingSettings
from roadgraph.storage import write_json
from roadgraph.tracking.registry import promote
from roadgraph.tracking.versions import Version, current, download_bundle, registry_client
from roadgraph.workspace import Workspace
from tests.tracking.toy import registered_run, store_of, toy_workspace

AWAY = "http://me:hunter2@127.0.0.1:9"


@pytest.fixture
def settings(tmp_path: Path, empty_store: Path) -> Settings:
    return toy_workspace(tmp_path, empty_store)


@pytest.fixture(autouse=True)
def _impatient(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MLFLOW_HTTP_REQUEST_MAX_RETRIES", "0")


def register_bundle(settings: Settings, tmp_path: Path, text: str) -> None:
    """Register a version whose bundle is one file with this text."""
    folder = tmp_path / text
    folder.mkdir()
    (folder / "config.yaml").write_text(text, "utf-8")
    registered_run(settings, folder)


def text_of(bundle: Path) -> str:
    return (bundle / "config.yaml").read_text("utf-8")


def kept(settings: Settings) -> Path:
    return Workspace.of(settings).registered("toy")


def away(settings: Settings) -> Settings:
    """Return settings of a server that does not answer, as if all had been fetched from it."""
    gone = replace(settings, tracking=TrackingSettings(uri=AWAY))
    path = kept(settings) / CHAMPION_FILE
    known = json.loads(path.read_text("utf-8"))
    write_json(path, {**known, "store": store_of(gone).name})
    return gone


def test_the_champion_is_taken_unless_another_is_asked_for(
    settings: Settings, tmp_path: Path
) -> None:
    for text in ("one", "two", "three"):
        register_bundle(settings, tmp_path, text)
    assert text_of(registered_bundle(settings).folder) == "one"
    assert text_of(registered_bundle(settings, "challenger").folder) == "three"
    assert text_of(registered_bundle(settings, "2").folder) == "two"
    assert json.loads((kept(settings) / CHAMPION_FILE).read_text("utf-8"))["version"] == "1"


def test_it_says_which_version_it_is_and_as_what_it_was_asked_for(
    settings: Settings, tmp_path: Path
) -> None:
    for text in ("one", "two"):
        register_bundle(settings, tmp_path, text)
    assert str(registered_bundle(settings)) == "toy version 1 (champion)"
    assert str(registered_bundle(settings, "challenger")) == "toy version 2 (challenger)"
    assert str(registered_bundle(settings, "2")) == "toy version 2"


def test_two_processes_do_not_fetch_one_version_at_once(
    settings: Settings, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    register_bundle(settings, tmp_path, "one")
    fetched: list[Path] = []

    def slow(client: MlflowClient, version: Version, folder: Path) -> Path:
        fetched.append(folder)
        entered.set()
        assert not done.wait(0.2), "the other one waits"
        return download_bundle(client, version, folder)

    entered, done = threading.Event(), threading.Event()
    monkeypatch.setattr(fetching, "download_bundle", slow)
    with ThreadPoolExecutor(2) as pool:
        first = pool.submit(registered_bundle, settings)
        assert entered.wait(60)
        second = pool.submit(registered_bundle, settings)
        second.add_done_callback(lambda _: done.set())
        assert first.result().folder == second.result().folder
    assert len(fetched) == 1


def test_a_version_is_fetched_once(
    settings: Settings, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    register_bundle(settings, tmp_path, "one")
    first = registered_bundle(settings).folder

    def refuse(*asked: object) -> Path:
        raise AssertionError(asked)

    monkeypatch.setattr(fetching, "download_bundle", refuse)
    assert registered_bundle(settings).folder == first
    assert registered_bundle(settings, "1").folder == first


def test_a_new_champion_is_fetched_beside_the_old_one(settings: Settings, tmp_path: Path) -> None:
    for text in ("one", "two"):
        register_bundle(settings, tmp_path, text)
    registered_bundle(settings)
    client = registry_client(store_of(settings), "toy")
    promote(client, current(client, "toy", "challenger"))
    assert text_of(registered_bundle(settings).folder) == "two"
    folders = [path.name for path in kept(settings).iterdir() if path.is_dir()]
    assert sorted(name.rpartition("-")[0] for name in folders) == ["version-1", "version-2"]


def test_a_model_that_was_deleted_and_made_anew_is_not_taken_for_the_old_one(
    settings: Settings, tmp_path: Path
) -> None:
    register_bundle(settings, tmp_path, "one")
    registered_bundle(settings)
    registry_client(store_of(settings), "toy").delete_registered_model("toy")
    register_bundle(settings, tmp_path, "again")
    assert text_of(registered_bundle(settings).folder) == "again"


def test_a_fetch_that_fails_leaves_nothing_behind(settings: Settings) -> None:
    registered_run(settings)
    with pytest.raises(RegistryError, match="has no folder 'bundle'"):
        registered_bundle(settings)
    assert not [path for path in kept(settings).iterdir() if not path.name.endswith(".lock")]


def test_when_the_store_is_away_the_last_champion_is_taken_with_one_warning(
    settings: Settings, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    for text in ("one", "two"):
        register_bundle(settings, tmp_path, text)
    expected = registered_bundle(settings)
    registered_bundle(settings, "2")
    with caplog.at_level(logging.WARNING):
        taken = registered_bundle(away(settings))
    assert taken.folder == expected.folder
    assert str(taken) == (
        f"toy version 1 (champion when the store last answered, at {taken.reached_at})"
    )
    assert (taken.version.number, taken.version.run_id) == ("1", expected.version.run_id)
    (record,) = caplog.records
    message = record.getMessage()
    assert "the MLflow store http://me:***@127.0.0.1:9 cannot be used" in message
    assert "hunter2" not in message
    assert "forecasting with version 1, which was champion when the store last answered" in message


@pytest.mark.parametrize("asked", ["challenger", "1"])
def test_no_other_version_is_guessed_when_the_store_is_away(
    settings: Settings, tmp_path: Path, asked: str
) -> None:
    register_bundle(settings, tmp_path, "one")
    registered_bundle(settings)
    gone = away(settings)
    with pytest.raises(TrackingError, match="cannot be used"):
        registered_bundle(gone, asked)


def test_a_database_that_did_not_change_is_not_asked_again(
    settings: Settings, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    register_bundle(settings, tmp_path, "one")
    expected = registered_bundle(settings)

    def refuse(*asked: object) -> MlflowClient:
        raise AssertionError(asked)

    monkeypatch.setattr(fetching, "registry_client", refuse)
    found = registered_bundle(settings)
    assert (found.folder, str(found)) == (expected.folder, "toy version 1 (champion)")
    assert found.version.run_id == expected.version.run_id
    with pytest.raises(AssertionError):
        registered_bundle(settings, "challenger")


def test_whatever_changes_in_the_database_it_is_asked_again(
    settings: Settings, tmp_path: Path
) -> None:
    for text in ("one", "two"):
        register_bundle(settings, tmp_path, text)
    client = registry_client(store_of(settings), "toy")
    for champion in "1", "2", "1":
        client.set_registered_model_alias("toy", "champion", champion)
        assert registered_bundle(settings).version.number == champion
    client.delete_registered_model_alias("toy", "champion")
    with pytest.raises(RegistryError, match="has no champion"):
        registered_bundle(settings)


def test_a_change_while_the_registry_answers_is_seen_by_the_next_forecast(
    settings: Settings, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for text in ("one", "two"):
        register_bundle(settings, tmp_path, text)

    def changed_meanwhile(client: MlflowClient, name: str, asked: str) -> Version:
        version = current(client, name, asked)
        client.set_registered_model_alias("toy", "champion", "2")
        return version

    with monkeypatch.context() as patched:
        patched.setattr(fetching, "find_version", changed_meanwhile)
        assert registered_bundle(settings).version.number == "1"
    assert registered_bundle(settings).version.number == "2"


def test_a_known_champion_whose_folder_was_deleted_is_fetched_again(
    settings: Settings, tmp_path: Path
) -> None:
    register_bundle(settings, tmp_path, "one")
    shutil.rmtree(registered_bundle(settings).folder.parent)
    assert text_of(registered_bundle(settings).folder) == "one"


def test_a_damaged_file_of_the_champion_is_passed_over_with_a_warning(
    settings: Settings, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    register_bundle(settings, tmp_path, "one")
    folder = registered_bundle(settings).folder
    (kept(settings) / CHAMPION_FILE).write_text("{", "utf-8")
    assert registered_bundle(settings).folder == folder
    assert "champion.json is damaged" in caplog.text
    assert json.loads((kept(settings) / CHAMPION_FILE).read_text("utf-8"))["version"] == "1"


def test_a_champion_of_another_store_is_not_taken(settings: Settings, tmp_path: Path) -> None:
    register_bundle(settings, tmp_path, "one")
    registered_bundle(settings)
    other = replace(settings, tracking=TrackingSettings(uri=AWAY))
    with pytest.raises(
        TrackingError, match=r"no champion was fetched from it before.*--bundle"
    ) as it:
        registered_bundle(other)
    assert "hunter2" not in str(it.value)


def test_a_champion_whose_folder_was_deleted_is_not_taken(
    settings: Settings, tmp_path: Path
) -> None:
    register_bundle(settings, tmp_path, "one")
    shutil.rmtree(registered_bundle(settings).folder.parent)
    gone = away(settings)
    with pytest.raises(TrackingError, match="no champion was fetched from it before"):
        registered_bundle(gone)


def test_what_was_never_registered_is_no_reason_for_an_old_champion(
    settings: Settings, tmp_path: Path
) -> None:
    register_bundle(settings, tmp_path, "one")
    registered_bundle(settings)
    (tmp_path / "mlflow.db").unlink()
    with pytest.raises(RegistryError, match="no registered model 'toy'"):
        registered_bundle(settings)
    assert not (tmp_path / "mlflow.db").exists()


def test_the_trivial_task_has_no_champion(settings: Settings) -> None:
    with pytest.raises(SettingsError, match="nowcast_same_slice"):
        registered_bundle(replace(settings, task="nowcast_same_slice"))


def test_what_was_fetched_before_needs_no_registry(settings: Settings, tmp_path: Path) -> None:
    register_bundle(settings, tmp_path, "first")
    version = registered_bundle(settings).version
    gone = away(settings)
    found = kept_bundle(gone, version.number, version.run_id)
    assert found is not None
    assert text_of(found.folder) == "first"
    assert found.version.number == version.number
    assert kept_bundle(gone, version.number, "another-run") is None
