"""Bundles of registered versions, fetched once and kept, so that a forecast needs no server.

Most forecasts ask for the champion of a database on this machine that nobody has written to since
it was asked last. Its answer is known then, and MLflow, which takes longer to import than the
forecast to make, is left alone.
"""

from __future__ import annotations

import json
import logging
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import pandas as pd

from roadgraph.errors import TrackingError
from roadgraph.startup import uncollected
from roadgraph.storage import alone, whole_folder, write_json
from roadgraph.tracking.database_state import database_state
from roadgraph.tracking.store import Store
from roadgraph.tracking.versions import (
    BUNDLE_ARTIFACT,
    CHALLENGER,
    CHAMPION,
    Version,
    download_bundle,
    find_version,
    registered_name,
    registry_client,
)
from roadgraph.workspace import Workspace

if TYPE_CHECKING:
    from pathlib import Path

    from mlflow import MlflowClient

    from roadgraph.settings import Settings

CHAMPION_FILE = "champion.json"

logger = logging.getLogger(__name__)


@dataclass(frozen=True)
class RegisteredBundle:
    """The bundle of a version of a registered model, on this machine.

    Attributes:
        folder: of the bundle.
        version: that it is of; without its tags where the registry was not asked.
        alias: ``champion`` or ``challenger`` where it was asked for by that, else "".
        reached_at: when the store last answered, in ISO 8601, if it does not answer now; else "".
    """

    folder: Path
    version: Version
    alias: str
    reached_at: str = ""

    def __str__(self) -> str:
        """Return how people are told of it, such as ``sample version 3 (champion)``."""
        when = f" when the store last answered, at {self.reached_at}" if self.reached_at else ""
        role = f" ({self.alias}{when})" if self.alias else ""
        return f"{self.version.name} version {self.version.number}{role}"


@dataclass(frozen=True)
class _LastChampion:
    """What ``champion.json`` says.

    Attributes:
        bundle: of the champion, with the time at which the store answered.
        state: of its database then, see :func:`database_state`; None where that was not known.
    """

    bundle: RegisteredBundle
    state: str | None


def registered_bundle(settings: Settings, asked: str = CHAMPION) -> RegisteredBundle:
    """Return the bundle of a registered version; fetch it unless it is there.

    Where the store does not answer, the champion that it last had is taken, with a warning.

    Args:
        settings: name the city, the task and the store.
        asked: ``champion``, ``challenger`` or the number of a version.

    Raises:
        RegistryError: there is no such model, version or alias.
        SettingsError: models of the task are never registered, or there is no such kind of store.
        TrackingError: the store does not answer, and no champion was fetched before.
    """
    workspace = Workspace.of(settings)
    store, name = Store.of(settings, workspace), registered_name(settings)
    folder = workspace.registered(name)
    # Taken before the registry is asked: a change meanwhile makes another one.
    state = None if store.database is None else database_state(store.database)
    last = _last_champion(store, name, folder) if asked == CHAMPION else None
    if last is not None and state is not None and last.state == state:
        return replace(last.bundle, reached_at="")
    try:
        with uncollected():
            client = registry_client(store, name)
        version = find_version(client, name, asked)
        bundle = fetched_bundle(client, version, folder)
    except TrackingError as error:
        if asked != CHAMPION:
            raise
        return _instead_of_the_champion(last, error)
    if asked == CHAMPION:
        content = {
            "store": store.name,
            "version": version.number,
            "run_id": version.run_id,
            "reached_at": pd.Timestamp.now("UTC").isoformat(timespec="seconds"),
            "state": state,
        }
        write_json(folder / CHAMPION_FILE, content)
    return RegisteredBundle(bundle, version, asked if asked in (CHAMPION, CHALLENGER) else "")


def kept_bundle(settings: Settings, number: str, run_id: str) -> RegisteredBundle | None:
    """Return the bundle of a version as it was fetched before, without asking the registry.

    Args:
        settings: name the city and the task.
        number: of the version.
        run_id: of its run.
    """
    name = registered_name(settings)
    kept = _folder_of(Workspace.of(settings).registered(name), number, run_id)
    if not kept.is_dir():
        return None
    return RegisteredBundle(kept / BUNDLE_ARTIFACT, Version(name, number, run_id, {}), "")


def fetched_bundle(client: MlflowClient, version: Version, folder: Path) -> Path:
    """Return the folder of a version's bundle below ``folder``; fetch it unless it is there.

    Raises:
        RegistryError: the version has no bundle.
        TrackingError: the store does not answer.
    """
    kept = _folder_of(folder, version.number, version.run_id)
    with alone(kept):
        if not kept.is_dir():
            with whole_folder(kept) as temporary:
                download_bundle(client, version, temporary)
    return kept / BUNDLE_ARTIFACT


def _folder_of(folder: Path, number: str, run_id: str) -> Path:
    # A registered model that was deleted and made anew counts from 1 again.
    return folder / f"version-{number}-{run_id}"


def _last_champion(store: Store, name: str, folder: Path) -> _LastChampion | None:
    """Return the champion of ``name`` that ``store`` last had, if its bundle was fetched."""
    path = folder / CHAMPION_FILE
    try:
        known = json.loads(path.read_text("utf-8")) if path.is_file() else {}
    except ValueError as error:
        logger.warning("%s is damaged (%s); it is passed over", path, error)
        return None
    if known.get("store") != store.name:
        return None
    version = Version(name, known["version"], known["run_id"], {})
    kept = _folder_of(folder, version.number, version.run_id)
    if not kept.is_dir():
        return None
    bundle = RegisteredBundle(kept / BUNDLE_ARTIFACT, version, CHAMPION, known["reached_at"])
    return _LastChampion(bundle, known.get("state"))


def _instead_of_the_champion(last: _LastChampion | None, error: TrackingError) -> RegisteredBundle:
    """Return the champion that the store last had, where it does not answer.

    Raises:
        TrackingError: none was fetched from it.
    """
    if last is None:
        raise TrackingError(
            f"{error}, and no champion was fetched from it before; name a bundle: --bundle FOLDER"
        ) from error
    logger.warning(
        "%s; forecasting with version %s, which was champion when the store last answered, at %s",
        error,
        last.bundle.version.number,
        last.bundle.reached_at,
    )
    return last.bundle
