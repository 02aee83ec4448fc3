import json
import sqlite3
from contextlib import closing
from pathlib import Path
from xml.etree import ElementTree
from zoneinfo import ZoneInfo

import geopandas as gpd
import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
import pyogrio
import pytest
from shapely.geometry import LineString

from roadgraph.legend import CLASS_COLOURS
from roadgraph.predict import map_files
from roadgraph.predict.map_files import LOCAL_TIMES, MAPS, column_titles, write_map
from roadgraph.predict.predictions import predict_at, signed
from roadgraph.schema import PREDICTIONS
from roadgraph.training.bundle import Bundle
from tests.predict.toy import END, NETWORK, SLICES_TABLE
from tests.toy import network_of, straight_segments

BANGKOK = ZoneInfo("Asia/Bangkok")
COLUMNS = [*PREDICTIONS.columns, *LOCAL_TIMES]


@pytest.fixture(scope="module")
def table(bundle: Bundle) -> pa.Table:
    """A forecast with empty cells: a week after the newest slice."""
    later = END + pd.Timedelta(days=8)
    return signed(predict_at(bundle, NETWORK, SLICES_TABLE, 15, later), {"bundle": "gcn-simple"})


@pytest.fixture(scope="module")
def newest(bundle: Bundle) -> pa.Table:
    """A forecast with a class, a probability and a speed in every row."""
    return predict_at(bundle, NETWORK, SLICES_TABLE, 15)


def groups_of(style: Path) -> list[str | None]:
    root = ElementTree.parse(style).getroot()
    return [each.get("label") for each in root.findall("renderer-v2/rules/rule")]


def layer_of(path: Path) -> gpd.GeoDataFrame:
    if path.suffix == ".geoparquet":
        return gpd.read_parquet(path)
    return (
        gpd.read_file(path, layer="predictions") if path.suffix == ".gpkg" else gpd.read_file(path)
    )


@pytest.mark.parametrize("suffix", MAPS)
def test_a_map_comes_back_with_its_rows_lines_times_and_numbers(
    newest: pa.Table, tmp_path: Path, suffix: str
) -> None:
    path = tmp_path / f"out{suffix}"
    write_map(newest, path, NETWORK, BANGKOK, "left")
    layer = layer_of(path)
    assert len(layer) == 3 * 4
    assert [name for name in layer.columns if name != "geometry"] == COLUMNS
    assert layer.crs == "EPSG:4326"
    lines = NETWORK.segments.geometry.tolist() * 4
    assert all(a.equals_exact(b, 1e-7) for a, b in zip(layer.geometry, lines, strict=True))
    for name in LOCAL_TIMES.values():
        assert str(layer[name].dt.tz) == "UTC"
        assert (layer[name] == newest.to_pandas()[name]).all()
    for name in ("speed", "p_gridlock"):
        np.testing.assert_allclose(layer[name], newest[name].to_numpy(), rtol=1e-6)
    for name in ("segment_id", "congestion", "horizon_min", "observed", "basis", "model"):
        assert layer[name].tolist() == newest[name].to_pylist()


@pytest.mark.parametrize("suffix", MAPS)
def test_for_people_there_are_the_times_on_the_city_s_clock(
    table: pa.Table, tmp_path: Path, suffix: str
) -> None:
    # Four o'clock in UTC on 17 January is eleven in Bangkok and half past nine in Kolkata.
    for zone, issued in (
        (BANGKOK, "2026-01-17 11:00 +07:00"),
        (ZoneInfo("Asia/Kolkata"), "2026-01-17 09:30 +05:30"),
    ):
        path = tmp_path / f"out{suffix}"
        write_map(table, path, NETWORK, zone, "left")
        layer = layer_of(path)
        if suffix == ".geojson":  # whose reader takes them for times, with their offset
            properties = [each["properties"] for each in json.loads(path.read_text())["features"]]
            layer = pd.DataFrame(properties)
        assert set(layer["issued_local"]) == {issued}
        nearest = layer[layer["horizon_min"] == layer["horizon_min"].min()]
        assert len(set(layer["slice_local"])) == 4
        assert (nearest["slice_local"] == issued).all()


