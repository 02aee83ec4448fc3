"""Which model answered for a segment, and from what."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from roadgraph.errors import BundleError, DataError, SettingsError, nearest_few

if TYPE_CHECKING:
    import pandas as pd

    from roadgraph.dataset.grid import SliceGrid
    from roadgraph.explain.explanation import Basis
    from roadgraph.network.network import Network
    from roadgraph.predict.forecaster import Forecaster
    from roadgraph.predict.observations import Observations
    from roadgraph.predict.parts import Part
    from roadgraph.training.bundle import Bundle

USUAL_HORIZON_MIN = 30
"""The horizon that is explained unless another is asked for, or the nearest that there is."""


@dataclass(frozen=True)
class Question:
    """A forecast that is to be explained.

    Attributes:
        place: of the segment in the network.
        part: the model that answers for it.
        own: its place among the segments of ``part``.
        at: time of the forecast.
        origin: end of the newest slice with any observation by then.
        horizon_min: minutes from ``at``.
        step: which of the model's horizons answers; None where none reaches that far.
        grid: what the model looks at, of all segments of the network.
    """

    place: int
    part: Part
    own: int
    at: pd.Timestamp
    origin: pd.Timestamp
    horizon_min: int
    step: int | None
    grid: SliceGrid

    @property
    def basis(self) -> Basis:
        """What the forecast rests on, one of ``schema.BASES``."""
        return "history" if self.step is None else "observations"


def asked(
    forecaster: Forecaster,
    network: Network,
    observations: Observations,
    at: pd.Timestamp,
    segment_id: str,
    horizon_min: int | None,
) -> Question:
    """Return the question for a segment.

    Args:
        forecaster: the model on ``network``.
        network: the roads.
        observations: of :meth:`~roadgraph.predict.forecaster.Forecaster.observations`.
        at: a moment at which a slice ends.
        segment_id: the segment.
        horizon_min: minutes ahead; None: ``USUAL_HORIZON_MIN`` or the nearest that there is.

    Raises:
        BundleError: the model forecasts neither speed nor congestion.
        DataError: nothing was observed by then, or the model estimates hidden segments and this
            one was observed.
        SettingsError: there is no such segment or horizon; the message names the nearest.
    """
    bundle = forecaster.bundle
    if not {"speed", "congestion"} & set(bundle.options.tasks):
        raise BundleError(
            f"{bundle.title} forecasts neither speed nor congestion, so there is no forecast of a "
            "single segment to explain; take a model with model.tasks=[congestion,speed]"
        )
    place = segment_place(network, segment_id)
    minutes = _horizon(bundle, horizon_min)
    origin = observations.newest_end_by(at)
    late = (at - origin) // forecaster.step
    part = next(part for part in forecaster.parts if place in part.places[part.answered])
    grid = forecaster.window(observations, origin)
    if bundle.settings["task"] == "estimate_hidden" and not late and grid.observed[-1, place]:
        raise DataError(
            f"--segment {segment_id}: {bundle.title} estimates segments that nobody saw, and this "
            f"one was observed in the slice that ended at {at.isoformat()}; name another segment "
            "or time"
        )
    ahead = minutes // bundle.slice_minutes + late
    horizons = part.bundle.horizons
    return Question(
        place=place,
        part=part,
        own=int(np.flatnonzero(part.places == place)[0]),
        at=at,
        origin=origin,
        horizon_min=minutes,
        step=horizons.index(ahead) if ahead in horizons else None,
        grid=grid,
    )


def segment_place(network: Network, segment_id: str) -> int:
    """Return the place of a segment in the network.

    Raises:
        SettingsError: there is none of this id; the message names the nearest ones.
    """
    ids = network.segment_ids
    if segment_id not in ids:
        near = ", ".join(f"'{name}'" for name in nearest_few(segment_id, ids))
        raise SettingsError(
            f"--segment {segment_id}: the network has no segment of this id; nearest to it are "
            f"{near}"
        )
    return ids.index(segment_id)


def _horizon(bundle: Bundle, horizon_min: int | None) -> int:
    """Return the horizon in minutes."""
    known = [step * bundle.slice_minutes for step in bundle.horizons]
    if horizon_min is None:
        return min(known, key=lambda minutes: (abs(minutes - USUAL_HORIZON_MIN), minutes))
    if horizon_min not in known:
        raise SettingsError(
            f"--horizon {horizon_min}: {bundle.title} forecasts "
            f"{', '.join(str(minutes) for minutes in known)} minutes ahead; choose one of these"
        )
    return horizon_min
