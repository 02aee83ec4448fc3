"""Scores of the parts of a day: horizons, classes of road, times of day, hours, districts."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import pandas as pd

from roadgraph.calendar import local_hours
from roadgraph.evaluation import metrics
from roadgraph.evaluation.details import BINS
from roadgraph.evaluation.parts import TIMES_OF_DAY
from roadgraph.schema import CONGESTION_CLASSES, NO_LABEL
from roadgraph.verification.judged import FORECASTERS
from roadgraph.verification.scoring import FORECAST

if TYPE_CHECKING:
    from collections.abc import Sequence
    from zoneinfo import ZoneInfo

    from roadgraph.verification.judged import Judged

HORIZON, ROAD_CLASS, TIME_OF_DAY = "horizon", "road class", "time of day"
HOUR, DISTRICT, SEGMENT = "hour", "district", "segment"
TABLES = (HORIZON, ROAD_CLASS, TIME_OF_DAY, HOUR, DISTRICT, SEGMENT)

FIGURES = ("speed_mae_kph", "macro_f1", "accuracy", "interval_coverage", "interval_width_kph")
COLUMNS = ["table", "part", "model", "cells", *FIGURES]
RELIABILITY = ["horizon_min", "low", "high", "confidence", "right_share", "cells"]
UTC_TEXT = "%Y-%m-%dT%H:%MZ"
"""How an hour is named, by the moment at which it begins."""


def scores_of_parts(
    judged: Judged, table: str, names: Sequence[str], part: np.ndarray
) -> pd.DataFrame:
    """Score forecasts and baselines on the same cells of each part, all horizons together.

    Args:
        judged: the cells.
        table: what the parts are, one of ``TABLES``.
        names: of the parts, in the order of the rows.
        part: ``[M]`` place of each cell's part, -1 of none.

    Returns:
        ``COLUMNS``, a row a part and forecaster: cells, the mean absolute error of the speed in
        km/h, macro F1 and accuracy of the classes, the share of the speeds within the interval
        from the 10 to the 90 % quantile and its mean width. A part without a cell has no row.
    """
    count, inside = len(names), part >= 0
    group = part[inside]
    cells = np.bincount(group, minlength=count)
    nothing = np.full(count, np.nan)
    found = []
    for name in FORECASTERS:
        own = name == FORECAST
        label, answer = judged.label[inside], judged.answer[name][inside]
        confusions = _confusions(label, answer, group, count)
        figures = (
            mean_of_known(judged.error_kph[name][inside], group, count),
            [metrics.macro_f1(each) for each in confusions],
            [metrics.accuracy(each) for each in confusions],
            mean_of_known(judged.within[inside], group, count) if own else nothing,
            mean_of_known(judged.width_kph[inside], group, count) if own else nothing,
        )
        columns = dict(zip(FIGURES, figures, strict=True))
        found.append(pd.DataFrame({"part": list(names), "model": name, "cells": cells, **columns}))
    # The forecasters of a part stand below each other.
    scores = pd.concat(found).sort_index(kind="stable").assign(table=table)
    return scores.loc[scores["cells"] > 0, COLUMNS].reset_index(drop=True)


def scores_by_horizon(judged: Judged) -> pd.DataFrame:
    """Score each horizon, named by its minutes."""
    horizons, place = np.unique(judged.horizon_min, return_inverse=True)
    return scores_of_parts(judged, HORIZON, [str(each) for each in horizons], place)


def scores_by_road_class(judged: Judged, road_class: np.ndarray) -> pd.DataFrame:
    """Score each class of road, by name, of ``road_class`` ``[N]``."""
    return _scores_of_segments(judged, ROAD_CLASS, road_class)


def scores_by_district(judged: Judged, district: np.ndarray) -> pd.DataFrame:
    """Score each district, by name, of ``district`` ``[N]``."""
    return _scores_of_segments(judged, DISTRICT, district)


def scores_by_time_of_day(
    judged: Judged, slice_starts: pd.DatetimeIndex, zone: ZoneInfo
) -> pd.DataFrame:
    """Score the parts of the local day that a cell's slice begins in."""
    hours = local_hours(slice_starts, zone)
    ends = [end for _, end in TIMES_OF_DAY.values()]
    place = np.searchsorted(ends, hours, side="right")[judged.targets]
    return scores_of_parts(judged, TIME_OF_DAY, list(TIMES_OF_DAY), place)


def scores_by_hour(judged: Judged, slice_starts: pd.DatetimeIndex, zone: ZoneInfo) -> pd.DataFrame:
    """Score each hour of the local day, named in UTC; where the clock is set back one is twice."""
    names, place = np.unique(hour_names(slice_starts, zone), return_inverse=True)
    return scores_of_parts(judged, HOUR, names.tolist(), place[judged.targets])


def hour_names(slice_starts: pd.DatetimeIndex, zone: ZoneInfo) -> np.ndarray:
    """Return the beginning in UTC of the local hour that each slice begins in, ``[T]`` text."""
    local = slice_starts.tz_convert(zone)
    into = pd.to_timedelta(local.minute * 60 + local.second, unit="s")
    return np.asarray((slice_starts.tz_convert("UTC") - into).strftime(UTC_TEXT), dtype=object)


def reliability_by_horizon(judged: Judged) -> pd.DataFrame:
    """Return how sure the answers were and how often they were right, by equal bins of the first.

    Returns:
        A row a horizon and bin: ``horizon_min`` (0: all together), ``low`` and ``high`` (bounds of
        the probability), ``confidence`` (its mean), ``right_share``, ``cells``. Without
        probabilities there is no row.
    """
    sure = ~np.isnan(judged.confidence)
    right = judged.answer[FORECAST] == judged.label
    edges = np.arange(BINS + 1) / BINS
    tables = []
    # A model that estimates the newest slice has the horizon 0 alone: that is all of it.
    for minutes in np.union1d(0, judged.horizon_min[sure]).tolist():
        chosen = sure & (judged.horizon_min == minutes) if minutes else sure
        found = metrics.reliability(judged.confidence[chosen], right[chosen], BINS)
        values = (minutes, edges[:-1], edges[1:], *found)
        tables.append(pd.DataFrame(dict(zip(RELIABILITY, values, strict=True))))
    return pd.concat(tables, ignore_index=True) if sure.any() else tables[0].iloc[:0]


def confusion_of(judged: Judged) -> np.ndarray:
    """Return the forecast's confusion of classes over all horizons, ``[4, 4]``, row the label."""
    everything = np.zeros(len(judged.label), dtype=np.int64)
    return _confusions(judged.label, judged.answer[FORECAST], everything, 1)[0]


def _scores_of_segments(judged: Judged, table: str, of_segment: np.ndarray) -> pd.DataFrame:
    names, place = np.unique(of_segment, return_inverse=True)
    return scores_of_parts(judged, table, names.tolist(), place[judged.segments])


def _confusions(
    label: np.ndarray, answer: np.ndarray, group: np.ndarray, groups: int
) -> np.ndarray:
    """Return the confusion of each group, ``[groups, 4, 4]``, row the label."""
    classes = len(CONGESTION_CLASSES)
    known = label != NO_LABEL
    cell = (group[known] * classes + label[known]) * classes + answer[known]
    counts = np.bincount(cell, minlength=groups * classes**2)
    return counts.reshape(groups, classes, classes)


def mean_of_known(values: np.ndarray, group: np.ndarray, groups: int) -> np.ndarray:
    """Return the mean of the values of each group that are known, ``[groups]``, NaN of none."""
    known = ~np.isnan(values)
    return metrics.mean_by_group(values[known], group[known], groups)
