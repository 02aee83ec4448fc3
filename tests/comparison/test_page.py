from datetime import UTC, datetime
from pathlib import Path

from roadgraph.comparison.account import account_of
from roadgraph.comparison.page import page_of
from roadgraph.report.comparison_page import write_comparison_page
from tests.comparison.toy import quick_settings, toy_comparison

SETTINGS = quick_settings()
MADE = datetime(2026, 1, 20, 5, 30, tzinfo=UTC)
LINKS = {"": "http://host/#/c", "gcn-simple seed 2": "http://host/#/r2"}


def test_the_page_tells_what_the_text_tells(tmp_path: Path) -> None:
    compared = toy_comparison(tmp_path)
    page = page_of(compared, SETTINGS, tmp_path, LINKS, MADE)
    account = account_of(compared, SETTINGS)
    assert [table.title for table in page.tables] == [each.title for each in account.sections]
    assert (page.lead, page.notes) == (account.lead, account.notes)
    assert page.baselines == {"persistence"}
    assert page.facts["segments"] == "3"
    assert page.facts["made"] == "2026-01-20 05:30"
    assert page.url == "http://host/#/c"


def test_runs_are_linked_where_they_were_sent(tmp_path: Path) -> None:
    page = page_of(toy_comparison(tmp_path), SETTINGS, tmp_path, LINKS, MADE)
    urls = {run.name: run.url for run in page.runs}
    assert urls == {
        "persistence": None,
        "gcn-simple seed 1": None,
        "gcn-simple seed 2": "http://host/#/r2",
        "gcn-simple-self-loops seed 1": None,
        "gcn-simple-self-loops seed 2": None,
    }
    assert page.runs[0].facts == {"training": "0.5 s", "prediction": "1.0 ms"}
    assert page.runs[2].facts == {
        "training": "20.0 s",
        "prediction": "4.0 ms",
        "parameters": "1,234",
        "best epoch": "2",  # the second: the fact counts from 0
        "diagnosis": "it went well",
    }


def test_pictures_are_those_that_there_are(tmp_path: Path) -> None:
    compared = toy_comparison(tmp_path / "runs")
    plots, pictures = tmp_path / "plots", compared.runs[0].folder / "pictures"
    for folder in (plots, pictures):
        folder.mkdir(parents=True)
    (plots / "macro_f1.png").touch()
    (pictures / "error-map.png").touch()
    page = page_of(compared, SETTINGS, tmp_path, {}, MADE)
    assert [picture.path for picture in page.pictures] == [plots / "macro_f1.png"]
    assert [picture.title for picture in page.runs[0].pictures] == ["error map"]
    assert page.url is None


def test_the_page_is_written(tmp_path: Path) -> None:
    page = page_of(toy_comparison(tmp_path), SETTINGS, tmp_path, LINKS, MADE)
    write_comparison_page(page, tmp_path / "comparison.html")
    text = (tmp_path / "comparison.html").read_text("utf-8")
    assert 'href="http://host/#/r2"' in text
    assert 'href="http://host/#/c"' in text
    assert "Better, worse or tie" in text
