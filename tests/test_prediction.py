import ast
import sqlite3
import subprocess
import sys
from contextlib import closing
from dataclasses import replace
from pathlib import Path
from zoneinfo import ZoneInfo

import pandas as pd
import polars as pl
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq
import pytest

from roadgraph.errors import DataError, SettingsError
from roadgraph.models.registry import build_model
from roadgraph.network.network import write_network
from roadgraph.predict.given_fixes import slices_of_fixes
from roadgraph.predict.predictions import predict_at
from roadgraph.prediction import PICTURES, Given, asked_time, run_prediction
from roadgraph.promotion.fetching import CHAMPION_FILE
from roadgraph.report.style import PLOT_FORMATS
from roadgraph.settings import Settings
from roadgraph.slices.store import write_days
from roadgraph.storage import write_json
from roadgraph.tracking.database_state import database_state
from roadgraph.training.bundle import Bundle, read_bundle, write_bundle
from roadgraph.workspace import Workspace
from tests.predict.toy import (
    END,
    NETWORK,
    SETTINGS,
    SLICES_TABLE,
    bundle_of,
    stored_city,
    trained_bundle,
)
from tests.report.map_page.toy import read_page
from tests.toy import drive, write_fixes
from tests.tracking.toy import store_of

BERLIN = ZoneInfo("Europe/Berlin")


@pytest.fixture(scope="module")
def bundle() -> Bundle:
    return trained_bundle(SETTINGS)


@pytest.fixture
def city(bundle: Bundle, tmp_path: Path) -> Settings:
    return stored_city(bundle, tmp_path)


def test_a_time_is_the_citys_clock_unless_it_names_its_offset() -> None:
    assert asked_time("2026-07-01T08:00", BERLIN) == pd.Timestamp("2026-07-01T06:00Z")
    assert asked_time("2026-07-01T08:00Z", BERLIN) == pd.Timestamp("2026-07-01T08:00Z")
    assert asked_time("2026-07-01 08:00+07:00", BERLIN) == pd.Timestamp("2026-07-01T01:00Z")
    assert asked_time("2026-07-01", BERLIN) == pd.Timestamp("2026-06-30T22:00Z")


def test_now_is_the_same_moment_on_every_clock() -> None:
    before = pd.Timestamp.now("UTC")
    assert before <= asked_time("now", BERLIN) <= pd.Timestamp.now("UTC")


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("tomorrow evening", "no time; write now, or a date and time such as"),
        ("NaT", "no time; write now"),
        ("today", "no time; write now"),
        ("07:15", "no time; write now"),
        ("1768700000", "no time; write now"),
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
    run_prediction(city, bundle_of(city), outs[0], given=Given(slices=given), picture=False)
    time = Given(at=cut.strftime("%Y-%m-%dT%H:%M"))
    predicted = run_prediction(city, bundle_of(city), outs[1], given=time, picture=False)
    assert predicted.files == (outs[1],)
    assert pq.read_table(outs[0]).equals(pq.read_table(outs[1]))


def test_given_fixes_become_slices_for_this_forecast_alone(city: Settings, tmp_path: Path) -> None:
    start = END + pd.Timedelta(minutes=17)
    fixes = write_fixes(drive("v1", start, 36.0, every_s=5), tmp_path / "new.csv")
    before = sorted(Workspace.of(city).root.rglob("*.parquet"))
    out = tmp_path / "out.parquet"
    predicted = run_prediction(city, bundle_of(city), out, given=Given(fixes=fixes), picture=False)
    account = predicted.account
    assert account is not None
    assert account.rows_in == account.rows_used > 0
    table = pq.read_table(out)
    assert table["issued_at"][0].as_py() == END + pd.Timedelta(minutes=30)
    assert table["observed"].to_pylist() == [True] * 12
    assert sorted(Workspace.of(city).root.rglob("*.parquet")) == before


