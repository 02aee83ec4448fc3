import gzip
import zipfile
from datetime import date, timedelta
from pathlib import Path
from typing import Any

import polars as pl
import pyarrow.parquet as pq
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from roadgraph.errors import AccountError, DataError, SettingsError
from roadgraph.schema import QUARANTINE, SLICES
from roadgraph.slices import measured as measured_module
from roadgraph.slices import measured_cells, measured_reading
from roadgraph.slices.run import SlicesReport
from roadgraph.slices.store import read_manifest, read_slices, stored_days
from roadgraph.workspace import Workspace
from tests.slices.toy import bytes_of, made, settings_of, table_of_days
from tests.slices.toy_measured import (
    START,
    aggregate,
    aggregates,
    at,
    measured,
    traversal,
    traversals,
    write,
)
from tests.toy import MONDAY_7, drive, write_fixes

SUNDAY, MONDAY, TUESDAY = date(2026, 1, 4), date(2026, 1, 5), date(2026, 1, 6)
DAY_S = 86_400.0


def slices_of(workspace: Workspace) -> list[dict[str, Any]]:
    return read_slices(workspace.slices).to_pylist()


def quarantined(workspace: Workspace) -> pl.DataFrame:
    paths = sorted((workspace.measured / "quarantine").glob("*.parquet"))
    for path in paths:
        assert pq.read_schema(path) == QUARANTINE.schema
    return pl.concat([pl.read_parquet(path) for path in paths])


def message(folder: Path, data: Path, **groups: dict[str, Any]) -> str:
    """Return what a run is refused with; it must leave no slice and no half-written file."""
    chosen = measured(folder, data, **groups)
    with pytest.raises((DataError, SettingsError)) as error:
        made(chosen)
    workspace = Workspace.of(chosen)
    assert stored_days(workspace.slices) == []
    left = {path.name for path in workspace.root.rglob("*") if path.is_file()}
    assert left <= {".slices.lock", ".files.json"}
    return str(error.value)


TWO = traversals(
    traversal(30.0),
    traversal(60.0, 899.0, vehicle_id="v2", confidence=0.5),
    traversal(50.0, 900.0, segment_id="C"),
)
"""In A weights of 10 s and 5 s: (300 + 300) / 15 = 40 km/h; in C, a slice later, one vehicle."""


def assert_two(workspace: Workspace) -> None:
    first, second = slices_of(workspace)
    assert (first["segment_id"], first["slice_start"]) == ("A", START)
    assert first["mean_speed"] == pytest.approx(40)
    assert (first["median_speed"], first["speed_std"], first["count_probes"]) == (45, 15, 2)
    assert first["quality_score"] == pytest.approx(2 / 3 * (15 / 20) / 1.15)
    assert second == {
        "segment_id": "C", "slice_start": START + timedelta(minutes=15), "mean_speed": 50.0,
        "median_speed": 50.0, "speed_std": 0.0, "count_probes": 1, "quality_score": 0.5,
    }  # fmt: skip


def test_matched_rows_become_slices_without_matching(tmp_path: Path) -> None:
    data = write(TWO, tmp_path / "rows.parquet")
    report, workspace = made(measured(tmp_path, data))
    assert report == SlicesReport(("rows.parquet",), 3, 3, {}, (MONDAY,), (), 2, None)
    assert_two(workspace)
    assert read_slices(workspace.slices).schema == SLICES.schema
    assert quarantined(workspace).is_empty()


def test_the_network_needs_no_geometry(tmp_path: Path) -> None:
    from tests.toy import detector_network

    rows = traversals(traversal(segment_id="d1"))
    _, workspace = made(measured(tmp_path, write(rows, tmp_path / "rows.csv")), detector_network())
    assert [row["segment_id"] for row in slices_of(workspace)] == ["d1"]


def as_texts(table: pl.DataFrame) -> pl.DataFrame:
    return table.with_columns(pl.col("entered_at").dt.to_string("%Y-%m-%d %H:%M:%S%:z"))


def gzipped(path: Path) -> Path:
    packed = path.with_suffix(".csv.gz")
    packed.write_bytes(gzip.compress(path.read_bytes()))
    return packed


def recoded(path: Path, encoding: str) -> Path:
    path.write_bytes(path.read_text("utf-8").encode(encoding))
    return path


def with_commas(path: Path) -> Path:
    numbers = pl.col("speed_kph", "share", "confidence", "duration_s")
    texts = TWO.with_columns(numbers.cast(pl.String).str.replace(".", ",", literal=True))
    return write(texts, path, ";")


def zipped(folder: Path) -> Path:
    """Return a zip of a CSV and of a Parquet file."""
    first = write(TWO[:1], folder / "parts" / "first.csv")
    others = write(TWO[1:], folder / "parts" / "others.parquet")
    with zipfile.ZipFile(folder / "rows.zip", "w") as archive:
        for path in (first, others):
            archive.write(path, path.name)
    return folder / "rows.zip"


