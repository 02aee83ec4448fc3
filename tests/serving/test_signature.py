from pathlib import Path

import pytest

from roadgraph.schema import PREDICTIONS, SLICES
from roadgraph.serving.signature import example_request, served_signature
from roadgraph.training.bundle import Bundle, read_bundle


@pytest.fixture(scope="module")
def trained(bundle: Path) -> Bundle:
    return read_bundle(bundle)


def test_every_column_of_slices_is_required() -> None:
    inputs = served_signature().inputs
    assert inputs.input_names() == inputs.required_input_names() == SLICES.columns
    assert [str(column.type) for column in inputs] == [
        "DataType.string", "Any", "DataType.double", "DataType.double", "DataType.double",
        "DataType.long", "DataType.double",
    ]  # fmt: skip


def test_of_predictions_keys_and_circumstances_alone_are_never_empty() -> None:
    outputs = served_signature().outputs
    assert outputs.input_names() == PREDICTIONS.columns
    assert outputs.required_input_names() == [
        "issued_at", "slice_start", "segment_id", "horizon_min", "observed", "data_age_min",
        "basis", "new_segment", "model",
    ]  # fmt: skip


def test_no_class_is_withheld_unless_asked() -> None:
    (parameter,) = served_signature().params
    assert (parameter.name, parameter.default) == ("abstain_below", 0.0)


def test_the_example_is_all_that_is_looked_at_of_two_segments_at_their_usual_speed(
    trained: Bundle,
) -> None:
    example = example_request(trained)
    assert example["segment_id"].tolist() == ["A", "B"] * 3
    assert example["slice_start"].tolist() == [
        "2026-01-05T00:00:00Z", "2026-01-05T00:00:00Z",
        "2026-01-05T00:15:00Z", "2026-01-05T00:15:00Z",
        "2026-01-05T00:30:00Z", "2026-01-05T00:30:00Z",
    ]  # fmt: skip
    usual = trained.preparation.fill[:2, 0].tolist()
    assert example["mean_speed"].tolist() == pytest.approx(usual * 3, abs=0.051)
