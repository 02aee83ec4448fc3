import codecs
from collections.abc import Iterator
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from roadgraph.errors import DataError, SettingsError
from roadgraph.probes.feed_files import DamagedError
from roadgraph.probes.text_lines import Lines, whole_lines

MANY = 1 << 20


def read(data: bytes, encoding: str = "utf-8", chunk_bytes: int = MANY) -> list[Lines]:
    return list(whole_lines([data], encoding, "f.csv", chunk_bytes))


def texts(chunks: list[Lines]) -> list[str]:
    return [chunk.text(index) for chunk in chunks for index in range(len(chunk))]


def refused(data: bytes) -> str:
    with pytest.raises(DataError) as error:
        read(data)
    assert str(error.value).startswith("f.csv")
    return str(error.value)


def test_the_three_ends_of_a_line_are_all_ends_and_the_last_line_may_have_none() -> None:
    assert texts(read(b"a\nb\r\nc\rd\n\r\n\re")) == ["a", "b", "c", "d", "", "", "e"]
    assert texts(read(b"a\n")) == ["a"]
    assert texts(read(b"a\r")) == ["a"]
    assert read(b"") == []


@given(
    data=st.lists(st.sampled_from([b"a", b"bc", b"\n", b"\r", b" "])).map(b"".join),
    cuts=st.lists(st.integers(0, 40)),
    chunk_bytes=st.integers(1, 50),
)
def test_however_a_file_comes_in_pieces_its_lines_are_the_same(
    data: bytes, cuts: list[int], chunk_bytes: int
) -> None:
    edges = sorted({0, *cuts, len(data)} - set(range(len(data) + 1, 50)))
    parts = [data[start:end] for start, end in pairwise(edges)]
    expected = data.replace(b"\r\n", b"\n").replace(b"\r", b"\n")
    if expected and not expected.endswith(b"\n"):
        expected += b"\n"
    try:
        chunks = list(whole_lines([part for part in parts if part], "utf-8", "f", chunk_bytes))
    except DataError:
        assert max(map(len, expected.split(b"\n"))) >= chunk_bytes - 2
        return
    assert b"".join(chunk.data for chunk in chunks) == expected
    first = 1
    for chunk in chunks:
        assert chunk.first == first
        first += len(chunk)


def test_lines_have_starts_ends_and_their_rest() -> None:
    [lines] = read(b"ab\n\nc\n")
    assert (lines.starts.tolist(), lines.ends.tolist()) == ([0, 3, 4], [2, 3, 5])
    assert (lines.line(0), lines.line(1), lines.line(2)) == (b"ab", b"", b"c")
    assert lines.after(0) == lines
    assert lines.after(2) == Lines(b"c\n", 3)
    assert lines.after(3) == Lines(b"", 4)
    assert len(lines.after(3)) == 0
    assert lines.as_array().to_pylist() == [b"ab\n", b"\n", b"c\n"]


def test_a_line_of_white_space_alone_is_blank() -> None:
    [lines] = read(b" \t\x0b\x0c\n\n.\n\x00\n")
    assert [lines.is_blank(index) for index in range(4)] == [True, True, False, False]


@pytest.mark.parametrize(
    ("mark", "encoding"),
    [
        (codecs.BOM_UTF8, "utf-8"),
        (codecs.BOM_UTF16_LE, "utf-16-le"),
        (codecs.BOM_UTF16_BE, "utf-16-be"),
        (codecs.BOM_UTF32_LE, "utf-32-le"),
        (codecs.BOM_UTF32_BE, "utf-32-be"),
    ],
)
@pytest.mark.parametrize("setting", ["utf-8", "cp874"])
def test_a_byte_order_mark_tells_the_encoding_whatever_the_setting_says(
    mark: bytes, encoding: str, setting: str
) -> None:
    assert texts(read(mark + "รถ 1\r\nรถ 2".encode(encoding), setting)) == ["รถ 1", "รถ 2"]


