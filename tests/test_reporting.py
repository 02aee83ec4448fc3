import re
from dataclasses import replace
from datetime import date
from pathlib import Path

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq
import pytest

from roadgraph.errors import DataError, SettingsError
from roadgraph.network.network import write_network
from roadgraph.predict.predictions import signed
from roadgraph.reporting import MAP_FILE, run_report
from roadgraph.settings import Settings
from roadgraph.workspace import Workspace
from tests.kills import tree_of
from tests.quality.toy import MONDAY, NETWORK, SLICES, TUESDAY, city, write_day
from tests.report.map_page.toy import read_page
from tests.verification.toy import forecast, put

ANSWERS = [["gridlock", "free_flow", "moderate"]]
SEVEN = 28  # the slice that begins at 07:00


@pytest.fixture
def toy(tmp_path: Path) -> Settings:
    """A Monday with 40 km/h everywhere and a Tuesday with 8 on A at 07:00; nothing forecast."""
    settings, _ = city(tmp_path / "work", report={"worst": 1})
    write_day(settings, MONDAY, 40.0)
    speed = np.full((SLICES, 3), np.nan)
    speed[SEVEN, 0] = 8.0
    write_day(settings, TUESDAY, speed)
    return settings


def without_geometry(settings: Settings) -> None:
    segments = NETWORK.segments.assign(geometry=None)
    write_network(replace(NETWORK, segments=segments), Workspace.of(settings).network)


def names(folder: Path) -> set[str]:
    return {path.name for path in folder.iterdir()}


def test_the_map_plays_the_newest_day_and_the_scorecard_judges_it(toy: Settings) -> None:
    put(toy, forecast("2026-01-06T06:45", [[20.0, 40.0, 30.0]] * 2, ANSWERS * 2))
    put(toy, forecast("2026-01-06T07:00", [[10.0, 40.0, 30.0]], ANSWERS))
    report = run_report(toy)
    folder = Workspace.of(toy).report
    assert report.notes == ()
    assert {path.name for path in report.files} == names(folder)
    assert names(folder) == {MAP_FILE, "scorecard.html", "scorecard.csv", "plots"}
    header, arrays = read_page(folder / MAP_FILE)
    assert [time["local"] for time in header["issued_at"]] == [
        "Tue 06 Jan 2026, 06:45",
        "Tue 06 Jan 2026, 07:00",
    ]
    step = header["speed_step_kph"]
    assert arrays["speed"][0, 0, 0] * step == 20
    truth = arrays["target_slice"][1, 0]
    assert arrays["observed"][truth, 0] * step == 8
    table = pd.read_csv(folder / "scorecard.csv")
    assert set(table["day"]) == {"2026-01-06"}


def test_free_flow_on_the_map_is_that_of_the_days_before(toy: Settings) -> None:
    """All of Monday was driven at 40 km/h, which is below the limit of 50."""
    put(toy, forecast("2026-01-06T07:00", [[10.0, 40.0, 30.0]], ANSWERS))
    run_report(toy)
    _, arrays = read_page(Workspace.of(toy).report / MAP_FILE)
    assert arrays["free_flow_kph"].tolist() == [40, 40, 40]
    assert arrays["limit_kph"].tolist() == [50, 50, 50]


def test_without_a_day_before_the_map_has_no_free_flow(toy: Settings) -> None:
    put(toy, forecast("2026-01-05T07:00", [[10.0, 40.0, 30.0]], ANSWERS))
    run_report(toy)
    header, _ = read_page(Workspace.of(toy).report / MAP_FILE)
    assert "free_flow_kph" not in header["arrays"]


@pytest.mark.parametrize("given", [False, True])
def test_forecasts_for_slices_of_another_length_than_those_stored_are_refused(
    toy: Settings, tmp_path: Path, given: bool
) -> None:
    table = forecast("2026-01-07T07:00", [[10.0, 40.0, 30.0]], ANSWERS)
    place = table.column_names.index("horizon_min")
    longer = pc.add(table["horizon_min"], 15).cast(table["horizon_min"].type)
    table = table.set_column(place, table.schema.field(place), longer)
    if given:
        pq.write_table(table, tmp_path / "mine.parquet")
    else:
        put(toy, table)
    with pytest.raises(DataError, match=r"slices of 30 minutes and .* has slices of 15"):
        run_report(toy, predictions=tmp_path / "mine.parquet" if given else None)


