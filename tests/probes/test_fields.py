import csv
import io
from typing import Literal

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from roadgraph.probes.dialect import Dialect
from roadgraph.probes.fields import Fields, split_lines
from roadgraph.probes.text_lines import Lines

TWO = Dialect(",", 2, {"vehicle_id": 1, "lat": 0}, has_header=False)


def split(data: bytes, dialect: Dialect = TWO) -> Fields:
    return split_lines(Lines(data, 1), dialect)


def rows(fields: Fields) -> dict[int, list[str]]:
    columns = [fields.columns[name].to_pylist() for name in ("lat", "vehicle_id")]
    return dict(zip(fields.lines.tolist(), map(list, zip(*columns, strict=True)), strict=True))


def test_rows_are_split_into_our_columns_without_white_space_around() -> None:
    fields = split(b"1,a\n  2 ,\tb c \n,\n3,007\n")
    assert rows(fields) == {0: ["1", "a"], 1: ["2", "b c"], 2: ["", ""], 3: ["3", "007"]}
    assert (fields.refused, fields.rows_in) == ({}, 4)


def test_only_the_columns_that_are_ours_are_read() -> None:
    dialect = Dialect(";", 4, {"vehicle_id": 3, "lat": 1}, has_header=False)
    assert rows(split(b"x;1;y;a\n", dialect)) == {0: ["1", "a"]}


def test_one_column_can_serve_twice() -> None:
    dialect = Dialect(",", 2, {"vehicle_id": 1, "lat": 1}, has_header=False)
    assert rows(split(b"1,a\n", dialect)) == {0: ["a", "a"]}


def test_blank_lines_are_no_rows_and_keep_the_places_of_the_others() -> None:
    fields = split(b"\n1,a\n \t\n\n2,b\n\n")
    assert rows(fields) == {1: ["1", "a"], 4: ["2", "b"]}
    assert fields.rows_in == 2


def test_a_row_of_tabs_alone_is_blank_as_one_of_spaces_is() -> None:
    dialect = Dialect("\t", 2, TWO.places, has_header=False)
    fields = split(b"1\ta\n\t\n\x01\t\n", dialect)
    assert rows(fields) == {0: ["1", "a"], 2: ["\x01", ""]}


def test_rows_with_too_few_or_too_many_columns_are_refused() -> None:
    fields = split(b"1,a\n2\n3,c,x\n,\n")
    assert rows(fields) == {0: ["1", "a"], 3: ["", ""]}
    assert fields.refused == {1: "bad_row", 2: "bad_row"}
    assert fields.rows_in == 4


def test_quoted_fields_may_hold_delimiters_and_quotes() -> None:
    fields = split(b'1,a\n"2","b"\n"3","c,d"\n"4","e""f"\n5,""\n6, "g,h"\n7,i"j\n')
    assert rows(fields) == {
        0: ["1", "a"], 1: ["2", "b"], 2: ["3", "c,d"], 3: ["4", 'e"f'], 4: ["5", ""],
        5: ["6", "g,h"], 6: ["7", 'i"j'],
    }  # fmt: skip


def test_a_broken_quote_refuses_its_line_alone() -> None:
    fields = split(b'1,a\n2,"b\n3,c\n4,d"e","\n5,"f"g\n6,h\n')
    assert rows(fields) == {0: ["1", "a"], 2: ["3", "c"], 5: ["6", "h"]}
    assert fields.refused == {1: "bad_row", 3: "bad_row", 4: "bad_row"}


def test_a_quoted_row_of_the_wrong_width_is_refused() -> None:
    assert split(b'"1","a","x"\n"2,b"\n').refused == {0: "bad_row", 1: "bad_row"}


def test_bytes_that_are_no_character_refuse_their_line_alone() -> None:
    fields = split(b'1,a\n2,\xff\n\xff\n"3",\xff\n4,\xc3\xa9\n')
    assert rows(fields) == {0: ["1", "a"], 4: ["4", "é"]}
    assert set(fields.refused.values()) == {"bad_encoding"}
    assert list(fields.refused) == [1, 2, 3]


def test_where_there_is_nothing_to_split_nothing_comes() -> None:
    for data in (b"", b"\n\n"):
        fields = split(data)
        assert (rows(fields), fields.refused, fields.rows_in) == ({}, {}, 0)
    assert split(b"1\n").refused == {0: "bad_row"}


def test_a_line_longer_than_the_parsers_block_is_read() -> None:
    long = b"x" * 3_000_000
    fields = split(b"1,a\n2," + long + b"\n3,c\n")
    assert fields.columns["vehicle_id"].to_pylist() == ["a", long.decode(), "c"]


@pytest.mark.parametrize("delimiter", [",", ";", "\t", "|"])
@given(data=st.data())
@settings(max_examples=60)
def test_what_becomes_of_a_line_does_not_depend_on_those_around_it(
    delimiter: str, data: st.DataObject
) -> None:
    dialect = Dialect(delimiter, 2, TWO.places, has_header=False)
    character = st.sampled_from([delimiter, '"', '""', "a", "1", " ", "\xa0", "é", "\0", "\x0b"])
    lines = data.draw(st.lists(st.lists(character, max_size=8).map("".join), max_size=8))
    together = split("".join(line + "\n" for line in lines).encode(), dialect)
    assert together.rows_in == sum(bool(line.encode().strip()) for line in lines)
    for place, line in enumerate(lines):
        alone = split(line.encode() + b"\n", dialect)
        assert rows(together).get(place) == rows(alone).get(0)
        assert together.refused.get(place) == alone.refused.get(0)


@given(
    st.lists(
        st.lists(st.text("ab,;\"' \tรé", max_size=6), min_size=2, max_size=2),
        min_size=1,
        max_size=9,
    ),
    st.booleans(),
)
@settings(max_examples=60)
def test_what_the_csv_module_writes_is_read_as_it_was(table: list[list[str]], quoted: bool) -> None:
    out = io.StringIO()
    quoting: Literal[0, 1] = csv.QUOTE_ALL if quoted else csv.QUOTE_MINIMAL
    csv.writer(out, quoting=quoting, lineterminator="\n").writerows(table)
    expected = {i: [field.strip() for field in row] for i, row in enumerate(table)}
    assert rows(split(out.getvalue().encode())) == expected
