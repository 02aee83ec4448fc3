"""What is read from a registry, and what is said when it is not there."""

from dataclasses import replace
from pathlib import Path

import pytest
from mlflow import MlflowClient

from roadgraph.errors import RegistryError, SettingsError, TrackingError
from roadgraph.settings import Settings
from roadgraph.tracking.registry import promote
from roadgraph.tracking.versions import (
    CHALLENGER,
    CHAMPION,
    Version,
    current,
    download_bundle,
    find_version,
    registered_name,
    registry_client,
)
from tests.tracking.toy import registered_run, store_of, with_store

NAME = "toy"


@pytest.fixture
def client(settings: Settings) -> MlflowClient:
    return registry_client(store_of(settings), NAME)


@pytest.fixture
def bundle(tmp_path: Path) -> Path:
    folder = tmp_path / "trained"
    folder.mkdir()
    (folder / "config.yaml").write_text("size: simple\n", "utf-8")
    return folder


def test_a_city_has_a_registered_model_a_task() -> None:
    settings = Settings()
    assert registered_name(settings) == "sample"
    assert registered_name(replace(settings, task="estimate_hidden")) == "sample-estimate_hidden"


def test_the_trivial_task_has_none() -> None:
    with pytest.raises(SettingsError, match=r"nowcast_same_slice: it is trivial.*--bundle FOLDER"):
        registered_name(replace(Settings(), task="nowcast_same_slice"))


def test_a_version_is_found_by_its_number_or_its_alias(
    settings: Settings, client: MlflowClient
) -> None:
    for _ in range(3):
        registered_run(settings, tags={"spread/macro_f1": "0.02"})
    assert find_version(client, NAME, CHAMPION).number == "1"
    assert find_version(client, NAME, "2").number == "2"
    challenger = current(client, NAME, CHALLENGER)
    assert (challenger.name, challenger.number) == (NAME, "3")
    assert challenger.run_id
    assert challenger.seed_spread("macro_f1") == 0.02
    assert challenger.seed_spread("log_loss") is None
    assert str(challenger) == "version 3 of toy"


def test_without_a_registered_model_it_says_to_train_or_to_name_a_bundle(
    client: MlflowClient,
) -> None:
    for ask in (CHAMPION, "1"):
        with pytest.raises(
            RegistryError, match=r"no registered model 'toy'; train one: .* --bundle FOLDER"
        ):
            find_version(client, NAME, ask)


def test_an_alias_that_no_version_bears_says_what_to_do(
    settings: Settings, client: MlflowClient
) -> None:
    registered_run(settings)
    promote(client, current(client, NAME))
    with pytest.raises(
        RegistryError, match="'toy' has no challenger; newer slices or other settings"
    ):
        current(client, NAME, CHALLENGER)
    client.delete_registered_model_alias(NAME, CHAMPION)
    with pytest.raises(RegistryError, match="'toy' has no champion; set the alias on a version"):
        current(client, NAME)


def test_a_version_that_is_not_there_is_refused_with_those_that_are(
    settings: Settings, client: MlflowClient
) -> None:
    for _ in range(2):
        registered_run(settings)
    with pytest.raises(RegistryError, match=r"'toy' has no version 7 \(there are 1, 2\)"):
        find_version(client, NAME, "7")


def test_a_word_that_is_no_alias_is_refused_with_the_nearest(client: MlflowClient) -> None:
    with pytest.raises(RegistryError, match=r"'chalenger' is no version.*mean 'challenger'"):
        find_version(client, NAME, "chalenger")


def test_a_spread_that_is_no_number_is_an_error_that_names_the_tag() -> None:
    version = Version(NAME, "2", "run", {"spread/macro_f1": "little"})
    with pytest.raises(RegistryError, match="version 2 of toy: its tag 'spread/macro_f1' is no"):
        version.seed_spread("macro_f1")


def test_the_bundle_of_a_version_is_that_of_its_run(
    settings: Settings, client: MlflowClient, bundle: Path, tmp_path: Path
) -> None:
    registered_run(settings, bundle)
    fetched = download_bundle(client, current(client, NAME), tmp_path)
    assert fetched == tmp_path / "bundle"
    assert (fetched / "config.yaml").read_text("utf-8") == "size: simple\n"


def test_a_run_without_a_bundle_is_refused(
    settings: Settings, client: MlflowClient, tmp_path: Path
) -> None:
    registered_run(settings)
    with pytest.raises(RegistryError, match=r"has no folder 'bundle' \(there are no artifacts\)"):
        download_bundle(client, current(client, NAME), tmp_path)


def test_a_version_without_a_run_is_refused(client: MlflowClient, tmp_path: Path) -> None:
    with pytest.raises(RegistryError, match="version 1 of toy names no run"):
        download_bundle(client, Version(NAME, "1", "", {}), tmp_path)


def test_to_read_makes_no_database(tmp_path: Path) -> None:
    missing = tmp_path / "away" / "mlflow.db"
    with pytest.raises(RegistryError, match="no registered model 'toy'"):
        registry_client(store_of(with_store(Settings(), missing)), NAME)
    assert not missing.parent.exists()


def test_a_file_that_is_no_store_is_an_error_that_names_it(tmp_path: Path) -> None:
    path = tmp_path / "mlflow.db"
    path.write_text("no database, but long enough to be looked at as one" * 100, "utf-8")
    with pytest.raises(TrackingError, match=r"store sqlite:///.*mlflow\.db cannot be used"):
        current(registry_client(store_of(with_store(Settings(), path)), NAME), NAME)
