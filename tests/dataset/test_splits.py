from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from roadgraph.dataset.splits import Span, split_by_time
from roadgraph.errors import DataError


def test_origins_leave_room_for_window_and_horizon() -> None:
    # window 3 ends at 12 at the earliest, reach 2 needs 12 .. 17 inside 10 .. 19
    np.testing.assert_array_equal(Span(10, 20).origins(3, 2), np.arange(12, 18))


def test_spans_of_100_slices_with_window_2_and_reach_3() -> None:
    splits = split_by_time(100, 0.6, 0.2, window=2, reach=3)
    assert splits.train == Span(0, 60)
    assert splits.validation == Span(65, 75)  # gaps of 5 on either side
    assert splits.test == Span(80, 100)


def test_shares_of_07_and_01_end_exactly_at_08() -> None:
    assert split_by_time(2016, 0.7, 0.1, window=12, reach=12).test.start == 1612


@given(
    slices=st.integers(200, 2000),
    train=st.floats(0.3, 0.6),
    validation=st.floats(0.2, 0.35),
    window=st.integers(1, 6),
    reach=st.integers(1, 6),
)
@settings(max_examples=100)
def test_no_slice_is_seen_by_two_spans_and_gaps_lie_between(
    slices: int, train: float, validation: float, window: int, reach: int
) -> None:
    splits = split_by_time(slices, train, validation, window, reach)
    spans = [splits.train, splits.validation, splits.test]
    for before, after in pairwise(spans):
        assert after.start - before.stop >= window + reach
    for span in spans:
        origins = span.origins(window, reach)
        assert origins.min() - window + 1 >= span.start
        assert origins.max() + reach < span.stop


@pytest.mark.parametrize(("slices", "name"), [(6, "train"), (40, "validation"), (60, "validation")])
def test_too_few_slices_are_an_error_that_names_the_span(slices: int, name: str) -> None:
    with pytest.raises(DataError, match=f"the {name} span has .* too few"):
        split_by_time(slices, 0.6, 0.15, window=4, reach=4)
