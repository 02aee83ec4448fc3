"""The sections of a scorecard's page: tables, sentences and pictures in their order."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING

import pandas as pd

from roadgraph.quality.page import VERDICTS
from roadgraph.report.html_tables import PageTable, shown_table
from roadgraph.report.scorecard_page.pictures import (
    CLASSES,
    DRIFT,
    MAP,
    WORST_HOURS,
    WORST_SEGMENTS,
    road_text,
)
from roadgraph.report.scorecard_page.plots import FEW
from roadgraph.report.scorecard_page.tables import (
    FEW_NOTE,
    by_importance,
    shown_parts,
    verdicts_of_horizons,
    worst_first,
)
from roadgraph.report.scorecard_page.words import hour_text
from roadgraph.verification.checks import LEAST_CELLS
from roadgraph.verification.parts_of_day import (
    DISTRICT,
    HORIZON,
    HOUR,
    ROAD_CLASS,
    SEGMENT,
    TIME_OF_DAY,
)
from roadgraph.verification.worst import LEAST_OF_SEGMENT

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from roadgraph.report.html_page import Picture
    from roadgraph.report.html_tables import ShownTable
    from roadgraph.settings import CitySettings, Settings
    from roadgraph.verification.record import Record
    from roadgraph.verification.scorecard import Scorecard

    Pictures = Mapping[str, Sequence[Picture]]

NO_MAP = (
    "This network has no geometry (it is one of detectors, or was read from an adjacency matrix), "
    "so there is no map and there are no districts."
)
MOST_DAYS = 5
"""Named in a sentence."""


@dataclass(frozen=True)
class Section:
    """A part of the page.

    Attributes:
        title: above it.
        notes: sentences below the title.
        tables: below them; the title of the only one is the section's.
        pictures: below the tables.
    """

    title: str
    notes: Sequence[str] = ()
    tables: Sequence[ShownTable] = ()
    pictures: Sequence[Picture] = ()


def sections_of(scorecard: Scorecard, settings: Settings, pictures: Pictures) -> list[Section]:
    """Return all sections of a day that has forecasts to judge.

    Args:
        scorecard: of the day.
        settings: ``city``, ``report.districts`` and ``pipeline.psi_limit`` are used.
        pictures: by the section that they stand in.
    """
    city = settings.city

    def part(
        table: str,
        title: str,
        first: str,
        scores: pd.DataFrame,
        verdicts: Mapping[str, str] | None = None,
    ) -> Section:
        shown = shown_parts(scores, first, city, verdicts=verdicts)
        few = [FEW_NOTE] if FEW in shown["verdict"].tolist() else []
        tables = [shown_table(PageTable(title, shown))]
        return Section(title, few, tables, [*pictures.get(table, ())])

    by_class = by_importance(scorecard.table(ROAD_CLASS))
    times = scorecard.table(TIME_OF_DAY)
    decided = verdicts_of_horizons(scorecard.gains)
    return [
        part(HORIZON, "By horizon", "minutes ahead", scorecard.table(HORIZON), decided),
        part(ROAD_CLASS, "By class of road", "class of road", by_class),
        part(HOUR, "By time of day", "local hours", times),
        _places(scorecard, settings, pictures),
        Section(
            "Classes of congestion", _notes_of_classes(scorecard), (), pictures.get(CLASSES, ())
        ),
        _worst_segments(scorecard, city, pictures),
        _worst_hours(scorecard, city, pictures),
        drift_section(scorecard.record, settings.pipeline.psi_limit, pictures),
    ]


def drift_section(record: Record, psi_limit: float, pictures: Pictures) -> Section:
    """Return what the stores say of the day's data and of the days before."""
    tables = [
        PageTable(
            "Checks of the day",
            pd.DataFrame(
                {
                    "check": [check.name for check in record.checks],
                    "verdict": [VERDICTS[check.passed] for check in record.checks],
                    "why": [check.reason for check in record.checks],
                }
            ),
        )
    ]
    notes = [*record.missing, *_outdated(record)]
    known = [each for each in record.drift if not math.isnan(each.index)]
    if known:
        notes.append(
            f"The population stability index of the features is against {record.reference}: 0 is "
            f"no drift, over {psi_limit:g} the check of it fails."
        )
        rows = {
            "feature": [each.name for each in known],
            "population stability index": [f"{each.index:.3f}" for each in known],
        }
        tables.append(PageTable("Features of the day", pd.DataFrame(rows)))
    return Section("Drift", notes, [*map(shown_table, tables)], pictures.get(DRIFT, ()))


