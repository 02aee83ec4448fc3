"""Predictions, roads and slices into the content of the map page."""

from __future__ import annotations

import logging
from functools import cache
from typing import TYPE_CHECKING

import pyarrow as pa

from roadgraph.calendar import city_zone
from roadgraph.dataset.grid import places_of
from roadgraph.errors import DataError
from roadgraph.predict.observations import Observations
from roadgraph.report.html_page import MB
from roadgraph.report.map_page.budget import Detail, details, most_that_fit
from roadgraph.report.map_page.forecasts import (
    Issue,
    IssuedForecasts,
    issue_of,
    refuse_lengths,
    refuse_strangers,
    stacked,
)
from roadgraph.report.map_page.header import (
    INTERVAL,
    classes_of,
    congestion_rule,
    flattered_note,
    hindsight_note,
    notes_of,
    times_of,
    too_large_note,
)
from roadgraph.report.map_page.history import MapHistory, history_of
from roadgraph.report.map_page.lines import (
    KPH_STEP,
    bounds_of,
    line_arrays,
    origin_of,
    road_arrays,
)
from roadgraph.report.map_page.packing import packed, quantised, speed_step_kph
from roadgraph.report.map_page.page import MapPage
from roadgraph.schema import SLICES
from roadgraph.units import KPH_PER

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    import numpy as np
    import pandas as pd

    from roadgraph.network.network import Network
    from roadgraph.settings import Settings

log = logging.getLogger(__name__)


def refuse_map(settings: Settings, network: Network, predictions: pa.Table | None = None) -> None:
    """Refuse a map that cannot be drawn, before any other work is done.

    Args:
        settings: of the city.
        network: of the city.
        predictions: with the columns ``issued_at`` and ``segment_id``; None looks at the network
            alone.

    Raises:
        DataError: the network has no geometry; there is no prediction; predictions of segments that
            the network does not have.
    """
    city = settings.city.name
    if not network.has_geometry:
        raise DataError(
            f"the network of '{city}' has no geometry, so there is no map of it; roadgraph report "
            "writes its scorecard, and roadgraph predict its forecasts as a .parquet or .csv file"
        )
    if predictions is None:
        return
    if not len(predictions):
        raise _nothing(city)
    names = predictions["segment_id"].cast(pa.string())
    refuse_strangers(predictions, places_of(names, pa.array(network.segment_ids)), city)


def map_page_of(
    settings: Settings,
    network: Network,
    predictions: pa.Table | Mapping[pd.Timestamp, Path],
    history: pa.Table,
    made: pd.Timestamp,
    attribution: str = "",
    free_flow_kph: np.ndarray | None = None,
) -> MapPage:
    """Return the map page of one forecast or several.

    The newest forecast is always whole. Of the others as many stay, evenly spread, as the page can
    hold below ``report.page_mb``; where the newest alone is too large, history and lines become
    coarser. The page's notes say what was done.

    Args:
        settings: of the city.
        network: of the city, with geometry.
        predictions: the columns of ``schema.PREDICTIONS``; or the files of forecasts by their time
            of issue, such as :func:`~roadgraph.predict.store.forecasts_of_days` finds, of which
            those alone are read that the page shows. Segments may be missing.
        history: the columns of ``schema.SLICES`` around them, such as
            :func:`~roadgraph.report.map_page.history.slices_around` reads; may be empty.
        made: when, knowing its zone.
        attribution: whom the road map is owed to, for the page's foot.
        free_flow_kph: ``[N]`` that the classes go by; None where it is not known.

    Raises:
        DataError: as :func:`refuse_map`; predictions or slices that are damaged; predictions for
            slices of several lengths.
    """
    refuse_map(settings, network)
    if isinstance(predictions, pa.Table):
        forecasts = IssuedForecasts.of_table(predictions)
    else:
        forecasts = IssuedForecasts.of_files(predictions)
    if not forecasts.times:
        raise _nothing(settings.city.name)
    return _Pages(settings, network, forecasts, history, made, attribution, free_flow_kph).best()


def _nothing(city: str) -> DataError:
    return DataError(
        f"no prediction of '{city}' to draw a map of; forecast first: roadgraph predict, or "
        "roadgraph run for those of whole days"
    )


