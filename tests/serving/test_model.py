from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from mlflow.exceptions import MlflowException
from mlflow.pyfunc import PyFuncModel

from roadgraph import prediction
from roadgraph.prediction import run_prediction
from roadgraph.schema import SLICES
from roadgraph.settings import Settings

Predict = Callable[..., pd.DataFrame]


def test_a_loaded_model_predicts_what_the_command_writes(
    predict: Predict, slices: pd.DataFrame, city: Settings, bundle: Path, tmp_path: Path
) -> None:
    path = run_prediction(city, bundle, tmp_path / "predictions.parquet").files[0]
    pd.testing.assert_frame_equal(predict(slices), pq.read_table(path).to_pandas())


def test_a_gap_is_filled_as_by_the_command_when_as_many_slices_are_sent_as_it_asks_for(
    loaded: PyFuncModel,
    predict: Predict,
    slices: pd.DataFrame,
    city: Settings,
    bundle: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    starts = np.sort(slices["slice_start"].unique())
    quiet = (slices["segment_id"] == "A") & slices["slice_start"].isin(starts[-2:])
    gappy = slices[~quiet]
    table = pa.Table.from_pandas(gappy, preserve_index=False)
    monkeypatch.setattr(prediction, "newest_slices", lambda *asked: SLICES.conform(table))
    path = run_prediction(city, bundle, tmp_path / "predictions.parquet").files[0]
    written = pq.read_table(path).to_pandas()
    metadata = loaded.metadata.metadata or {}
    assert (metadata["window"], metadata["slices"]) == (2, 3)
    sent = gappy[gappy["slice_start"].isin(starts[-metadata["slices"] :])]
    pd.testing.assert_frame_equal(predict(sent), written)
    window = gappy[gappy["slice_start"].isin(starts[-metadata["window"] :])]
    assert not predict(window).equals(written), "the slice before the window fills the gap"


def test_it_answers_its_own_example(loaded: PyFuncModel, predict: Predict) -> None:
    answer = predict(loaded.input_example)
    assert answer["issued_at"].unique().tolist() == [pd.Timestamp("2026-01-05T00:45Z")]
    assert len(answer) == 3 * 4


def test_no_class_is_answered_below_the_probability_asked_for(
    predict: Predict, slices: pd.DataFrame
) -> None:
    answer = predict(slices, params={"abstain_below": 1.0})
    assert answer["congestion"].tolist() == [None] * 12


@pytest.mark.parametrize("value", [-0.1, 1.5, float("nan")])
def test_what_is_no_probability_is_refused(
    predict: Predict, slices: pd.DataFrame, value: float
) -> None:
    with pytest.raises(MlflowException, match="abstain_below must lie between 0 and 1"):
        predict(slices, params={"abstain_below": value})


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"segment_id": "nowhere"}, "slices name segment 'nowhere'"),
        ({"mean_speed": float("nan")}, "row 0 of the slices .* has no mean_speed"),
        ({"mean_speed": -1.0}, "row 0 of the slices .* has a negative mean_speed"),
    ],
)
def test_slices_that_cannot_be_used_are_the_callers_fault(
    predict: Predict, slices: pd.DataFrame, changes: dict[str, Any], message: str
) -> None:
    with pytest.raises(MlflowException, match=message) as caught:
        predict(slices.assign(**changes))
    assert caught.value.get_http_status_code() == 400


def test_a_missing_column_is_named(predict: Predict, slices: pd.DataFrame) -> None:
    with pytest.raises(MlflowException, match=r"missing inputs \['mean_speed'\]"):
        predict(slices.drop(columns="mean_speed"))
