"""The page as it is written, and as a browser shows it."""

from dataclasses import replace
from datetime import date
from pathlib import Path

import pandas as pd
import pytest

from roadgraph.report.scorecard_page.page import SCORECARD_FILE, remove_scorecard, write_scorecard
from roadgraph.report.scorecard_page.pictures import drawings_of
from roadgraph.report.scorecard_page.sections import drift_section, sections_of
from roadgraph.settings import Settings
from roadgraph.verification.errors import COLUMNS as ERRORS
from roadgraph.verification.parts_of_day import FIGURES, HOUR
from roadgraph.verification.scorecard import Scorecard, WorstHour, scorecard_of
from roadgraph.workspace import Workspace
from tests.browser import PHONE, opened, running_browser
from tests.quality.toy import NETWORK, TUESDAY
from tests.report.scorecard_page.toy import record
from tests.verification.toy import scored_day

Stored = tuple[Settings, Workspace, Scorecard]


@pytest.fixture(scope="module")
def stored(tmp_path_factory: pytest.TempPathFactory) -> Stored:
    settings, workspace = scored_day(tmp_path_factory.mktemp("city"), report={"worst": 1})
    return settings, workspace, scorecard_of(settings, NETWORK, workspace, TUESDAY)


@pytest.fixture(scope="module")
def written(stored: Stored) -> tuple[Path, ...]:
    settings, workspace, scorecard = stored
    return write_scorecard(scorecard, settings, workspace.report)


def test_page_table_and_pictures_are_written(written: tuple[Path, ...], stored: Stored) -> None:
    page, table, plots = written
    assert [path.name for path in written] == ["scorecard.html", "scorecard.csv", "plots"]
    assert page.parent == stored[1].report
    names = {path.stem for path in plots.glob("*.png")}
    assert names == {
        "horizon", "horizon-coverage", "road-class", "district", "error-map", "confusion",
        "reliability-all", "reliability-15", "reliability-30", "worst-segment-01",
    }  # fmt: skip
    assert page.read_text("utf-8").count("data:image/png;base64,") == len(names)
    assert len(pd.read_csv(table)["table"].unique()) == 7


def test_the_page_says_what_is_judged_and_what_is_missing(written: tuple[Path, ...]) -> None:
    text = written[0].read_text("utf-8")
    for said in (
        "<h1>Scorecard of Tuesday, 6 January 2026</h1>",
        "<strong>288</strong> are judged",
        "<strong>15 minutes ahead:</strong> the speed was",
        "Districts are nine fields of equal size",
        "No hour has 200 judged cells.",
        "<code>roadgraph run --steps quality --from 2026-01-06 --to 2026-01-06</code> makes it.",
    ):
        assert said in text
    assert "://" not in text


