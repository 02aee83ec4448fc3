import json
from pathlib import Path

import geopandas as gpd
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from roadgraph.errors import SettingsError
from roadgraph.predict.files import write_predictions
from roadgraph.predict.predictions import predict_at, signed
from roadgraph.schema import PREDICTIONS
from roadgraph.training.bundle import Bundle
from tests.predict.toy import END, NETWORK, SLICES_TABLE
from tests.toy import detector_network


@pytest.fixture(scope="module")
def table(bundle: Bundle) -> pa.Table:
    """A forecast with empty cells: a week after the newest slice."""
    later = END + pd.Timedelta(days=8)
    return signed(predict_at(bundle, NETWORK, SLICES_TABLE, 15, later), {"bundle": "gcn-simple"})


def test_geoparquet_holds_the_table_its_metadata_and_the_lines(
    table: pa.Table, tmp_path: Path
) -> None:
    path = tmp_path / "out.geoparquet"
    write_predictions(table, path, NETWORK)
    written = pq.read_table(path)
    assert PREDICTIONS.typed(written).equals(table)
    assert written.schema.metadata[b"roadgraph.bundle"] == b"gcn-simple"
    frame = gpd.read_parquet(path)
    assert frame.crs == "EPSG:4326"
    expected = NETWORK.segments.geometry.tolist() * 4
    assert frame.geometry.tolist() == expected


def test_geojson_has_iso_times_nulls_and_no_other_coordinate_system(
    table: pa.Table, tmp_path: Path
) -> None:
    path = tmp_path / "out.geojson"
    write_predictions(table, path, NETWORK)
    content = json.loads(path.read_text("utf-8"))
    assert "crs" not in content
    assert len(content["features"]) == 12
    first = content["features"][0]
    assert first["geometry"]["type"] == "LineString"
    assert first["properties"]["issued_at"] == "2026-01-17T04:00:00Z"
    assert first["properties"]["segment_age_min"] is None
    assert first["properties"]["p_gridlock"] is None
    assert first["properties"]["data_age_min"] == 8 * 24 * 60
    assert first["properties"]["basis"] == "history"
    assert first["properties"]["new_segment"] is False
    assert list(first["properties"]) == PREDICTIONS.columns


@pytest.mark.parametrize("suffix", [".parquet", ".csv", ".geojson", ".geoparquet"])
def test_a_forecast_without_a_row_is_written(table: pa.Table, tmp_path: Path, suffix: str) -> None:
    path = tmp_path / f"out{suffix}"
    write_predictions(table.slice(0, 0), path, NETWORK)
    if suffix == ".csv":
        found = pd.read_csv(path)
    else:
        found = pd.read_parquet(path) if "parquet" in suffix else gpd.read_file(path)
    assert len(found) == 0
    if suffix != ".geojson":  # it has names with its rows alone
        assert set(PREDICTIONS.columns) <= set(found.columns)


def test_in_csv_whole_numbers_stay_whole_beside_empty_cells(bundle: Bundle, tmp_path: Path) -> None:
    newest = predict_at(bundle, NETWORK, SLICES_TABLE, 15)
    partly = newest.set_column(
        newest.column_names.index("segment_age_min"),
        "segment_age_min",
        pa.array([15, None, 30] * 4, pa.int32()),
    )
    path = tmp_path / "out.csv"
    write_predictions(partly, path, NETWORK)
    texts = pd.read_csv(path, dtype=str)["segment_age_min"].tolist()
    assert texts[0] == "15"
    assert pd.isna(texts[1])


@pytest.mark.parametrize("suffix", [".geojson", ".geoparquet"])
def test_without_geometry_a_map_is_refused(table: pa.Table, tmp_path: Path, suffix: str) -> None:
    path = tmp_path / f"out{suffix}"
    with pytest.raises(SettingsError, match="the network has no geometry to draw"):
        write_predictions(table, path, detector_network())
    assert not path.exists()


def test_other_formats_are_refused(table: pa.Table, tmp_path: Path) -> None:
    with pytest.raises(SettingsError, match=r"\.parquet, \.csv, \.geojson or \.geoparquet file"):
        write_predictions(table, tmp_path / "out.xlsx", NETWORK)
