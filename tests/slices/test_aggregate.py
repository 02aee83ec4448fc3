from datetime import timedelta
from typing import Any

import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from roadgraph.schema import SLICES, TRAVERSALS
from roadgraph.slices.aggregate import slices_from_traversals
from tests.toy import MONDAY_7

START = MONDAY_7.tz_convert("UTC").to_pydatetime()


def traversal(
    speed_kph: float,
    duration_s: float = 60.0,
    share: float = 1.0,
    confidence: float = 1.0,
    vehicle_id: str = "v1",
    after_s: float = 0.0,
    segment_id: str = "A",
) -> tuple[object, ...]:
    entered_at = START + timedelta(seconds=after_s)
    return (vehicle_id, segment_id, entered_at, speed_kph, share, confidence, duration_s)


def table(*rows: tuple[object, ...]) -> pl.DataFrame:
    kinds: list[Any] = [pl.String, pl.String, pl.Datetime("us", "UTC"), *[pl.Float64] * 4]
    schema = dict(zip(TRAVERSALS.columns, kinds, strict=True))
    return pl.DataFrame(rows, schema=schema, orient="row")


def only_slice(*rows: tuple[object, ...]) -> dict[str, Any]:
    slices = slices_from_traversals(table(*rows), 15)
    assert len(slices) == 1
    return slices.row(0, named=True)


def test_the_mean_speed_is_the_whole_distance_over_the_whole_time() -> None:
    # 1 km in 60 s and 1 km in 120 s: 2 km in 180 s.
    row = only_slice(traversal(60, 60), traversal(30, 120, vehicle_id="v2"))
    assert row["mean_speed"] == pytest.approx(40.0)
    assert row["median_speed"] == pytest.approx(45.0)
    assert row["speed_std"] == pytest.approx(15.0)
    assert row["count_probes"] == 2


def test_a_doubtful_traversal_counts_little() -> None:
    row = only_slice(traversal(60), traversal(30, confidence=0.5, vehicle_id="v2"))
    assert row["mean_speed"] == pytest.approx((60 * 1 + 30 * 0.5) / 1.5)


def test_doubtful_traversals_alone_still_have_a_mean() -> None:
    row = only_slice(traversal(60, confidence=0.0), traversal(30, confidence=0.0, vehicle_id="v2"))
    assert row["mean_speed"] == pytest.approx(45.0)


def test_one_vehicle_that_stands_cannot_fill_a_slice() -> None:
    # 900 s of standing count as twice the 2 x 60 s of the others: 120 s of 60 km/h in 360 s.
    stands = traversal(0.0, 900, share=0.0, vehicle_id="stands")
    others = [traversal(60, 60, vehicle_id=f"v{i}") for i in range(2)]
    assert only_slice(stands, *others)["mean_speed"] == pytest.approx(20.0)
    assert only_slice(stands)["mean_speed"] == 0.0


def test_the_quality_of_one_vehicle_surely_seen_on_the_whole_segment_is_a_half() -> None:
    assert only_slice(traversal(50))["quality_score"] == pytest.approx(0.5)


def test_the_quality_follows_its_formula() -> None:
    row = only_slice(
        traversal(60, share=0.2, confidence=0.9),
        traversal(40, share=0.05, confidence=0.7, vehicle_id="v2"),
    )
    # n / (n + 1) * sqrt(sum of shares) * mean confidence by time / (1 + spread / 100)
    assert row["quality_score"] == pytest.approx(2 / 3 * 0.5 * 0.8 / (1 + 10 / 100), rel=1e-5)


def test_quality_rises_with_vehicles_not_with_their_traversals() -> None:
    def vehicles(*names: str) -> float:
        return float(only_slice(*[traversal(50, vehicle_id=n) for n in names])["quality_score"])

    assert vehicles("a", "a", "a") == pytest.approx(0.5)
    assert vehicles("a", "b", "c") == pytest.approx(0.75)


@pytest.mark.parametrize(
    ("better", "worse"),
    [
        ({"share": 0.8}, {"share": 0.4}),
        ({"confidence": 0.8}, {"confidence": 0.4}),
    ],
)
def test_quality_rises_with_share_and_confidence(
    better: dict[str, Any], worse: dict[str, Any]
) -> None:
    high, low = (only_slice(traversal(50, **item))["quality_score"] for item in (better, worse))
    assert high > low > 0


def test_quality_falls_with_the_spread_of_the_speeds() -> None:
    close = only_slice(traversal(50), traversal(52, vehicle_id="b"))["quality_score"]
    far = only_slice(traversal(20), traversal(82, vehicle_id="b"))["quality_score"]
    assert far < close


def test_equal_speeds_have_a_spread_of_exactly_0() -> None:
    rows = [traversal(33.333333, vehicle_id=f"v{i}") for i in range(7)]
    assert only_slice(*rows)["speed_std"] == 0.0


def test_a_traversal_counts_in_the_slice_in_which_it_begins() -> None:
    rows = table(traversal(50, after_s=899.999999), traversal(30, after_s=900, segment_id="A"))
    slices = slices_from_traversals(rows, 15)
    assert slices["slice_start"].to_list() == [START, START + timedelta(minutes=15)]
    assert slices["mean_speed"].to_list() == pytest.approx([50, 30])


def test_the_rows_have_the_schema_of_slices_and_are_sorted_by_key() -> None:
    rows = table(
        traversal(50, segment_id="B"), traversal(50, after_s=1000), traversal(50), traversal(50)
    )
    slices = slices_from_traversals(rows, 15)
    assert slices.columns == SLICES.columns
    keys = slices.select(SLICES.key).rows()
    assert keys == sorted(keys)
    SLICES.conform(slices.to_arrow())


def test_no_traversals_give_no_slices() -> None:
    assert slices_from_traversals(table(), 15).is_empty()


ROWS = st.lists(
    st.builds(
        traversal,
        st.floats(0, 150),
        st.floats(0.5, 900),
        st.floats(0, 1),
        st.floats(0, 1),
        st.sampled_from(["a", "b", "c"]),
        st.floats(0, 3000),
        st.sampled_from(["A", "B"]),
    ),
    min_size=1,
    max_size=20,
)


@settings(max_examples=50)
@given(ROWS, st.randoms(use_true_random=False))
def test_every_engine_and_every_order_of_rows_gives_the_same_values(
    rows: list[tuple[object, ...]], random: Any
) -> None:
    expected = slices_from_traversals(table(*rows), 15)
    assert expected["quality_score"].is_between(0, 1, closed="left").all()
    assert (expected["mean_speed"] <= expected["mean_speed"].max()).all()
    shuffled = list(rows)
    random.shuffle(shuffled)
    assert slices_from_traversals(table(*shuffled), 15).equals(expected)
    lazy = slices_from_traversals(table(*rows).lazy(), 15).collect()
    assert lazy.equals(expected)
    pandas = slices_from_traversals(table(*rows).to_pandas(), 15)
    found = pl.from_pandas(pandas).select(SLICES.columns)
    for name in ("mean_speed", "median_speed", "speed_std", "quality_score"):
        assert found[name].to_list() == pytest.approx(expected[name].to_list(), rel=1e-9)
    assert found["count_probes"].to_list() == expected["count_probes"].to_list()
