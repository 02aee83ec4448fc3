"""Answers as arrays into the table ``predictions``."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd
import pyarrow as pa

from roadgraph.predict.observations import UNKNOWN
from roadgraph.schema import BASES, CONGESTION_CLASSES, PREDICTIONS, utc_times

if TYPE_CHECKING:
    from roadgraph.evaluation.forecast import Forecast


@dataclass(frozen=True)
class Circumstances:
    """What a forecast of ``N`` segments at ``H`` horizons was made from.

    Attributes:
        issued_at: its time.
        horizons: ``[H]`` steps ahead, rising.
        slice_minutes: length of a step.
        data_age_min: age of the newest observation.
        segment_age_min: ``[N]`` that of each segment, or ``UNKNOWN``.
        observed: ``[N]`` bool, in the newest slice.
        reached: ``[H]`` bool, what the model answered; the others rest on history alone.
        new: ``[N]`` bool, added since training.
        models: ``[N]`` place in ``titles``.
        titles: of the models.
    """

    issued_at: pd.Timestamp
    horizons: tuple[int, ...]
    slice_minutes: int
    data_age_min: int
    segment_age_min: np.ndarray
    observed: np.ndarray
    reached: np.ndarray
    new: np.ndarray
    models: np.ndarray
    titles: tuple[str, ...]


def answer_table(
    said: Forecast, made: Circumstances, segment_ids: pa.Array, abstain_below: float
) -> pa.Table:
    """Return the columns of ``schema.PREDICTIONS``, one row a segment and horizon, sorted by key.

    Args:
        said: answers of one origin.
        made: what they were made from.
        segment_ids: ``[N]`` text, in the order of the answers.
        abstain_below: no class is answered whose probability is below this.
    """
    segments, steps = len(segment_ids), len(made.horizons)
    cells = segments * steps
    horizon_min = np.asarray(made.horizons, dtype=np.int32) * made.slice_minutes
    starts = made.issued_at + pd.to_timedelta(horizon_min - made.slice_minutes, unit="min")
    columns: dict[str, pa.Array] = {
        "issued_at": utc_times(pd.DatetimeIndex([made.issued_at])).take(_repeated(1, cells)),
        "slice_start": utc_times(starts).take(_repeated(steps, segments)),
        "segment_id": pa.concat_arrays([segment_ids] * steps),
        "horizon_min": pa.array(np.repeat(horizon_min, segments)),
        "observed": pa.array(np.tile(made.observed, steps)),
        "data_age_min": pa.array(np.full(cells, made.data_age_min, dtype=np.int32)),
        "segment_age_min": pa.array(
            np.tile(made.segment_age_min, steps),
            mask=np.tile(made.segment_age_min == UNKNOWN, steps),
        ),
        "basis": _named(np.repeat(~made.reached, segments), BASES),
        "new_segment": pa.array(np.tile(made.new, steps)),
        "model": _named(np.tile(made.models, steps), made.titles),
    }
    columns |= _answers(said, cells, abstain_below)
    nothing = {
        name: pa.nulls(cells, PREDICTIONS.schema.field(name).type)
        for name in PREDICTIONS.columns
        if name not in columns
    }
    table = pa.table({**columns, **nothing})
    ids = segment_ids.to_numpy(zero_copy_only=False)
    # Sorting as many texts takes longer than the model, and networks are sorted already.
    return PREDICTIONS.typed(table) if (ids[1:] > ids[:-1]).all() else PREDICTIONS.conform(table)


def _answers(said: Forecast, cells: int, abstain_below: float) -> dict[str, pa.Array]:
    """Return the columns of the tasks that were answered; NaN is unknown."""
    columns: dict[str, pa.Array] = {}
    if said.congestion is not None and said.congestion_probability is not None:
        probability = said.congestion_probability.reshape(cells, len(CONGESTION_CLASSES))
        for place, name in enumerate(CONGESTION_CLASSES):
            columns[f"p_{name}"] = _known(probability[:, place])
        assert said.confidence is not None
        unsure = said.confidence.reshape(cells) < abstain_below
        columns["congestion"] = _named(said.congestion.reshape(cells), CONGESTION_CLASSES, unsure)
    if said.rush_hour is not None and said.rush_hour_probability is not None:
        # Rush hour is a property of the slice: every segment has its mean, as in evaluation.
        segments = cells // said.rush_hour.shape[1]
        columns["rush_hour"] = pa.array(np.repeat(said.rush_hour[0].astype(bool), segments))
        columns["p_rush_hour"] = _known(np.repeat(said.rush_hour_probability[0], segments))
    if said.speed_kph is not None:
        columns["speed"] = _known(said.speed_kph.reshape(cells))
        for name in ("p10", "p90"):
            columns[f"speed_{name}"] = _known(getattr(said, f"speed_{name}_kph").reshape(cells))
    return columns


def _repeated(count: int, times: int) -> pa.Array:
    return pa.array(np.repeat(np.arange(count), times))


def _known(values: np.ndarray) -> pa.Array:
    return pa.array(np.ascontiguousarray(values, dtype=np.float32), from_pandas=True)


def _named(
    places: np.ndarray, names: tuple[str, ...], unknown: np.ndarray | None = None
) -> pa.Array:
    indices = pa.array(places.astype(np.int8), mask=unknown)
    return pa.DictionaryArray.from_arrays(indices, pa.array(names)).cast(pa.string())
