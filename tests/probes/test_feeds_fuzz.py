"""Damaged files end in a message or in a whole account, never in anything else.

``ROADGRAPH_FUZZ_EXAMPLES`` sets how many damaged files are tried in all.
"""

import csv
import gzip
import io
import os
import tempfile
import zipfile
import zlib
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from roadgraph.errors import DataError
from roadgraph.probes import feed_files as feed_files_module
from roadgraph.probes import feeds, text_lines
from roadgraph.probes.feeds import feed_files, read_feed
from roadgraph.settings import ProbesSettings
from tests.toy import drive, write_fixes

EXAMPLES = int(os.environ.get("ROADGRAPH_FUZZ_EXAMPLES", "300"))
IS_SEARCH = "ROADGRAPH_FUZZ_EXAMPLES" in os.environ  # else the same files at every run

ITIC = ("VehicleID", "gpsvalid", "lat", "lon", "timestamp", "speed", "heading", "light", "engine")
ITIC_SETTINGS = ProbesSettings(
    columns={"vehicle_id": "VehicleID", "speed_kph": "speed", "heading_deg": "heading"},
    header_columns=ITIC,
    timezone="Asia/Bangkok",
    valid_column="gpsvalid",
)
PLAIN_SETTINGS = ProbesSettings(timezone="Asia/Bangkok")

PLAIN_ROWS = [
    ["vehicle_id", "timestamp", "lat", "lon", "speed_kph"],
    *[[f"v{i % 3}", f"2024-01-05 07:00:{i:02}", "13.75", "100.5", "36.5"] for i in range(30)],
]
ITIC_ROWS = [
    [f"v{i % 3}", "1", "13.75", "100.5", f"2024-01-05 07:00:{i:02}", "36", "90", "0", "1"]
    for i in range(30)
]

Edit = Callable[[bytes], bytes]


def written(rows: list[list[str]], delimiter: str = ",", end: str = "\n") -> bytes:
    return "".join(delimiter.join(row) + end for row in rows).encode()


def quoted(rows: list[list[str]]) -> bytes:
    out = io.StringIO()
    csv.writer(out, quoting=csv.QUOTE_ALL, lineterminator="\n").writerows(rows)
    return out.getvalue().encode()


@dataclass(frozen=True)
class Kind:
    """A good file: its name, its text before it is packed, and how it is read and packed."""

    name: str
    text: bytes
    settings: ProbesSettings = PLAIN_SETTINGS
    pack: Edit = lambda data: data
    unpack: Edit = lambda data: data


def zipped(data: bytes, method: int = zipfile.ZIP_DEFLATED) -> bytes:
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w", method) as packed:
        packed.writestr(zipfile.ZipInfo("day.csv"), data, method)
    return out.getvalue()


def gunzipped(data: bytes) -> bytes:
    return gzip.decompress(data)


def unzipped(data: bytes) -> bytes:
    with zipfile.ZipFile(io.BytesIO(data)) as packed:
        [info] = [info for info in packed.infolist() if not info.is_dir()]
        return packed.read(info)


def parquet_bytes() -> bytes:
    with tempfile.TemporaryDirectory() as folder:
        fixes = pl.concat([drive(f"v{i}") for i in range(6)])
        return write_fixes(fixes, Path(folder) / "f.parquet").read_bytes()


TEXTS = [
    Kind("f.csv", written(PLAIN_ROWS)),
    Kind("f.csv", quoted(PLAIN_ROWS)),
    Kind("f.txt", written(PLAIN_ROWS, ";", "\r\n")),
    Kind("f.tsv", written(PLAIN_ROWS, "\t", "\r")),
    Kind("f.csv", "\ufeff".encode("utf-16-le") + written(PLAIN_ROWS).decode().encode("utf-16-le")),
    Kind("f.csv", written(ITIC_ROWS), ITIC_SETTINGS),
    Kind("f.csv", written([list(ITIC), *ITIC_ROWS]), ITIC_SETTINGS),
    Kind("f.csv.gz", written(PLAIN_ROWS), PLAIN_SETTINGS, gzip.compress, gunzipped),
    Kind("f.zip", written([list(ITIC), *ITIC_ROWS]), ITIC_SETTINGS, zipped, unzipped),
    Kind(
        "f.zip",
        written(PLAIN_ROWS),
        pack=lambda data: zipped(data, zipfile.ZIP_STORED),
        unpack=unzipped,
    ),
]
PARQUET = Kind("f.parquet", parquet_bytes())

SPECIAL = [b'"', b",", b";", b"\t", b"|", b"\n", b"\r", b"\r\n", b" ", b"\0", b"\xff", b"\xc3\xa9"]


def place(data: bytes, share: float) -> int:
    return int(share * len(data))


def flip(share: float, byte: int) -> Edit:
    def edit(data: bytes) -> bytes:
        at = place(data, share)
        return data[:at] + bytes(old ^ byte for old in data[at : at + 1]) + data[at + 1 :]

    return edit


def insert(share: float, new: bytes) -> Edit:
    return lambda data: data[: place(data, share)] + new + data[place(data, share) :]


def delete(share: float, count: int) -> Edit:
    return lambda data: data[: place(data, share)] + data[place(data, share) + count :]


def repeat(share: float, count: int) -> Edit:
    def edit(data: bytes) -> bytes:
        at = place(data, share)
        return data[:at] + data[at : at + count] + data[at:]

    return edit


def truncate(share: float) -> Edit:
    return lambda data: data[: place(data, share)]


