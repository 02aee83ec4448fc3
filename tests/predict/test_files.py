from pathlib import Path
from zoneinfo import ZoneInfo

import pandas as pd
import pyarrow as pa
import pytest

from roadgraph.errors import SettingsError
from roadgraph.predict.files import refuse_file, write_predictions
from roadgraph.predict.map_files import MAPS
from roadgraph.predict.predictions import predict_at
from roadgraph.schema import PREDICTIONS
from roadgraph.training.bundle import Bundle
from tests.predict.toy import NETWORK, SLICES_TABLE
from tests.toy import detector_network

UTC = ZoneInfo("UTC")


@pytest.fixture(scope="module")
def table(bundle: Bundle) -> pa.Table:
    return predict_at(bundle, NETWORK, SLICES_TABLE, 15)


@pytest.mark.parametrize("suffix", [".parquet", ".csv"])
def test_a_table_has_the_columns_of_predictions_alone_and_no_style(
    table: pa.Table, tmp_path: Path, suffix: str
) -> None:
    path = tmp_path / f"out{suffix}"
    for rows in (table, table.slice(0, 0)):
        write_predictions(rows, path, detector_network(), UTC, "left")
        found = pd.read_csv(path) if suffix == ".csv" else pd.read_parquet(path)
        assert len(found) == len(rows)
        assert list(found.columns) == PREDICTIONS.columns
        assert list(tmp_path.iterdir()) == [path]


@pytest.mark.parametrize("suffix", MAPS)
def test_a_map_has_its_style_beside_it(table: pa.Table, tmp_path: Path, suffix: str) -> None:
    write_predictions(table, tmp_path / f"out{suffix}", NETWORK, UTC, "left")
    assert {path.name for path in tmp_path.iterdir()} == {f"out{suffix}", "out.qml"}


def test_in_csv_whole_numbers_stay_whole_beside_empty_cells(
    table: pa.Table, tmp_path: Path
) -> None:
    partly = table.set_column(
        table.column_names.index("segment_age_min"),
        "segment_age_min",
        pa.array([15, None, 30] * 4, pa.int32()),
    )
    path = tmp_path / "out.csv"
    write_predictions(partly, path, NETWORK, UTC, "left")
    texts = pd.read_csv(path, dtype=str)["segment_age_min"].tolist()
    assert texts[0] == "15"
    assert pd.isna(texts[1])


@pytest.mark.parametrize("suffix", MAPS)
def test_without_geometry_a_map_is_refused(table: pa.Table, tmp_path: Path, suffix: str) -> None:
    path = tmp_path / f"out{suffix}"
    with pytest.raises(SettingsError, match="the network has no geometry to draw"):
        write_predictions(table, path, detector_network(), UTC, "left")
    assert not path.exists()


def test_a_folder_is_refused(tmp_path: Path) -> None:
    folder = tmp_path / "out.csv"
    folder.mkdir()
    with pytest.raises(SettingsError, match=r"--out .*out\.csv: is a folder; name a \.parquet, "):
        refuse_file(folder, NETWORK)


def test_other_formats_are_refused() -> None:
    formats = r"write a \.parquet, \.csv, \.geojson, \.geoparquet or \.gpkg file"
    with pytest.raises(SettingsError, match=formats):
        refuse_file(Path("out.xlsx"), NETWORK)
