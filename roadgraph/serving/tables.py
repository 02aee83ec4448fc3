"""The tables of a served model's request and answer, as pandas and JSON hold them."""

from __future__ import annotations

from typing import TYPE_CHECKING

from roadgraph.errors import DataError
from roadgraph.predict.given_slices import slices_of_rows

if TYPE_CHECKING:
    import pandas as pd
    import pyarrow as pa


def slices_of_request(request: pd.DataFrame) -> pa.Table:
    """Return the rows of a request as the columns of ``schema.SLICES``, sorted by key.

    Args:
        request: the columns of ``schema.SLICES``; others are left out. ``slice_start`` holds times
            or ISO 8601 texts, in UTC where they name no zone.

    Raises:
        DataError: there is no row, a column is missing, or a cell is empty, negative or cannot be
            read as its column's type.
    """
    if len(request.columns) and request.empty:
        raise DataError(
            "no slice in the request; send the newest, as many as the model's metadata says"
        )
    return slices_of_rows(request, "the slices")


def frame_of_answer(predictions: pa.Table) -> pd.DataFrame:
    """Return predictions as pandas, with None for what is unknown: JSON has no NaN.

    Args:
        predictions: the columns of ``schema.PREDICTIONS``.
    """
    frame = predictions.to_pandas(integer_object_nulls=True)
    unknown = frame.isna()
    partly = list(frame.columns[unknown.any()])
    return frame.assign(
        **{name: frame[name].astype(object).mask(unknown[name], None) for name in partly}
    )
