from dataclasses import replace

import pandas as pd
import pytest

from roadgraph.dataset.dataset import Dataset
from roadgraph.dataset.splits import Span, Splits
from roadgraph.training.seen_time import SeenTime
from tests.dataset.toy import MONDAY, toy_dataset, toy_settings


@pytest.fixture(scope="module")
def dataset() -> Dataset:
    splits = Splits(Span(0, 96), Span(104, 144), Span(152, 192))
    return replace(toy_dataset(toy_settings(), slices=192), splits=splits)


def test_spans_begin_with_their_first_slice_and_end_after_their_last(dataset: Dataset) -> None:
    seen = SeenTime.of(dataset)
    quarter = pd.Timedelta("15min")
    assert seen.train == (MONDAY, MONDAY + pd.Timedelta("1D"))
    assert seen.validation == (MONDAY + 104 * quarter, MONDAY + 144 * quarter)
    assert seen.test == (MONDAY + 152 * quarter, MONDAY + pd.Timedelta("2D"))


def test_nothing_was_learned_or_chosen_after_the_validation_span(dataset: Dataset) -> None:
    assert SeenTime.of(dataset).until == pd.Timestamp("2026-01-06T12:00Z")


def test_plain_types_come_back_as_they_went_in(dataset: Dataset) -> None:
    seen = SeenTime.of(dataset)
    plain = seen.to_dict()
    assert plain["train"] == {
        "start": "2026-01-05T00:00:00+00:00",
        "end": "2026-01-06T00:00:00+00:00",
    }
    assert SeenTime.from_dict(plain) == seen
