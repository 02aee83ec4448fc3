"""The pictures of a scorecard: what is drawn, and where on the page it stands."""

from __future__ import annotations

from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd

from roadgraph.calendar import city_zone
from roadgraph.legend import CLASS_TITLES
from roadgraph.report.calibration_plots import plot_coverage, plot_reliability
from roadgraph.report.error_plots import plot_error_map
from roadgraph.report.plots import plot_confusion
from roadgraph.report.scorecard_page.plots import (
    figure_panels,
    plot_course,
    plot_drift,
    plot_horizons,
    plot_hours,
    plot_parts,
)
from roadgraph.report.scorecard_page.tables import by_importance, worst_first
from roadgraph.report.scorecard_page.words import hour_text
from roadgraph.report.style import is_drawable
from roadgraph.schema import CONGESTION_CLASSES
from roadgraph.units import KPH_PER
from roadgraph.verification.checks import LEAST_CELLS
from roadgraph.verification.courses import OBSERVED
from roadgraph.verification.parts_of_day import (
    DISTRICT,
    HORIZON,
    HOUR,
    ROAD_CLASS,
    hour_names,
)
from roadgraph.verification.scoring import FORECAST

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path
    from typing import Protocol

    from roadgraph.settings import CitySettings
    from roadgraph.verification.scorecard import Scorecard, WorstSegment

    class Draw(Protocol):
        """Draws into the file at ``path``."""

        def __call__(self, *, path: Path) -> None:
            """Draw."""


CLASSES, MAP, DRIFT = "classes", "map", "drift"
WORST_SEGMENTS, WORST_HOURS = "worst segments", "worst hours"
MOST_OF_MAP = 0.95
"""Quantile of the segments' errors at which the colours of the map end."""


@dataclass(frozen=True)
class Drawing:
    """A picture that is still to be drawn.

    Attributes:
        section: of the page that it stands in.
        name: of its file, without a suffix.
        title: below it on the page.
        draw: draws it.
    """

    section: str
    name: str
    title: str
    draw: Draw


def drawings_of(scorecard: Scorecard, city: CitySettings) -> list[Drawing]:
    """Return all that is drawn of a scorecard; what the model does not forecast has no picture."""
    drawings = [*_of_record(scorecard, city)]
    if scorecard.reason:
        return drawings
    return [
        *drawings,
        *_of_horizons(scorecard, city),
        *_of_parts(scorecard, city),
        *_of_classes(scorecard),
        *_of_map(scorecard, city),
        *_of_worst(scorecard, city),
    ]


def road_text(segment: WorstSegment) -> str:
    """Return a segment as people know it: its id, with the name of its road where it has one."""
    return f"{segment.segment_id}, {segment.road}" if segment.road else segment.segment_id


def _of_record(scorecard: Scorecard, city: CitySettings) -> Iterator[Drawing]:
    errors = scorecard.record.errors
    if errors["day"].nunique() > 1 and figure_panels(errors, city):
        title = "Errors day by day, means over the horizons"
        yield Drawing(DRIFT, "drift", title, partial(plot_drift, errors, city, title))


def _of_horizons(scorecard: Scorecard, city: CitySettings) -> Iterator[Drawing]:
    scores = scorecard.table(HORIZON)
    if figure_panels(scores, city):
        title = "Errors by horizon"
        yield Drawing(HORIZON, "horizon", title, partial(plot_horizons, scores, title, city))
    if scores["interval_coverage"].notna().any():
        title = "Speeds within the interval of 10 to 90 %"
        minutes = scores["part"].astype(int)
        table = scores.assign(horizon_min=minutes, baseline=scores["model"] != FORECAST)
        draw = partial(plot_coverage, table, title)
        yield Drawing(HORIZON, "horizon-coverage", f"{title}, by horizon", draw)


def _of_parts(scorecard: Scorecard, city: CitySettings) -> Iterator[Drawing]:
    for table, order in ((ROAD_CLASS, by_importance), (DISTRICT, worst_first)):
        scores = order(scorecard.table(table))
        if len(scores) and figure_panels(scores, city):
            labels = scores["part"].unique().tolist()
            title = f"Errors by {table}"
            if not all(map(is_drawable, labels)):
                title = f"{title}, in the rows of the table"
                rows = {part: f"row {place}" for place, part in enumerate(labels, start=1)}
                scores, labels = scores.assign(part=scores["part"].map(rows)), [*rows.values()]
            draw = partial(plot_parts, scores, labels, title, city)
            yield Drawing(table, table.replace(" ", "-"), title, draw)
    hours = scorecard.table(HOUR)
    if figure_panels(hours[hours["cells"] >= LEAST_CELLS], city):
        title = f"Errors by hour of the day, hours with {LEAST_CELLS} cells or more"
        # Of every hour that slices begin in, so that one without any cell is a gap.
        starts, zone = pd.DatetimeIndex(scorecard.course.index), city_zone(city.timezone)
        names = np.unique(hour_names(starts, zone)).tolist()
        draw = partial(plot_hours, hours, names, title, city)
        yield Drawing(HOUR, "hour", title, draw)


def _of_classes(scorecard: Scorecard) -> Iterator[Drawing]:
    if scorecard.confusion.any():
        titles = [CLASS_TITLES[name] for name in CONGESTION_CLASSES]
        title = "Congestion, all horizons"
        draw: Draw = partial(plot_confusion, scorecard.confusion, titles, "cells", title)
        yield Drawing(CLASSES, "confusion", "Classes that were observed and forecast", draw)
    table = scorecard.reliability
    for minutes in table["horizon_min"].unique().tolist():
        bins = table[table["horizon_min"] == minutes]
        ahead = f"{minutes} minutes ahead" if minutes else "all horizons"
        sure, right, cells = (
            bins[name].to_numpy() for name in ("confidence", "right_share", "cells")
        )
        title = f"Reliability of the classes, {ahead}"
        draw = partial(plot_reliability, sure, right, cells, title)
        yield Drawing(CLASSES, f"reliability-{minutes or 'all'}", title, draw)


def _of_map(scorecard: Scorecard, city: CitySettings) -> Iterator[Drawing]:
    network, error_kph = scorecard.network, scorecard.segment_mae_kph
    if network is None or np.isnan(error_kph).all():
        return
    unit = KPH_PER[city.speed_unit]
    error = error_kph / unit
    most = max(float(np.nanquantile(error, MOST_OF_MAP)), 1.0)
    title = "Error of the speed on every segment"
    draw = partial(plot_error_map, network, error, most, city.speed_unit, city.drives_on, title)
    yield Drawing(MAP, "error-map", title, draw)


def _of_worst(scorecard: Scorecard, city: CitySettings) -> Iterator[Drawing]:
    ahead = f"forecast {scorecard.course_min} minutes ahead"
    for place, segment in enumerate(scorecard.worst_segments, start=1):
        if not segment.course[[OBSERVED, FORECAST]].notna().any().all():
            continue
        title = f"{road_text(segment)}: {ahead}"
        drawn = title if is_drawable(title) else f"{segment.segment_id}: {ahead}"
        draw: Draw = partial(plot_course, segment.course, drawn, city)
        yield Drawing(WORST_SEGMENTS, f"worst-segment-{place:02d}", title, draw)
    for place, hour in enumerate(scorecard.worst_hours, start=1):
        if scorecard.course[FORECAST].notna().any():
            begin = pd.Timestamp(hour.name)
            title = f"{hour_text(begin, city)}, all judged cells: {ahead}"
            draw = partial(plot_course, scorecard.course, title, city, hour=begin)
            yield Drawing(WORST_HOURS, f"worst-hour-{place:02d}", title, draw)