def _outdated(record: Record) -> list[str]:
    days = record.outdated
    if not days:
        return []
    named = ", ".join(map(str, days[:MOST_DAYS]))
    named += f" and {len(days) - MOST_DAYS} more" if len(days) > MOST_DAYS else ""
    return [
        f"The errors of {named} were worked out from other data or settings than those of now; "
        f"`roadgraph run --steps evaluation --from {days[0]} --to {days[-1]}` works them out again."
    ]


def _places(scorecard: Scorecard, settings: Settings, pictures: Pictures) -> Section:
    title = "By district"
    if scorecard.network is None:
        return Section(title, [NO_MAP])
    named = settings.report.districts
    what = (
        f"Districts are the polygons of `{named}`; a segment belongs to the first one that holds "
        "the point half way along it."
        if named
        else "Districts are nine fields of equal size over the extent of the network, named by "
        "compass; `report.districts=FILE` sets the city's own."
    )
    shown = shown_parts(worst_first(scorecard.table(DISTRICT)), "district", settings.city)
    few = [FEW_NOTE] if FEW in shown["verdict"].tolist() else []
    return Section(
        title,
        [f"{what} The one with the largest error comes first.", *few],
        [shown_table(PageTable(title, shown))],
        [*pictures.get(DISTRICT, ()), *pictures.get(MAP, ())],
    )


def _notes_of_classes(scorecard: Scorecard) -> list[str]:
    if not scorecard.confusion.any():
        return ["The forecasts have no classes of congestion that can be judged."]
    return [
        "Each row of the first picture is a class that was observed, and says as which class those "
        "cells were forecast. On the diagonal of the others the answers are right as often as they "
        "claim; below it they are too sure."
    ]


def _worst_segments(scorecard: Scorecard, city: CitySettings, pictures: Pictures) -> Section:
    title = "The worst segments"
    if not scorecard.worst_segments:
        return Section(title, [f"No segment has {LEAST_OF_SEGMENT} judged cells."])
    labels = {each.segment_id: road_text(each) for each in scorecard.worst_segments}
    shown = shown_parts(scorecard.table(SEGMENT), "segment", city, labels, LEAST_OF_SEGMENT)
    shown.insert(1, "class", [each.road_class for each in scorecard.worst_segments])
    if scorecard.network is not None:
        shown.insert(2, "district", [each.district for each in scorecard.worst_segments])
    notes = [
        f"By the error of the forecasts at all horizons, of segments with {LEAST_OF_SEGMENT} cells "
        "or more. The worst segments of a day are partly those with the worst luck: look whether "
        "they come again."
    ]
    return _with_table(title, notes, shown, pictures.get(WORST_SEGMENTS, ()))


def _worst_hours(scorecard: Scorecard, city: CitySettings, pictures: Pictures) -> Section:
    title = "The worst hours"
    if not scorecard.worst_hours:
        return Section(title, [f"No hour has {LEAST_CELLS} judged cells."])
    hours = {each.name: each for each in scorecard.worst_hours}
    scores = scorecard.table(HOUR).set_index("part").loc[[*hours]].reset_index()
    labels = {name: hour_text(pd.Timestamp(name), city) for name in hours}
    shown = shown_parts(scores, "local hour", city, labels)
    shown["largest shares"] = [
        ", ".join(f"{name} ({share * 100:.0f} %)" for name, share in each.segments.items())
        for each in hours.values()
    ]
    notes = [
        "By the error of the forecasts at all horizons; an hour is that in which the slices begin "
        "that were forecast. The largest shares of the hour's error are those of the segments "
        "named. Means of all judged cells move too because other segments are "
        "observed from slice to slice."
    ]
    return _with_table(title, notes, shown, pictures.get(WORST_HOURS, ()))


def _with_table(
    title: str, notes: list[str], shown: pd.DataFrame, pictures: Sequence[Picture]
) -> Section:
    return Section(title, notes, [shown_table(PageTable(title, shown))], pictures)