@pytest.mark.parametrize("suffix", MAPS)
def test_beside_a_map_lies_its_style(newest: pa.Table, tmp_path: Path, suffix: str) -> None:
    write_map(newest, tmp_path / f"out{suffix}", NETWORK, BANGKOK, "left")
    assert {path.name for path in tmp_path.iterdir()} == {f"out{suffix}", "out.qml"}
    assert groups_of(tmp_path / "out.qml") == [f"in {minutes} min" for minutes in (15, 30, 45, 60)]


def test_a_geopackage_has_its_style_within_too_where_qgis_looks_for_it(
    newest: pa.Table, tmp_path: Path
) -> None:
    path = tmp_path / "out.gpkg"
    write_map(newest, path, NETWORK, BANGKOK, "left")
    (row,) = pyogrio.read_dataframe(path, layer="layer_styles").to_dict("records")
    assert row["styleQML"] == (tmp_path / "out.qml").read_text("utf-8")
    assert all(colour_in(row["styleQML"], colour) for colour in CLASS_COLOURS.values())
    assert (row["f_table_catalog"], row["f_table_schema"]) == ("", "")
    place = pyogrio.read_info(path, layer="predictions")["geometry_name"]
    assert (row["f_table_name"], row["f_geometry_column"]) == ("predictions", place)
    assert row["useAsDefault"]


def colour_in(style: str, colour: str) -> bool:
    return ",".join(str(part) for part in (*bytes.fromhex(colour[1:]), 255)) in style


def test_a_geopackage_tells_the_types_titles_and_units_of_its_columns(
    newest: pa.Table, tmp_path: Path
) -> None:
    path = tmp_path / "out.gpkg"
    write_map(newest, path, NETWORK, BANGKOK, "left")
    with closing(sqlite3.connect(path)) as database:
        rows = database.execute("SELECT column_name, name, description FROM gpkg_data_columns")
        told = {column: (title, unit) for column, title, unit in rows}
        rows = database.execute("SELECT name, type FROM pragma_table_info('predictions')")
        types = dict(rows)
    assert told["speed"] == ("speed (km/h)", "km/h")
    assert told["p_gridlock"] == ("p_gridlock (0-1)", "0-1")
    assert told["issued_at"] == ("issued_at (UTC)", "UTC")
    assert told["data_age_min"][1].startswith("min from the end of the newest slice")
    assert (types["issued_at"], types["slice_local"]) == ("DATETIME", "TEXT")
    assert (types["observed"], types["speed"]) == ("BOOLEAN", "FLOAT")
    assert pyogrio.read_info(path, layer="predictions")["geometry_type"] == "LineString"


def test_titles_have_the_units_that_are_one_word() -> None:
    titles = column_titles(PREDICTIONS.schema.empty_table())
    assert titles["speed_p90"] == "speed_p90 (km/h)"
    assert titles["horizon_min"] == "horizon_min (min)"
    assert not {"congestion", "segment_age_min", "basis", "model"} & set(titles)


def test_empty_cells_of_a_geopackage_are_null(table: pa.Table, tmp_path: Path) -> None:
    write_map(table, tmp_path / "out.gpkg", NETWORK, BANGKOK, "left")
    with closing(sqlite3.connect(tmp_path / "out.gpkg")) as database:
        found = database.execute(
            "SELECT count(segment_age_min), count(p_gridlock), count(speed), count(*) "
            "FROM predictions"
        ).fetchone()
    assert found == (0, 0, 12, 12)


def test_geoparquet_holds_the_table_its_metadata_and_the_lines(
    table: pa.Table, tmp_path: Path
) -> None:
    path = tmp_path / "out.geoparquet"
    write_map(table, path, NETWORK, BANGKOK, "left")
    written = pq.read_table(path)
    assert PREDICTIONS.typed(written).equals(table)
    assert written.schema.metadata[b"roadgraph.bundle"] == b"gcn-simple"
    assert written.schema.field("speed").metadata[b"unit"] == b"km/h"
    assert written.schema.field("slice_start").type == pa.timestamp("us", "UTC")
    assert gpd.read_parquet(path).geometry.tolist() == NETWORK.segments.geometry.tolist() * 4


