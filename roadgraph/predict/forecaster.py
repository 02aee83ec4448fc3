"""A bundle on a network, ready to forecast at any time."""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import cached_property
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.compute as pc

from roadgraph.calendar import city_zone, clock_from
from roadgraph.dataset.grid import SliceGrid, grid_from_places
from roadgraph.errors import BundleError
from roadgraph.predict.answer_table import Circumstances, answer_table
from roadgraph.predict.observations import Observations
from roadgraph.predict.parts import Part, parts_of
from roadgraph.predict.typical import forecast_arrays, reaching, typical_forecast
from roadgraph.schema import STATIC_FEATURES
from roadgraph.training.inference import answers

if TYPE_CHECKING:
    from pathlib import Path

    from roadgraph.evaluation.forecast import Forecast
    from roadgraph.network.network import Network
    from roadgraph.training.bundle import Bundle


@dataclass(frozen=True)
class Forecaster:
    """A trained model on a network; what does not depend on the time is made once.

    Attributes:
        bundle: that was asked for.
        parts: which model answers for which segments.
        segment_ids: ``[N]`` of the network.
    """

    bundle: Bundle
    parts: tuple[Part, ...]
    segment_ids: pa.Array

    @classmethod
    def of(cls, bundle: Bundle, network: Network, beside: Path | None = None) -> Forecaster:
        """Return the forecaster of a bundle.

        Args:
            bundle: the trained model.
            network: of the slices to come.
            beside: folder with the city's trained bundles; see
                :func:`~roadgraph.predict.parts.parts_of`.

        Raises:
            BundleError: the network is not that of the bundle; the message says how they differ.
        """
        ids = pa.array(network.segment_ids, pa.string())
        return cls(bundle, parts_of(bundle, network, beside), ids)

    @cached_property
    def _names(self) -> tuple[str, ...]:
        return tuple(self.segment_ids.to_pylist())

    @property
    def step(self) -> pd.Timedelta:
        """Length of a slice."""
        return pd.Timedelta(minutes=self.bundle.slice_minutes)

    @property
    def slices(self) -> int:
        """How many of the newest slices a forecast looks at: the most of any model."""
        return max(part.bundle.slices for part in self.parts)

    @property
    def free_flow_kph(self) -> np.ndarray:
        """What the classes of each segment go by, ``[N]``."""
        flow = np.full(len(self.segment_ids), np.nan)
        for part in self.parts:
            own = part.bundle.preparation.statics[:, STATIC_FEATURES.index("free_flow_kph")]
            flow[part.places[part.answered]] = own[part.answered]
        return flow

    @property
    def seen_until(self) -> pd.Timestamp:
        """The first moment of which no model has learned and nothing was chosen by."""
        return max(part.bundle.seen.until for part in self.parts)

    @property
    def others(self) -> dict[str, str]:
        """The SHA-256 of each bundle that answers beside or in the place of ``bundle``, by title.

        None on the network that ``bundle`` was trained on.
        """
        return {part.bundle.title: part.digest for part in self.parts if part.digest}

    def observations(self, slices: pa.Table, slice_minutes: int) -> Observations:
        """Return slices as what this model can look at.

        Raises:
            BundleError: they are of another length than those that it was trained on.
            DataError: there is none.
        """
        if slice_minutes != self.bundle.slice_minutes:
            raise BundleError(
                f"{self.bundle.title} was trained on slices of {self.bundle.slice_minutes} "
                f"minutes, these have {slice_minutes}; make slices of the same length or train "
                "again"
            )
        return Observations.of(slices, self.segment_ids, slice_minutes)

    def forecast(
        self, observations: Observations, at: pd.Timestamp, abstain_below: float = 0.0
    ) -> pa.Table:
        """Forecast every segment at every horizon from what ended by ``at``.

        The model looks from the newest slice with any observation. If that ended before ``at``, its
        answers for times that are still to come are given, and beyond them what is typical.

        Args:
            observations: of :meth:`observations`.
            at: a moment at which a slice ends.
            abstain_below: as in :func:`~roadgraph.predict.predictions.predict_at`.

        Raises:
            DataError: nothing was observed by then, or a slice cannot be used.
        """
        origin = observations.newest_end_by(at)
        late = (at - origin) // self.step
        grid = self.window(observations, origin)
        said, reached = self._said(grid, at, late)
        table = answer_table(
            said,
            self._circumstances(observations, grid, at, late, reached),
            self.segment_ids,
            max(abstain_below, self.bundle.settings["evaluation"]["abstain_below"]),
        )
        if self.bundle.settings["task"] == "estimate_hidden":
            return table.filter(pc.invert(table["observed"]))
        return table

    def window(self, observations: Observations, end: pd.Timestamp) -> SliceGrid:
        """Return the slices that a model looks at, the last of which ends at ``end``."""
        first = end - self.slices * self.step
        rows, places = observations.between(first, end)
        return grid_from_places(rows, places, self._names, self.bundle.slice_minutes, first)

    def _said(self, grid: SliceGrid, at: pd.Timestamp, late: int) -> tuple[Forecast, np.ndarray]:
        """Return the answers of all parts and which horizons, ``[H]`` bool, the models reach."""
        first, *others = [_answers(part, grid, at, late) for part in self.parts]
        said, reached = first
        if not others and len(self.parts[0].places) == len(self.segment_ids):
            return said, reached
        merged = {name: getattr(said, name) for name in forecast_arrays(said)}
        for name, own in merged.items():
            if name.startswith("rush_hour"):
                continue  # a property of the slice: what the model that was asked for says
            answer = np.empty((*own.shape[:2], len(self.segment_ids), *own.shape[3:]), own.dtype)
            for part, (given, _) in zip(self.parts, (first, *others), strict=True):
                places = part.places[part.answered]
                answer[:, :, places] = getattr(given, name)[:, :, part.answered]
            merged[name] = answer
        return replace(said, **merged), reached

    def _circumstances(
        self,
        observations: Observations,
        grid: SliceGrid,
        at: pd.Timestamp,
        late: int,
        reached: np.ndarray,
    ) -> Circumstances:
        new = np.zeros(len(self.segment_ids), dtype=bool)
        models = np.zeros(len(self.segment_ids), dtype=np.int8)
        for number, part in enumerate(self.parts):
            places = part.places[part.answered]
            new[places] = part.new[part.answered]
            models[places] = number
        return Circumstances(
            at,
            self.bundle.horizons,
            self.bundle.slice_minutes,
            late * self.bundle.slice_minutes,
            observations.segment_ages_min(at),
            np.zeros_like(new) if late else grid.observed[-1],
            reached,
            new,
            models,
            tuple(part.bundle.title for part in self.parts),
        )


def _answers(
    part: Part, grid: SliceGrid, at: pd.Timestamp, late: int
) -> tuple[Forecast, np.ndarray]:
    """Return what one model says of its own segments, and which horizons it reaches."""
    bundle = part.bundle
    horizons = bundle.horizons
    beyond = late + horizons[0] > horizons[-1]
    typical = None
    if late:
        ahead = clock_from(at, horizons[-1] + 1, bundle.slice_minutes)
        step = pd.Timedelta(minutes=bundle.slice_minutes)
        typical = typical_forecast(bundle, ahead[np.asarray(horizons)] - step)
    if typical is not None and beyond:
        return typical, np.zeros(len(horizons), dtype=bool)
    own = grid if len(part.places) == len(grid.segment_ids) else grid.at_places(part.places)
    first = len(own.slice_starts) - bundle.window
    inputs = bundle.preparation.inputs(own, city_zone(bundle.timezone), first=first)
    origin = np.array([bundle.window - 1])
    given = answers(bundle.model, part.tiles, inputs, origin, bundle.window, bundle.preparation)
    said = bundle.adjustments.forecast(bundle.title, origin, given)
    if typical is None:
        return said, np.ones(len(horizons), dtype=bool)
    return reaching(said, typical, horizons, late)
