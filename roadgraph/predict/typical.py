"""What is typical of every segment, as a forecast: all that is left without observations."""

from __future__ import annotations

from dataclasses import fields, replace
from typing import TYPE_CHECKING

import numpy as np

from roadgraph.calendar import city_zone
from roadgraph.dataset.labels import congestion_classes, rush_hours
from roadgraph.evaluation.forecast import Forecast
from roadgraph.schema import CONGESTION_CLASSES, STATIC_FEATURES
from roadgraph.settings import LabelsSettings

if TYPE_CHECKING:
    import pandas as pd

    from roadgraph.training.bundle import Bundle


def typical_forecast(bundle: Bundle, targets: pd.DatetimeIndex) -> Forecast:
    """Return what the training span showed at ``targets``, in the time of the week.

    The speed is the typical one, the class that of this speed, rush hour what the bundle's rule
    says of these classes: the baseline historical average. It knows neither probabilities nor an
    interval, which are NaN. Tasks that the model does not have are left out.

    Args:
        bundle: its preparation knows the typical speeds and the free flow.
        targets: ``[H]`` starts of the slices that are forecast.
    """
    tasks = bundle.options.tasks
    labels = LabelsSettings(**bundle.settings["labels"])
    zone = city_zone(bundle.timezone)
    speed = bundle.preparation.history.at(targets, zone)  # [H, N]
    free_flow = bundle.preparation.statics[:, STATIC_FEATURES.index("free_flow_kph")]
    # The rule of traffic4cast asks for probes; an average rests on any number of them.
    many = np.full(speed.shape, np.iinfo(np.int32).max)
    classes = congestion_classes(speed, free_flow, many, labels)
    rush = rush_hours(classes, targets, zone, labels)
    unknown = np.full((1, *speed.shape), np.nan, dtype=np.float32)
    probability = np.full((1, *speed.shape, len(CONGESTION_CLASSES)), np.nan, dtype=np.float32)
    congested, rushing, fast = (name in tasks for name in ("congestion", "rush_hour", "speed"))
    return Forecast(
        "history",
        np.zeros(1, dtype=np.int64),
        classes[None] if congested else None,
        probability if congested else None,
        rush[None] if rushing else None,
        speed[None] if fast else None,
        unknown if fast else None,
        unknown if fast else None,
        np.full((1, len(targets)), np.nan) if rushing else None,
    )


def reaching(
    said: Forecast, typical: Forecast, horizons: tuple[int, ...], late: int
) -> tuple[Forecast, np.ndarray]:
    """Return a forecast of an earlier origin as one of now, and which horizons it reaches.

    Args:
        said: by the model, ``late`` slices ago; one origin.
        typical: of the same horizons, counted from now; fills in beyond the model's reach.
        horizons: the ``H`` steps ahead of both.
        late: how many slices have passed since.

    Returns:
        The forecast, and ``[H]`` bool: whether a horizon is the model's.
    """
    places = [horizons.index(step + late) if step + late in horizons else -1 for step in horizons]
    reached = np.array(places) >= 0
    merged = {}
    for name in forecast_arrays(said):
        answer = getattr(said, name)[:, places]
        answer[:, ~reached] = getattr(typical, name)[:, ~reached]
        merged[name] = answer
    return replace(said, **merged), reached


def forecast_arrays(said: Forecast) -> list[str]:
    """Return the names of the answers, ``[O, H, ...]``, that a forecast has."""
    names = [field.name for field in fields(said) if field.name not in ("name", "origins")]
    return [name for name in names if getattr(said, name) is not None]