FORMATS: dict[str, Any] = {
    "csv": lambda folder: write(TWO, folder / "rows.csv"),
    "gzip": lambda folder: gzipped(write(TWO, folder / "rows.csv")),
    "semicolons and decimal commas": lambda folder: with_commas(folder / "rows.csv"),
    "parquet with texts": lambda folder: write(as_texts(TWO), folder / "rows.parquet"),
    "parquet with categories": lambda folder: write(
        TWO.with_columns(pl.col("segment_id", "vehicle_id").cast(pl.Categorical)),
        folder / "rows.parquet",
    ),
    "parquet with small floats": lambda folder: write(
        TWO.with_columns(pl.col("speed_kph", "share").cast(pl.Float32)), folder / "rows.parquet"
    ),
    "parquet with nanoseconds": lambda folder: write(
        TWO.with_columns(pl.col("entered_at").dt.cast_time_unit("ns")), folder / "rows.parquet"
    ),
    "parquet with numbers as texts": lambda folder: write(
        TWO.with_columns(pl.col("speed_kph", "duration_s").cast(pl.String)),
        folder / "rows.parquet",
    ),
    "zip": zipped,
    "utf-16": lambda folder: recoded(write(TWO, folder / "rows.csv"), "utf-16"),
}


@pytest.mark.parametrize("name", FORMATS)
def test_the_same_rows_give_the_same_slices_in_every_format(name: str, tmp_path: Path) -> None:
    data = FORMATS[name](tmp_path)
    report, workspace = made(measured(tmp_path / "work", data))
    assert (report.rows_in, report.rows_used, report.refused) == (3, 3, {})
    assert_two(workspace)


def test_columns_are_found_by_their_mapping(tmp_path: Path) -> None:
    table = TWO.rename({"segment_id": "link", "entered_at": "ts", "speed_kph": "v"})
    table = table.with_columns(speed_kph=pl.lit("theirs"), row=pl.lit(1), cell=pl.lit(2))
    names = {"segment_id": "link", "entered_at": "ts", "speed_kph": "v"}
    for suffix in ("csv", "parquet"):
        data = write(table, tmp_path / f"rows.{suffix}")
        chosen = measured(tmp_path / suffix, data, measured={"columns": names})
        assert_two(made(chosen)[1])


def test_without_further_columns_every_row_is_a_vehicle_and_the_mean_is_plain(
    tmp_path: Path,
) -> None:
    rows = traversals(traversal(10.0), traversal(20.0), traversal(60.0))
    few = rows.select("segment_id", "entered_at", "speed_kph")
    for suffix in ("csv", "parquet"):
        _, workspace = made(measured(tmp_path / suffix, write(few, tmp_path / f"rows.{suffix}")))
        (row,) = slices_of(workspace)
        assert (row["mean_speed"], row["median_speed"], row["count_probes"]) == (30, 20, 3)
        assert row["quality_score"] == pytest.approx(3 / 4 / (1 + row["speed_std"] / 100))


def test_a_missing_value_is_the_default(tmp_path: Path) -> None:
    rows = traversals(
        traversal(10.0, vehicle_id=None, share=None, confidence=None, duration_s=None),
        traversal(20.0, vehicle_id=None, share=None, confidence=None, duration_s=None),
    )
    nan = rows.with_columns(pl.lit(float("nan")).alias("share"))
    empty = rows.with_columns(pl.lit("").alias("vehicle_id"))
    for place, table in enumerate((rows, nan, empty)):
        for suffix in ("csv", "parquet"):
            if suffix == "csv" and table is nan:
                continue  # in a text, nan is no number
            data = write(table, tmp_path / str(place) / f"rows.{suffix}")
            report, workspace = made(measured(tmp_path / f"{place}-{suffix}", data))
            assert report.refused == {}
            (row,) = slices_of(workspace)
            assert (row["mean_speed"], row["count_probes"]) == (15, 2)


def test_rows_without_a_vehicle_are_different_vehicles_in_different_files(tmp_path: Path) -> None:
    for place in range(3):
        row = traversals(traversal(10.0 + place, vehicle_id=None))
        write(row, tmp_path / "rows" / f"{place}.parquet")
    _, workspace = made(measured(tmp_path / "work", tmp_path / "rows"))
    assert slices_of(workspace)[0]["count_probes"] == 3


@pytest.mark.parametrize(
    ("unit", "kph"), [("mph", 16.09344), ("m/s", 36.0), ("knots", 18.52), ("km/h", 10.0)]
)
def test_speeds_are_converted(unit: str, kph: float, tmp_path: Path) -> None:
    data = write(traversals(traversal(10.0)), tmp_path / "rows.parquet")
    _, workspace = made(measured(tmp_path, data, measured={"speed_unit": unit}))
    assert slices_of(workspace)[0]["mean_speed"] == pytest.approx(kph, rel=1e-9)


def test_whole_numbers_may_name_segments(tmp_path: Path) -> None:
    from tests.toy import detector_network

    ids = detector_network(2)
    table = pl.DataFrame(
        {"segment_id": [0, 1, 7], "entered_at": [at(0)] * 3, "speed_kph": [10, 20, 30]}
    )
    segments = ids.segments.assign(segment_id=["0", "1"], from_node=["0", "1"], to_node=["0", "1"])
    links = ids.links.assign(from_segment="0", to_segment="1")
    network = type(ids)(segments, links)
    for kind in (pl.Int32, pl.UInt64, pl.Float64):
        data = write(table.with_columns(pl.col("segment_id").cast(kind)), tmp_path / "rows.parquet")
        report, workspace = made(measured(tmp_path / str(kind), data), network)
        assert [row["segment_id"] for row in slices_of(workspace)] == ["0", "1"]
        assert report.refused == {"unknown_segment": 1}


