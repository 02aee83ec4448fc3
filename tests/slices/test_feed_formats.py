"""The same fixes in another feed's format give the same slices."""

import zipfile
from pathlib import Path

import polars as pl
import pytest
from polars.testing import assert_frame_equal

from roadgraph.config import load_settings
from roadgraph.network.importing import import_network
from roadgraph.network.network import Network
from roadgraph.settings import Settings
from roadgraph.slices.run import SlicesReport
from roadgraph.slices.store import read_slices
from roadgraph.workspace import Workspace
from tests.slices.toy import made

SAMPLE = Path(__file__).parents[2] / "data" / "sample"
DAY = SAMPLE / "fixes" / "2026-01-06.parquet"


@pytest.fixture(scope="module")
def network() -> Network:
    return import_network(load_settings(["city=sample"])).network


def slices_of(
    folder: Path, fixes: Path, network: Network, *overrides: str
) -> tuple[SlicesReport, Settings]:
    settings = load_settings(
        ["city=sample", f"city.fixes={fixes}", f"workspace={folder}", *overrides]
    )
    report, _ = made(settings, network)
    return report, settings


def itic_rows(fixes: pl.DataFrame) -> pl.DataFrame:
    """Return fixes as the Thai iTIC feed writes them: local time without a zone, a validity."""
    local = pl.col("timestamp").dt.convert_time_zone("Asia/Bangkok")
    return fixes.select(
        VehicleID="vehicle_id",
        gpsvalid=pl.lit(1),
        lat="lat",
        lon="lon",
        timestamp=local.dt.strftime("%Y-%m-%d %H:%M:%S"),
        speed="speed_kph",
        heading="heading_deg",
        for_hire_light=pl.lit(0),
        engine_acc=pl.lit(1),
    ).fill_nan(None)


@pytest.mark.parametrize("header", [False, True], ids=["no header", "header"])
def test_an_itic_zip_made_from_the_sample_gives_the_samples_own_slices(
    header: bool, network: Network, tmp_path: Path
) -> None:
    text = itic_rows(pl.read_parquet(DAY)).write_csv(include_header=header)
    with zipfile.ZipFile(tmp_path / "itic.zip", "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("PROBE-20260106.csv", text)
    report, settings = slices_of(tmp_path / "itic", tmp_path / "itic.zip", network, "probes=itic")
    sample, sample_settings = slices_of(tmp_path / "sample", DAY, network)
    assert report.refused == sample.refused
    assert (report.rows_in, report.rows_used) == (sample.rows_in, sample.rows_used)
    found, wanted = (
        pl.DataFrame(read_slices(Workspace.of(item).slices)) for item in (settings, sample_settings)
    )
    # The sample stores speeds in 32 bits, so 12.3 there is not quite the 12.3 of a text.
    assert_frame_equal(found, wanted, rel_tol=1e-6, abs_tol=1e-3)


def test_a_t_drive_text_without_header_is_read_without_speeds(
    network: Network, tmp_path: Path
) -> None:
    fixes = pl.read_parquet(DAY).filter(pl.col("lat").is_not_nan())
    local = pl.col("timestamp").dt.convert_time_zone("Asia/Shanghai")
    rows = fixes.select("vehicle_id", local.dt.strftime("%Y-%m-%d %H:%M:%S"), "lon", "lat")
    path = tmp_path / "366.txt"
    path.write_text(rows.write_csv(include_header=False), "utf-8")
    report, settings = slices_of(tmp_path / "tdrive", path, network, "probes=tdrive")
    assert report.rows_in == len(fixes)
    assert report.matching is not None
    assert report.matching.match_rate > 0.99
    speeds = read_slices(Workspace.of(settings).slices)["mean_speed"].to_numpy()
    assert 20 < speeds.mean() < 45
