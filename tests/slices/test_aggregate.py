from datetime import timedelta
from typing import Any

import narwhals as nw
import numpy as np
import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from roadgraph.schema import SLICES, TRAVERSALS
from roadgraph.slices.aggregate import LEAST_WEIGHT, slices_from_traversals
from tests.toy import MONDAY_7

START = MONDAY_7.tz_convert("UTC").to_pydatetime()
SLICE_S = 900


def traversal(
    speed_kph: float,
    share: float = 1.0,
    confidence: float = 1.0,
    vehicle_id: str = "v1",
    after_s: float = 0.0,
    segment_id: str = "A",
) -> tuple[object, ...]:
    entered_at = START + timedelta(seconds=after_s)
    return (vehicle_id, segment_id, entered_at, speed_kph, share, confidence)


def table(*rows: tuple[object, ...]) -> pl.DataFrame:
    kinds: list[Any] = [pl.String, pl.String, pl.Datetime("us", "UTC"), *[pl.Float64] * 3]
    schema = dict(zip(TRAVERSALS.columns, kinds, strict=True))
    return pl.DataFrame(rows, schema=schema, orient="row")


def only_slice(*rows: tuple[object, ...]) -> dict[str, Any]:
    slices = slices_from_traversals(table(*rows), 15)
    assert len(slices) == 1
    return slices.row(0, named=True)


THREE = (
    traversal(10, share=1.0, confidence=1.0),
    traversal(40, share=0.5, confidence=0.5, vehicle_id="v2", after_s=100),
    traversal(20, share=0.0, confidence=1.0, after_s=200),
)
"""Weights 1, 0.5 and 0.05; sum(w v) = 31, sum(w v^2) = 920, sum(w) = 1.55."""


def test_the_mean_speed_is_weighted_by_the_share_of_the_segment() -> None:
    assert only_slice(*THREE)["mean_speed"] == pytest.approx(20)


def test_the_spread_is_weighted_in_the_same_way() -> None:
    assert only_slice(*THREE)["speed_std"] == pytest.approx((920 / 1.55 - 400) ** 0.5)


def test_the_median_is_the_plain_one() -> None:
    assert only_slice(*THREE)["median_speed"] == 20
    assert only_slice(*THREE[:2])["median_speed"] == 25


def test_a_vehicle_that_comes_twice_counts_once() -> None:
    assert only_slice(*THREE)["count_probes"] == 2


def test_the_quality_is_the_product_of_its_four_factors() -> None:
    # 2 vehicles; shares of 1.5 count as 1; confidences 1, 0.5, 1.
    std = (920 / 1.55 - 400) ** 0.5
    expected = 2 / 3 * 1 * (2.5 / 3) / (1 + std / 20)
    assert only_slice(*THREE)["quality_score"] == pytest.approx(expected)


def test_one_vehicle_seen_on_the_whole_segment_has_quality_one_half() -> None:
    row = only_slice(traversal(36))
    assert (row["mean_speed"], row["speed_std"], row["quality_score"]) == (36, 0, 0.5)


def test_quality_goes_towards_one_with_many_vehicles_that_agree() -> None:
    row = only_slice(*[traversal(36, vehicle_id=f"v{i}") for i in range(99)])
    assert row["count_probes"] == 99
    assert row["quality_score"] == pytest.approx(0.99)


def test_quality_falls_with_the_share_that_was_seen_and_with_the_confidence() -> None:
    assert only_slice(traversal(36, share=0.4))["quality_score"] == pytest.approx(0.2)
    assert only_slice(traversal(36, confidence=0.3))["quality_score"] == pytest.approx(0.15)


def test_a_vehicle_that_is_stuck_counts_with_the_least_weight_and_quality_0() -> None:
    stuck = traversal(0, share=0, vehicle_id="v2")
    row = only_slice(stuck)
    assert (row["mean_speed"], row["count_probes"], row["quality_score"]) == (0, 1, 0)
    mixed = only_slice(traversal(42, share=1.0), stuck)
    assert mixed["mean_speed"] == pytest.approx(42 / (1 + LEAST_WEIGHT))


def test_the_spread_of_slow_traffic_is_held_against_a_speed_of_1() -> None:
    # Mean 0.5, spread 0.5: 2/3 * 1 * 1 / (1 + 0.5 / 1).
    row = only_slice(traversal(0), traversal(1, vehicle_id="v2"))
    assert row["quality_score"] == pytest.approx(2 / 3 / 1.5)


