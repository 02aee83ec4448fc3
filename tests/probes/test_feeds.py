import gzip
import zipfile
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import polars as pl
import pytest
from polars.testing import assert_frame_equal

from roadgraph.config import load_settings
from roadgraph.errors import DataError, SettingsError
from roadgraph.probes import feed_files as bytes_module
from roadgraph.probes import feeds as module
from roadgraph.probes import text_lines as lines_module
from roadgraph.probes.feeds import FixBatch, feed_files, read_feed
from roadgraph.schema import FIXES
from roadgraph.settings import ProbesSettings
from tests.toy import drive, write_fixes

SEVEN = datetime(2026, 1, 5, 0, 0, tzinfo=UTC)  # 07:00 in Bangkok
HEADER = "vehicle_id,timestamp,lat,lon,speed_kph\n"
ROW = "v1,2026-01-05T07:00:00+07:00,13.8,100.6,36\n"
ITIC_ROW = "v1,1,13.8,100.6,2026-01-05 07:00:00,36,90,0,1\n"


def write(folder: Path, text: str | bytes, name: str = "f.csv") -> Path:
    data = text.encode() if isinstance(text, str) else text
    (folder / name).write_bytes(gzip.compress(data) if name.endswith(".gz") else data)
    return folder / name


def read(path: Path, settings: ProbesSettings | None = None, **chosen: Any) -> FixBatch:
    """Read a file that is one batch."""
    [file] = feed_files(path)
    [batch] = read_feed(file, settings or ProbesSettings(**chosen))
    assert batch.rows_in == len(batch.fixes) + len(batch.refused)
    assert batch.fixes.columns == [*FIXES.columns, "row"]
    assert dict(batch.refused.schema) == {
        "row": pl.Int64(), "rule": pl.String(), "raw": pl.String(),
    }  # fmt: skip
    return batch


def refused(path: Path, **chosen: Any) -> str:
    [file] = feed_files(path)
    with pytest.raises(DataError) as error:
        list(read_feed(file, ProbesSettings(**chosen)))
    assert str(error.value).startswith(file.name)
    return str(error.value)


def preset(choice: str) -> ProbesSettings:
    return load_settings([f"probes={choice}"]).probes


def in_small_pieces(monkeypatch: pytest.MonkeyPatch, chunk_bytes: int = 200) -> None:
    monkeypatch.setattr(bytes_module, "PIECE_BYTES", 100)
    monkeypatch.setattr(lines_module, "HEAD_BYTES", 10)
    monkeypatch.setattr(module, "CHUNK_BYTES", chunk_bytes)
    monkeypatch.setattr(module, "BATCH_ROWS", 4)


@pytest.mark.parametrize("name", ["f.csv", "f.parquet"])
def test_fixes_come_back_as_they_were_written(name: str, tmp_path: Path) -> None:
    batch = read(write_fixes(drive(), tmp_path / name))
    first = 2 if name == "f.csv" else 1
    assert_frame_equal(batch.fixes.drop("row"), drive())
    assert batch.fixes["row"].to_list() == list(range(first, first + len(drive())))


@pytest.mark.parametrize("name", ["f.csv", "f.csv.gz", "f.txt", "f.txt.gz", "f.tsv", "F.CSV"])
def test_text_is_read_whatever_its_name_and_packing(name: str, tmp_path: Path) -> None:
    assert read(write(tmp_path, HEADER + ROW, name)).fixes.rows() == [
        ("v1", SEVEN, 13.8, 100.6, 36.0, None, 2)
    ]


@pytest.mark.parametrize("delimiter", [";", "\t", "|"])
def test_text_is_read_whatever_its_delimiter(delimiter: str, tmp_path: Path) -> None:
    path = write(tmp_path, (HEADER + ROW).replace(",", delimiter))
    assert read(path).fixes.rows() == [("v1", SEVEN, 13.8, 100.6, 36.0, None, 2)]