def local_times(*times: str, kind: str) -> pl.DataFrame:
    table = pl.DataFrame({"segment_id": "A", "entered_at": times, "speed_kph": 36.0})
    return table if kind == "csv" else table.with_columns(pl.col("entered_at").str.to_datetime())


@pytest.mark.parametrize("suffix", ["csv", "parquet"])
def test_times_without_a_zone_are_read_in_the_zone_that_is_set(suffix: str, tmp_path: Path) -> None:
    data = write(local_times("2026-01-05 07:00:00", kind=suffix), tmp_path / f"rows.{suffix}")
    refused = message(tmp_path / "none", data)
    assert "column 'entered_at' has no time zone" in refused
    assert "measured.timezone=Asia/Bangkok" in refused
    chosen = measured(tmp_path / "set", data, measured={"timezone": "Asia/Bangkok"})
    assert slices_of(made(chosen)[1])[0]["slice_start"] == START


@pytest.mark.parametrize("suffix", ["csv", "parquet"])
def test_the_hours_of_a_clock_change(suffix: str, tmp_path: Path) -> None:
    # Berlin's clock skipped 02:00 to 03:00 on 2026-03-29 and showed it twice on 2025-10-26.
    times = ("2026-03-29 02:30:00", "2026-03-29 03:30:00", "2025-10-26 02:30:00")
    data = write(local_times(*times, kind=suffix), tmp_path / f"rows.{suffix}")
    report, workspace = made(
        measured(tmp_path / "work", data, measured={"timezone": "Europe/Berlin"})
    )
    assert report.refused == {"bad_time": 1}
    starts = sorted(row["slice_start"].isoformat() for row in slices_of(workspace))
    assert starts == ["2025-10-26T00:30:00+00:00", "2026-03-29T01:30:00+00:00"]


@pytest.mark.parametrize(
    ("time_format", "value"),
    [
        ("epoch_s", START.timestamp()),
        ("epoch_s", int(START.timestamp())),
        ("epoch_ms", int(START.timestamp() * 1000)),
        ("%d.%m.%Y %H:%M:%S%z", "05.01.2026 07:00:00+0700"),
        ("", "2026-01-05T07:00:00+07:00"),
    ],
)
def test_times_are_read_in_their_format(time_format: str, value: Any, tmp_path: Path) -> None:
    table = pl.DataFrame({"segment_id": ["A"], "entered_at": [value], "speed_kph": [36.0]})
    for suffix in ("csv", "parquet"):
        data = write(table, tmp_path / f"rows.{suffix}")
        chosen = measured(tmp_path / suffix, data, measured={"time_format": time_format})
        assert slices_of(made(chosen)[1])[0]["slice_start"] == START


@pytest.mark.parametrize("unit", ["ms", "us", "ns"])
@pytest.mark.parametrize("zone", ["UTC", None])
def test_times_that_no_calendar_shows_are_refused(
    unit: Any, zone: str | None, tmp_path: Path
) -> None:
    odd = pl.Series([2**62, -(2**62), None]).cast(pl.Datetime(unit, zone))
    good = pl.Series([START.replace(tzinfo=None)] * 3).dt.cast_time_unit(unit)
    times = pl.concat([good.dt.replace_time_zone(zone), odd])
    table = pl.DataFrame({"segment_id": "A", "entered_at": times, "speed_kph": 36.0})
    data = write(table, tmp_path / "rows.parquet")
    report, workspace = made(measured(tmp_path, data, measured={"timezone": "UTC"}))
    # In nanoseconds the first one is in the year 2116.
    expected = {"bad_time": 2, "stray_clock": 1} if unit == "ns" else {"bad_time": 3}
    assert (report.rows_used, report.refused) == (3, expected)
    shown = quarantined(workspace)["raw"].to_list()
    assert '"entered_at":null' in shown[-1]
    if unit != "ns":
        assert f'"entered_at":"{2**62}"' in shown[0]


def test_no_traversal_counts_for_longer_than_a_slice(tmp_path: Path) -> None:
    rows = traversals(
        traversal(10.0, duration_s=80_000.0),
        traversal(20.0, vehicle_id="v2", duration_s=900.0),
    )
    _, workspace = made(measured(tmp_path, write(rows, tmp_path / "rows.parquet")))
    assert slices_of(workspace)[0]["mean_speed"] == 15


GOOD = traversals(*[traversal(36.0, 60.0 * i, vehicle_id=f"v{i}") for i in range(9)])
BAD = {
    "no_segment": [traversal(segment_id=None), traversal(segment_id="")],
    "unknown_segment": [traversal(segment_id="D"), traversal(segment_id="a", speed_kph=None)],
    "bad_time": [traversal(after_s=None), traversal(after_s=-3e9)],
    "bad_speed": [
        traversal(None), traversal(-0.1), traversal(200.1), traversal(float("inf")),
    ],
    "bad_number": [
        traversal(share=1.1), traversal(share=-0.1), traversal(confidence=2.0),
        traversal(duration_s=0.0), traversal(duration_s=-5.0), traversal(duration_s=1e6),
    ],
    "stray_clock": [traversal(after_s=500 * DAY_S), traversal(after_s=-9000 * DAY_S)],
}  # fmt: skip