def test_geojson_has_iso_times_nulls_and_no_other_coordinate_system(
    table: pa.Table, tmp_path: Path
) -> None:
    path = tmp_path / "out.geojson"
    write_map(table, path, NETWORK, BANGKOK, "left")
    content = json.loads(path.read_text("utf-8"))
    assert "crs" not in content
    assert len(content["features"]) == 12
    first = content["features"][0]
    assert first["geometry"]["type"] == "LineString"
    assert first["properties"]["issued_at"] == "2026-01-17T04:00:00Z"
    assert first["properties"]["issued_local"] == "2026-01-17 11:00 +07:00"
    assert first["properties"]["segment_age_min"] is None
    assert first["properties"]["p_gridlock"] is None
    assert first["properties"]["data_age_min"] == 8 * 24 * 60
    assert first["properties"]["basis"] == "history"
    assert first["properties"]["new_segment"] is False
    assert list(first["properties"]) == COLUMNS


@pytest.mark.parametrize("suffix", [".geojson", ".gpkg"])
def test_heights_are_left_out(newest: pa.Table, tmp_path: Path, suffix: str) -> None:
    segments = straight_segments()
    flat = segments.geometry.tolist()
    segments.geometry = [LineString([(*point, 5.0) for point in line.coords]) for line in flat]
    write_map(newest, tmp_path / f"out{suffix}", network_of(segments), BANGKOK, "left")
    assert not layer_of(tmp_path / f"out{suffix}").has_z.any()


@pytest.mark.parametrize("suffix", MAPS)
def test_a_map_takes_the_place_of_the_one_before(
    newest: pa.Table, tmp_path: Path, suffix: str
) -> None:
    path = tmp_path / f"out{suffix}"
    write_map(newest, path, NETWORK, BANGKOK, "left")
    write_map(newest.slice(0, 6), path, NETWORK, BANGKOK, "left")
    assert len(layer_of(path)) == 6
    assert groups_of(tmp_path / "out.qml") == ["in 15 min", "in 30 min"]


@pytest.mark.parametrize("suffix", MAPS)
def test_a_death_between_map_and_style_leaves_no_style_of_another_map(
    newest: pa.Table, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, suffix: str
) -> None:
    path = tmp_path / f"out{suffix}"
    write_map(newest.slice(0, 6), path, NETWORK, BANGKOK, "left")
    replace = Path.replace

    def die_at_the_style(self: Path, target: Path) -> Path:
        if target.suffix == ".qml":
            raise KeyboardInterrupt
        return replace(self, target)

    monkeypatch.setattr(Path, "replace", die_at_the_style)
    with pytest.raises(KeyboardInterrupt):
        write_map(newest, path, NETWORK, BANGKOK, "left")
    assert len(layer_of(path)) == 12
    assert list(tmp_path.iterdir()) == [path]


@pytest.mark.parametrize("suffix", MAPS)
def test_a_map_that_fails_leaves_the_one_before(
    newest: pa.Table, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, suffix: str
) -> None:
    path = tmp_path / f"out{suffix}"
    write_map(newest, path, NETWORK, BANGKOK, "left")
    before = {each: each.read_bytes() for each in tmp_path.iterdir()}

    def fail(*arguments: object) -> None:
        raise RuntimeError("disk")

    for name in ("_write_geojson", "_store_style", "write_parquet"):
        monkeypatch.setattr(map_files, name, fail)
    with pytest.raises(RuntimeError, match="disk"):
        write_map(newest.slice(0, 6), path, NETWORK, BANGKOK, "left")
    assert {each: each.read_bytes() for each in tmp_path.iterdir()} == before


@pytest.mark.parametrize("suffix", MAPS)
def test_a_forecast_without_a_row_is_written(table: pa.Table, tmp_path: Path, suffix: str) -> None:
    path = tmp_path / f"out{suffix}"
    write_map(table.slice(0, 0), path, NETWORK, BANGKOK, "left")
    assert len(layer_of(path)) == 0
    assert groups_of(tmp_path / "out.qml") == []
    if suffix != ".geojson":  # it has names with its rows alone
        assert set(COLUMNS) <= set(layer_of(path).columns)