def test_decimal_commas_are_read_between_semicolons(tmp_path: Path) -> None:
    text = (HEADER + ROW).replace(",", ";").replace(".", ",")
    assert read(write(tmp_path, text)).fixes.rows() == [("v1", SEVEN, 13.8, 100.6, 36.0, None, 2)]


def test_utf_16_is_read_by_its_byte_order_mark(tmp_path: Path) -> None:
    path = write(tmp_path, (HEADER + ROW.replace("v1", "รถ 1")).encode("utf-16"))
    assert read(path).fixes["vehicle_id"].to_list() == ["รถ 1"]


def test_every_row_is_a_fix_or_refused_with_its_line_its_rule_and_its_text(tmp_path: Path) -> None:
    text = (
        "\n"
        + HEADER
        + ROW
        + " \n"
        + "v2,2026-01-05T07:00:00+07:00,13.8\n"
        + '"v3,2026-01-05T07:00:00+07:00,13.8,100.6,36\n'
        + ",2026-01-05T07:00:00+07:00,13.8,100.6,36\n"
        + "v5,soon,13.8,100.6,36\r\n"
        + "v6,2026-01-05T07:00:00+07:00,13.8,100.6,fast\n"
        + "v7,2026-01-05T07:00:00+07:00,,,"
    )
    batch = read(write(tmp_path, text.encode() + b"\nv\xff,2026-01-05T07:00:00Z,1,2,3"))
    assert batch.rows_in == 8
    assert batch.fixes["row"].to_list() == [3, 10]
    assert batch.fixes.row(1) == ("v7", SEVEN, None, None, None, None, 10)
    assert batch.refused.rows() == [
        (5, "bad_row", "v2,2026-01-05T07:00:00+07:00,13.8"),
        (6, "bad_row", '"v3,2026-01-05T07:00:00+07:00,13.8,100.6,36'),
        (7, "no_vehicle", ",2026-01-05T07:00:00+07:00,13.8,100.6,36"),
        (8, "bad_time", "v5,soon,13.8,100.6,36"),
        (9, "bad_number", "v6,2026-01-05T07:00:00+07:00,13.8,100.6,fast"),
        (11, "bad_encoding", "v\\xff,2026-01-05T07:00:00Z,1,2,3"),
    ]


def test_a_refused_row_of_parquet_is_shown_as_json(tmp_path: Path) -> None:
    fixes = pl.DataFrame(
        {"vehicle_id": ["", "v2"], "timestamp": ["x", "2026-01-05T00:00Z"], "lat": 1.5, "lon": 2.5}
    )
    fixes.write_parquet(tmp_path / "f.parquet")
    batch = read(tmp_path / "f.parquet")
    raw = '{"vehicle_id": "", "timestamp": "x", "lat": 1.5, "lon": 2.5}'
    assert batch.refused.rows() == [(1, "no_vehicle", raw)]
    assert batch.fixes["row"].to_list() == [2]