@pytest.mark.parametrize("suffix", ["csv", "parquet"])
def test_every_bad_row_is_refused_by_its_rule_and_lies_in_the_quarantine(
    suffix: str, tmp_path: Path
) -> None:
    bad = [(rule, row) for rule, rows in BAD.items() for row in rows]
    table = pl.concat([GOOD, traversals(*(row for _, row in bad))])
    report, workspace = made(measured(tmp_path, write(table, tmp_path / f"rows.{suffix}")))
    expected = {rule: len(rows) for rule, rows in BAD.items()}
    assert report.refused == dict(sorted(expected.items()))
    assert (report.rows_in, report.rows_used) == (9 + len(bad), 9)
    assert report.built == (MONDAY,)
    found = quarantined(workspace)
    # The header is the first line of a text.
    first = 10 if suffix == "parquet" else 11
    assert found["row"].to_list() == list(range(first, first + len(bad)))
    assert found["rule"].to_list() == [rule for rule, _ in bad]
    assert found["file"].unique().to_list() == [f"rows.{suffix}"]
    assert found["speed_kph"].to_list()[7:9] == [-0.1, 200.1]
    assert found["timestamp"].to_list()[2] == START
    raw = found["raw"].to_list()
    if suffix == "parquet":
        assert raw[2].startswith('{"vehicle_id":"v1","segment_id":"D","entered_at":"2026-01-05 00')
    else:
        assert raw[2] == "v1,D,2026-01-05T00:00:00.000000+00:00,36.0,1.0,1.0,10.0"
    assert raw[-1].startswith('{"segment_id":"A","time":"2001-05-')


def test_the_bad_rows_change_nothing_in_the_slices(tmp_path: Path) -> None:
    bad = traversals(*(row for rows in BAD.values() for row in rows))
    mixed = write(pl.concat([bad, GOOD]), tmp_path / "mixed.parquet")
    clean = write(GOOD, tmp_path / "clean.parquet")
    _, found = made(measured(tmp_path / "a", mixed))
    _, wanted = made(measured(tmp_path / "b", clean))
    assert read_slices(found.slices).equals(read_slices(wanted.slices))


def test_text_in_a_column_of_numbers_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "rows.csv"
    path.write_text(
        "segment_id,entered_at,speed_kph,share\n"
        "A,2026-01-05T00:00:00Z,fast,1\n"
        "A,2026-01-05T00:00:00Z,30,all\n"
        "A,2026-01-05T00:00:00Z,30,nan\n"
        "A,2026-01-05T00:00:00Z,30,\n"
        "A,2026-01-05T00:00:00Z,nan,\n"
        "A,2026-01-05,30,\n"
        "A,soon,30,\n"
        "A,2026-01-05T00:00:00Z,30\n"
        'A,2026-01-05T00:00:00Z,"30,1\n'
        "\n"
    )
    report, workspace = made(measured(tmp_path, path))
    assert report.refused == {"bad_number": 2, "bad_row": 2, "bad_speed": 2, "bad_time": 2}
    assert (report.rows_in, report.rows_used) == (9, 1)
    assert quarantined(workspace)["row"].to_list() == [2, 3, 4, 6, 7, 8, 9, 10]
    strings = pl.read_csv(path.read_bytes().splitlines(keepends=True)[0] + (
        b"A,2026-01-05T00:00:00Z,fast,1\nA,2026-01-05T00:00:00Z,30,all\n"
        b"A,2026-01-05T00:00:00Z,30,\n"
    ), infer_schema=False)  # fmt: skip
    typed = strings.with_columns(pl.col("entered_at").str.to_datetime(time_zone="UTC"))
    for name, table in {"texts": strings, "times": typed}.items():
        data = write(table, tmp_path / f"{name}.parquet")
        report, _ = made(measured(tmp_path / name, data))
        assert report.refused == {"bad_number": 1, "bad_speed": 1}


def test_rows_in_a_wrong_encoding_are_refused(tmp_path: Path) -> None:
    path = tmp_path / "rows.csv"
    head = b"vehicle_id,segment_id,entered_at,speed_kph\n"
    row = b",A,2026-01-05T00:00:00Z,30\n"
    path.write_bytes(head + b"caf\xe9" + row + "café".encode() + row)
    report, workspace = made(measured(tmp_path / "utf-8", path))
    assert report.refused == {"bad_encoding": 1}
    assert quarantined(workspace)["raw"].to_list() == [r"caf\xe9,A,2026-01-05T00:00:00Z,30"]
    chosen = measured(tmp_path / "latin-1", path, measured={"encoding": "latin-1"})
    assert made(chosen)[0].refused == {}


def test_settings_of_text_files_are_named_as_ours(tmp_path: Path) -> None:
    path = write(TWO, tmp_path / "probes.csv")
    refused = message(tmp_path / "a", path, measured={"encoding": "utf-9"})
    assert refused.startswith("measured.encoding: no encoding 'utf-9'")
    refused = message(tmp_path / "b", path, measured={"delimiter": "::"})
    assert refused.startswith("measured.delimiter: must be one character")
    refused = message(tmp_path / "c", path, measured={"time_format": "%H"})
    assert refused.startswith("measured.time_format: '%H'")
    path.write_bytes(path.read_text("utf-8").encode("utf-16-le"))
    refused = message(tmp_path / "d", path)
    assert refused.startswith("probes.csv is full of zero bytes")
    assert "measured.encoding=utf-16-le" in refused


