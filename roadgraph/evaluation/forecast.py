"""What any forecaster says about a set of origins, ready to be scored."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

INTERVAL_QUANTILES = (0.1, 0.9)
"""Ends of the interval of the speed, so that it holds 80 % of the speeds."""


@dataclass(frozen=True)
class Forecast:
    """One forecaster's answers.

    Attributes:
        name: of the model or baseline.
        origins: ``[O]`` places in time that were forecast from.
        congestion: ``[O, H, N]`` class indices, or None when it does not say.
        congestion_probability: ``[O, H, N, 4]``, or None when it gives classes alone.
        rush_hour: ``[O, H]`` 0 or 1, or None.
        speed_kph: ``[O, H, N]``, or None.
        speed_p10_kph, speed_p90_kph: ``[O, H, N]``, ends of the interval that should hold 80 % of
            the speeds, or None.
        rush_hour_probability: ``[O, H]`` of rush hour, or None when it gives 0 or 1 alone.
    """

    name: str
    origins: np.ndarray
    congestion: np.ndarray | None
    congestion_probability: np.ndarray | None
    rush_hour: np.ndarray | None
    speed_kph: np.ndarray | None
    speed_p10_kph: np.ndarray | None = None
    speed_p90_kph: np.ndarray | None = None
    rush_hour_probability: np.ndarray | None = None

    @property
    def confidence(self) -> np.ndarray | None:
        """Probability of the class that is answered, ``[O, H, N]``, or None without either."""
        if self.congestion is None or self.congestion_probability is None:
            return None
        answered = self.congestion[..., None].astype(np.int64)
        return np.take_along_axis(self.congestion_probability, answered, axis=-1)[..., 0]