class _Pages:
    """Pages of the same forecasts, with more or less of them."""

    def __init__(
        self,
        settings: Settings,
        network: Network,
        forecasts: IssuedForecasts,
        history: pa.Table,
        made: pd.Timestamp,
        attribution: str,
        free_flow_kph: np.ndarray | None,
    ) -> None:
        """Take what every page has."""
        self.settings = settings
        self.forecasts = forecasts
        self.zone = city_zone(settings.city.timezone)
        self.made = made
        self.origin = origin_of(network)
        self.ids = pa.array(network.segment_ids)
        self.roads, road_classes = road_arrays(network)
        if free_flow_kph is not None:
            self.roads["free_flow_kph"] = quantised(free_flow_kph, KPH_STEP)
        self.about = {
            "city": settings.city.name,
            "segments": len(self.ids),
            "road_classes": road_classes,
            "speed_unit": settings.city.speed_unit,
            "speed_unit_kph": KPH_PER[settings.city.speed_unit],
            "origin": self.origin,
            "bounds": bounds_of(network),
            "classes": classes_of(),
            "congestion_rule": congestion_rule(settings.labels, settings.city.speed_unit),
            "interval": INTERVAL,
            "attribution": attribution,
            "left_drive_offset": settings.city.drives_on == "left",
        }
        self.lines = cache(lambda tolerance_m: line_arrays(network, self.origin, tolerance_m))
        self.issue = cache(self._issue)
        minutes = self.issue(len(forecasts.times) - 1).slice_minutes
        self.observations = (
            Observations.of(SLICES.typed(history), self.ids, minutes) if len(history) else None
        )

    def best(self) -> MapPage:
        """Return the page with the most that stays below the size asked for."""
        budget = int(self.settings.report.page_mb * MB)
        count = len(self.forecasts.times)
        newest: tuple[int, ...] = (count - 1,)
        for detail in details(len(self.ids)):
            page = self.page(newest, detail)
            if page.size < budget:
                break
        else:
            log.warning(too_large_note(self.settings, len(self.ids)))
            return self.page(newest, detail, too_large=True)
        pages = {newest: page}

        def size_of(places: tuple[int, ...]) -> int:
            if places not in pages:
                pages[places] = self.page(places, detail)
            return pages[places].size

        return pages[most_that_fit(count, size_of, budget)]

    def page(self, places: tuple[int, ...], detail: Detail, too_large: bool = False) -> MapPage:
        """Return the page of the times of issue at some places."""
        issues = [self.issue(place) for place in places]
        refuse_lengths(issues)
        history = history_of(self.observations, issues)
        history = history.thinned(detail.history_every(issues[0].slice_minutes))
        fastest_kph = [issue.fastest_kph for issue in issues]
        step_kph = speed_step_kph(max(history.fastest_kph, *fastest_kph))
        arrays = {
            **self.lines(detail.tolerance_m),
            **self.roads,
            **_with_seen(stacked(issues, step_kph), issues, history),
            "observed": quantised(history.speed_kph, step_kph),
            "target_slice": history.target_slice,
        }
        data, described = packed(arrays)
        there_are = len(self.forecasts.times)
        notes = notes_of(self.settings, issues, there_are, history, detail, step_kph)
        late = sum(issue.issued_at in self.forecasts.hindsight for issue in issues)
        if late:
            notes.insert(0, hindsight_note(late, len(issues)))
        flattered = sum(issue.issued_at in self.forecasts.flattered for issue in issues)
        if flattered:
            notes.insert(0, flattered_note(flattered, len(issues)))
        if too_large:
            notes.insert(0, too_large_note(self.settings, len(self.ids)))
        subject = "Congestion" if "congestion" in arrays else "Speed"
        title = f"{subject} in {self.settings.city.name}"
        header = {
            "title": title,
            **self.about,
            **times_of(issues, history, self.made, self.zone),
            "models": sorted({model for issue in issues for model in issue.models}),
            "speed_step_kph": step_kph,
            "notes": notes,
            "arrays": described,
        }
        return MapPage(title, header, data)

    def _issue(self, place: int) -> Issue:
        table = self.forecasts.read(self.forecasts.times[place])
        return issue_of(table, self.ids, self.settings.city.name)


def _with_seen(
    arrays: dict[str, np.ndarray], issues: list[Issue], history: MapHistory
) -> dict[str, np.ndarray]:
    """Return ``arrays`` with what is known to be observed, though no forecast has a row of it.

    A model that estimates hidden segments has rows of those alone that were not observed.
    """
    seen, age_min = arrays["seen"].copy(), arrays["age_min"].copy()
    for i, issue in enumerate(issues):
        silent = history.seen_at(history.last_slice[i]) & ~issue.answered
        seen[i, silent], age_min[i, silent] = 1, 0
    return {**arrays, "seen": seen, "age_min": age_min}