def test_a_day_that_is_asked_for_is_shown_as_it_was_issued_first(toy: Settings) -> None:
    put(toy, forecast("2026-01-06T07:00", [[10.0, 40.0, 30.0]], ANSWERS))
    put(toy, forecast("2026-01-06T07:00", [[12.0, 40.0, 30.0]], ANSWERS))
    put(toy, forecast("2026-01-08T07:00", [[50.0, 40.0, 30.0]], ANSWERS))
    run_report(toy, TUESDAY)
    header, arrays = read_page(Workspace.of(toy).report / MAP_FILE)
    assert arrays["speed"][0, 0, 0] * header["speed_step_kph"] == 10


def test_without_issued_forecasts_the_newest_predictions_are_shown(toy: Settings) -> None:
    newest = Workspace.of(toy).predictions
    pq.write_table(forecast("2026-01-07T00:00", [[10.0, 40.0, 30.0]], ANSWERS), newest)
    report = run_report(toy)
    assert [path.name for path in report.files] == [MAP_FILE]
    (note,) = report.notes
    assert note.startswith("no scorecard: no day that is over was both forecast and observed")
    assert "roadgraph run" in note


def test_a_file_of_predictions_takes_the_place_of_the_issued_ones(
    toy: Settings, tmp_path: Path
) -> None:
    put(toy, forecast("2026-01-06T07:00", [[10.0, 40.0, 30.0]], ANSWERS))
    file = tmp_path / "mine.parquet"
    pq.write_table(forecast("2026-01-07T00:00", [[22.0, 40.0, 30.0]], ANSWERS), file)
    report = run_report(toy, predictions=file, out=tmp_path / "out")
    assert {path.parent for path in report.files} == {tmp_path / "out"}
    header, arrays = read_page(tmp_path / "out" / MAP_FILE)
    assert arrays["speed"][0, 0, 0] * header["speed_step_kph"] == 22


def test_without_geometry_there_is_a_scorecard_and_a_line_and_no_map_of_before(
    toy: Settings,
) -> None:
    put(toy, forecast("2026-01-06T07:00", [[10.0, 40.0, 30.0]], ANSWERS))
    run_report(toy)
    without_geometry(toy)
    report = run_report(toy)
    assert report.notes == ("no map: the network of 'toy' has no geometry, as its source has none",)
    assert names(Workspace.of(toy).report) == {"scorecard.html", "scorecard.csv", "plots"}


def test_a_day_that_cannot_be_judged_has_a_page_that_says_why(toy: Settings) -> None:
    put(toy, forecast("2026-01-08T07:00", [[10.0, 40.0, 30.0]], ANSWERS))
    report = run_report(toy, TUESDAY)
    assert report.notes == ("no map: no forecast was issued on 2026-01-06",)
    page = (Workspace.of(toy).report / "scorecard.html").read_text("utf-8")
    assert "no forecast was issued for 2026-01-06" in page


def test_a_scorecard_of_before_goes_where_there_is_none(toy: Settings) -> None:
    put(toy, forecast("2026-01-06T07:00", [[10.0, 40.0, 30.0]], ANSWERS))
    run_report(toy)
    (Workspace.of(toy).forecasts).rename(Workspace.of(toy).root / "gone")
    newest = Workspace.of(toy).predictions
    pq.write_table(forecast("2026-01-07T00:00", [[10.0, 40.0, 30.0]], ANSWERS), newest)
    run_report(toy)
    assert names(Workspace.of(toy).report) == {MAP_FILE}


def test_a_city_of_which_nothing_was_forecast_is_refused(toy: Settings) -> None:
    with pytest.raises(DataError, match="nothing was forecast for 'toy' yet; forecast first"):
        run_report(toy)
    assert not Workspace.of(toy).report.exists()


