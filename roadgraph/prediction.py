"""What ``roadgraph predict`` does: a model and data into a file of predictions and its map."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING

import pandas as pd
import pyarrow.compute as pc

from roadgraph.calendar import city_zone
from roadgraph.errors import DataError, SettingsError
from roadgraph.models.registry import model_title
from roadgraph.network.network import read_network
from roadgraph.predict.files import FORMATS, refuse_file, write_predictions
from roadgraph.predict.forecaster import Forecaster
from roadgraph.predict.given_slices import given_slices, is_store
from roadgraph.predict.newest_slices import newest_slices, no_history
from roadgraph.predict.predictions import floored, predict_by, signed
from roadgraph.promotion.fetching import RegisteredBundle, registered_bundle
from roadgraph.slices.store import stored_slice_minutes
from roadgraph.tracking.versions import CHAMPION
from roadgraph.training.bundle import read_bundle
from roadgraph.workspace import Workspace

if TYPE_CHECKING:
    from zoneinfo import ZoneInfo

    import pyarrow as pa

    from roadgraph.network.network import Network
    from roadgraph.settings import Settings
    from roadgraph.slices.report import SlicesReport
    from roadgraph.training.bundle import Bundle


@dataclass(frozen=True)
class Given:
    """What a forecast is made from, where it is not the newest of the store of slices.

    Attributes:
        at: the time to forecast from, as :func:`asked_time` reads it. None is the end of the newest
            slice.
        slices: file or folder of slices to look at in the place of the store.
        fixes: file or folder of raw fixes to look at in the place of the store.
    """

    at: str | None = None
    slices: Path | None = None
    fixes: Path | None = None


@dataclass(frozen=True)
class Predicted:
    """What was forecast, and by which model.

    Attributes:
        files: the table, a map's style, with geometry and classes its picture, and the map page
            if it was asked for.
        title: of the model.
        registered: version that the model is of, or None where a bundle was named.
        account: what became of the fixes that were given; None where none were.
    """

    files: tuple[Path, ...]
    title: str
    registered: RegisteredBundle | None
    account: SlicesReport | None = None

    @property
    def model(self) -> str:
        """How people are told of the model, such as ``sample version 3 (champion): gat-simple``."""
        return self.title if self.registered is None else f"{self.registered}: {self.title}"


@dataclass(frozen=True)
class Ready:
    """A model on its network, with what it is to look at.

    Attributes:
        forecaster: the model.
        slices: the columns of ``schema.SLICES``.
        slice_minutes: their length.
        at: the time to forecast from; None is the end of the newest slice.
        registered: version that the model is of, or None where a bundle was named.
        account: what became of the fixes that were given; None where none were.
    """

    forecaster: Forecaster
    slices: pa.Table
    slice_minutes: int
    at: pd.Timestamp | None
    registered: RegisteredBundle | None
    account: SlicesReport | None

    @property
    def bundle(self) -> Bundle:
        """The model that was asked for."""
        return self.forecaster.bundle

    @property
    def made_by(self) -> dict[str, str]:
        """What a file of predictions says of itself."""
        told = {
            "bundle": self.bundle.title,
            "seen_until": self.forecaster.seen_until.isoformat(),
        }
        if self.forecaster.others:
            told["other_bundles"] = ", ".join(self.forecaster.others)
        if self.registered is not None:
            told |= {"registered": str(self.registered), "run_id": self.registered.version.run_id}
        return told


NEWEST = Given()
PICTURES = (".png", ".svg")
"""Beside the table; as ``report.style.PLOT_FORMATS``, whose import takes long."""
PAGE = ".html"


def trained_bundle(settings: Settings) -> Path:
    """Return the folder of the model that the settings name, trained in this workspace."""
    return Workspace.of(settings).bundle(model_title(settings.model, settings.size))


def run_prediction(
    settings: Settings,
    bundle_folder: Path | None,
    out: Path | None,
    version: str = CHAMPION,
    given: Given = NEWEST,
    picture: bool = True,
    page: bool = False,
) -> Predicted:
    """Forecast; write the table and, with geometry, a picture of it and its map page.

    What a Parquet file was made by stands in the metadata of its schema. Where the table was there
    before, picture and map page that are not made again are removed: they would pass for those of
    this forecast. They stay where a table of another format has the same name, because they may be
    its.

    Args:
        settings: of the city.
        bundle_folder: the trained bundle; None takes that of a registered version.
        out: file to write; by default ``predictions.parquet`` in the workspace.
        version: ``champion``, ``challenger`` or the number of a version of the registered model.
        given: the time and the data; by default the store's newest slices.
        picture: draw the forecast, as ``.png`` and ``.svg`` beside the table.
        page: write the map page, ``.html`` beside the table.

    Raises:
        BundleError: model, network and slices do not belong together.
        DataError: the data cannot be used.
        SettingsError: the file cannot be written, or there is no such time.
    """
    workspace = Workspace.of(settings)
    network = read_network(workspace.network)
    path = out or workspace.predictions
    refuse_file(path, network)
    if page:
        from roadgraph.report.map_page.data import refuse_map

        refuse_map(settings, network)
    ready = ready_to_forecast(settings, network, bundle_folder, version, given)
    try:
        table = predict_by(
            ready.forecaster,
            ready.slices,
            ready.slice_minutes,
            ready.at,
            settings.evaluation.abstain_below,
        )
    except DataError as error:
        raise DataError(f"{_source(given, workspace)}: {error}") from error
    table = signed(table, ready.made_by)
    again = path.exists()
    zone = city_zone(ready.bundle.timezone)
    drawn = picture and _can_be_drawn(table, ready, network)
    files = [*write_predictions(table, path, network, zone, settings.city.drives_on)]
    if again:
        _remove_older(path, drawn, page)
    if drawn:
        files += _draw_picture(table, ready, network, settings, path)
    if page:
        files.append(path.with_suffix(PAGE))
        _write_page(table, ready, network, settings, files[-1])
    return Predicted(tuple(files), ready.bundle.title, ready.registered, ready.account)


def ready_to_forecast(
    settings: Settings,
    network: Network,
    bundle_folder: Path | None,
    version: str = CHAMPION,
    given: Given = NEWEST,
) -> Ready:
    """Return the model on its network, with the slices that it is to look at.

    Args:
        settings: of the city.
        network: the workspace's.
        bundle_folder: as in :func:`run_prediction`.
        version: as there.
        given: as there.

    Raises:
        BundleError: model and network do not belong together.
        DataError: the data cannot be used.
        SettingsError: there is no such time.
    """
    workspace = Workspace.of(settings)
    registered = None
    if bundle_folder is None:
        registered = registered_bundle(settings, version)
        bundle_folder = registered.folder
    bundle = read_bundle(bundle_folder)
    zone = city_zone(bundle.timezone)
    at = None if given.at is None else asked_time(given.at, zone)
    forecaster = Forecaster.of(bundle, network, workspace.bundles)
    slices, minutes, account = _slices(settings, given, forecaster, network, at)
    if at is not None:
        step = pd.Timedelta(minutes=minutes)
        first_end = pd.Timestamp(pc.min(slices["slice_start"]).as_py()) + step
        if first_end > at:
            raise no_history(at, first_end, zone, _source(given, workspace))
    return Ready(forecaster, slices, minutes, at, registered, account)


def asked_time(text: str, zone: ZoneInfo) -> pd.Timestamp:
    """Return the moment that ``text`` names.

    Args:
        text: ISO 8601 with a date, such as ``2026-01-18T07:15`` on the city's clock, or with an
            offset, such as ``2026-01-18T00:15Z``; or ``now``.
        zone: the city's time zone.

    Raises:
        SettingsError: it is no time, or one that the city's clock shows twice or never.
    """
    if text == "now":
        return pd.Timestamp.now("UTC")
    try:
        # pandas would take 07:15 or today for a time of this machine's clock.
        time = pd.Timestamp(datetime.fromisoformat(text))
    except ValueError as error:
        raise SettingsError(
            f"--at {text}: no time; write now, or a date and time such as 2026-01-18T07:15 (the "
            "city's clock) or 2026-01-18T00:15Z"
        ) from error
    if time.tzinfo is not None:
        return time
    try:
        return time.tz_localize(zone)
    except ValueError as error:
        raise SettingsError(
            f"--at {text}: the city's clock ({zone.key}) shows this time twice or never, because "
            "it is put back or forward then; add the offset, such as +02:00"
        ) from error


def _slices(
    settings: Settings,
    given: Given,
    forecaster: Forecaster,
    network: Network,
    at: pd.Timestamp | None,
) -> tuple[pa.Table, int, SlicesReport | None]:
    """Return the slices to look at, their length in minutes and the account of given fixes."""
    minutes = forecaster.bundle.slice_minutes
    if given.fixes is not None:
        from roadgraph.predict.given_fixes import slices_of_fixes

        last = None if at is None else floored(at, forecaster.step)
        slices, account = slices_of_fixes(given.fixes, settings, network, minutes, last)
        return slices, minutes, account
    if given.slices is not None and not is_store(given.slices):
        return given_slices(given.slices, minutes), minutes, None
    folder = given.slices or Workspace.of(settings).slices
    minutes = stored_slice_minutes(folder)
    zone = city_zone(settings.city.timezone)
    last = None if at is None else floored(at, pd.Timedelta(minutes=minutes))
    return newest_slices(folder, zone, minutes, forecaster.slices, last), minutes, None


def _source(given: Given, workspace: Workspace) -> Path:
    """Return where the slices come from, for messages."""
    return given.slices or given.fixes or workspace.slices


def _can_be_drawn(table: pa.Table, ready: Ready, network: Network) -> bool:
    """Return whether there is anything to draw: lines, classes and rows."""
    has_classes = "congestion" in ready.bundle.options.tasks
    return network.has_geometry and has_classes and len(table) > 0


def _remove_older(path: Path, drawn: bool, page: bool) -> None:
    """Remove what lies beside the table ``path`` of a forecast before and is not made again."""
    if any(path.with_suffix(kind).exists() for kind in FORMATS if kind != path.suffix):
        return
    older = (() if drawn else PICTURES) + (() if page else (PAGE,))
    for kind in older:
        path.with_suffix(kind).unlink(missing_ok=True)


def _draw_picture(
    table: pa.Table, ready: Ready, network: Network, settings: Settings, path: Path
) -> tuple[Path, ...]:
    """Draw the forecast beside the table ``path`` and return the picture's files."""
    from roadgraph.report.plots import plot_predictions
    from roadgraph.report.style import plot_files

    picture = path.with_suffix(PICTURES[0])
    zone = city_zone(ready.bundle.timezone)
    plot_predictions(network, table.to_pandas(), zone, settings.city.drives_on, picture)
    return plot_files(picture)


def _write_page(
    table: pa.Table, ready: Ready, network: Network, settings: Settings, path: Path
) -> None:
    from roadgraph.report.map_page.data import map_page_of
    from roadgraph.report.map_page.header import attribution_of
    from roadgraph.report.map_page.page import write_map_page

    made = pd.Timestamp.now("UTC")
    owed = attribution_of(Workspace.of(settings).network)
    flow = ready.forecaster.free_flow_kph
    page = map_page_of(settings, network, table, ready.slices, made, owed, flow)
    write_map_page(page, path)
