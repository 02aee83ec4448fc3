"""A workspace with an MLflow store, and runs with bundles in it."""

import shutil
from dataclasses import replace
from pathlib import Path

from roadgraph.settings import CitySettings, Settings, TrackingSettings
from roadgraph.tracking.registry import register
from roadgraph.tracking.store import Store
from roadgraph.tracking.versions import registered_name
from roadgraph.workspace import Workspace


def new_store(path: Path) -> Path:
    """Make an MLflow store in the file ``path``."""
    client = store_of(with_store(Settings(), path)).client()
    client.search_experiments()
    return path


def with_store(settings: Settings, path: Path) -> Settings:
    """Return settings that name the store in the file ``path``."""
    return replace(settings, tracking=TrackingSettings(uri=f"sqlite:///{path}"))


def toy_workspace(folder: Path, empty_store: Path) -> Settings:
    """Return settings of the city ``toy`` with an empty store of its own in ``folder``."""
    settings = Settings(city=CitySettings(name="toy"), workspace=str(folder / "work"))
    return in_own_store(settings, folder, empty_store)


def in_own_store(settings: Settings, folder: Path, empty_store: Path) -> Settings:
    """Copy the empty store into ``folder`` and return the settings that name it."""
    shutil.copy(empty_store, folder / "mlflow.db")
    return with_store(settings, folder / "mlflow.db")


def store_of(settings: Settings) -> Store:
    """Return the store that ``settings`` name."""
    return Store.of(settings, Workspace.of(settings))


def finished_run(settings: Settings, bundle: Path | None = None) -> str:
    """Make a run with this bundle among its artifacts and return its id."""
    store = store_of(settings)
    client = store.client()
    run_id = str(client.create_run(store.experiment(client, settings.city.name)).info.run_id)
    if bundle is not None:
        client.log_artifacts(run_id, str(bundle), "bundle")
    client.set_terminated(run_id)
    return run_id


def registered_run(
    settings: Settings, bundle: Path | None = None, tags: dict[str, str] | None = None
) -> str:
    """Make such a run, register it, and return its version."""
    run_id = finished_run(settings, bundle)
    client, name = store_of(settings).client(), registered_name(settings)
    return register(client, name, f"runs:/{run_id}/bundle", run_id, tags or {})
