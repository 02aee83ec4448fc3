import math

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from roadgraph.quality.cells import DayCells
from roadgraph.quality.drift import (
    BY_ROAD_CLASS,
    BY_SEGMENT,
    LEAST_CELLS,
    bin_edges,
    drift_of_day,
    drift_of_values,
    population_stability_index,
)
from roadgraph.schema import MEASURED_FEATURES

RNG = np.random.default_rng(0)


def index(reference: list[int], counts: list[int]) -> float:
    return population_stability_index(np.array(reference), np.array(counts))


def test_the_index_is_the_sum_of_differences_times_logarithms_without_chance() -> None:
    # (0.25 - 0.5) ln(0.25 / 0.5) + (0.75 - 0.5) ln(0.75 / 0.5) = 0.27465; chance 1 / 500
    assert index([500, 500], [250, 750]) == pytest.approx(0.27465 - 0.002, abs=1e-5)


def test_an_empty_bin_counts_as_a_share_of_one_in_ten_thousand() -> None:
    expected = -0.5 * math.log(0.5) + 0.4999 * math.log(5000) - 0.002
    assert index([1000, 0], [500, 500]) == pytest.approx(expected)


def test_equal_shares_have_no_drift_whatever_the_counts() -> None:
    assert index([300, 600, 100], [600, 1200, 200]) == 0


def test_too_few_cells_on_either_side_give_no_index() -> None:
    few, many = [LEAST_CELLS // 2, LEAST_CELLS // 2 - 1], [LEAST_CELLS, LEAST_CELLS]
    assert math.isnan(index(few, many))
    assert math.isnan(index(many, few))
    assert math.isnan(drift_of_values(np.zeros(0), np.ones(1000)))


@given(st.lists(st.tuples(st.integers(0, 500), st.integers(0, 500)), min_size=2, max_size=10))
def test_the_index_is_the_same_both_ways(pairs: list[tuple[int, int]]) -> None:
    one, other = (np.array(side) for side in zip(*pairs, strict=True))
    there, back = population_stability_index(one, other), population_stability_index(other, one)
    assert there == pytest.approx(back, nan_ok=True)


def test_samples_of_one_distribution_stay_far_below_a_usual_limit() -> None:
    found = [
        drift_of_values(RNG.normal(30, 10, LEAST_CELLS), RNG.normal(30, 10, LEAST_CELLS))
        for _ in range(200)
    ]
    assert np.mean(found) < 0.03  # with the share of chance it would be 0.09
    assert max(found) < 0.25


def test_a_shift_by_one_standard_deviation_is_found() -> None:
    assert drift_of_values(RNG.normal(30, 10, 2000), RNG.normal(40, 10, 2000)) > 0.5


def test_edges_are_the_tenths_of_the_reference() -> None:
    assert bin_edges(np.arange(1, 1001)).tolist() == list(range(100, 1000, 100))


def test_a_frequent_value_has_a_bin_of_its_own_and_both_sides_are_seen() -> None:
    ones = np.ones(1000)
    assert len(bin_edges(ones)) == 2  # below 1, 1, above 1
    assert drift_of_values(ones, ones) == 0
    assert drift_of_values(ones, np.full(1000, 0.9)) > 1
    assert drift_of_values(ones, np.full(1000, 1.1)) > 1


def day(observed: np.ndarray, speed_kph: float = 30.0) -> DayCells:
    starts = pd.date_range("2026-01-05", periods=len(observed), freq="15min", tz="UTC")
    noise = RNG.normal(0, 3, (observed.sum(), len(MEASURED_FEATURES)))
    return DayCells(starts, observed, (speed_kph + noise).astype(np.float32))


CLASSES = np.array(["primary"] * 10 + ["residential"] * 10)


def named(cells: DayCells, reference: list[DayCells]) -> dict[str, float]:
    return {each.name: each.index for each in drift_of_day(cells, reference, CLASSES)}


def test_half_of_the_probes_in_the_same_places_are_no_drift_of_the_coverage() -> None:
    usual = RNG.random((96, 20)) < np.linspace(0.2, 1, 20)
    found = named(day(usual & (RNG.random(usual.shape) < 0.5)), [day(usual), day(usual)])
    assert list(found) == [*MEASURED_FEATURES, BY_ROAD_CLASS, BY_SEGMENT]
    assert max(found.values()) < 0.05


def test_probes_on_other_roads_are_a_drift_of_the_coverage_alone() -> None:
    usual = RNG.random((96, 20)) < np.where(CLASSES == "primary", 0.9, 0.2)
    found = named(day(usual[:, ::-1]), [day(usual)])
    assert min(found[BY_ROAD_CLASS], found[BY_SEGMENT]) > 1
    assert max(found[name] for name in MEASURED_FEATURES) < 0.05


def test_without_a_reference_there_is_no_drift() -> None:
    assert drift_of_day(day(np.ones((96, 20), dtype=bool)), [], CLASSES) == ()


def test_nothing_observed_gives_no_index() -> None:
    nothing, usual = np.zeros((96, 20), dtype=bool), np.ones((96, 20), dtype=bool)
    assert all(math.isnan(value) for value in named(day(nothing), [day(usual)]).values())
    assert all(math.isnan(value) for value in named(day(usual), [day(nothing)]).values())