def test_a_given_store_is_read_as_the_citys_own(city: Settings, tmp_path: Path) -> None:
    stored = Workspace.of(city).slices.rename(tmp_path / "other")
    write_days(SLICES_TABLE.slice(0, 3), Workspace.of(city).slices, ZoneInfo("UTC"), 15, {})
    at = END - pd.Timedelta(hours=3)
    out = tmp_path / "out.parquet"
    given = Given(at=at.isoformat(), slices=stored)
    run_prediction(city, bundle_of(city), out, given=given, picture=False)
    bundle = read_bundle(bundle_of(city))
    assert pq.read_table(out).equals(predict_at(bundle, NETWORK, SLICES_TABLE, 15, at))


def test_fixes_of_after_the_time_are_not_looked_at(city: Settings, tmp_path: Path) -> None:
    # A drive that is on B at 00:15 and stands there for a minute then, and another one later.
    at = pd.Timestamp("2026-01-05T00:15:00Z")
    trip = drive("v1", at - pd.Timedelta(seconds=70), every_s=20)
    stood = pl.when(pl.col("timestamp") > at).then(pl.duration(seconds=60))
    trip = trip.with_columns(pl.col("timestamp") + stood.otherwise(pl.duration(seconds=0)))
    rows = pl.concat([trip, drive("v2", at + pd.Timedelta(hours=1))])
    known = trip.head(4)
    outs = []
    for name, given, time in (("all", rows, at), ("known", known, None)):
        fixes = write_fixes(given, tmp_path / f"{name}.csv")
        table, account = slices_of_fixes(fixes, city, NETWORK, 15, time)
        assert account.rows_in == len(given) == account.rows_used + sum(account.refused.values())
        outs.append(table)
    assert outs[0].equals(outs[1])
    hindsight, _ = slices_of_fixes(tmp_path / "all.csv", city, NETWORK, 15)
    assert not hindsight.filter(pc.less(hindsight["slice_start"], pa.scalar(at))).equals(outs[0])
    refused = {"after_the_time": len(rows) - len(known)}
    fixes = tmp_path / "all.csv"
    predicted = run_prediction(
        city, bundle_of(city), tmp_path / "a.csv", given=Given(at.isoformat(), fixes=fixes)
    )
    assert predicted.account is not None
    assert predicted.account.refused == refused
    with pytest.raises(
        DataError, match=r"all\.csv: no fix that can be used is of 2026-01-05T00:00"
    ):
        slices_of_fixes(fixes, city, NETWORK, 15, pd.Timestamp("2026-01-05T00:00Z"))


def test_the_map_is_drawn_unless_told_otherwise(city: Settings, tmp_path: Path) -> None:
    out = tmp_path / "out.geojson"
    picture = out.with_suffix(".png")
    picture.write_bytes(b"somebody's")
    style = out.with_suffix(".qml")
    assert run_prediction(city, bundle_of(city), out, picture=False).files == (out, style)
    assert picture.read_bytes() == b"somebody's"
    drawing = out.with_suffix(".svg")
    assert run_prediction(city, bundle_of(city), out).files == (out, style, picture, drawing)
    assert picture.read_bytes() != b"somebody's"


def test_where_there_is_no_map_to_draw_that_of_the_forecast_before_goes(
    city: Settings, tmp_path: Path
) -> None:
    bundle = read_bundle(bundle_of(city))
    hidden = replace(bundle, settings={**bundle.settings, "task": "estimate_hidden"})
    folder = tmp_path / "hidden"
    write_bundle(hidden, folder)
    # Every segment was observed in this slice, so there is nothing to estimate.
    given = Given(at=(END - pd.Timedelta(hours=1)).isoformat())
    for name in ("new.geojson", "again.geojson"):
        out = tmp_path / name
        out.with_suffix(".png").touch()
        out.with_suffix(".svg").touch()
        if name == "again.geojson":
            out.touch()
        files = run_prediction(city, folder, out, given=given).files
        assert files == (out, out.with_suffix(".qml"))
    pictures = {path.name for kind in ("png", "svg") for path in tmp_path.glob(f"*.{kind}")}
    assert pictures == {"new.png", "new.svg"}