def repeat_line(share: float) -> Edit:
    def edit(data: bytes) -> bytes:
        lines = data.splitlines(keepends=True)
        at = int(share * len(lines))
        return b"".join(lines[:at] + lines[at : at + 1] + lines[at:])

    return edit


def swap_columns(one: int, other: int) -> Edit:
    def edit(data: bytes) -> bytes:
        def swapped(line: bytes) -> bytes:
            fields = line.split(b",")
            if max(one, other) < len(fields):
                fields[one], fields[other] = fields[other], fields[one]
            return b",".join(fields)

        return b"\n".join(swapped(line) for line in data.split(b"\n"))

    return edit


SHARE = st.floats(0, 1)
COUNT = st.integers(1, 200)
CHUNK_BYTES = st.sampled_from([1 << 24, 1000, 300])
EDITS = st.one_of(
    st.builds(flip, SHARE, st.integers(1, 255)),
    st.builds(insert, SHARE, st.one_of(st.sampled_from(SPECIAL), st.binary(max_size=8))),
    st.builds(delete, SHARE, COUNT),
    st.builds(repeat, SHARE, COUNT),
    st.builds(truncate, SHARE),
    st.builds(repeat_line, SHARE),
    st.builds(swap_columns, st.integers(0, 4), st.integers(0, 8)),
)


def edited(data: bytes, edits: list[Edit]) -> bytes:
    for edit in edits:
        data = edit(data)
    return data


def counted_rows(data: bytes, header_columns: tuple[str, ...]) -> int:
    """Count the rows by the plainest of means: lines that are not blank, less the header."""
    if data.startswith((b"\xff\xfe", b"\xfe\xff")):
        data = data.decode("utf-16", "replace").encode("utf-8", "surrogatepass")
    data = data.removeprefix(b"\xef\xbb\xbf").replace(b"\r\n", b"\n").replace(b"\r", b"\n")
    lines = [line for line in data.split(b"\n") if line.strip()]
    if not header_columns:
        return len(lines) - 1
    return len(lines) - is_header(lines[0].decode("utf-8", "replace"), header_columns)


def is_header(line: str, names: tuple[str, ...]) -> bool:
    known = {name.casefold() for name in names}
    for delimiter in ",;\t|":
        try:
            fields = next(csv.reader([line], delimiter=delimiter, strict=True))
        except csv.Error:
            fields = line.split(delimiter)
        if len(fields) > 1 and {"".join(field.split()).casefold() for field in fields} <= known:
            return True
    return False


def outcome(kind: Kind, packed: bytes, chunk_bytes: int = 1 << 24) -> int | None:
    """Return how many rows the file has, or ``None`` where it is refused."""
    with tempfile.TemporaryDirectory() as folder, pytest.MonkeyPatch.context() as patch:
        patch.setattr(feeds, "CHUNK_BYTES", chunk_bytes)
        patch.setattr(feeds, "BATCH_ROWS", chunk_bytes // 50)
        patch.setattr(feed_files_module, "PIECE_BYTES", chunk_bytes // 3)
        patch.setattr(text_lines, "HEAD_BYTES", min(chunk_bytes // 3, text_lines.HEAD_BYTES))
        path = Path(folder) / kind.name
        path.write_bytes(packed)
        try:
            batches = [b for file in feed_files(path) for b in read_feed(file, kind.settings)]
        except DataError as error:
            if kind.name not in str(error):
                pytest.fail(f"the file is not named: {error}")
            return None
    for batch in batches:
        assert batch.rows_in == len(batch.fixes) + len(batch.refused)
        rows = [*batch.fixes["row"], *batch.refused["row"]]
        assert len(rows) == len(set(rows))
    return sum(batch.rows_in for batch in batches)


@given(
    kind=st.sampled_from(TEXTS),
    before=st.lists(EDITS, max_size=4),
    after=st.lists(EDITS, max_size=2),
    chunk_bytes=CHUNK_BYTES,
)
@settings(max_examples=EXAMPLES * 3 // 4, derandomize=not IS_SEARCH)
def test_every_row_of_a_damaged_text_is_accounted_for_or_the_file_is_named(
    kind: Kind, before: list[Edit], after: list[Edit], chunk_bytes: int
) -> None:
    packed = edited(kind.pack(edited(kind.text, before)), after)
    rows = outcome(kind, packed, chunk_bytes)
    if rows is None:
        return
    try:
        text = kind.unpack(packed)
    except (OSError, zlib.error, zipfile.BadZipFile):
        pytest.fail("a file that cannot be unpacked was read")
    assert rows == counted_rows(text, kind.settings.header_columns)


@given(edits=st.lists(EDITS, max_size=4), is_zipped=st.booleans(), chunk_bytes=CHUNK_BYTES)
@settings(max_examples=EXAMPLES // 4, derandomize=not IS_SEARCH)
def test_every_row_of_a_damaged_parquet_file_is_accounted_for_or_the_file_is_named(
    edits: list[Edit], is_zipped: bool, chunk_bytes: int
) -> None:
    packed = edited(PARQUET.text, edits)
    if is_zipped:
        out = io.BytesIO()
        with zipfile.ZipFile(out, "w") as archive:
            archive.writestr("f.parquet", packed)
        rows = outcome(Kind("f.zip", b""), out.getvalue(), chunk_bytes)
    else:
        rows = outcome(PARQUET, packed, chunk_bytes)
    assert rows is None or rows >= 0


@pytest.mark.parametrize("kind", [*TEXTS, PARQUET])
def test_the_files_are_good_before_they_are_damaged(kind: Kind) -> None:
    assert outcome(kind, kind.pack(kind.text)) == 30
