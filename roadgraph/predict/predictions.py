"""A bundle and the newest slices into the table ``predictions``."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.compute as pc

from roadgraph.calendar import city_zone
from roadgraph.dataset.grid import SliceGrid, grid_from_slices
from roadgraph.dataset.loading import road_graph_of
from roadgraph.errors import BundleError, DataError
from roadgraph.models.graph import road_graph
from roadgraph.schema import CONGESTION_CLASSES, PREDICTIONS, utc_times
from roadgraph.training.inference import answers

if TYPE_CHECKING:
    from collections.abc import Mapping

    from roadgraph.evaluation.forecast import Forecast
    from roadgraph.network.network import Network
    from roadgraph.training.bundle import Bundle

METADATA = "roadgraph."
"""Begins the names of what a file of predictions says of itself."""


def predict_newest(
    bundle: Bundle,
    network: Network,
    slices: pa.Table,
    slice_minutes: int,
    abstain_below: float = 0.0,
) -> pa.Table:
    """Forecast every segment at every horizon from the newest slice.

    ``issued_at`` is the end of the newest slice; the forecast of horizon ``h`` minutes is for the
    slice that ends ``h`` minutes later, so ``slice_start = issued_at + h - slice_minutes``. A task
    that the model does not have leaves its columns empty. A model that estimates hidden segments
    answers for those alone that the newest slice did not observe.

    Args:
        bundle: the trained model.
        network: the network of the slices.
        slices: the columns of ``schema.SLICES``.
        slice_minutes: length of the slices.
        abstain_below: no congestion class is answered whose probability is below this, or below
            the setting ``evaluation.abstain_below`` of the bundle.

    Returns:
        The columns of ``schema.PREDICTIONS``, one row a segment and horizon, sorted by key.

    Raises:
        BundleError: network or slices are not those of the bundle; the message says how they
            differ.
        DataError: the slices do not reach back over the model's window.
    """
    refuse_other_network(bundle, network)
    if slice_minutes != bundle.slice_minutes:
        raise BundleError(
            f"{bundle.title} was trained on slices of {bundle.slice_minutes} minutes, these have "
            f"{slice_minutes}; make slices of the same length or train again"
        )
    grid = _newest(slices, network.segment_ids, bundle)
    inputs = bundle.preparation.inputs(grid, city_zone(bundle.timezone))
    options = bundle.options
    graph = road_graph(road_graph_of(network), options.graph, options.self_loop_weight)
    origin = np.array([len(grid.slice_starts) - 1])
    given = answers(bundle.model, graph, inputs, origin, bundle.window, bundle.preparation)
    said = bundle.adjustments.forecast(bundle.title, origin, given)
    least = max(abstain_below, bundle.settings["evaluation"]["abstain_below"])
    table = PREDICTIONS.conform(_table(bundle, grid, said, least))
    if bundle.settings["task"] == "estimate_hidden":
        return table.filter(pc.invert(table["observed"]))
    return table


def signed(predictions: pa.Table, made_by: Mapping[str, str]) -> pa.Table:
    """Return ``predictions`` with ``roadgraph.<name>`` in its schema's metadata for each name."""
    facts = {f"{METADATA}{name}": value for name, value in made_by.items()}
    return predictions.replace_schema_metadata({**(predictions.schema.metadata or {}), **facts})


def refuse_other_network(bundle: Bundle, network: Network) -> None:
    """Refuse a network that is not the one of ``bundle``.

    Raises:
        BundleError: it is another one; the message says how they differ.
    """
    difference = network_difference(bundle, network)
    if difference:
        raise BundleError(
            f"{bundle.title} was trained on another network: {difference}; train a model on this "
            "one: roadgraph train, then roadgraph promote, or take a registered model that was: "
            "--model challenger"
        )


def network_difference(bundle: Bundle, network: Network) -> str:
    """Return how ``network`` differs from that of ``bundle``, or "" when it is the same."""
    if network.fingerprint() == bundle.network_fingerprint:
        return ""
    mine, theirs = set(bundle.segment_ids), set(network.segment_ids)
    gone, new = sorted(mine - theirs), sorted(theirs - mine)
    differ = [
        f"{len(ids)} segments {what} (such as '{ids[0]}')"
        for ids, what in ((gone, "are missing"), (new, "are new"))
        if ids
    ]
    return " and ".join(differ) or "the same segments, but other links"


def _newest(slices: pa.Table, segment_ids: list[str], bundle: Bundle) -> SliceGrid:
    """Return the grid of the newest slices, all that a forecast looks at."""
    step = pd.Timedelta(minutes=bundle.slice_minutes)
    span = pc.min_max(slices["slice_start"]).as_py()
    oldest, newest = pd.Timestamp(span["min"]), pd.Timestamp(span["max"])
    if newest - oldest < (bundle.window - 1) * step:
        raise DataError(
            f"{bundle.title} sees {bundle.window} slices, but the slices before {newest} reach "
            f"back over {(newest - oldest) // step + 1} only; add the fixes before that time"
        )
    # A quiet spell has no rows, yet it is part of the window.
    first = max(newest - (bundle.slices - 1) * step, oldest)
    rows = slices.filter(pc.greater_equal(slices["slice_start"], pa.scalar(first)))
    return grid_from_slices(rows, segment_ids, bundle.slice_minutes, first)


def _table(bundle: Bundle, grid: SliceGrid, said: Forecast, abstain_below: float) -> pa.Table:
    horizons, segments = len(bundle.horizons), len(grid.segment_ids)
    cells = horizons * segments
    step = pd.Timedelta(minutes=bundle.slice_minutes)
    issued_at = grid.slice_starts[-1] + step
    steps = np.repeat(np.asarray(bundle.horizons), segments)
    columns: dict[str, object] = {
        "issued_at": utc_times(pd.DatetimeIndex([issued_at] * cells)),
        "slice_start": utc_times(issued_at + pd.TimedeltaIndex((steps - 1) * step)),
        "segment_id": np.tile(np.asarray(grid.segment_ids, dtype=object), horizons),
        "horizon_min": steps * bundle.slice_minutes,
        "observed": np.tile(grid.observed[-1], horizons),
        "model": [bundle.title] * cells,
    }
    if said.congestion is not None and said.congestion_probability is not None:
        probability = said.congestion_probability.reshape(cells, len(CONGESTION_CLASSES))
        for place, name in enumerate(CONGESTION_CLASSES):
            columns[f"p_{name}"] = probability[:, place]
        named = np.asarray(CONGESTION_CLASSES, dtype=object)[said.congestion.reshape(cells)]
        assert said.confidence is not None
        unsure = said.confidence.reshape(cells) < abstain_below
        columns["congestion"] = np.where(unsure, None, named)
    if said.rush_hour is not None and said.rush_hour_probability is not None:
        # Rush hour is a property of the slice: every segment has its mean, as in evaluation.
        columns["rush_hour"] = np.repeat(said.rush_hour[0].astype(bool), segments)
        columns["p_rush_hour"] = np.repeat(said.rush_hour_probability[0], segments)
    if said.speed_kph is not None:
        columns["speed"] = said.speed_kph.reshape(cells)
        for name in ("p10", "p90"):
            columns[f"speed_{name}"] = getattr(said, f"speed_{name}_kph").reshape(cells)
    nothing = {
        name: pa.nulls(cells, PREDICTIONS.schema.field(name).type)
        for name in PREDICTIONS.columns
        if name not in columns
    }
    return pa.table({**columns, **nothing})