def test_the_page_says_what_was_issued_in_hindsight_and_held_back(
    stored: Stored, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("roadgraph.report.scorecard_page.page.drawings_of", lambda *_: [])
    settings, _, scorecard = stored
    assert scorecard.hindsight == 0
    late = replace(scorecard, hindsight=200)
    text = write_scorecard(late, settings, tmp_path)[0].read_text("utf-8")
    assert "288 forecasts, 200 of them issued in hindsight" in text
    assert "<strong>200</strong> of these were, or may have been, issued in hindsight" in text
    assert "<strong>96</strong> of these have a class that was held back" in text


def test_worst_hours_name_the_largest_shares_of_their_error(stored: Stored) -> None:
    settings, _, scorecard = stored
    name = scorecard.table(HOUR)["part"].iloc[0]
    card = replace(scorecard, worst_hours=(WorstHour(name, {"A": 0.512, "C": 0.07}),))
    (hours,) = (each for each in sections_of(card, settings, {}) if each.title == "The worst hours")
    assert hours.tables[0].heads[-1][0] == "largest shares"
    _, cells = hours.tables[0].rows[0]
    assert cells[-1].text == "A (51 %), C (7 %)"


def test_days_whose_errors_are_of_other_data_are_named() -> None:
    days = tuple(date(2026, 1, day) for day in range(5, 12))
    one, many = (
        drift_section(replace(record(), outdated=some), 0.2, {}).notes for some in (days[:1], days)
    )
    assert one == [
        "The errors of 2026-01-05 were worked out from other data or settings than those of now; "
        "`roadgraph run --steps evaluation --from 2026-01-05 --to 2026-01-05` works them out again."
    ]
    assert "2026-01-09 and 2 more were worked out" in many[0]
    assert drift_section(record(), 0.2, {}).notes == []


def test_a_network_without_geometry_says_that_there_is_no_map(
    stored: Stored, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    settings, _, scorecard = stored
    bare = replace(
        scorecard,
        network=None,
        scores=scorecard.scores[scorecard.scores["table"] != "district"],
        worst_segments=(),
    )
    names = {drawing.name for drawing in drawings_of(bare, settings.city)}
    assert {"horizon", "road-class"} <= names
    assert not {"district", "error-map"} & names
    monkeypatch.setattr("roadgraph.report.scorecard_page.page.drawings_of", lambda *_: [])
    text = write_scorecard(bare, settings, tmp_path)[0].read_text("utf-8")
    assert "there is no map and there are no districts" in text
    assert "No segment has 20 judged cells." in text


def test_a_model_without_classes_or_speeds_has_no_pictures_of_them(stored: Stored) -> None:
    settings, _, scorecard = stored
    speeds = replace(
        scorecard, confusion=scorecard.confusion * 0, reliability=scorecard.reliability.iloc[:0]
    )
    names = {drawing.name for drawing in drawings_of(speeds, settings.city)}
    assert not {"confusion", "reliability-all"} & names
    nothing = dict.fromkeys(FIGURES, float("nan"))
    neither = replace(
        speeds,
        scores=scorecard.scores.assign(**nothing),
        segment_mae_kph=scorecard.segment_mae_kph * float("nan"),
        worst_segments=(),
    )
    assert drawings_of(neither, settings.city) == []


def test_the_worst_hour_and_the_days_before_have_a_picture(stored: Stored) -> None:
    settings, _, scorecard = stored
    errors = pd.DataFrame(
        [[date(2026, 1, day), "m", 15, 9, *[1.0] * 6] for day in (5, 6)], columns=ERRORS
    )
    more = replace(
        scorecard,
        record=record(errors),
        worst_hours=(WorstHour("2026-01-06T00:00Z", {"A": 0.5}),),
    )
    titles = {drawing.name: drawing.title for drawing in drawings_of(more, settings.city)}
    assert titles["drift"] == "Errors day by day, means over the horizons"
    assert titles["worst-hour-01"] == (
        "07:00 to 08:00, all judged cells: forecast 15 minutes ahead"
    )


def test_hours_have_a_picture_where_one_of_them_has_enough_cells(stored: Stored) -> None:
    settings, _, scorecard = stored
    assert "hour" not in {each.name for each in drawings_of(scorecard, settings.city)}
    more = replace(scorecard, scores=scorecard.scores.assign(cells=200))
    assert "hour" in {each.name for each in drawings_of(more, settings.city)}


def test_an_hour_without_a_cell_is_a_gap(stored: Stored, monkeypatch: pytest.MonkeyPatch) -> None:
    settings, _, scorecard = stored
    drawn: list[list[str]] = []

    def plot(scores: pd.DataFrame, hours: list[str], title: str, *_: object, path: Path) -> None:
        drawn.append(hours)

    monkeypatch.setattr("roadgraph.report.scorecard_page.pictures.plot_hours", plot)
    scores = scorecard.scores.assign(cells=200)
    without = scores[scores["part"] != "2026-01-06T01:00Z"]  # 8 o'clock in Bangkok
    for card in (scores, without):
        drawings = drawings_of(replace(scorecard, scores=card), settings.city)
        next(each for each in drawings if each.name == "hour").draw(path=Path())
    assert len(drawn[0]) == 24
    assert (drawn[0][0], drawn[0][-1]) == ("2026-01-05T17:00Z", "2026-01-06T16:00Z")
    assert drawn[1] == drawn[0]


def test_names_that_the_font_cannot_draw_stand_beside_their_pictures(
    stored: Stored, tmp_path: Path
) -> None:
    settings, _, scorecard = stored
    thai = "ถนนสุขุมวิท"
    (worst,) = scorecard.worst_segments
    named = replace(
        scorecard,
        scores=scorecard.scores.replace({"part": {"centre": thai}}),
        worst_segments=(replace(worst, road=thai),),
    )
    drawings = {each.name: each for each in drawings_of(named, settings.city)}
    assert drawings["worst-segment-01"].title.startswith(f"{worst.segment_id}, {thai}: ")
    assert drawings["district"].title == "Errors by district, in the rows of the table"
    for name in ("worst-segment-01", "district"):  # a letter that is missing is a warning
        drawings[name].draw(path=tmp_path / f"{name}.png")


def test_a_day_without_anything_to_judge_says_why(stored: Stored, tmp_path: Path) -> None:
    empty = Scorecard(date(2026, 1, 9), "no forecast was issued for 2026-01-09", record())
    page, table, plots = write_scorecard(empty, stored[0], tmp_path)
    said = "There is nothing to judge: no forecast was issued for 2026-01-09."
    assert said in page.read_text("utf-8")
    assert pd.read_csv(table).empty
    assert list(plots.iterdir()) == []
    (tmp_path / "map.html").touch()
    remove_scorecard(tmp_path)
    remove_scorecard(tmp_path)
    assert [path.name for path in tmp_path.iterdir()] == ["map.html"]


def test_pictures_that_cannot_be_removed_are_told(tmp_path: Path) -> None:
    (tmp_path / "plots").touch()
    with pytest.raises(NotADirectoryError, match="plots"):
        remove_scorecard(tmp_path)


def test_names_from_files_stay_texts(
    stored: Stored, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("roadgraph.report.scorecard_page.page.drawings_of", lambda *_: [])
    settings, _, scorecard = stored
    hostile = "<script>alert(1)</script>"
    worst = tuple(replace(each, road=hostile) for each in scorecard.worst_segments)
    named = replace(scorecard, worst_segments=worst, models={hostile: 1})
    text = write_scorecard(named, settings, tmp_path)[0].read_text("utf-8")
    assert "<script>alert" not in text
    assert text.count("&lt;script&gt;alert") == 2


def test_a_browser_shows_it_without_a_request_an_error_or_a_sideways_scroll(
    written: tuple[Path, ...],
) -> None:
    page = written[0]
    with running_browser() as browser, opened(browser, page, PHONE, "dark", touch=True) as seen:
        assert seen.requests == [page.resolve().as_uri()]
        assert seen.messages == []
        assert seen.page.evaluate("document.documentElement.scrollWidth <= innerWidth")
        shown = seen.page.locator("img").evaluate_all("all => all.every(one => one.naturalWidth)")
        assert shown
        assert page.name == SCORECARD_FILE
        seen.page.locator("nav a", has_text="Drift").click()
        assert seen.page.locator("h2", has_text="Drift").is_visible()