def test_equal_speeds_have_a_spread_of_0_and_never_nan() -> None:
    rows = [traversal(33.3, share=0.1 * i, vehicle_id=f"v{i}") for i in range(1, 8)]
    assert only_slice(*rows)["speed_std"] == pytest.approx(0, abs=1e-5)


def test_a_traversal_counts_in_the_slice_in_which_it_begins() -> None:
    rows = [traversal(10, after_s=t) for t in (0, 899.999999, 900, 1799.999999)]
    slices = slices_from_traversals(table(*rows), 15)
    assert slices["slice_start"].to_list() == [START, START + timedelta(seconds=900)]
    rows = [traversal(10, after_s=t) for t in (0, 299, 300, 600)]
    five = slices_from_traversals(table(*rows), 5)
    seconds = [(start - START).total_seconds() for start in five["slice_start"]]
    assert seconds == [0, 300, 600]


def test_every_segment_and_slice_has_one_row_sorted_by_key() -> None:
    rows = [
        traversal(10 + t, segment_id=segment, after_s=900 * t)
        for segment in ("B", "A") for t in (1, 0, 1)
    ]  # fmt: skip
    slices = slices_from_traversals(table(*rows), 15)
    assert slices.columns == SLICES.columns
    keys = [(row[0], (row[1] - START).total_seconds()) for row in slices.rows()]
    assert keys == [("A", 0), ("A", 900), ("B", 0), ("B", 900)]
    assert slices["mean_speed"].to_list() == pytest.approx([10, 11, 10, 11])


def test_no_traversals_give_no_slices() -> None:
    slices = slices_from_traversals(table(), 15)
    assert slices.is_empty()
    assert SLICES.conform(slices.to_arrow()).num_rows == 0


def many() -> pl.DataFrame:
    rng = np.random.default_rng(7)
    return table(
        *[
            traversal(
                float(rng.uniform(0, 90)),
                float(rng.uniform(0, 1)),
                float(rng.uniform(0, 1)),
                f"v{rng.integers(5)}",
                float(rng.integers(3600)),
                f"s{rng.integers(3)}",
            )
            for _ in range(200)
        ]
    )


@pytest.mark.parametrize("engine", ["pandas", "pyarrow"])
def test_every_engine_gives_the_same_slices_in_its_own_kind_of_frame(engine: str) -> None:
    traversals = many()
    frame: Any = traversals.to_pandas() if engine == "pandas" else traversals.to_arrow()
    found = slices_from_traversals(frame, 15)
    assert type(found) is type(frame)
    as_arrow = SLICES.conform(nw.from_native(found, eager_only=True).to_arrow())
    expected = SLICES.conform(slices_from_traversals(traversals, 15).to_arrow())
    assert expected.num_rows == 12
    for column in SLICES.key:
        assert as_arrow[column].to_pylist() == expected[column].to_pylist()
    for column in SLICES.columns[2:]:
        np.testing.assert_allclose(as_arrow[column], expected[column], rtol=1e-9, atol=1e-6)


def test_the_given_traversals_are_left_as_they_were() -> None:
    frame = many().to_pandas()
    before = frame.copy()
    slices_from_traversals(frame, 15)
    assert frame.equals(before)


SPEED_AND_SHARE = st.tuples(st.floats(0, 150), st.floats(0, 1), st.floats(0, 1))


@settings(max_examples=50, deadline=None, derandomize=True)
@given(rows=st.lists(SPEED_AND_SHARE, min_size=1, max_size=12))
def test_a_slice_agrees_with_numpy_and_stays_in_its_ranges(
    rows: list[tuple[float, float, float]],
) -> None:
    vehicles = [f"v{i % 3}" for i in range(len(rows))]
    row = only_slice(
        *[traversal(*values, name) for values, name in zip(rows, vehicles, strict=True)]
    )
    speeds, shares, _ = np.array(rows).T
    weights = np.maximum(shares, LEAST_WEIGHT)
    mean = np.average(speeds, weights=weights)
    std = np.average((speeds - mean) ** 2, weights=weights) ** 0.5
    assert row["mean_speed"] == pytest.approx(mean, abs=1e-9)
    # The short formula loses digits where speeds are nearly equal.
    assert row["speed_std"] == pytest.approx(std, abs=1e-4)
    assert row["median_speed"] == pytest.approx(np.median(speeds))
    assert row["count_probes"] == len(set(vehicles))
    assert 0 <= row["quality_score"] <= 1
