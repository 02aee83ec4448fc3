"""A bundle and slices into the table ``predictions``, at one time or at many."""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING

from roadgraph.predict.forecaster import Forecaster
from roadgraph.predict.store import METADATA

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    import pandas as pd
    import pyarrow as pa

    from roadgraph.network.network import Network
    from roadgraph.training.bundle import Bundle

logger = logging.getLogger(__name__)


def predict_newest(
    bundle: Bundle,
    network: Network,
    slices: pa.Table,
    slice_minutes: int,
    abstain_below: float = 0.0,
) -> pa.Table:
    """Forecast every segment at every horizon from the newest slice.

    The same as :func:`predict_at` at the end of that slice.
    """
    return predict_at(bundle, network, slices, slice_minutes, None, abstain_below)


def predict_at(
    bundle: Bundle,
    network: Network,
    slices: pa.Table,
    slice_minutes: int,
    at: pd.Timestamp | None = None,
    abstain_below: float = 0.0,
    beside: Path | None = None,
) -> pa.Table:
    """Forecast every segment at every horizon from what was known at a time.

    The forecast of horizon ``h`` minutes is for the slice that ends ``h`` minutes after
    ``issued_at``, so ``slice_start = issued_at + h - slice_minutes``. Slices that end later than
    ``issued_at`` are not looked at. A task that the model does not have leaves its columns empty. A
    model that estimates hidden segments answers for those alone that the newest slice did not
    observe.

    Where nothing was observed in the newest slices, the model forecasts from the newest slice with
    an observation: a model that is shown an empty slice takes it for a quiet night. What lies
    beyond its farthest horizon then is the segment's typical speed, the class of that, and neither
    probabilities nor an interval; ``basis`` is ``history`` there.

    Args:
        bundle: the trained model.
        network: the network of the slices; it may have more segments than the model was trained
            on, see :func:`~roadgraph.predict.parts.parts_of`.
        slices: the columns of ``schema.SLICES``: the newest ``bundle.slices`` slices, and the
            ``LOOK_BACK`` before the time for the age of every segment's newest observation.
        slice_minutes: length of the slices.
        at: the time, which knows its zone; put back to the moment at which a slice ended last. By
            default the end of the newest slice.
        abstain_below: no congestion class is answered whose probability is below this, or below
            the setting ``evaluation.abstain_below`` of the bundle.
        beside: folder with the city's trained bundles, for segments that this one cannot forecast.

    Returns:
        The columns of ``schema.PREDICTIONS``, one row a segment and horizon, sorted by key.

    Raises:
        BundleError: network or slices are not those of the bundle; the message says how they
            differ.
        DataError: nothing was observed by ``at``.
    """
    forecaster = Forecaster.of(bundle, network, beside)
    return predict_by(forecaster, slices, slice_minutes, at, abstain_below)


def predict_by(
    forecaster: Forecaster,
    slices: pa.Table,
    slice_minutes: int,
    at: pd.Timestamp | None = None,
    abstain_below: float = 0.0,
) -> pa.Table:
    """Forecast as :func:`predict_at`, with a model that lies ready.

    Args:
        forecaster: the model on its network.
        slices: as there; the newest ``forecaster.slices`` slices are looked at.
        slice_minutes: length of the slices.
        at: as there.
        abstain_below: as there.

    Raises:
        BundleError: the slices are not those of the model.
        DataError: nothing was observed by ``at``.
    """
    observations = forecaster.observations(slices, slice_minutes)
    time = observations.newest_end if at is None else floored(at, forecaster.step)
    late = time - observations.newest_end_by(time)
    if late:
        logger.warning(
            "nothing was observed in the %d minutes before %s; the forecast rests on older "
            "observations, and beyond %d minutes on what is typical",
            late.total_seconds() // 60,
            time.isoformat(),
            max(forecaster.bundle.horizons[-1] * slice_minutes - late.total_seconds() // 60, 0),
        )
    return forecaster.forecast(observations, time, abstain_below)


def floored(at: pd.Timestamp, step: pd.Timedelta) -> pd.Timestamp:
    """Return the last moment up to ``at`` at which a slice ended, in UTC."""
    time = at.tz_convert("UTC").floor(step)
    if time != at:
        logger.info("%s is put back to %s, when a slice ended", at, time.isoformat())
    return time


def signed(predictions: pa.Table, made_by: Mapping[str, str]) -> pa.Table:
    """Return ``predictions`` with ``roadgraph.<name>`` in its schema's metadata for each name."""
    facts = {f"{METADATA}{name}": value for name, value in made_by.items()}
    return predictions.replace_schema_metadata({**(predictions.schema.metadata or {}), **facts})
