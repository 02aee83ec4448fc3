"""What the registry of models has: registered models, their versions and aliases, for reading.

A registered model a city and task. The alias ``champion`` is the version that forecasts are made
with, ``challenger`` the newest one that waits to be judged against it.
"""

from __future__ import annotations

from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from roadgraph.errors import (
    NothingRegisteredError,
    RegistryError,
    SettingsError,
    TrackingError,
    nearest,
)
from roadgraph.masking import without_secrets

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from mlflow import MlflowClient

    from roadgraph.settings import Settings
    from roadgraph.tracking.store import Store

CHAMPION, CHALLENGER = "champion", "challenger"
BUNDLE_ARTIFACT = "bundle"
"""Folder of a run's artifacts that holds its bundle."""

NEW_CHALLENGER = (
    "newer slices or other settings make a challenger (roadgraph slices, roadgraph train; a run "
    "that has a version already gets no second one), or set the alias challenger on a version in "
    "the MLflow pages"
)
"""What to do where no other version waits to be judged."""

SPREAD_TAG = "spread"
"""Of a version: ``spread/<metric>`` is the metric's standard deviation over the seeds."""


@dataclass(frozen=True)
class Version:
    """A version of a registered model.

    Attributes:
        name: of the registered model.
        number: such as ``3``.
        run_id: of the run that it came from.
        tags: texts by name.
    """

    name: str
    number: str
    run_id: str
    tags: Mapping[str, str]

    def __str__(self) -> str:
        """Return how people are told of it."""
        return f"version {self.number} of {self.name}"

    def seed_spread(self, metric: str) -> float | None:
        """Return the spread of ``metric`` over the seeds of its training, or None if unknown.

        Raises:
            RegistryError: the tag is no number.
        """
        name = f"{SPREAD_TAG}/{metric}"
        text = self.tags.get(name)
        if text is None:
            return None
        try:
            return float(text)
        except ValueError as error:
            raise RegistryError(
                f"{self}: its tag '{name}' is no number (found '{text}'); mend or delete it in the "
                "MLflow pages"
            ) from error


def registry_client(store: Store, name: str) -> MlflowClient:
    """Return a client to read the registry with; it makes no database where there is none.

    Args:
        store: where the registry is.
        name: of the registered model that is looked for.

    Raises:
        RegistryError: the database does not exist yet, and so nothing was registered.
        TrackingError: the store cannot be used.
    """
    if store.database is not None and not store.database.is_file():
        raise no_registered_model(name)
    with asking(store.address):
        return store.client()


def registered_name(settings: Settings) -> str:
    """Return the name of the registered model of the city and task.

    Raises:
        SettingsError: models of the task are never registered.
    """
    if settings.task == "nowcast_same_slice":
        raise SettingsError(
            "task=nowcast_same_slice: it is trivial, so no model of it is registered; name a "
            "bundle: --bundle FOLDER"
        )
    if settings.task == "forecast":
        return settings.city.name
    return f"{settings.city.name}-{settings.task}"


def current(client: MlflowClient, name: str, alias: str = CHAMPION) -> Version:
    """Return the version that bears an alias.

    Raises:
        RegistryError: no such registered model, or no version bears the alias.
        TrackingError: the store does not answer.
    """
    aliases = aliases_of(registered_model(client, name))
    if alias not in aliases:
        hint = (
            "set the alias on a version in the MLflow pages"
            if alias == CHAMPION
            else NEW_CHALLENGER
        )
        raise NothingRegisteredError(f"registered model '{name}' has no {alias}; {hint}")
    return find_version(client, name, aliases[alias])


def find_version(client: MlflowClient, name: str, asked: str) -> Version:
    """Return the version that ``asked`` names: ``champion``, ``challenger`` or a number.

    Raises:
        RegistryError: there is none.
        TrackingError: the store does not answer.
    """
    from mlflow.exceptions import MlflowException

    if asked in (CHAMPION, CHALLENGER):
        return current(client, name, asked)
    if not asked.isdecimal():
        near = nearest(asked, (CHAMPION, CHALLENGER))
        raise RegistryError(
            f"'{asked}' is no version of a registered model: {CHAMPION}, {CHALLENGER} or a number"
            f"{near}"
        )
    with asking(client.tracking_uri):
        try:
            return version_of(client.get_model_version(name, asked))
        except MlflowException as error:
            if error.error_code != "RESOURCE_DOES_NOT_EXIST":
                raise
            registered_model(client, name)
            there = sorted(int(v.version) for v in client.search_model_versions(f"name='{name}'"))
            numbers = ", ".join(map(str, there)) or "none"
            raise RegistryError(
                f"registered model '{name}' has no version {asked} (there are {numbers})"
            ) from error


def download_bundle(client: MlflowClient, version: Version, folder: Path) -> Path:
    """Fetch the bundle of a version into ``folder``, which must exist; return where it lies.

    Raises:
        RegistryError: the version has no run, or its run no bundle.
        TrackingError: the store does not answer.
    """
    if not version.run_id:
        raise RegistryError(f"{version} names no run, so its bundle cannot be found")
    with asking(client.tracking_uri):
        there = [item.path for item in client.list_artifacts(version.run_id)]
        if BUNDLE_ARTIFACT not in there:
            raise RegistryError(
                f"{version}: its run {version.run_id} has no folder '{BUNDLE_ARTIFACT}' "
                f"(there are {', '.join(there) or 'no artifacts'})"
            )
        client.download_artifacts(version.run_id, BUNDLE_ARTIFACT, str(folder))
    return folder / BUNDLE_ARTIFACT


def no_registered_model(name: str) -> NothingRegisteredError:
    """Return the error that says so and what to do."""
    return NothingRegisteredError(
        f"there is no registered model '{name}'; train one: roadgraph train, or name a bundle: "
        "--bundle FOLDER"
    )


@contextmanager
def asking(address: str) -> Iterator[None]:
    """Make one clear error of all that the store at ``address`` may raise.

    Raises:
        TrackingError: the store does not answer, or refuses.
    """
    from mlflow.exceptions import MlflowException
    from sqlalchemy.exc import SQLAlchemyError

    try:
        yield
    except (MlflowException, SQLAlchemyError, OSError) as error:
        lines = str(error).strip().splitlines() or [type(error).__name__]
        raise TrackingError(
            f"the MLflow store {without_secrets(address)} cannot be used "
            f"({without_secrets(lines[0])})"
        ) from error


def registered_model(client: MlflowClient, name: str) -> Any:
    """Return MLflow's registered model, with its tags and aliases.

    Raises:
        RegistryError: there is none of this name.
        TrackingError: the store does not answer.
    """
    from mlflow.exceptions import MlflowException

    with asking(client.tracking_uri):
        try:
            return client.get_registered_model(name)
        except MlflowException as error:
            if error.error_code != "RESOURCE_DOES_NOT_EXIST":
                raise
            raise no_registered_model(name) from error


def aliases_of(registered: Any) -> dict[str, str]:
    """Return the version of each alias of MLflow's registered model."""
    return {alias: str(number) for alias, number in registered.aliases.items()}


def version_of(item: Any) -> Version:
    """Return ours for MLflow's version."""
    return Version(item.name, str(item.version), item.run_id or "", dict(item.tags))