@pytest.mark.parametrize("encoding", ["cp874", "utf-16-le", "utf-16", "tis-620", "UTF8"])
def test_an_encoding_can_be_set(encoding: str) -> None:
    assert texts(read("รถ 1\nรถ 2\n".encode(encoding), encoding)) == ["รถ 1", "รถ 2"]


def test_characters_that_lie_across_two_pieces_are_read() -> None:
    data = b"x" * 5000 + "\nรถ\n".encode("utf-16-le")
    pieces = [data[i : i + 1] for i in range(len(data))]
    [lines] = whole_lines(pieces, "utf-16-le", "f", MANY)
    assert lines.text(1) == "รถ"


def test_bytes_that_are_no_character_are_found_and_shown() -> None:
    [lines] = read(b"good\nb\xffd\n\xc3\xa9\n\xe9\n")
    assert lines.not_utf8() == [1, 3]
    assert texts([lines]) == ["good", "b\\xffd", "é", "\\xe9"]
    [lines] = read(b"a\xe9,1\ngood\n", "ascii")
    assert lines.not_utf8() == [0]
    assert texts([lines]) == ["a\\xff,1", "good"]
    assert read(b"a\xe9,1\n", "latin-1")[0].not_utf8() == []


def test_half_a_character_at_the_end_of_a_file_is_no_character() -> None:
    [lines] = read(codecs.BOM_UTF16_LE + "a\nb".encode("utf-16-le") + b"c")
    assert lines.not_utf8() == [1]
    assert lines.text(0) == "a"


def test_half_a_pair_of_surrogates_is_no_character() -> None:
    [lines] = read(codecs.BOM_UTF16_LE + "a\n".encode("utf-16-le") + b"\x00\xd8" + b"b\x00\n\x00")
    assert lines.not_utf8() == [1]


def test_a_line_longer_than_a_chunk_is_an_error_that_names_it() -> None:
    pieces = [b"a\n", *[b"x" * 1000] * 30]
    with pytest.raises(DataError, match=r"^f\.csv, line 2 is longer than 10,000 bytes; is this a"):
        list(whole_lines(pieces, "utf-8", "f.csv", 10_000))


@pytest.mark.parametrize(
    ("magic", "suffix"), [(b"\x1f\x8b\x08", ".gz"), (b"PK\x03\x04", ".zip"), (b"PAR1", ".parquet")]
)
def test_a_file_of_another_format_by_its_content_is_an_error_that_names_it(
    magic: bytes, suffix: str
) -> None:
    assert refused(magic + b"..") == f"f.csv is a {suffix} file by its content; name it *{suffix}"


def test_utf_16_without_a_byte_order_mark_is_an_error_that_names_the_setting() -> None:
    message = refused("vehicle_id,lat\n".encode("utf-16-le"))
    assert message.endswith("Then set probes.encoding=utf-16-le")


@pytest.mark.parametrize("encoding", ["utf-9", "rot13", "hex", "undefined", "a\0b", "idna", "bz2"])
def test_an_encoding_that_is_none_is_an_error_that_names_the_setting(encoding: str) -> None:
    with pytest.raises(SettingsError, match=r"probes\.encoding: no encoding '"):
        read(b"a\n", encoding)


def test_of_a_file_that_breaks_off_the_whole_lines_come_first() -> None:
    def pieces() -> Iterator[bytes]:
        yield b"one\ntw"
        yield b"o\nthr"
        raise DamagedError("f.csv breaks off")

    chunks = whole_lines(pieces(), "utf-8", "f.csv", MANY)
    assert texts([next(chunks)]) == ["one", "two"]
    with pytest.raises(DamagedError):
        next(chunks)


def test_of_a_file_that_breaks_off_in_its_first_line_nothing_comes() -> None:
    def pieces() -> Iterator[bytes]:
        yield b"one"
        raise DamagedError("f.csv breaks off")

    with pytest.raises(DamagedError):
        next(whole_lines(pieces(), "utf-8", "f.csv", MANY))
