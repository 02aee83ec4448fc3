from datetime import UTC, datetime
from math import sqrt
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import given
from hypothesis import strategies as st

from roadgraph.errors import DataError, SettingsError
from roadgraph.network.carry_over import (
    carry_embedding,
    carry_slices,
    check_carry_over_path,
    count_dropped,
    read_carry_over,
    write_carry_over,
)
from roadgraph.schema import CARRY_OVER, SLICES

SEVEN, EIGHT = datetime(2026, 1, 5, 7, tzinfo=UTC), datetime(2026, 1, 5, 8, tzinfo=UTC)

# a is the same, b is split into b1 and b2, c and d (a quarter of e) are merged, f is gone, g is
# new, h was moved far under its key.
ROWS = [
    ("a", "a", "same", 1.0, 1.0),
    ("b", "b1", "split", 0.3, 1.0),
    ("b", "b2", "split", 0.7, 1.0),
    ("c", "e", "merged", 1.0, 0.75),
    ("d", "e", "merged", 1.0, 0.25),
    ("f", None, "gone", 0.0, 0.0),
    (None, "g", "new", 0.0, 0.0),
    ("h", "h", "changed", 0.0, 0.0),
]
OLD_IDS = ["a", "b", "c", "d", "f", "h"]
NEW_IDS = ["a", "b1", "b2", "e", "g", "h"]


@pytest.fixture
def table() -> pa.Table:
    return CARRY_OVER.conform(
        pa.table(dict(zip(CARRY_OVER.columns, zip(*ROWS, strict=True), strict=True)))
    )


def slices(*rows: tuple[object, ...]) -> pa.Table:
    """Return slices of (segment, start, mean, median, std, count, quality)."""
    columns = zip(*rows, strict=True) if rows else [[] for _ in SLICES.columns]
    return SLICES.conform(pa.table(dict(zip(SLICES.columns, columns, strict=True))))


def carried(table: pa.Table, *rows: tuple[object, ...]) -> list[tuple[object, ...]]:
    return [tuple(row.values()) for row in carry_slices(slices(*rows), table).to_pylist()]


def test_slices_of_a_segment_that_is_the_same_are_the_same(table: pa.Table) -> None:
    rows = [("a", SEVEN, 30.1, 31.7, 3.3, 4, 0.7), ("a", EIGHT, 0.0, 0.0, 0.0, 1, 0.1)]
    assert carried(table, *rows) == rows


def test_every_part_of_a_split_segment_has_its_slices(table: pa.Table) -> None:
    values = (SEVEN, 30.1, 31.7, 3.3, 4, 0.7)
    assert carried(table, ("b", *values)) == [("b1", *values), ("b2", *values)]


def test_a_merged_segment_has_the_mean_by_length_the_spread_and_the_largest_count(
    table: pa.Table,
) -> None:
    found = carried(
        table, ("c", SEVEN, 40.0, 38.0, 2.0, 3, 0.8), ("d", SEVEN, 20.0, 22.0, 6.0, 5, 0.4)
    )
    # Mean 3/4 * 40 + 1/4 * 20 = 35; the variance within is 3/4 * 4 + 1/4 * 36 = 12, the one
    # between 3/4 * 25 + 1/4 * 225 = 75.
    ((segment, start, *values),) = found
    assert (segment, start) == ("e", SEVEN)
    assert values == pytest.approx([35.0, 34.0, sqrt(87.0), 5, 0.7])


def test_a_merged_segment_of_which_a_part_was_seen_has_its_speed_at_less_quality(
    table: pa.Table,
) -> None:
    found = carried(
        table, ("d", SEVEN, 20.0, 22.0, 6.0, 5, 0.4), ("c", EIGHT, 40.0, 40.0, 0.0, 1, 0.8)
    )
    assert [row[:2] for row in found] == [("e", SEVEN), ("e", EIGHT)]
    assert found[0][2:] == pytest.approx((20.0, 22.0, 6.0, 5, 0.1))
    assert found[1][2:] == pytest.approx((40.0, 40.0, 0.0, 1, 0.6))


def test_a_segment_that_was_moved_far_keeps_its_slices(table: pa.Table) -> None:
    row = ("h", SEVEN, 30.0, 31.0, 3.0, 4, 0.7)
    assert carried(table, row) == [row]


def test_slices_of_segments_that_are_gone_are_dropped_and_counted(
    table: pa.Table, caplog: pytest.LogCaptureFixture
) -> None:
    rows = [("f", SEVEN, 1.0, 1.0, 0.0, 1, 0.5), ("f", EIGHT, 1.0, 1.0, 0.0, 1, 0.5)]
    kept = ("a", SEVEN, 30.0, 30.0, 0.0, 1, 0.5)
    with caplog.at_level("INFO"):
        assert carried(table, *rows, kept) == [kept]
    assert count_dropped(slices(*rows, kept), table) == 2
    assert "2 slices of segments that are gone were left out" in caplog.text


def test_no_slices_stay_no_slices(table: pa.Table) -> None:
    found = carry_slices(slices(), table)
    assert found.schema == SLICES.schema
    assert len(found) == 0


def test_slices_of_another_network_are_refused(table: pa.Table) -> None:
    with pytest.raises(DataError) as error:
        carry_slices(slices(("z", SEVEN, 1.0, 1.0, 0.0, 1, 0.5)), table)
    assert str(error.value) == (
        "slices name segment 'z' (1 such segments), which is no old segment of the carry-over "
        "table; was it made for another network?"
    )


