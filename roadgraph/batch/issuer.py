"""The model that issues forecasts, and what stands in their manifests."""

from __future__ import annotations

import logging
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING

from roadgraph.batch.clock import depends_on
from roadgraph.calendar import city_zone
from roadgraph.errors import NothingRegisteredError, RegistryError
from roadgraph.models.registry import model_title
from roadgraph.predict.forecaster import Forecaster
from roadgraph.predict.store import write_forecast
from roadgraph.promotion.fetching import RegisteredBundle, kept_bundle, registered_bundle
from roadgraph.tracking.versions import CHAMPION
from roadgraph.training.bundle import Bundle, digest_of_bundle, read_bundle
from roadgraph.workspace import Workspace

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence
    from pathlib import Path

    import pandas as pd
    import pyarrow as pa

    from roadgraph.batch.clock import Clock
    from roadgraph.network.network import Network
    from roadgraph.settings import Settings

logger = logging.getLogger(__name__)


@dataclass(frozen=True)
class Issuer:
    """A trained model that forecasts are issued with.

    Attributes:
        folder: of its bundle.
        registered: the version that it is of, or None without a registry.
    """

    folder: Path
    registered: RegisteredBundle | None

    @classmethod
    def of(cls, settings: Settings, version: str = CHAMPION) -> Issuer:
        """Return the champion, or another version of the city's registered model.

        With ``tracking.enabled=false`` there is no registry, and the model that the settings name,
        as it was trained last, forecasts.

        Raises:
            NothingRegisteredError: there is no model yet.
            RegistryError: there is no such version.
            TrackingError: the registry does not answer, and no champion was fetched before.
        """
        if settings.tracking.enabled:
            registered = registered_bundle(settings, version)
            return cls(registered.folder, registered)
        title = model_title(settings.model, settings.size)
        folder = Workspace.of(settings).bundle(title)
        if not folder.is_dir():
            raise NothingRegisteredError(f"{title} was not trained yet: roadgraph train")
        return cls(folder, None)

    def __str__(self) -> str:
        """Return how people are told of it."""
        title = self.bundle.title
        return title if self.registered is None else f"{self.registered}: {title}"

    @property
    def version(self) -> str:
        """The number of its version, or "" without a registry."""
        return "" if self.registered is None else self.registered.version.number

    @cached_property
    def bundle(self) -> Bundle:
        """The trained model."""
        return read_bundle(self.folder)

    def same_as(self, settings: Settings, identity: Mapping[str, str]) -> Issuer:
        """Return the version that a manifest names, or this one where there is none such any more.

        What was fetched of it before is taken, so that the registry need not answer.

        Args:
            settings: of the city.
            identity: what the manifest says of the model.

        Raises:
            TrackingError: it was never fetched, and the registry does not answer.
        """
        number = identity.get("version", "")
        if number == self.version:
            return self
        kept = kept_bundle(settings, number, identity["run_id"]) if number else None
        if kept is not None:
            return Issuer(kept.folder, kept)
        try:
            return Issuer.of(settings, number) if number else self
        except RegistryError as error:
            logger.warning("%s; forecasting with %s instead", error, self)
            return self

    def issue(
        self,
        settings: Settings,
        network: Network,
        slices: pa.Table,
        times: Sequence[pd.Timestamp],
        clock: Clock,
    ) -> Iterator[Path]:
        """Forecast at ``times`` and write each forecast to the store; yield its file.

        Args:
            settings: of the city.
            network: of the slices.
            slices: the columns of ``schema.SLICES``, of the day and those that it looks back to.
            times: of issue, of one local day.
            clock: what was known when.

        Raises:
            BundleError: network or slices are not those of the model.
        """
        workspace, zone = Workspace.of(settings), city_zone(settings.city.timezone)
        forecaster = Forecaster.of(self.bundle, network, workspace.bundles)
        observations = forecaster.observations(slices, settings.slices.minutes)
        shared = {
            **depends_on(network.fingerprint(), settings),
            "model": digest_of_bundle(self.folder),
            **{f"model {title}": digest for title, digest in forecaster.others.items()},
        }
        for time in times:
            table = forecaster.forecast(observations, time, settings.evaluation.abstain_below)
            manifest = {
                "depends_on": shared | clock.data_before(time, forecaster.slices),
                "slices": forecaster.slices,
                "model": self._identity(),
                "seen_until": forecaster.seen_until.isoformat(),
                "hindsight": clock.knows_after(time),
            }
            yield write_forecast(workspace.forecasts, zone, table, manifest, time)

    def _identity(self) -> dict[str, str]:
        identity = {"title": self.bundle.title}
        if self.registered is not None:
            version = self.registered.version
            identity |= {
                "registered": version.name,
                "version": version.number,
                "run_id": version.run_id,
            }
        return identity