def test_a_delimiter_can_be_set(tmp_path: Path) -> None:
    path = write(TWO, tmp_path / "rows.csv", "~")
    _, workspace = made(measured(tmp_path / "work", path, measured={"delimiter": "~"}))
    assert_two(workspace)


def test_rows_of_which_none_can_be_used_are_refused_with_their_rules(tmp_path: Path) -> None:
    rows = traversals(traversal(segment_id="x"), traversal(segment_id="y"), traversal(None))
    for suffix in ("csv", "parquet"):
        refused = message(tmp_path / suffix, write(rows, tmp_path / f"rows.{suffix}"))
        assert "none of the 3 rows can be used (bad_speed 1, unknown_segment 2)" in refused


@pytest.mark.parametrize("suffix", ["csv", "parquet"])
def test_a_missing_column_is_named_with_the_nearest(suffix: str, tmp_path: Path) -> None:
    data = write(TWO.rename({"speed_kph": "speed_kmh"}), tmp_path / f"rows.{suffix}")
    assert (
        f"rows.{suffix}: column 'speed_kph' is missing (found vehicle_id, segment_id, entered_at, "
        "speed_kmh, share, confidence, duration_s); did you mean 'speed_kmh'? Map it with "
        "measured.columns.speed_kph=NAME"
    ) == message(tmp_path, data)


def test_a_column_of_another_type_is_named(tmp_path: Path) -> None:
    odd = {
        "segment_id": pl.lit([1]),
        "speed_kph": pl.lit(True),
        "entered_at": pl.lit(True),
        "share": pl.lit(date(2026, 1, 5)),
    }
    said = {"segment_id": "names of segments", "entered_at": "times"}
    for name, value in odd.items():
        data = write(TWO.with_columns(value.alias(name)), tmp_path / f"{name}.parquet")
        refused = message(tmp_path / name, data)
        assert refused.startswith(f"{name}.parquet: column '{name}' holds ")
        assert f", no {said.get(name, 'numbers')}; map another one with measured.columns" in refused


def test_times_that_count_seconds_need_to_be_told(tmp_path: Path) -> None:
    data = write(TWO.with_columns(entered_at=pl.lit(1767571200)), tmp_path / "rows.parquet")
    assert "set measured.time_format=epoch_s" in message(tmp_path, data)


@pytest.mark.parametrize("suffix", ["csv", "parquet"])
def test_data_without_a_row_is_refused(suffix: str, tmp_path: Path) -> None:
    data = write(TWO.clear(), tmp_path / f"rows.{suffix}")
    assert message(tmp_path / "work", data) == f"{data}: no row in it"


def test_an_empty_file_among_others_is_left_out(tmp_path: Path) -> None:
    write(TWO, tmp_path / "rows" / "b.csv")
    write(TWO.clear(), tmp_path / "rows" / "a.parquet")
    (tmp_path / "rows" / "c.csv").touch()
    report, workspace = made(measured(tmp_path, tmp_path / "rows"))
    assert report.inputs == ("b.csv",)
    assert_two(workspace)


@pytest.mark.parametrize("keep", [0, 3, 100, -100, -8])
def test_a_damaged_parquet_file_is_named(keep: int, tmp_path: Path) -> None:
    data = write(TWO, tmp_path / "rows.parquet")
    data.write_bytes(data.read_bytes()[:keep])
    refused = message(tmp_path / "work", data)
    assert refused.startswith("rows.parquet cannot be read, or is damaged (")
    assert refused.endswith("; fetch it again")


@pytest.mark.parametrize("beside", [False, True])
@pytest.mark.parametrize("texts", [False, True])
def test_a_parquet_file_damaged_in_its_middle_is_named(
    beside: bool, texts: bool, tmp_path: Path
) -> None:
    many = pl.concat([TWO] * 1000)
    data = write(as_texts(many) if texts else many, tmp_path / "rows" / "b.parquet")
    if beside:
        write(TWO, tmp_path / "rows" / "a.parquet")
    content = bytearray(data.read_bytes())
    for chunk in range(pq.read_metadata(data).num_columns):
        start = pq.read_metadata(data).row_group(0).column(chunk).data_page_offset
        content[start : start + 40] = b"\xff" * 40
    data.write_bytes(content)
    assert message(tmp_path / "work", tmp_path / "rows").startswith("b.parquet cannot be read")


def test_a_text_that_breaks_off_is_named(tmp_path: Path) -> None:
    data = gzipped(write(TWO, tmp_path / "rows.csv"))
    data.write_bytes(data.read_bytes()[:-20])
    assert message(tmp_path / "work", data).startswith("rows.csv.gz breaks off in the middle")


def test_a_zip_of_damaged_parquet_is_named(tmp_path: Path) -> None:
    with zipfile.ZipFile(tmp_path / "rows.zip", "w") as archive:
        archive.writestr("x.parquet", b"PAR1 but no more")
    refused = message(tmp_path / "work", tmp_path / "rows.zip")
    assert refused.startswith("rows.zip/x.parquet cannot be read")


def test_missing_data_is_named(tmp_path: Path) -> None:
    assert "nothere" in message(tmp_path, tmp_path / "nothere")


def test_files_with_the_same_bytes_would_count_twice(tmp_path: Path) -> None:
    write(TWO, tmp_path / "rows" / "a.csv")
    write(TWO, tmp_path / "rows" / "b.csv")
    refused = message(tmp_path / "work", tmp_path / "rows")
    assert "b.csv holds the same bytes as a.csv" in refused


