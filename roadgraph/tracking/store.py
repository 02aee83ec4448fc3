"""The MLflow store that runs are recorded in: its address, and a client that does not wait long."""

from __future__ import annotations

import logging
import os
import re
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from roadgraph.errors import SettingsError, TrackingError
from roadgraph.masking import without_secrets

if TYPE_CHECKING:
    from collections.abc import Iterator

    from mlflow import MlflowClient

    from roadgraph.settings import Settings
    from roadgraph.workspace import Workspace

SCHEMES = ("http", "https", "sqlite", "postgresql", "mysql", "mssql")
SQLITE = "sqlite:///"
RETRIES = 2
LOCK_SECONDS = 120
LOCAL_PAGES = "http://127.0.0.1:5000"  # where `mlflow ui` listens unless told otherwise


@dataclass(frozen=True)
class Store:
    """An MLflow store.

    Attributes:
        address: of the tracking server or database, with its password.
        pages: address at which people open its pages.
        artifacts: folder of the artifacts of a local database, or None: a server knows its own.
        lock: file that processes of this workspace hold while they write; SQLite has one writer.
        timeout_s: of a single call.
    """

    address: str
    pages: str
    artifacts: Path | None
    lock: Path
    timeout_s: int

    @classmethod
    def of(cls, settings: Settings, workspace: Workspace) -> Store:
        """Return the store that the settings name.

        Raises:
            SettingsError: there is no such kind of store.
        """
        address = tracking_uri(settings, workspace)
        scheme = address.partition("://")[0].partition("+")[0]
        if "://" not in address or scheme not in SCHEMES:
            raise SettingsError(
                f"the MLflow store '{without_secrets(address)}' is none that can be used: set "
                "tracking.uri or MLFLOW_TRACKING_URI to a server (http://, https://) or a database "
                "(sqlite:///, postgresql://, mysql://, mssql://)"
            )
        server, ui = scheme in ("http", "https"), settings.tracking.ui
        if ui and not ui.startswith(("http://", "https://")):
            raise SettingsError(
                f"tracking.ui: needs the address of a web page, http:// or https:// (found '{ui}')"
            )
        pages = ui or (without_login(address) if server else LOCAL_PAGES)
        return cls(
            address,
            pages.rstrip("/"),
            None if server else (workspace.store / "mlartifacts").resolve(),
            workspace.store / ".tracking.lock",
            settings.tracking.timeout_s,
        )

    @property
    def name(self) -> str:
        """The address as it may be shown and kept: without its password."""
        return without_secrets(self.address)

    @property
    def database(self) -> Path | None:
        """The file of an SQLite store, or None."""
        if not self.address.startswith(SQLITE):
            return None
        return Path(self.address.removeprefix(SQLITE))

    def client(self) -> MlflowClient:
        """Return a client whose calls to a server end soon; a database is made where there is none.

        A user's own settings of MLflow's time limits in the environment stay in force.
        """
        for name, value in {
            "MLFLOW_HTTP_REQUEST_TIMEOUT": str(self.timeout_s),
            "MLFLOW_HTTP_REQUEST_MAX_RETRIES": str(RETRIES),
            # Where runs are to be seen is said by the command line, once.
            "MLFLOW_SUPPRESS_PRINTING_URL_TO_STDOUT": "true",
            "MLFLOW_ENABLE_ARTIFACTS_PROGRESS_BAR": "false",
        }.items():
            os.environ.setdefault(name, value)
        from mlflow import MlflowClient

        # MLflow sets its own level when it is imported, and tells of every step of its database.
        for name in ("alembic", "mlflow"):
            logging.getLogger(name).setLevel(logging.WARNING)
        # Retries are no news of their own: what comes of them is said once.
        logging.getLogger("urllib3.connectionpool").setLevel(logging.ERROR)
        if self.database is not None:
            self.database.parent.mkdir(parents=True, exist_ok=True)
        return MlflowClient(self.address, self.address)

    @contextmanager
    def held(self) -> Iterator[None]:
        """Keep other processes of this workspace from writing meanwhile.

        Raises:
            TrackingError: another process has held the store for long.
        """
        from filelock import FileLock, Timeout

        self.lock.parent.mkdir(parents=True, exist_ok=True)
        try:
            with FileLock(self.lock, timeout=LOCK_SECONDS):
                yield
        except Timeout as error:
            raise TrackingError(
                f"another process has held the MLflow store {self.name} for {LOCK_SECONDS} s "
                f"({self.lock})"
            ) from error

    def experiment(self, client: MlflowClient, city: str) -> str:
        """Return the id of the city's experiment, which is made where there is none."""
        from mlflow.exceptions import MlflowException

        found = client.get_experiment_by_name(city)
        if found is None:
            place = None if self.artifacts is None else self.artifacts.as_uri()
            try:
                return str(client.create_experiment(city, artifact_location=place))
            except MlflowException:
                # Another machine may have made it in this moment.
                found = client.get_experiment_by_name(city)
                if found is None:
                    raise
        return str(found.experiment_id)

    def page(self, experiment: str, run_id: str) -> str:
        """Return the address of a run's page."""
        return f"{self.pages}/#/experiments/{experiment}/runs/{run_id}"


def tracking_uri(settings: Settings, workspace: Workspace) -> str:
    """Return the store's address: the setting, the environment's, or the workspace's own."""
    own = f"{SQLITE}{(workspace.store / 'mlflow.db').as_posix()}"
    return settings.tracking.uri or os.environ.get("MLFLOW_TRACKING_URI") or own


def without_login(address: str) -> str:
    """Return an address without user and password."""
    return re.sub(r"(?<=://)[^/]*@", "", address)
