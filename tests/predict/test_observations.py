import numpy as np
import pandas as pd
import pyarrow as pa
import pytest

from roadgraph.errors import DataError
from roadgraph.predict.observations import UNKNOWN, Observations
from tests.dataset.toy import MONDAY
from tests.predict.toy import slices_of

NAN = np.nan
SEEN = Observations.of(
    slices_of(np.array([[10, 20, NAN], [11, NAN, NAN], [NAN, NAN, NAN], [13, NAN, NAN]])),
    ["A", "B", "C"],
    15,
)


def quarters(count: int) -> pd.Timestamp:
    return MONDAY + pd.Timedelta(minutes=15 * count)


def test_slices_are_there_once_they_ended() -> None:
    assert SEEN.newest_end == quarters(4)
    ends = [SEEN.newest_end_by(quarters(count)) for count in (1, 2, 3, 4, 9)]
    assert ends == [quarters(count) for count in (1, 2, 2, 4, 4)]
    assert SEEN.newest_end_by(quarters(4) - pd.Timedelta(microseconds=1)) == quarters(2)
    rows, places = SEEN.between(quarters(0), quarters(2))
    assert rows["mean_speed"].to_pylist() == [10, 20, 11]
    names = np.array(["A", "B", "C"])
    assert names[places].tolist() == rows["segment_id"].to_pylist()


def test_a_segments_age_is_that_of_its_newest_slice_in_the_days_looked_at() -> None:
    assert SEEN.segment_ages_min(quarters(2)).tolist() == [0, 15, UNKNOWN]
    assert SEEN.segment_ages_min(quarters(5)).tolist() == [15, 60, UNKNOWN]
    day_later = quarters(1) + pd.Timedelta(days=1)
    assert SEEN.segment_ages_min(day_later).tolist() == [24 * 60 - 45, UNKNOWN, UNKNOWN]
    assert SEEN.segment_ages_min(quarters(0)).tolist() == [UNKNOWN] * 3


@pytest.mark.parametrize("seed", range(3))
def test_rows_may_come_in_any_order_and_in_several_tables(seed: int) -> None:
    table = slices_of(np.arange(60.0).reshape(20, 3))
    rows = np.random.default_rng(seed).permutation(60)
    parts = pa.concat_tables([table.take(pa.array(part)) for part in np.array_split(rows, 4)])
    found = Observations.of(parts, ["C", "A"], 15)
    assert (found.starts[1:] >= found.starts[:-1]).all()
    names = np.array(["C", "A", "B"])[found.places]  # -1 has no place: B
    assert names.tolist() == found.slices["segment_id"].to_pylist()
    told = zip(found.starts, names, found.slices["mean_speed"].to_pylist(), strict=True)
    quarter = np.timedelta64(15, "m")
    first = MONDAY.tz_localize(None).to_datetime64()
    assert all(
        speed == 3 * ((start - first) // quarter) + "ABC".index(name) for start, name, speed in told
    )


def test_before_the_first_slice_ended_there_is_no_history() -> None:
    with pytest.raises(DataError, match="no history before 2026-01-05T00:00:00"):
        SEEN.newest_end_by(quarters(0))


def test_no_slice_at_all_is_refused() -> None:
    with pytest.raises(DataError, match="no slice: no vehicle was seen"):
        Observations.of(slices_of(np.full((1, 3), NAN)), ["A"], 15)