def test_a_day_with_neither_forecasts_nor_slices_is_refused_and_nothing_is_touched(
    toy: Settings, tmp_path: Path
) -> None:
    file = tmp_path / "mine.parquet"
    pq.write_table(forecast("2026-01-07T00:00", [[10.0, 40.0, 30.0]], ANSWERS), file)
    nothing = "--day: no forecast was issued on 2020-01-01, and nothing was observed on it"
    with pytest.raises(DataError, match=f"{nothing}; none was issued on any other day: roadgraph"):
        run_report(toy, date(2020, 1, 1))
    put(toy, forecast("2026-01-06T07:00", [[10.0, 40.0, 30.0]], ANSWERS))
    put(toy, forecast("2026-01-08T07:00", [[10.0, 40.0, 30.0]], ANSWERS))
    report = Workspace.of(toy).report
    (report / "plots").mkdir(parents=True)
    for name in (MAP_FILE, "scorecard.html", "scorecard.csv", "plots/worst.png"):
        (report / name).write_text("of before", "utf-8")
    before = tree_of(report)
    for predictions in (None, file):
        with pytest.raises(
            DataError, match=f"{nothing}; forecasts were issued from 2026-01-06 to 2026-01-08"
        ):
            run_report(toy, date(2020, 1, 1), predictions)
    assert tree_of(report) == before


def test_predictions_that_cannot_be_shown_are_named_with_their_file(
    toy: Settings, tmp_path: Path
) -> None:
    file = tmp_path / "other.parquet"
    others = forecast("2026-01-07T00:00", [[1.0, 2.0, 3.0]], ANSWERS, segment_id=["A", "X", "Y"])
    pq.write_table(others, file)
    with pytest.raises(DataError, match=r"other\.parquet cannot be shown: .*'X'.*'Y'"):
        run_report(toy, predictions=file)
    rows = forecast("2026-01-07T00:00", [[1.0, 2.0, 3.0]], ANSWERS)
    pq.write_table(pa.concat_tables([rows, rows]), file)
    with pytest.raises(DataError, match=r"other\.parquet cannot be shown: two predictions of "):
        run_report(toy, predictions=file)
    # As if the newest predictions had been copied into the workspace from another city.
    pq.write_table(others, Workspace.of(toy).predictions)
    with pytest.raises(DataError, match=r"predictions\.parquet cannot be shown: .*'X'.*'Y'"):
        run_report(toy)


def test_a_forecast_of_the_store_that_is_damaged_is_named_itself(toy: Settings) -> None:
    put(toy, forecast("2026-01-06T07:00", [[10.0, 40.0, 30.0]], ANSWERS))
    (path,) = Workspace.of(toy).forecasts.rglob("*.parquet")
    path.write_bytes(b"")
    with pytest.raises(DataError, match=f"^{re.escape(str(path))} is damaged"):
        run_report(toy)


def test_a_file_that_is_no_table_of_predictions_is_refused(toy: Settings, tmp_path: Path) -> None:
    with pytest.raises(SettingsError, match=r"--predictions .*mine.parquet: no such file"):
        run_report(toy, predictions=tmp_path / "mine.parquet")
    older = tmp_path / "older.parquet"
    rows = forecast("2026-01-07T00:00", [[1.0, 2.0, 3.0]], ANSWERS)
    pq.write_table(rows.drop_columns(["basis", "data_age_min"]), older)
    with pytest.raises(DataError, match=r"older.parquet has no column 'basis'"):
        run_report(toy, predictions=older)


