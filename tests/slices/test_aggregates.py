from typing import Any

import narwhals as nw
import numpy as np
import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from roadgraph.schema import MEASURED_FEATURES
from roadgraph.slices.aggregates import cells_of_aggregates

KINDS: Any = {
    "cell": pl.Int64,
    "speed_kph": pl.Float64,
    "count": pl.Float64,
    "std_kph": pl.Float64,
    "median_kph": pl.Float64,
}


def row(
    speed_kph: float,
    count: int = 1,
    std_kph: float | None = None,
    median_kph: float | None = None,
    cell: int = 0,
) -> tuple[Any, ...]:
    return (cell, speed_kph, count, std_kph, median_kph)


def table(*rows: tuple[Any, ...]) -> pl.DataFrame:
    return pl.DataFrame(list(rows), schema=KINDS, orient="row")


def cells_of(frame: Any) -> Any:
    return cells_of_aggregates(nw.from_native(frame), ("cell",)).to_native()


def only_cell(*rows: tuple[Any, ...]) -> dict[str, Any]:
    cells = cells_of(table(*rows))
    assert len(cells) == 1
    return dict(cells.row(0, named=True))


def test_one_row_comes_out_as_it_went_in() -> None:
    cell = only_cell(row(33.3, 7, 4.1, 31.7))
    assert (cell["rows"], cell["mean_speed"], cell["median_speed"]) == (1, 33.3, 31.7)
    assert cell["speed_std"] == pytest.approx(4.1)
    assert cell["count_probes"] == 7
    assert cell["quality_score"] == pytest.approx(7 / 8 / 1.041)


def test_the_mean_is_the_whole_distance_over_the_whole_time() -> None:
    # 3 vehicles at 30 and 1 at 60 km/h over 1 km: 4 km in 6 + 1 minutes.
    assert only_cell(row(30, 3), row(60, 1))["mean_speed"] == pytest.approx(4 / (7 / 60))


def test_a_row_that_stands_takes_the_time_of_1_km_per_hour() -> None:
    # 0 km in 1 h and 9 km in 9/50 h.
    cell = only_cell(row(0, 1), row(50, 9))
    assert cell["mean_speed"] == pytest.approx(9 / (1 + 9 / 50))
    assert only_cell(row(0, 1), row(0, 3))["mean_speed"] == 0
    assert only_cell(row(0.5, 1))["mean_speed"] == 0.5


def test_the_median_is_weighted_by_the_vehicles() -> None:
    assert only_cell(row(10, 1), row(20, 1))["median_speed"] == 15
    assert only_cell(row(10, 2), row(20, 1), row(40, 1))["median_speed"] == 15
    assert only_cell(row(10, 3), row(20, 1), row(40, 1))["median_speed"] == 10
    assert only_cell(row(10, 1, median_kph=90.0), row(20, 2))["median_speed"] == 20


def test_the_spread_is_that_within_the_rows_and_between_them() -> None:
    # Mean 40: (2 (3^2 + 10^2) + 2 (0 + 10^2)) / 4.
    cell = only_cell(row(30, 2, 3.0), row(50, 2))
    assert cell["speed_std"] == pytest.approx((418 / 4) ** 0.5)


def test_quality_is_that_of_vehicles_seen_on_the_whole_segment() -> None:
    cell = only_cell(row(30, 2), row(50, 2))
    assert cell["quality_score"] == pytest.approx(4 / 5 / 1.1)


def test_cells_are_kept_apart() -> None:
    cells = cells_of(table(row(10, cell=1), row(20, cell=2), row(30, cell=1))).sort("cell")
    assert cells["median_speed"].to_list() == [20, 20]
    assert cells["count_probes"].to_list() == [2, 1]


VEHICLES = st.lists(st.floats(1, 150), min_size=1, max_size=9)


@settings(max_examples=50)
@given(rows=st.lists(VEHICLES, min_size=1, max_size=6))
def test_aggregates_of_vehicles_say_what_the_vehicles_say(rows: list[list[float]]) -> None:
    """Each row is the harmonic mean of vehicles of one speed, so that nothing is lost."""
    ready = [row(speeds[0], len(speeds)) for speeds in rows]
    every = np.array([speeds[0] for speeds in rows for _ in speeds])
    cell = only_cell(*ready)
    assert cell["mean_speed"] == pytest.approx(len(every) / np.sum(1 / every))
    assert cell["median_speed"] == pytest.approx(np.median(every))
    assert cell["speed_std"] == pytest.approx(np.std(every), abs=2e-4)
    assert cell["count_probes"] == len(every)


@pytest.mark.parametrize("engine", ["pandas", "lazy"])
def test_every_engine_gives_the_same(engine: str) -> None:
    rng = np.random.default_rng(7)
    rows = table(
        *[
            row(
                float(rng.uniform(0, 90)),
                int(rng.integers(1, 9)),
                float(rng.uniform(0, 20)) if place % 3 else None,
                float(rng.uniform(0, 90)) if place % 2 else None,
                int(rng.integers(12)),
            )
            for place in range(200)
        ]
    )
    frame: Any = rows.to_pandas() if engine == "pandas" else rows.lazy()
    made = cells_of(frame)
    found = made.collect() if engine == "lazy" else nw.from_native(made).to_polars()
    names = ["cell", "rows", *MEASURED_FEATURES]
    wanted = cells_of(rows).select(names).sort("cell")
    found = found.select(names).sort("cell")
    assert [found[name].to_list() for name in names] == [wanted[name].to_list() for name in names]
