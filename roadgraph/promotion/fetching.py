"""Bundles of registered versions, fetched once and kept, so that a forecast needs no server."""

from __future__ import annotations

import json
import logging
from typing import TYPE_CHECKING

import pandas as pd

from roadgraph.errors import TrackingError
from roadgraph.storage import whole_folder, write_json
from roadgraph.tracking.store import Store
from roadgraph.tracking.versions import (
    BUNDLE_ARTIFACT,
    CHAMPION,
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
    from roadgraph.tracking.versions import Version

CHAMPION_FILE = "champion.json"

logger = logging.getLogger(__name__)


def registered_bundle(settings: Settings, asked: str = CHAMPION) -> Path:
    """Return the folder of the bundle of a registered version; fetch it unless it is there.

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
    try:
        client = registry_client(store, name)
        version = find_version(client, name, asked)
        bundle = fetched_bundle(client, version, folder)
    except TrackingError as error:
        if asked != CHAMPION:
            raise
        return _last_champion(store, folder, error)
    if asked == CHAMPION:
        content = {
            "store": store.name,
            "version": version.number,
            "run_id": version.run_id,
            "reached_at": pd.Timestamp.now("UTC").isoformat(timespec="seconds"),
        }
        write_json(folder / CHAMPION_FILE, content)
    return bundle


def fetched_bundle(client: MlflowClient, version: Version, folder: Path) -> Path:
    """Return the folder of a version's bundle below ``folder``; fetch it unless it is there.

    Raises:
        RegistryError: the version has no bundle.
        TrackingError: the store does not answer.
    """
    kept = _folder_of(folder, version.number, version.run_id)
    if not kept.is_dir():
        with whole_folder(kept) as temporary:
            download_bundle(client, version, temporary)
    return kept / BUNDLE_ARTIFACT


def _folder_of(folder: Path, number: str, run_id: str) -> Path:
    # A registered model that was deleted and made anew counts from 1 again.
    return folder / f"version-{number}-{run_id}"


def _last_champion(store: Store, folder: Path, error: TrackingError) -> Path:
    """Return the bundle of the champion that ``store`` last had.

    Raises:
        TrackingError: none was fetched from it.
    """
    path = folder / CHAMPION_FILE
    known = json.loads(path.read_text("utf-8")) if path.is_file() else {}
    if known.get("store") == store.name:
        kept = _folder_of(folder, known["version"], known["run_id"])
        if kept.is_dir():
            logger.warning(
                "%s; forecasting with version %s, which was champion when the store last answered, "
                "at %s",
                error,
                known["version"],
                known["reached_at"],
            )
            return kept / BUNDLE_ARTIFACT
    raise TrackingError(
        f"{error}, and no champion was fetched from it before; name a bundle: --bundle FOLDER"
    ) from error