def test_a_file_of_predictions_that_says_nothing_is_refused(toy: Settings, tmp_path: Path) -> None:
    rows = forecast("2026-01-07T00:00", [[1.0, 2.0, 3.0]], ANSWERS)
    file = tmp_path / "mine.parquet"
    pq.write_table(rows.slice(0, 0), file)
    with pytest.raises(DataError, match=r"mine.parquet holds no prediction; forecast again"):
        run_report(toy, predictions=file)
    for name in ("issued_at", "slice_start", "segment_id", "horizon_min"):
        place, field = rows.column_names.index(name), rows.schema.field(name)
        values = pa.array([None, *rows[name].to_pylist()[1:]], field.type)
        pq.write_table(rows.set_column(place, field, values), file)
        with pytest.raises(DataError, match=f"mine.parquet: a row has no '{name}'"):
            run_report(toy, predictions=file)
    horizon = rows.column_names.index("horizon_min")
    pq.write_table(rows.set_column(horizon, "horizon_min", pa.array(["soon"] * 3)), file)
    with pytest.raises(DataError, match=r"mine.parquet: table 'predictions': .*soon"):
        run_report(toy, predictions=file)
    table = tmp_path / "mine.csv"
    table.touch()
    with pytest.raises(SettingsError, match=r"mine.csv: no .parquet file; name a .parquet file"):
        run_report(toy, predictions=table)


def test_a_file_tells_the_map_until_when_its_model_was_made(toy: Settings, tmp_path: Path) -> None:
    file = tmp_path / "mine.parquet"
    rows = forecast("2026-01-06T07:00", [[1.0, 2.0, 3.0]], ANSWERS)
    pq.write_table(signed(rows, {"seen_until": "2026-01-07T00:00Z"}), file)
    header, _ = read_page(run_report(toy, predictions=file).files[0])
    assert "made from" in header["notes"][0]


def test_the_truth_of_an_earlier_forecast_that_looks_farther_is_shown(toy: Settings) -> None:
    speeds = np.full((SLICES, 3), np.nan)
    speeds[SEVEN + 3, 0] = 11.0
    write_day(toy, TUESDAY, speeds)
    put(toy, forecast("2026-01-06T07:00", [[10.0, 40.0, 30.0]] * 4, ANSWERS * 4))
    put(toy, forecast("2026-01-06T07:15", [[10.0, 40.0, 30.0]], ANSWERS))
    header, arrays = read_page(run_report(toy, TUESDAY).files[0])
    truth = arrays["target_slice"][0, 3]
    assert truth >= 0
    assert arrays["observed"][truth, 0] * header["speed_step_kph"] == 11


def test_a_day_that_is_not_over_is_not_judged(
    toy: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    put(toy, forecast("2026-01-06T07:00", [[10.0, 40.0, 30.0]], ANSWERS))
    run_report(toy, TUESDAY)
    monkeypatch.setattr("roadgraph.reporting.is_over", lambda *_: False)
    report = run_report(toy, TUESDAY)
    assert report.notes == ("no scorecard: 2026-01-06 is not over in Asia/Bangkok",)
    assert names(Workspace.of(toy).report) == {MAP_FILE}
    with pytest.raises(DataError, match="no forecast was issued on 2026-01-05, and it is not over"):
        run_report(toy, MONDAY)


def test_a_report_that_was_killed_is_made_again(toy: Settings) -> None:
    put(toy, forecast("2026-01-06T07:00", [[10.0, 40.0, 30.0]], ANSWERS))
    (Workspace.of(toy).report / "plots").mkdir(parents=True)
    run_report(toy)
    assert names(Workspace.of(toy).report) > {MAP_FILE, "plots"}


def test_a_folder_of_other_things_is_left_alone(toy: Settings, tmp_path: Path) -> None:
    put(toy, forecast("2026-01-06T07:00", [[10.0, 40.0, 30.0]], ANSWERS))
    theirs = tmp_path / "theirs" / "plots"
    theirs.mkdir(parents=True)
    with pytest.raises(SettingsError, match=r"theirs: holds other files \(plots\)"):
        run_report(toy, out=theirs.parent)
    assert theirs.is_dir()
    file = tmp_path / "file"
    file.touch()
    with pytest.raises(SettingsError, match="is a file; name a folder"):
        run_report(toy, out=file)


def test_the_day_is_a_local_one(toy: Settings) -> None:
    put(toy, forecast("2026-01-06T00:15", [[10.0, 40.0, 30.0]], ANSWERS))  # Monday still in UTC
    header, _ = read_page(run_report(toy, date(2026, 1, 6)).files[0])
    assert len(header["issued_at"]) == 1
