"""The scorecard of a local day: how right its forecasts were, where, when, beside the baselines."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd

from roadgraph.calendar import city_zone, span_of_day
from roadgraph.network.districts import districts_of
from roadgraph.quality.cells import road_classes
from roadgraph.schema import CONGESTION_CLASSES
from roadgraph.slices.store import stored_days
from roadgraph.verification.courses import course_of_city, courses_of_segments
from roadgraph.verification.gains import gains_by_horizon
from roadgraph.verification.issued import is_forecast, issued_of_day
from roadgraph.verification.judged import judged_cells
from roadgraph.verification.observed import observed_day
from roadgraph.verification.parts_of_day import (
    COLUMNS,
    RELIABILITY,
    SEGMENT,
    confusion_of,
    hour_names,
    mean_of_known,
    reliability_by_horizon,
    scores_by_district,
    scores_by_horizon,
    scores_by_hour,
    scores_by_road_class,
    scores_by_time_of_day,
    scores_of_parts,
)
from roadgraph.verification.record import record_of
from roadgraph.verification.scoring import FORECAST, said_by_baselines
from roadgraph.verification.verification import nothing_to_judge, observed_rows
from roadgraph.verification.worst import segments_behind, worst_hours, worst_segments

if TYPE_CHECKING:
    from datetime import date

    from roadgraph.network.network import Network
    from roadgraph.settings import Settings
    from roadgraph.verification.gains import Gain
    from roadgraph.verification.judged import Judged
    from roadgraph.verification.observed import ObservedDay
    from roadgraph.verification.record import Record
    from roadgraph.workspace import Workspace

BEHIND_AN_HOUR = 3
"""Segments that are named as those with the largest shares of an hour's error."""


@dataclass(frozen=True)
class WorstSegment:
    """A segment on which the forecasts erred most.

    Attributes:
        segment_id: its id.
        road: name of its road, or "".
        road_class: its class.
        district: it lies in, or "".
        course: of its speed over the day, with the columns ``courses.COURSE``.
    """

    segment_id: str
    road: str
    road_class: str
    district: str
    course: pd.DataFrame


@dataclass(frozen=True)
class WorstHour:
    """An hour in which the forecasts erred most.

    Attributes:
        name: as in the table of hours.
        segments: share of the hour's error (0-1) of those that have the largest, by id, the
            largest first.
    """

    name: str
    segments: dict[str, float]


@dataclass(frozen=True)
class Scorecard:
    """How right the forecasts for a local day were.

    Attributes:
        day: local day that the target slices begin on.
        reason: why there is nothing to judge, or ""; all but ``record`` is empty then.
        record: what is stored of the day and of the days before.
        models: how many of the judged forecasts each model made.
        counts: forecasts of the day: ``judged``, ``unobserved``, ``seen``, ``strangers`` and
            ``other_length``, as in :class:`~roadgraph.verification.issued.Issued`.
        hindsight: of the judged ones those that may rest on data of after their time of issue.
        held_back: of the judged ones those whose class was held back; it is judged as if given.
        gains: of each horizon over the best baseline, with their intervals.
        scores: the columns ``parts_of_day.COLUMNS``; a table each of horizons, road classes, times
            of day, hours, districts and the worst segments.
        reliability: from :func:`~roadgraph.verification.parts_of_day.reliability_by_horizon`.
        confusion: ``[4, 4]`` of the forecasts' classes at all horizons, row the label.
        network: the roads, None without geometry: there is neither map nor district then.
        segment_mae_kph: ``[N]`` mean absolute error of the forecasts' speed, NaN of no cell.
        course_min: the horizon of the courses, the middle one.
        course: of the mean speed of all judged cells, with the columns
            ``courses.COURSE_OF_CITY``.
        worst_segments: the worst first, those with enough judged cells alone.
        worst_hours: likewise.
    """

    day: date
    reason: str
    record: Record
    models: dict[str, int] = field(default_factory=dict)
    counts: dict[str, int] = field(default_factory=dict)
    hindsight: int = 0
    held_back: int = 0
    gains: tuple[Gain, ...] = ()
    scores: pd.DataFrame = field(default_factory=lambda: pd.DataFrame(columns=COLUMNS))
    reliability: pd.DataFrame = field(default_factory=lambda: pd.DataFrame(columns=RELIABILITY))
    confusion: np.ndarray = field(
        default_factory=lambda: np.zeros([len(CONGESTION_CLASSES)] * 2, dtype=np.int64)
    )
    network: Network | None = None
    segment_mae_kph: np.ndarray = field(default_factory=lambda: np.zeros(0))
    course_min: int = 0
    course: pd.DataFrame = field(default_factory=pd.DataFrame)
    worst_segments: tuple[WorstSegment, ...] = ()
    worst_hours: tuple[WorstHour, ...] = ()

    def table(self, name: str) -> pd.DataFrame:
        """Return the rows of ``scores`` of one table."""
        return self.scores[self.scores["table"] == name]


