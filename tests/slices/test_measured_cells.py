import polars as pl
import pytest

from roadgraph.errors import DataError
from roadgraph.slices import measured_cells
from roadgraph.slices.measured_cells import count_slices, counted, spans_of, usual_span
from roadgraph.slices.measured_files import Span
from roadgraph.slices.measured_values import SEGMENT_STEP


def counts(**rows: int) -> pl.DataFrame:
    """Return counts of slices, such as ``s5=3``."""
    numbers = [int(name[1:]) for name in rows]
    return pl.DataFrame({"file": 0, "slice": numbers, "rows": list(rows.values())})


def test_cells_are_counted_by_slice() -> None:
    cells = pl.DataFrame({"cell": [7, SEGMENT_STEP + 7, 3], "rows": [1, 2, 4]})
    found = counted(cells.lazy(), 5).collect()
    assert found.rows() == [(5, 3, 4), (5, 7, 3)]


def test_what_is_usual_goes_by_the_middle_row() -> None:
    # 400 days of 15 minutes are 38,400 slices.
    far = counts(s10=1, s100_000=2, s100_004=1, s900_000=1)
    assert usual_span(far, 15) == Span(100_000, 100_005)
    assert usual_span(counts(s10=9, s100_000=3), 15) == Span(10, 11)
    assert usual_span(counts().clear(), 15) == Span(0, 0)


def test_data_of_many_years_is_usual() -> None:
    years = counts(**{f"s{38_400 * i}": 1 for i in range(9)})
    assert usual_span(years, 15) == Span(0, 8 * 38_400 + 1)
    assert usual_span(years, 60) == Span(4 * 38_400, 4 * 38_400 + 1)


def test_spans_hold_so_many_rows_at_most(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(measured_cells, "BATCH_ROWS", 10)
    assert spans_of(counts(s1=4, s2=4, s5=4, s6=30, s9=1)) == [
        Span(1, 3), Span(5, 6), Span(6, 7), Span(9, 10),
    ]  # fmt: skip
    assert spans_of(counts(s1=5, s2=5)) == [Span(1, 3)]
    assert spans_of(counts().clear()) == []


class GoodAtFirst:
    """A source whose rows can be read one by one, but not aggregated."""

    name = "a.parquet"

    def good(self, span: Span | None) -> pl.LazyFrame:
        del span
        text = pl.LazyFrame({"cell": ["none"]})
        return text.with_columns(pl.col("cell").cast(pl.Int64)) if self._asked() else text

    def __init__(self) -> None:
        self._count = 0

    def _asked(self) -> bool:
        self._count += 1
        return self._count == 1


def test_rows_that_cannot_be_aggregated_are_an_error_that_names_the_files() -> None:
    message = "^a.parquet and others cannot be aggregated: "
    with pytest.raises(DataError, match=message):
        count_slices([GoodAtFirst()])  # type: ignore[list-item]