@pytest.mark.parametrize("name", ["f.csv", "f.csv.gz", "f.parquet"])
def test_a_file_comes_in_batches_that_are_the_same_rows(
    name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    fixes = pl.concat([drive(f"v{i}") for i in range(20)])
    path = tmp_path / name
    if name.endswith(".gz"):
        write(tmp_path, write_fixes(fixes, tmp_path / "plain.csv").read_bytes(), name)
    else:
        write_fixes(fixes, path)
    whole = read(path)
    in_small_pieces(monkeypatch)
    [file] = feed_files(path)
    batches = list(read_feed(file, ProbesSettings()))
    assert len(batches) > 5
    assert_frame_equal(pl.concat([batch.fixes for batch in batches]), whole.fixes)
    assert sum(batch.rows_in for batch in batches) == len(fixes)


def test_refused_rows_of_later_batches_keep_their_lines(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    in_small_pieces(monkeypatch)
    [file] = feed_files(write(tmp_path, HEADER + ROW * 100 + "\nv1,now,1,2,3\n" + ROW))
    refused_rows = pl.concat([batch.refused for batch in read_feed(file, ProbesSettings())])
    assert refused_rows.rows() == [(103, "bad_time", "v1,now,1,2,3")]


def test_what_the_first_batch_says_of_zones_holds_for_the_others(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    in_small_pieces(monkeypatch)
    naive = ROW.replace("+07:00", "")
    settings = ProbesSettings(timezone="Asia/Bangkok")
    [file] = feed_files(write(tmp_path, HEADER + ROW * 50 + naive * 50))
    rules = [rule for batch in read_feed(file, settings) for rule in batch.refused["rule"]]
    assert rules == ["bad_time"] * 50
    [file] = feed_files(write(tmp_path, HEADER + naive * 50 + ROW * 50))
    times = pl.concat([batch.fixes for batch in read_feed(file, settings)])["timestamp"]
    assert times.to_list() == [SEVEN] * 100


@pytest.mark.parametrize("is_quick", [True, False])
def test_a_header_alone_is_a_batch_without_rows(
    is_quick: bool, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    if not is_quick:
        in_small_pieces(monkeypatch, chunk_bytes=39)
    assert read(write(tmp_path, HEADER)).rows_in == 0
    assert read(write(tmp_path, HEADER.strip())).rows_in == 0
    assert read(write_fixes(drive().clear(), tmp_path / "f.parquet")).rows_in == 0


@pytest.mark.parametrize("data", [b"", b"\n \n\r\n", b"\xef\xbb\xbf", b"\xff\xfe"])
@pytest.mark.parametrize("name", ["f.csv", "f.csv.gz"])
def test_a_file_without_a_line_is_empty(data: bytes, name: str, tmp_path: Path) -> None:
    assert refused(write(tmp_path, data, name)) == f"{name} is empty"


def test_a_truncated_gzip_says_how_many_rows_came_before(tmp_path: Path) -> None:
    rows = [f"v{i},2026-01-05T07:00:00+07:00,13.8,100.6,{i % 97}\n" for i in range(20_000)]
    data = gzip.compress((HEADER + "".join(rows)).encode())
    (tmp_path / "f.csv.gz").write_bytes(data[: len(data) // 2])
    [file] = feed_files(tmp_path)
    batches: list[FixBatch] = []
    with pytest.raises(DataError) as error:
        batches.extend(read_feed(file, ProbesSettings()))
    count = sum(len(batch.fixes) for batch in batches)
    assert count > 5000
    assert str(error.value) == (
        f"f.csv.gz breaks off in the middle; fetch it again ({count:,} whole rows were read before)"
    )


def test_times_without_a_zone_are_an_error_unless_the_setting_gives_one(tmp_path: Path) -> None:
    path = write(tmp_path, HEADER + ROW.replace("+07:00", ""))
    assert "set probes.timezone" in refused(path)
    assert read(path, timezone="Asia/Bangkok").fixes["timestamp"].to_list() == [SEVEN]


def test_a_setting_that_cannot_be_used_is_named(tmp_path: Path) -> None:
    path = write(tmp_path, HEADER + ROW.replace("+07:00", ""))
    for settings in (
        ProbesSettings(timezone="Mars"),
        ProbesSettings(encoding="utf-9"),
        ProbesSettings(delimiter="ab"),
        ProbesSettings(time_format="%H"),
    ):
        with pytest.raises(
            SettingsError, match=r"^probes\.(timezone|encoding|delimiter|time_format): "
        ):
            read(path, settings)


def test_a_missing_column_is_named_with_the_headers_line(tmp_path: Path) -> None:
    message = refused(write(tmp_path, "\n" + HEADER.replace("lat", "latt") + ROW))
    assert message.startswith("f.csv, line 2: column 'lat' is missing (found vehicle_id, ")
    assert "did you mean 'latt'?" in message


@pytest.mark.parametrize(
    ("bad", "rule", "see"),
    [
        ("v1,2026-01-05T07:00:00Z,13,8,100,6,36", "bad_row", "probes.delimiter (found in the"),
        ("v1,05/01/2026,13.8,100.6,36", "bad_time", "probes.time_format (ISO 8601)"),
        ("v1,2026-01-05T07:00:00Z,a,100.6,36", "bad_number", "probes.columns"),
        (",2026-01-05T07:00:00Z,13.8,100.6,36", "no_vehicle", "probes.columns.vehicle_id"),
    ],
)
def test_most_rows_refused_by_one_rule_are_an_error_that_shows_one_and_the_setting(
    bad: str, rule: str, see: str, tmp_path: Path
) -> None:
    message = refused(write(tmp_path, HEADER + ROW * 9 + f"{bad}\n" * 11))
    assert message.startswith(
        f"f.csv: 11 of the first 20 rows are refused ({rule}), such as line 11: '{bad}'; "
    )
    assert see in message


def test_a_wrong_encoding_is_an_error_that_shows_a_row_and_the_setting(tmp_path: Path) -> None:
    data = (HEADER + ROW.replace("v1", "กข") * 20).encode("cp874")
    message = refused(write(tmp_path, data))
    assert "(bad_encoding), such as line 2: '\\\\xa1\\\\xa2,2026" in message
    assert message.endswith("see probes.encoding (utf-8)")
    assert read(tmp_path / "f.csv", encoding="cp874").fixes["vehicle_id"][0] == "กข"


def test_half_of_the_rows_or_a_few_rows_are_no_reason_to_refuse_a_file(tmp_path: Path) -> None:
    bad = "v1,soon,13.8,100.6,36\n"
    assert len(read(write(tmp_path, HEADER + ROW * 10 + bad * 10)).refused) == 10
    assert len(read(write(tmp_path, HEADER + bad * 19)).refused) == 19


def test_most_rows_of_parquet_refused_by_one_rule_are_an_error(tmp_path: Path) -> None:
    fixes = pl.concat([drive()] * 5).with_columns(pl.lit("soon").alias("timestamp"))
    fixes.write_parquet(tmp_path / "f.parquet")
    message = refused(tmp_path / "f.parquet")
    assert (
        '25 of the first 25 rows are refused (bad_time), such as row 1: \'{"vehicle_id"' in message
    )


def test_a_feed_of_receivers_without_a_fix_is_refused_row_by_row(tmp_path: Path) -> None:
    batch = read(write(tmp_path, ITIC_ROW.replace(",1,", ",0,", 1) * 30), preset("itic"))
    assert batch.refused["rule"].to_list() == ["gps_invalid"] * 30


@pytest.mark.parametrize("name", ["f.csv", "f.csv.gz", "f.zip"])
@pytest.mark.parametrize(
    "header",
    [
        "",
        "VehicleID,gpsvalid,lat,lon,timestamp,speed,heading,for_hire_light,engine_acc\n",
        "vehicleid, gpsvalid, lat, lon, timestamp, speed, heading, for_hire_light, engine_acc\r\n",
    ],
)
def test_itic_files_are_read_with_and_without_a_header(
    header: str, name: str, tmp_path: Path
) -> None:
    invalid = ITIC_ROW.replace(",1,", ",0,", 1)
    path = write(tmp_path, header + ITIC_ROW + invalid, name if name != "f.zip" else "day.csv")
    if name == "f.zip":
        with zipfile.ZipFile(tmp_path / "f.zip", "w") as packed:
            packed.write(path, "20260105.csv")
        path = tmp_path / "f.zip"
    batch = read(path, preset("itic"))
    first = 2 if header else 1
    assert batch.fixes.rows() == [("v1", SEVEN, 13.8, 100.6, 36.0, 90.0, first)]
    assert batch.refused.rows() == [(first + 1, "gps_invalid", invalid.strip())]


def test_t_drive_files_are_read(tmp_path: Path) -> None:
    path = write(tmp_path, "1,2008-02-02 15:36:08,116.51172,39.92123\n", "1.txt")
    time = datetime(2008, 2, 2, 7, 36, 8, tzinfo=UTC)
    assert read(path, preset("tdrive")).fixes.rows() == [
        ("1", time, 39.92123, 116.51172, None, None, 1)
    ]