def test_picture_and_page_of_the_forecast_before_go_where_they_are_not_made_again(
    city: Settings, tmp_path: Path
) -> None:
    assert PICTURES == PLOT_FORMATS
    beside = [tmp_path / f"out{kind}" for kind in (".png", ".svg", ".html")]
    for path in (*beside, tmp_path / "out.qml", tmp_path / "out.txt"):
        path.write_text("somebody's", "utf-8")

    def forecast(kind: str, *, picture: bool, page: bool) -> list[str]:
        run_prediction(city, bundle_of(city), tmp_path / f"out{kind}", picture=picture, page=page)
        return [path.suffix for path in beside if path.exists()]

    # The table is new, so nothing is known to be of a forecast before.
    assert forecast(".csv", picture=False, page=False) == [".png", ".svg", ".html"]
    assert {path.read_text("utf-8") for path in beside} == {"somebody's"}
    assert forecast(".csv", picture=False, page=True) == [".html"]
    assert forecast(".csv", picture=True, page=False) == [".png", ".svg"]
    # They may be of the other table.
    assert forecast(".parquet", picture=False, page=False) == [".png", ".svg"]
    assert forecast(".csv", picture=False, page=False) == [".png", ".svg"]
    (tmp_path / "out.parquet").unlink()
    assert forecast(".csv", picture=False, page=False) == []
    assert (tmp_path / "out.qml").read_text("utf-8") == "somebody's"
    assert (tmp_path / "out.txt").read_text("utf-8") == "somebody's"


def test_given_slices_that_cannot_be_used_are_named_with_their_file(
    city: Settings, tmp_path: Path
) -> None:
    file, out = tmp_path / "given.csv", tmp_path / "out.csv"
    frame = SLICES_TABLE.to_pandas().tail(2)
    stranger = frame.assign(segment_id="X")
    for rows, message in (
        (pd.concat([frame, frame]), r"given\.csv: two slices of segment '[ABC]' at 2026-01-0"),
        (pd.concat([frame, stranger]), r"given\.csv: slices name segment 'X', which the network"),
    ):
        rows.to_csv(file, index=False)
        with pytest.raises(DataError, match=message):
            run_prediction(city, bundle_of(city), out, given=Given(slices=file))
    assert not list(tmp_path.glob("out.*"))


def test_a_time_before_the_first_given_slice_ended_is_refused_on_the_citys_clock(
    bundle: Bundle, tmp_path: Path
) -> None:
    there = stored_city(replace(bundle, timezone="Asia/Bangkok"), tmp_path)
    file = tmp_path / "given.csv"
    SLICES_TABLE.to_pandas().to_csv(file, index=False)  # from Monday 00:00 in UTC on
    with pytest.raises(
        DataError,
        match=r"no history before 2026-01-05T07:00\+07:00: the first slice of .*given\.csv ends at "
        r"2026-01-05T07:15\+07:00; predict from then on \(--at 2026-01-05T07:15\+07:00\)",
    ):
        run_prediction(
            there, bundle_of(there), None, given=Given(at="2026-01-05T07:00", slices=file)
        )


def test_fixes_that_are_not_there_are_named_with_their_option(
    city: Settings, tmp_path: Path
) -> None:
    with pytest.raises(DataError, match=r"^--fixes .*/nope: no such file or folder"):
        slices_of_fixes(tmp_path / "nope", city, NETWORK, 15)
    assert not list(Workspace.of(city).root.glob("given-fixes*"))


def test_a_folder_is_refused_before_any_work(city: Settings, tmp_path: Path) -> None:
    out = tmp_path / "out.csv"
    out.mkdir()
    with pytest.raises(SettingsError, match=r"--out .*out\.csv: is a folder"):
        run_prediction(city, tmp_path / "no-bundle", out)