@given(
    speeds=st.lists(st.floats(0, 130), min_size=2, max_size=2),
    stds=st.lists(st.floats(0, 40), min_size=2, max_size=2),
)
def test_a_merged_speed_lies_between_those_of_its_parts(
    speeds: list[float], stds: list[float]
) -> None:
    merged = CARRY_OVER.conform(
        pa.table(dict(zip(CARRY_OVER.columns, zip(*ROWS[3:5], strict=True), strict=True)))
    )
    values = zip("cd", speeds, stds, strict=True)
    rows = [(name, SEVEN, speed, speed, std, 1, 0.5) for name, speed, std in values]
    ((_, _, mean, median, std, _, quality),) = carried(merged, *rows)
    assert min(speeds) - 1e-9 <= mean <= max(speeds) + 1e-9  # type: ignore[operator]
    assert median == pytest.approx(mean)
    assert std >= min(stds) - 1e-6  # type: ignore[operator]
    assert quality == pytest.approx(0.5)


def test_an_embedding_goes_to_the_segments_that_cover_the_old_ones(table: pa.Table) -> None:
    embedding = np.array([[1, 2], [3, 4], [8, 0], [0, 4], [9, 9], [5, 6]], dtype=np.float32)
    found, known = carry_embedding(embedding, table, OLD_IDS, NEW_IDS)
    assert found.dtype == np.float32
    # e is 3/4 of c, [8, 0], and 1/4 of d, [0, 4]; g is new.
    assert found.tolist() == [[1, 2], [3, 4], [3, 4], [6, 1], [0, 0], [5, 6]]
    assert known.tolist() == [True, True, True, True, False, True]


def test_an_embedding_goes_by_the_order_of_both_lists(table: pa.Table) -> None:
    embedding = np.arange(6.0)[:, None]
    there, known = carry_embedding(embedding, table, OLD_IDS, NEW_IDS)
    back, known_back = carry_embedding(embedding[::-1], table, OLD_IDS[::-1], NEW_IDS[::-1])
    assert back[::-1].tolist() == there.tolist()
    assert known_back[::-1].tolist() == known.tolist()


def test_what_an_embedding_cannot_be_is_refused(table: pa.Table) -> None:
    for embedding in (np.zeros((5, 2)), np.zeros(6)):
        with pytest.raises(DataError, match=r"the embedding needs shape \[6, F\], a row an old"):
            carry_embedding(embedding, table, OLD_IDS, NEW_IDS)


@pytest.mark.parametrize(
    ("old_ids", "new_ids", "message"),
    [
        (["z", *OLD_IDS[1:]], NEW_IDS, "names old_segment 'a' (1 such rows)"),
        (OLD_IDS, ["a", "b1"], "names new_segment 'b2' (4 such rows)"),
    ],
)
def test_a_table_of_other_networks_is_refused(
    old_ids: list[str], new_ids: list[str], message: str, table: pa.Table
) -> None:
    with pytest.raises(DataError) as error:
        carry_embedding(np.zeros((6, 1)), table, old_ids, new_ids)
    assert message in str(error.value)
    assert "which the network does not have; compare the networks again" in str(error.value)


@pytest.mark.parametrize("name", ["t.parquet", "t.csv"])
def test_a_table_comes_back_from_its_file_as_it_went_in(
    name: str, table: pa.Table, tmp_path: Path
) -> None:
    odd = pa.table({**{c: table[c] for c in table.column_names}, "old_segment": pa.array(
        ["NA", "0012", 'say "b"', "c,d", "null", "f", None, "h"])})  # fmt: skip
    expected = CARRY_OVER.conform(odd)
    write_carry_over(expected, tmp_path / name)
    assert read_carry_over(tmp_path / name).equals(expected)


def test_a_file_of_another_kind_is_refused(table: pa.Table, tmp_path: Path) -> None:
    for act in (check_carry_over_path, lambda path: write_carry_over(table, path)):
        with pytest.raises(
            SettingsError, match=r"--out .*t\.xlsx: write a \.parquet or a \.csv file"
        ):
            act(tmp_path / "t.xlsx")
    assert list(tmp_path.iterdir()) == []


def test_a_table_that_cannot_be_read_is_named(tmp_path: Path) -> None:
    with pytest.raises(DataError, match=r"t\.parquet is missing; write it with roadgraph network"):
        read_carry_over(tmp_path / "t.parquet")
    (tmp_path / "t.parquet").write_bytes(b"PAR1")
    with pytest.raises(DataError, match=r"t\.parquet is damaged"):
        read_carry_over(tmp_path / "t.parquet")
    (tmp_path / "t.csv").write_bytes(b"")
    with pytest.raises(DataError, match=r"t\.csv cannot be read as a carry-over table: "):
        read_carry_over(tmp_path / "t.csv")
    (tmp_path / "t.csv").write_text("old_segment,change\na,same\n")
    with pytest.raises(DataError, match="column 'new_segment' is missing"):
        read_carry_over(tmp_path / "t.csv")
    pq.write_table(pa.table({"old_segment": ["a"]}), tmp_path / "t.parquet")
    with pytest.raises(DataError, match="column 'new_segment' is missing"):
        read_carry_over(tmp_path / "t.parquet")