def test_rows_of_two_kinds_are_not_mixed(tmp_path: Path) -> None:
    write(TWO, tmp_path / "rows" / "a.csv")
    write(aggregates(aggregate()), tmp_path / "rows" / "b.csv")
    refused = message(tmp_path / "work", tmp_path / "rows")
    assert "a.csv holds traversals and b.csv aggregates" in refused


def test_the_files_of_a_day_are_added_up(tmp_path: Path) -> None:
    write(TWO[:1], tmp_path / "rows" / "a.csv")
    write(TWO[1:], tmp_path / "rows" / "b" / "b.parquet")
    report, workspace = made(measured(tmp_path / "work", tmp_path / "rows"))
    assert report.inputs == ("a.csv", "b/b.parquet")
    assert_two(workspace)
    inputs = read_manifest(workspace.slices, MONDAY)["inputs"]
    assert {name: account["rows_of_day"] for name, account in inputs.items()} == {
        "a.csv": 1, "b/b.parquet": 2,
    }  # fmt: skip


def test_a_vehicle_in_two_files_is_one_vehicle(tmp_path: Path) -> None:
    write(traversals(traversal(30.0)), tmp_path / "rows" / "a.csv")
    write(traversals(traversal(40.0)), tmp_path / "rows" / "b.parquet")
    _, workspace = made(measured(tmp_path / "work", tmp_path / "rows"))
    assert slices_of(workspace)[0]["count_probes"] == 1


def test_the_manifest_says_what_a_day_was_made_from(tmp_path: Path) -> None:
    rows = pl.concat([TWO, traversals(traversal(after_s=DAY_S), traversal(None))])
    data = write(rows, tmp_path / "rows.parquet")
    _, workspace = made(measured(tmp_path, data, measured={"max_speed_kph": 150.0}))
    manifest = read_manifest(workspace.slices, MONDAY)
    (account,) = manifest["inputs"].values()
    assert {name: value for name, value in account.items() if name != "sha256"} == {
        "rows": 5, "used": 4, "refused": {"bad_speed": 1}, "rows_of_day": 3,
    }  # fmt: skip
    assert (manifest["slice_minutes"], manifest["rows"]) == (15, 2)
    assert manifest["city"] == {"name": "toy", "timezone": "Asia/Bangkok", "source": "measured"}
    assert manifest["settings"]["measured"]["max_speed_kph"] == 150.0
    assert set(manifest["versions"]) == {"roadgraph", "narwhals", "polars", "pyarrow"}


def every_hour(days: float = 1.0, start_s: float = -7 * 3600.0) -> pl.DataFrame:
    """Return a row in every segment every hour, from local midnight on."""
    hours = [start_s + 3600.0 * hour for hour in range(round(24 * days))]
    return traversals(*[traversal(36.0, s, segment, f"v{s}") for s in hours for segment in "ABC"])


def test_days_are_local_and_only_those_of_the_files_are_replaced(tmp_path: Path) -> None:
    three = write(every_hour(3), tmp_path / "three.parquet")
    report, workspace = made(measured(tmp_path, three))
    assert report.built == (MONDAY, TUESDAY, date(2026, 1, 7))
    before = bytes_of(workspace.slices)
    faster = every_hour(1, 17 * 3600.0).with_columns(pl.lit(50.0).alias("speed_kph"))
    report, _ = made(measured(tmp_path, write(faster, tmp_path / "tuesday.csv")))
    assert (report.built, report.kept) == ((TUESDAY,), ())
    after = bytes_of(workspace.slices)
    assert {name[:10] for name in after if after[name] != before[name]} == {"2026-01-06"}
    speeds = read_slices(workspace.slices)["mean_speed"].to_pylist()
    assert speeds.count(50.0) == 72


def test_the_same_files_give_the_same_bytes_wherever_they_lie(tmp_path: Path) -> None:
    rows = pl.concat([every_hour(2), traversals(*(row for row in BAD["bad_speed"]))])
    first = write(rows, tmp_path / "here" / "rows.parquet")
    second = write(rows, tmp_path / "there" / "rows.parquet")
    _, a = made(measured(tmp_path / "a", first))
    _, b = made(measured(tmp_path / "b", second))
    made(measured(tmp_path / "b", second, measured={"replace": True}))
    assert bytes_of(a.root) == bytes_of(b.root)


def test_rows_in_another_order_give_the_same_slices(tmp_path: Path) -> None:
    rows = traversals(
        *[
            traversal(
                10.0 + i**0.5, 7.0 * i, "ABC"[i % 3], f"v{i % 9}", 1 / (1 + i), 0.3, 1 + i / 7
            )
            for i in range(400)
        ]
    )
    _, a = made(measured(tmp_path / "a", write(rows, tmp_path / "a.parquet")))
    mixed = rows.sample(fraction=1.0, shuffle=True, seed=1)
    _, b = made(measured(tmp_path / "b", write(mixed, tmp_path / "b.parquet")))
    assert read_slices(a.slices).equals(read_slices(b.slices))


def in_bangkok(times: pl.Expr) -> pl.Expr:
    return times.dt.cast_time_unit("ms").dt.convert_time_zone("Asia/Bangkok")


