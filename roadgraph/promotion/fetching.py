"""Bundles of registered versions, fetched once and kept, so that a forecast needs no server."""

from __future__ import annotations

import json
import logging
from dataclasses import dataclass
from typing import TYPE_CHECKING

import pandas as pd

from roadgraph.errors import TrackingError
from roadgraph.storage import alone, whole_folder, write_json
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
        version: that it is of.
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
    try:
        client = registry_client(store, name)
        version = find_version(client, name, asked)
        bundle = fetched_bundle(client, version, folder)
    except TrackingError as error:
        if asked != CHAMPION:
            raise
        return _last_champion(store, name, folder, error)
    if asked == CHAMPION:
        content = {
            "store": store.name,
            "version": version.number,
            "run_id": version.run_id,
            "reached_at": pd.Timestamp.now("UTC").isoformat(timespec="seconds"),
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


def _last_champion(store: Store, name: str, folder: Path, error: TrackingError) -> RegisteredBundle:
    """Return the bundle of the champion of ``name`` that ``store`` last had.

    Raises:
        TrackingError: none was fetched from it.
    """
    path = folder / CHAMPION_FILE
    known = json.loads(path.read_text("utf-8")) if path.is_file() else {}
    if known.get("store") == store.name:
        version = Version(name, known["version"], known["run_id"], {})
        kept = _folder_of(folder, version.number, version.run_id)
        if kept.is_dir():
            logger.warning(
                "%s; forecasting with version %s, which was champion when the store last answered, "
                "at %s",
                error,
                version.number,
                known["reached_at"],
            )
            return RegisteredBundle(kept / BUNDLE_ARTIFACT, version, CHAMPION, known["reached_at"])
    raise TrackingError(
        f"{error}, and no champion was fetched from it before; name a bundle: --bundle FOLDER"
    ) from error
