from dataclasses import replace
from pathlib import Path
from zoneinfo import ZoneInfo

import pandas as pd
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq
import pytest

from roadgraph.config import load_settings
from roadgraph.errors import SettingsError
from roadgraph.network.network import write_network
from roadgraph.prediction import Given, asked_time, run_prediction
from roadgraph.settings import Settings
from roadgraph.slices.store import write_days
from roadgraph.training.bundle import Bundle, write_bundle
from roadgraph.workspace import Workspace
from tests.predict.toy import END, NETWORK, SETTINGS, SLICES_TABLE, trained_bundle
from tests.toy import drive, write_fixes

BERLIN = ZoneInfo("Europe/Berlin")


@pytest.fixture(scope="module")
def bundle() -> Bundle:
    return trained_bundle(SETTINGS)


@pytest.fixture
def city(bundle: Bundle, tmp_path: Path) -> Settings:
    """A city on UTC with network, slices and the bundle ``gcn-simple``, its stores by hand."""
    settings = load_settings(
        ["city.name=toy", "city.timezone=UTC", "tracking.enabled=false", f"workspace={tmp_path}"]
    )
    workspace = Workspace.of(settings)
    write_network(NETWORK, workspace.network)
    write_days(SLICES_TABLE, workspace.slices, ZoneInfo("UTC"), 15, {})
    write_bundle(bundle, workspace.bundle("gcn-simple"))
    return settings


def bundle_of(city: Settings) -> Path:
    return Workspace.of(city).bundle("gcn-simple")


def test_a_time_is_the_citys_clock_unless_it_names_its_offset() -> None:
    assert asked_time("2026-07-01T08:00", BERLIN) == pd.Timestamp("2026-07-01T06:00Z")
    assert asked_time("2026-07-01T08:00Z", BERLIN) == pd.Timestamp("2026-07-01T08:00Z")
    assert asked_time("2026-07-01 08:00+07:00", BERLIN) == pd.Timestamp("2026-07-01T01:00Z")


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("tomorrow evening", "no time; write one such as"),
        ("NaT", "no time; write one such as"),
        ("2026-03-29T02:30", "twice or never"),
        ("2026-10-25T02:30", "twice or never"),
    ],
)
def test_what_is_no_time_of_the_citys_clock_is_refused(text: str, message: str) -> None:
    with pytest.raises(SettingsError, match=message):
        asked_time(text, BERLIN)


def test_given_slices_alone_are_looked_at(city: Settings, tmp_path: Path) -> None:
    cut = END - pd.Timedelta(hours=2)
    old = SLICES_TABLE.filter(pc.less(SLICES_TABLE["slice_start"], pa.scalar(cut)))
    given = tmp_path / "given.parquet"
    pq.write_table(old, given)
    outs = [tmp_path / f"{name}.parquet" for name in ("of-given", "at")]
    run_prediction(city, bundle_of(city), outs[0], given=Given(slices=given), draw=False)
    time = Given(at=cut.strftime("%Y-%m-%dT%H:%M"))
    predicted = run_prediction(city, bundle_of(city), outs[1], given=time, draw=False)
    assert predicted.files == (outs[1],)
    assert pq.read_table(outs[0]).equals(pq.read_table(outs[1]))


def test_given_fixes_become_slices_for_this_forecast_alone(city: Settings, tmp_path: Path) -> None:
    start = END + pd.Timedelta(minutes=17)
    fixes = write_fixes(drive("v1", start, 36.0, every_s=5), tmp_path / "new.csv")
    before = sorted(Workspace.of(city).root.rglob("*.parquet"))
    out = tmp_path / "out.parquet"
    predicted = run_prediction(city, bundle_of(city), out, given=Given(fixes=fixes), draw=False)
    account = predicted.account
    assert account is not None
    assert account.rows_in == account.rows_used > 0
    table = pq.read_table(out)
    assert table["issued_at"][0].as_py() == END + pd.Timedelta(minutes=30)
    assert table["observed"].to_pylist() == [True] * 12
    assert sorted(Workspace.of(city).root.rglob("*.parquet")) == before


def test_the_map_is_drawn_unless_told_otherwise(city: Settings, tmp_path: Path) -> None:
    out = tmp_path / "out.geojson"
    assert run_prediction(city, bundle_of(city), out).files == (out, out.with_suffix(".png"))
    assert run_prediction(city, bundle_of(city), out, draw=False).files == (out,)
    assert not out.with_suffix(".png").exists()


def test_a_registered_model_is_not_asked_for_where_a_bundle_is_named(city: Settings) -> None:
    elsewhere = replace(city, tracking=replace(city.tracking, uri="sqlite:////nowhere/m.db"))
    assert run_prediction(elsewhere, bundle_of(city), None, draw=False).registered is None
