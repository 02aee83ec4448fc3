"""What is to be forecast: congestion classes, rush hour and the speed itself."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from roadgraph.calendar import local_hours, local_weekdays
from roadgraph.dataset.history import LEAST_SEGMENTS
from roadgraph.schema import CONGESTION_CLASSES, NO_LABEL

if TYPE_CHECKING:
    from zoneinfo import ZoneInfo

    import pandas as pd

    from roadgraph.settings import LabelsSettings

CONGESTED, MODERATE, FREE_FLOW = (
    CONGESTION_CLASSES.index(name) for name in ("congested", "moderate", "free_flow")
)


@dataclass(frozen=True)
class Labels:
    """The targets of every cell.

    Attributes:
        congestion: ``[T, N]`` int8, class index or ``NO_LABEL``.
        rush_hour: ``[T]`` int8, 0, 1 or ``NO_LABEL``.
        speed_kph: ``[T, N]`` float32, NaN where unknown.
    """

    congestion: np.ndarray
    rush_hour: np.ndarray
    speed_kph: np.ndarray


def free_flow_kph(
    speed_kph: np.ndarray,
    speed_limit_kph: np.ndarray,
    road_class: np.ndarray,
    settings: LabelsSettings,
) -> np.ndarray:
    """Return the free-flow speed of each segment, ``[N]`` in km/h.

    The percentile of the segment's speeds, never below a share of its limit where that is known.
    A segment without any speed has what :func:`unseen_free_flow_kph` says.

    Args:
        speed_kph: ``[T, N]`` of the **training span alone**, NaN where nothing was observed.
        speed_limit_kph: ``[N]``, NaN where unknown.
        road_class: ``[N]`` text.
        settings: percentile and share.
    """
    seen = ~np.isnan(speed_kph).all(axis=0)
    flow = np.full(speed_kph.shape[1], np.nan)
    if seen.any():
        flow[seen] = np.nanpercentile(speed_kph[:, seen], settings.free_flow_percentile, axis=0)
    floor = settings.free_flow_min_share * speed_limit_kph
    flow = np.fmax(flow, np.where(seen, floor, np.nan))
    unseen = unseen_free_flow_kph(flow, speed_limit_kph, road_class)
    return np.where(seen, flow, unseen)


def unseen_free_flow_kph(
    free_flow: np.ndarray, speed_limit_kph: np.ndarray, road_class: np.ndarray
) -> np.ndarray:
    """Return the free flow of each segment as if it had never been observed, ``[N]`` in km/h.

    Its limit times the median of free flow over limit of the road class (of all classes where
    fewer than ``LEAST_SEGMENTS`` of its own were observed, see
    :func:`~roadgraph.dataset.history.fit_unseen_history`); without a limit the median free flow,
    of the class or of all.

    Args:
        free_flow: ``[N]`` in km/h, NaN where a segment was never observed.
        speed_limit_kph: ``[N]``, NaN where unknown.
        road_class: ``[N]`` text.
    """
    share = _median_by_class(free_flow / speed_limit_kph, road_class, 1.0)
    flow = _median_by_class(free_flow, road_class, 50.0)
    return np.where(np.isnan(speed_limit_kph), flow, share * speed_limit_kph)


def _median_by_class(values: np.ndarray, road_class: np.ndarray, default: float) -> np.ndarray:
    """Return the median of the known ``values`` of each one's class, ``[N]``."""
    known = ~np.isnan(values)
    overall = np.median(values[known]) if known.any() else default
    result = np.full(len(values), overall)
    for name in np.unique(road_class[known]):
        own = road_class == name
        if (own & known).sum() >= LEAST_SEGMENTS:
            result[own] = np.median(values[own & known])
    return result


def congestion_classes(
    speed_kph: np.ndarray,
    free_flow: np.ndarray,
    count_probes: np.ndarray,
    settings: LabelsSettings,
) -> np.ndarray:
    """Return the congestion class of every cell, ``[T, N]`` int8.

    A cut belongs to the class above it: a quarter of free flow is already ``congested``, not
    ``gridlock``. ``traffic4cast`` is the three-class rule of that competition (2022): below 0.4 of
    free flow with at least 5 probes congested, below 0.8 with at least 3 moderate, otherwise free
    flow with at least 1.

    Args:
        speed_kph: ``[T, N]`` in km/h, NaN where nothing was observed.
        free_flow: ``[N]`` in km/h.
        count_probes: ``[T, N]``.
        settings: rule and cuts.
    """
    known = ~np.isnan(speed_kph)
    # Speeds are float32; a division in it could push a speed that lies on a cut to either side.
    speed = np.nan_to_num(speed_kph).astype(np.float64)
    ratio = speed / free_flow
    if settings.congestion == "traffic4cast":
        classes = np.full(speed.shape, FREE_FLOW)
        classes[(ratio < 0.8) & (count_probes >= 3)] = MODERATE
        classes[(ratio < 0.4) & (count_probes >= 5)] = CONGESTED
        known &= count_probes >= 1
    elif settings.congestion == "absolute":
        classes = np.digitize(speed, settings.absolute_cuts_kph)
    else:
        classes = np.digitize(ratio, settings.relative_cuts)
    return np.where(known, classes, NO_LABEL).astype(np.int8)


def rush_hours(
    congestion: np.ndarray,
    slice_starts: pd.DatetimeIndex,
    zone: ZoneInfo,
    settings: LabelsSettings,
) -> np.ndarray:
    """Return whether each slice is rush hour, ``[T]`` int8.

    Args:
        congestion: ``[T, N]`` class indices.
        slice_starts: ``[T]`` in UTC.
        zone: the city's time zone.
        settings: rule, threshold and hours.
    """
    if settings.rush_hour == "clock":
        hours = local_hours(slice_starts, zone)
        inside = np.zeros(len(hours), dtype=bool)
        for start, end in settings.rush_hour_clock:
            inside |= (hours >= start) & (hours < end)
        return (inside & (local_weekdays(slice_starts, zone) < 5)).astype(np.int8)
    labelled = congestion != NO_LABEL
    slow = labelled & (congestion <= CONGESTED)
    seen = labelled.sum(axis=1)
    share = slow.sum(axis=1) / np.maximum(seen, 1)
    return np.where(seen > 0, share > settings.rush_hour_share, NO_LABEL).astype(np.int8)