def scorecard_of(
    settings: Settings, network: Network, workspace: Workspace, day: date
) -> Scorecard:
    """Hold the forecasts of a local day, as they were first issued, against what was observed.

    Which forecasts count, and what the baselines know, is as in
    :func:`~roadgraph.verification.verification.verify_day`, and so are the memory and the time
    that it takes.

    Args:
        settings: of the city; ``report.districts``, ``report.district_name`` and ``report.worst``.
        network: the workspace's.
        workspace: where slices, forecasts, quality reports and verifications are; nothing is
            written.
        day: the day, which is over.

    Returns:
        The scorecard; of a day without forecasts or observations it is empty, with a reason.

    Raises:
        DataError: a store is damaged, or of another network or length of slices, or the districts
            cannot be used.
    """
    record = record_of(settings, workspace, day)
    reason = nothing_to_judge(settings, workspace, day)
    if reason:
        return Scorecard(day, reason, record)
    districts = districts_of(network, settings.report)
    observed = observed_day(settings, network, workspace, day)
    issued = issued_of_day(settings, workspace, day, observed, network.segment_ids)
    if not issued.counts["judged"]:
        return Scorecard(day, issued.none_judged(day), record, counts=issued.counts)
    said = said_by_baselines(issued.cells, observed)
    judged = judged_cells(issued.cells, observed, said)
    horizons = np.unique(judged.horizon_min)
    middle = int(horizons[(len(horizons) - 1) // 2])
    ids = network.segment_ids
    places = {
        ids[place]: place for place in worst_segments(judged, len(ids), settings.report.worst)
    }
    courses = courses_of_segments(settings, workspace, day, observed, places, middle)
    segments = len(ids)
    zone = city_zone(settings.city.timezone)
    names, hours = np.unique(hour_names(observed.slice_starts, zone), return_inverse=True)
    return Scorecard(
        day=day,
        reason="",
        record=record,
        models=issued.models,
        counts=issued.counts,
        hindsight=issued.hindsight,
        held_back=judged.held_back,
        gains=gains_by_horizon(judged, hours),
        scores=_scores(settings, network, districts, observed, judged, places),
        reliability=reliability_by_horizon(judged),
        confusion=confusion_of(judged),
        network=network if network.has_geometry else None,
        segment_mae_kph=mean_of_known(judged.error_kph[FORECAST], judged.segments, segments),
        course_min=middle,
        course=course_of_city(issued.cells, observed, said, middle),
        worst_segments=_worst_segments(network, districts, places, courses),
        worst_hours=_worst_hours(settings, judged, names, hours, ids),
    )


def newest_day_to_judge(
    settings: Settings, workspace: Workspace, now: pd.Timestamp | None = None
) -> date | None:
    """Return the newest local day that is over, was observed and has forecasts, None without any.

    Args:
        settings: ``city.timezone`` and ``slices.minutes`` are used.
        workspace: where slices and forecasts are.
        now: the moment; by default the clock's.

    Raises:
        DataError: a store is damaged.
    """
    for day in reversed(stored_days(workspace.slices)):
        is_observed = is_over(settings, day, now) and observed_rows(workspace, [day]) > 0
        if is_observed and is_forecast(settings, workspace, day):
            return day
    return None


def is_over(settings: Settings, day: date, now: pd.Timestamp | None = None) -> bool:
    """Return whether the last slice of a local day has ended.

    Args:
        settings: ``city.timezone`` and ``slices.minutes`` are used.
        day: the day.
        now: the moment; by default the clock's.
    """
    _, end = span_of_day(day, city_zone(settings.city.timezone), settings.slices.minutes)
    return bool(end <= (pd.Timestamp.now("UTC") if now is None else now))


def _scores(
    settings: Settings,
    network: Network,
    districts: np.ndarray | None,
    observed: ObservedDay,
    judged: Judged,
    worst: dict[str, int],
) -> pd.DataFrame:
    zone = city_zone(settings.city.timezone)
    rank = np.full(len(network.segment_ids), -1)
    rank[[*worst.values()]] = range(len(worst))
    tables = [
        scores_by_horizon(judged),
        scores_by_road_class(judged, road_classes(network)),
        scores_by_time_of_day(judged, observed.slice_starts, zone),
        scores_by_hour(judged, observed.slice_starts, zone),
        *([] if districts is None else [scores_by_district(judged, districts)]),
        scores_of_parts(judged, SEGMENT, [*worst], rank[judged.segments]),
    ]
    # Concatenating an empty table would make numbers of it objects.
    return pd.concat([table for table in tables if len(table)], ignore_index=True)


def _worst_segments(
    network: Network,
    districts: np.ndarray | None,
    places: dict[str, int],
    courses: dict[str, pd.DataFrame],
) -> tuple[WorstSegment, ...]:
    roads = network.segments["name"]
    classes = road_classes(network)
    return tuple(
        WorstSegment(
            segment_id=name,
            road="" if pd.isna(roads.iloc[place]) else str(roads.iloc[place]),
            road_class=str(classes[place]),
            district="" if districts is None else str(districts[place]),
            course=courses[name],
        )
        for name, place in places.items()
    )


def _worst_hours(
    settings: Settings,
    judged: Judged,
    names: np.ndarray,
    hour_of_slice: np.ndarray,
    segment_ids: list[str],
) -> tuple[WorstHour, ...]:
    of_cell = hour_of_slice[judged.targets]
    found = []
    for hour in worst_hours(judged, hour_of_slice, settings.report.worst):
        chosen = of_cell == hour
        behind = segments_behind(judged, chosen, len(segment_ids), BEHIND_AN_HOUR)
        shares = {segment_ids[place]: share for place, share in behind.items()}
        found.append(WorstHour(str(names[hour]), shares))
    return tuple(found)
