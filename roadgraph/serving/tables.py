"""The tables of a served model's request and answer, as pandas and JSON hold them."""

from __future__ import annotations

import math

import numpy as np
import pandas as pd
import pyarrow as pa
from pandas.api.types import is_numeric_dtype

from roadgraph.errors import DataError
from roadgraph.schema import SLICES, utc_times


def slices_of_request(request: pd.DataFrame) -> pa.Table:
    """Return the rows of a request as the columns of ``schema.SLICES``, sorted by key.

    Args:
        request: the columns of ``schema.SLICES``; others are left out. ``slice_start`` holds times
            or ISO 8601 texts, in UTC where they name no zone.

    Raises:
        DataError: there is no row, a column is missing, or a cell is empty or cannot be read as
            its column's type.
    """
    missing = [name for name in SLICES.columns if name not in request.columns]
    if missing:
        found = ", ".join(str(name) for name in request.columns)
        raise DataError(f"the slices lack {', '.join(missing)} (found {found or 'no column'})")
    if request.empty:
        raise DataError(
            "no slice in the request; send the newest, as many as the model's metadata says"
        )
    rows = request[SLICES.columns].assign(slice_start=_utc(request["slice_start"]))
    empty = (rows.isna() | rows.isin([math.inf, -math.inf])).to_numpy()
    if empty.any():
        row, column = np.argwhere(empty)[0]
        raise DataError(
            f"row {row} of the slices (from 0) has no {SLICES.columns[column]}; leave out segments "
            "on which nothing was observed"
        )
    try:
        columns = {name: pa.array(rows[name]) for name in SLICES.columns if name != "slice_start"}
    except (pa.ArrowInvalid, pa.ArrowTypeError) as error:
        raise DataError(f"a column holds values of several kinds ({error})") from error
    starts = utc_times(pd.DatetimeIndex(rows["slice_start"]))
    return SLICES.conform(pa.table({**columns, "slice_start": starts}))


def frame_of_answer(predictions: pa.Table) -> pd.DataFrame:
    """Return predictions as pandas, with None for what is unknown: JSON has no NaN.

    Args:
        predictions: the columns of ``schema.PREDICTIONS``.
    """
    frame = predictions.to_pandas()
    unknown = frame.isna()
    partly = list(frame.columns[unknown.any()])
    return frame.assign(
        **{name: frame[name].astype(object).mask(unknown[name], None) for name in partly}
    )


def _utc(times: pd.Series) -> pd.Series:
    if is_numeric_dtype(times):  # pandas would take a number for nanoseconds since 1970
        raise DataError("slice_start must be times such as 2026-01-05T07:15:00Z, not numbers")
    try:
        return pd.to_datetime(times, utc=True, format="ISO8601")
    except (ValueError, TypeError) as error:
        reason = str(error).splitlines()[0]
        raise DataError(
            f"slice_start must be times such as 2026-01-05T07:15:00Z ({reason})"
        ) from error