def test_a_registered_model_is_not_asked_for_where_a_bundle_is_named(city: Settings) -> None:
    elsewhere = replace(city, tracking=replace(city.tracking, uri="sqlite:////nowhere/m.db"))
    assert run_prediction(elsewhere, bundle_of(city), None, picture=False).registered is None


NOT_NEEDED = {
    "matplotlib", "mlflow", "polars", "pytorch_lightning", "scipy", "sklearn", "sqlalchemy",
    "sympy", "torch_geometric", "torchmetrics",
}  # fmt: skip
"""By the forecast of a champion without graph layers that is known; each takes a while to import,
and PyG and MLflow longer than all the rest."""


def test_a_forecast_imports_nothing_heavy_that_it_does_not_need(
    city: Settings, bundle: Bundle, tmp_path: Path
) -> None:
    known_champion(city, bundle_without_graph_layers(bundle))
    code = (
        "import sys; from roadgraph.cli import app; app(standalone_mode=False); "
        "print(sorted({name.split('.')[0] for name in sys.modules}))"
    )
    words = [
        "predict",
        "--no-picture",
        "city.name=toy",
        "city.timezone=UTC",
        f"workspace={tmp_path}",
    ]
    out = subprocess.run(
        [sys.executable, "-c", code, *words], capture_output=True, text=True, check=True
    )
    told, *_, imported = out.stdout.splitlines()
    assert told == "predicted with toy version 1 (champion): mlp-simple"
    assert "torch" in ast.literal_eval(imported)
    assert NOT_NEEDED & set(ast.literal_eval(imported)) == set()


def known_champion(city: Settings, bundle: Bundle) -> None:
    """Keep ``bundle`` as that of the champion of a database that has not changed since."""
    store, kept = store_of(city), Workspace.of(city).registered("toy")
    assert store.database is not None
    with closing(sqlite3.connect(store.database)) as connection:
        connection.execute("create table of_anything (number integer)")
    write_bundle(bundle, kept / "version-1-run" / "bundle")
    champion = {"store": store.name, "version": "1", "run_id": "run", "reached_at": "2026-01-05"}
    write_json(kept / CHAMPION_FILE, {**champion, "state": database_state(store.database)})


def bundle_without_graph_layers(bundle: Bundle) -> Bundle:
    """Return ``bundle`` with an untrained model in the place of its own."""
    options = replace(bundle.options, name="mlp")
    model = build_model(
        options, "simple", bundle.preparation.channels, bundle.window, bundle.horizons
    )
    settings = {**bundle.settings, "model": {**bundle.settings["model"], "name": "mlp"}}
    return replace(bundle, title="mlp-simple", model=model, options=options, settings=settings)


def test_the_map_page_is_written_beside_the_table_where_it_is_asked_for(
    city: Settings, tmp_path: Path
) -> None:
    out = tmp_path / "out.csv"
    page = out.with_suffix(".html")
    assert run_prediction(city, bundle_of(city), out, picture=False).files == (out,)
    assert not page.exists()
    assert run_prediction(city, bundle_of(city), out, picture=False, page=True).files == (out, page)
    header, arrays = read_page(page)
    assert header["issued_at"][0]["utc"] == f"{END:%Y-%m-%dT%H:%M:%SZ}"
    assert arrays["observed"].shape == (96, 3)  # the day before, and no truth yet
    assert arrays["seen"].tolist() == [[1, 1, 0]]


def test_a_map_page_of_roads_without_geometry_is_refused_before_any_work(
    city: Settings, tmp_path: Path
) -> None:
    segments = NETWORK.segments.assign(geometry=None)
    write_network(replace(NETWORK, segments=segments), Workspace.of(city).network)
    out = tmp_path / "out.csv"
    with pytest.raises(DataError, match="the network of 'toy' has no geometry"):
        run_prediction(city, bundle_of(city), out, page=True)
    assert not list(tmp_path.glob("out.*"))
