"""What a served model takes and gives, as MLflow shows and checks it."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pandas as pd
import pyarrow as pa
from mlflow.models import ModelSignature
from mlflow.types import ColSpec, DataType, ParamSchema, ParamSpec, Schema
from mlflow.types.schema import AnyType

from roadgraph.schema import PREDICTIONS, SLICES

if TYPE_CHECKING:
    from roadgraph.training.bundle import Bundle

EXAMPLE_SEGMENTS = 2
EXAMPLE_START = pd.Timestamp("2026-01-05T00:00Z")

# MLflow's own datetime refuses times that name their zone, which is what our tables hold; and its
# integer refuses the 64 bits of pandas.
TAKEN: dict[pa.DataType, DataType | AnyType] = {
    pa.string(): DataType.string,
    SLICES.schema.field("slice_start").type: AnyType(),
    pa.int32(): DataType.long,
    pa.float64(): DataType.double,
}
GIVEN: dict[pa.DataType, DataType] = {
    pa.string(): DataType.string,
    PREDICTIONS.schema.field("issued_at").type: DataType.datetime,
    pa.int32(): DataType.integer,
    pa.float32(): DataType.float,
    pa.bool_(): DataType.boolean,
}


def served_signature() -> ModelSignature:
    """Return the columns of slices and predictions and the parameter ``abstain_below``.

    Every column of slices must be there; what a forecaster answers may be empty, and so may the
    age of a segment's observations.
    """
    facts = ("horizon_min", "observed", "data_age_min", "basis", "new_segment", "model")
    known = {*PREDICTIONS.key, *facts}
    return ModelSignature(
        inputs=Schema([ColSpec(TAKEN[field.type], field.name) for field in SLICES.schema]),
        outputs=Schema(
            [
                ColSpec(GIVEN[field.type], field.name, required=field.name in known)
                for field in PREDICTIONS.schema
            ]
        ),
        params=ParamSchema([ParamSpec("abstain_below", DataType.double, 0.0)]),
    )


def example_request(bundle: Bundle) -> pd.DataFrame:
    """Return slices that ``bundle`` can answer, as many as it looks at: two segments' usual speeds.

    Times are texts, as in the JSON of a request.
    """
    step = pd.Timedelta(minutes=bundle.slice_minutes)
    starts = EXAMPLE_START.ceil(step) + step * pd.RangeIndex(bundle.slices)
    usual_kph = bundle.preparation.fill[:EXAMPLE_SEGMENTS, 0].astype(float).round(1)
    return pd.DataFrame(
        [
            (segment, start.strftime("%Y-%m-%dT%H:%M:%SZ"), speed_kph, speed_kph, 0.0, 1, 0.5)
            for start in starts
            for segment, speed_kph in zip(bundle.segment_ids, usual_kph, strict=False)
        ],
        # MLflow compares the names in a way that pandas warns of when they are of its text type.
        columns=pd.Index(SLICES.columns, dtype=object),
    )