@pytest.mark.parametrize("clock", ["utc", "naive", "bangkok"])
def test_data_that_does_not_fit_into_memory_gives_the_same_slices(
    clock: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    rows = pl.concat([every_hour(3), traversals(*BAD["stray_clock"], *BAD["bad_speed"])])
    if clock == "naive":
        rows = rows.with_columns(pl.col("entered_at").dt.replace_time_zone(None))
    if clock == "bangkok":
        rows = rows.with_columns(in_bangkok(pl.col("entered_at")))
    write(rows[::2], tmp_path / "rows" / "a.parquet")
    write(
        rows[1::2],
        tmp_path / "rows" / "b.csv" if clock == "utc" else tmp_path / "rows" / "b.parquet",
    )
    group = {"measured": {"timezone": "UTC"}}
    whole, a = made(measured(tmp_path / "a", tmp_path / "rows", **group))
    spans: list[object] = []
    before = measured_cells.aggregate

    def watched(*call: Any) -> pl.DataFrame:
        spans.append(call[1])
        return before(*call)

    monkeypatch.setattr(measured_cells, "BATCH_ROWS", 40)
    monkeypatch.setattr(measured_reading, "aggregate", watched)
    parts, b = made(measured(tmp_path / "b", tmp_path / "rows", **group))
    assert parts == whole
    assert len(spans) == 6
    assert bytes_of(a.root) == bytes_of(b.root)


def test_half_a_day_does_not_take_the_place_of_a_whole_one(tmp_path: Path) -> None:
    _, workspace = made(measured(tmp_path, write(every_hour(), tmp_path / "day.parquet")))
    before = bytes_of(workspace.root)
    half = write(every_hour(11 / 24), tmp_path / "half.parquet")
    with pytest.raises(DataError) as error:
        made(measured(tmp_path, half))
    assert str(error.value).startswith(
        "the store has 72 slices of 2026-01-05, of 72 rows; these files give 33, of 33 rows, and "
        "nothing at the times of 39 of the old ones."
    )
    assert str(error.value).endswith("set measured.replace=true")
    assert bytes_of(workspace.root) == before
    report, _ = made(measured(tmp_path, half, measured={"replace": True}))
    assert (report.built, report.slices) == ((MONDAY,), 33)


def test_the_other_half_of_a_day_does_not_take_the_place_of_the_first(tmp_path: Path) -> None:
    made(measured(tmp_path, write(every_hour(8 / 24), tmp_path / "night.parquet")))
    rest = write(every_hour(16 / 24, 3600.0), tmp_path / "day.parquet")
    with pytest.raises(DataError, match="nothing at the times of 24 of the old ones"):
        made(measured(tmp_path, rest))


def test_few_vehicles_do_not_take_the_place_of_many(tmp_path: Path) -> None:
    many = pl.concat(
        [every_hour().with_columns(pl.lit(f"v{i}").alias("vehicle_id")) for i in "abc"]
    )
    made(measured(tmp_path, write(many, tmp_path / "many.parquet")))
    with pytest.raises(DataError, match="of 216 rows; these files give 72, of 72 rows"):
        made(measured(tmp_path, write(every_hour(), tmp_path / "few.parquet")))


def test_a_day_from_another_source_is_guarded_by_its_slices(tmp_path: Path) -> None:
    fixes = write_fixes(drive("v1"), tmp_path / "fixes.parquet")
    _, workspace = made(settings_of(tmp_path, fixes))
    assert len(slices_of(workspace)) == 3
    one = write(traversals(traversal()), tmp_path / "rows.parquet")
    with pytest.raises(DataError, match="has 3 slices of 2026-01-05; these files give 1"):
        made(measured(tmp_path, one))


def test_a_run_that_breaks_off_leaves_everything_as_it_was(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    _, workspace = made(measured(tmp_path, write(every_hour(3), tmp_path / "rows.parquet")))
    before = bytes_of(workspace.root)
    calls = []

    def failing(*arguments: object) -> None:
        calls.append(arguments)
        if len(calls) == 2:
            raise KeyboardInterrupt

    monkeypatch.setattr(measured_module, "write_json", failing)
    bad = pl.concat([every_hour(3), traversals(traversal(None))])
    with pytest.raises(KeyboardInterrupt):
        made(measured(tmp_path, write(bad, tmp_path / "rows.parquet")))
    assert bytes_of(workspace.root) == before


def test_rows_that_get_lost_on_the_way_are_noticed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    data = write(pl.concat([TWO, traversals(traversal(None))]), tmp_path / "rows.parquet")
    monkeypatch.setattr(measured_module, "write_refused", lambda *call: {})
    with pytest.raises(AccountError, match=r"rows\.parquet: 4 rows in, but 3 used and 0 quar"):
        made(measured(tmp_path, data))
    monkeypatch.undo()
    before = measured_cells.aggregate
    monkeypatch.setattr(measured_cells, "BATCH_ROWS", 0)
    monkeypatch.setattr(measured_reading, "BATCH_ROWS", 0)
    monkeypatch.setattr(measured_reading, "aggregate", lambda *call: before(*call)[1:])
    with pytest.raises(AccountError, match="2026-01-05: 3 rows can be used, but 0 were aggregated"):
        made(measured(tmp_path, data))
    assert stored_days(Workspace.of(measured(tmp_path, data)).slices) == []


def test_a_store_of_another_slice_length_is_refused(tmp_path: Path) -> None:
    data = write(TWO, tmp_path / "rows.parquet")
    made(measured(tmp_path, data))
    with pytest.raises(DataError, match="holds slices of 15 minutes, not 5"):
        made(measured(tmp_path, data, slices={"minutes": 5}))


def test_matched_rows_of_probes_give_the_slices_of_the_probes(tmp_path: Path) -> None:
    fixes = pl.concat(
        [
            drive("v1"),
            drive("v2", speed_kph=14.4, every_s=15),
            drive("v3", MONDAY_7 + timedelta(seconds=899)),
        ]
    )
    _, probes = made(settings_of(tmp_path / "a", write_fixes(fixes, tmp_path / "fixes.parquet")))
    data = write(table_of_days(probes, "traversals"), tmp_path / "rows.parquet")
    _, workspace = made(measured(tmp_path / "b", data))
    assert read_slices(workspace.slices).equals(read_slices(probes.slices))


def test_progress_names_the_steps(tmp_path: Path) -> None:
    from roadgraph.slices.run import make_slices
    from tests.toy import straight_network

    chosen = measured(tmp_path, write(TWO, tmp_path / "rows.parquet"))
    calls: list[tuple[str, float]] = []
    make_slices(chosen, straight_network(), Workspace.of(chosen), lambda *call: calls.append(call))
    assert calls == [("reading rows", 1.0), ("aggregating rows", 1.0)]


def test_ready_aggregates_become_slices(tmp_path: Path) -> None:
    rows = aggregates(
        aggregate(30.0, 2, 0.0),
        aggregate(60.0, 2, 300.0),
        aggregate(33.3, 7, 0.0, "B", std_kph=4.0, median_kph=31.0),
        aggregate(50.0, 0, 0.0, "C"),
        aggregate(50.0, None, 0.0, "C"),
        aggregate(250.0, 1, 0.0, "C"),
    )
    table = pl.concat([rows, rows[:1].with_columns(pl.lit(-1).cast(pl.Int64).alias("count"))])
    for suffix in ("csv", "parquet"):
        data = write(table, tmp_path / f"rows.{suffix}")
        report, workspace = made(measured(tmp_path / suffix, data))
        assert report.refused == {"bad_number": 2, "bad_speed": 1, "no_vehicles": 1}
        a, b = slices_of(workspace)
        assert a["mean_speed"] == pytest.approx(4 / (2 / 30 + 2 / 60))
        assert (a["median_speed"], a["speed_std"], a["count_probes"]) == (45, 15, 4)
        assert a["quality_score"] == pytest.approx(4 / 5 / 1.15)
        assert (b["mean_speed"], b["median_speed"], b["speed_std"]) == (33.3, 31.0, 4.0)
        assert (b["count_probes"], b["quality_score"]) == (7, pytest.approx(7 / 8 / 1.04))


def test_aggregates_are_converted_and_limited_like_speeds(tmp_path: Path) -> None:
    rows = aggregates(
        aggregate(10.0, 1, std_kph=5.0, median_kph=20.0),
        aggregate(10.0, 1, segment_id="B", std_kph=60.0),
        aggregate(10.0, 1, segment_id="C", median_kph=-1.0),
    )
    data = write(rows, tmp_path / "rows.parquet")
    report, workspace = made(measured(tmp_path, data, measured={"speed_unit": "m/s"}))
    (row,) = slices_of(workspace)
    assert (row["mean_speed"], row["median_speed"], row["speed_std"]) == (36.0, 72.0, 18.0)
    assert report.refused == {"bad_number": 2}


ROWS = st.tuples(
    st.sampled_from([None, "", "A", "B", "Z"]),
    st.sampled_from(["", "soon", "2026-01-05T01:02:03Z", "2026-01-06 23:59:59+07", "1999-12-31"]),
    st.sampled_from(["", "x", "-1", "0", "33.3", "200", "201", "nan", "inf", "1e2"]),
    st.sampled_from(["", "x", "0", "0.5", "1", "2"]),
)  # fmt: skip


@settings(max_examples=25)
@given(rows=st.lists(ROWS, min_size=1, max_size=12), junk=st.lists(st.text('A,"x\n', max_size=9)))
def test_the_account_always_adds_up(
    rows: list[tuple[str | None, str, str, str]], junk: list[str], tmp_path_factory: Any
) -> None:
    folder = tmp_path_factory.mktemp("rows")
    good = ("A", "2026-01-05T01:02:03Z", "33.3", "1")
    names = ["segment_id", "entered_at", "speed_kph", "share"]
    table = pl.DataFrame(
        [good, *rows], schema=names, orient="row", schema_overrides=dict.fromkeys(names, pl.String)
    )
    write(table, folder / "rows.parquet")
    write(table, folder / "rows.csv")
    with (folder / "rows.csv").open("a") as stream:
        stream.write("\n".join(junk))
    reports = {}
    for suffix in ("csv", "parquet"):
        chosen = measured(folder / suffix, folder / f"rows.{suffix}")
        report, workspace = made(chosen)
        found = quarantined(workspace)
        assert report.rows_in == report.rows_used + sum(report.refused.values())
        assert dict(found.group_by("rule").len().sort("rule").iter_rows()) == report.refused
        assert found["row"].n_unique() == len(found)
        assert sum(row["count_probes"] for row in slices_of(workspace)) == report.rows_used
        reports[suffix] = report
    assert reports["parquet"].rows_in == len(rows) + 1
    assert reports["csv"].rows_used >= reports["parquet"].rows_used
