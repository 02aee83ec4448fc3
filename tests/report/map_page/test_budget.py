from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from roadgraph.report.map_page.budget import LARGE, Detail, details, kept_places, most_that_fit


def test_kept_times_are_evenly_spread_back_from_the_newest() -> None:
    assert kept_places(7, 1) == (0, 1, 2, 3, 4, 5, 6)
    assert kept_places(7, 2) == (0, 2, 4, 6)
    assert kept_places(8, 3) == (0, 1, 4, 7)  # the first stays whatever the step
    assert kept_places(8, 8) == (0, 7)
    assert kept_places(1, 1) == (0,)


def test_as_many_times_stay_as_fit() -> None:
    """A page of n times has 10 + 5 n bytes."""

    def size_of(places: tuple[int, ...]) -> int:
        return 10 + 5 * len(places)

    assert most_that_fit(9, size_of, 56) == kept_places(9, 1)  # 55
    assert most_that_fit(9, size_of, 55) == kept_places(9, 2)  # 55 is not below 55; 5 times: 35
    assert most_that_fit(9, size_of, 26) == kept_places(9, 4)  # 3 times: 25
    assert most_that_fit(9, size_of, 25) == (0, 8)
    assert most_that_fit(9, size_of, 20) == (8,)
    assert most_that_fit(2, size_of, 21) == (0, 1)
    assert most_that_fit(1, size_of, 0) == (0,)


def test_times_that_turn_out_larger_than_the_one_in_the_middle_are_left_out() -> None:
    sizes = [1, 9, 9, 9, 1, 9, 9, 9, 1]  # the middle says 1 each

    def size_of(places: tuple[int, ...]) -> int:
        return sum(sizes[place] for place in places)

    assert most_that_fit(9, size_of, 30) == (0, 2, 4, 6, 8)  # 21; all nine have 57


@given(st.lists(st.integers(1, 100), min_size=1, max_size=60), st.integers(1, 3000))
def test_page_is_below_the_size_or_has_the_newest_alone(sizes: list[int], budget: int) -> None:
    def size_of(places: tuple[int, ...]) -> int:
        return sum(sizes[place] for place in places)

    places = most_that_fit(len(sizes), size_of, budget)
    assert places[-1] == len(sizes) - 1
    assert len(places) == 1 or (places[0] == 0 and size_of(places) < budget)


def test_lines_of_a_small_network_are_off_by_a_metre_at_most_at_first() -> None:
    steps = details(LARGE)
    assert steps[0] == Detail(1.0, 0)
    assert [step.tolerance_m for step in steps] == [1, 1, 1, 5, 10, 20, 50]
    assert [step.history_every_min for step in steps] == [0, 30, 60, 60, 60, 60, 60]


def test_lines_of_a_large_network_are_simplified_at_once() -> None:
    assert [step.tolerance_m for step in details(LARGE + 1)] == [5, 5, 5, 10, 20, 50]


@pytest.mark.parametrize(
    ("every_min", "slice_minutes", "every"), [(0, 15, 1), (30, 15, 2), (60, 5, 12), (30, 60, 1)]
)
def test_history_stays_at_whole_slices(every_min: int, slice_minutes: int, every: int) -> None:
    assert Detail(1.0, every_min).history_every(slice_minutes) == every
