"""How far off the speeds are, learned on the validation span."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from roadgraph.dataset.labels import Labels
    from roadgraph.evaluation.forecast import Forecast

QUANTILES = (0.1, 0.9)


def speed_error_quantiles(
    forecast: Forecast, labels: Labels, horizons: tuple[int, ...]
) -> np.ndarray:
    """Return the 10 and 90 % quantiles of ``observed - forecast`` by horizon, ``[H, 2]`` in km/h.

    Added to a forecast they give an interval that held 80 % of the validation span (split
    conformal prediction, Papadopoulos et al. 2002, with one band a horizon).

    Raises:
        ValueError: the forecast has no speeds.
    """
    if forecast.speed_kph is None:
        raise ValueError(f"needs a forecast with speeds (found none in '{forecast.name}')")
    targets = forecast.origins[:, None] + np.asarray(horizons)[None]
    error = labels.speed_kph[targets] - forecast.speed_kph
    return np.nanquantile(error, QUANTILES, axis=(0, 2)).T
