"""The page is read as a browser reads it: by its elements, attributes and cells."""

from __future__ import annotations

import base64
from dataclasses import replace
from html.parser import HTMLParser
from typing import TYPE_CHECKING

import pandas as pd
import pytest

from roadgraph.errors import DataError
from roadgraph.report.comparison_page import ComparisonPage, PageRun, write_comparison_page
from roadgraph.report.html_page import Picture
from roadgraph.report.html_tables import PageTable

if TYPE_CHECKING:
    from pathlib import Path

PNG = base64.b64decode(
    "iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAQAAAC1HAwCAAAAC0lEQVR42mNk+A8AAQUBAScY42YAAAAASUVORK5CYII="
)
HOSTILE = '<script>alert("1")</script> & "quoted" \'once\''
FIGURES = pd.DataFrame(
    {
        "model": ["persistence", "persistence", "gcn-enhanced", "gcn-enhanced"],
        "minutes": [15, 30, 15, 30],
        "macro F1": ["0.386", "0.364", "**0.447 ± 0.002**", "0.442 ± 0.003"],
        "parameters": ["-", "-", "10,916", "10,916"],
    }
)
VERDICTS = pd.DataFrame(
    {
        "comparison": ["model against the best baseline"] * 3,
        "model": ["gcn-enhanced"] * 3,
        "mean": ["0.447", "-", "7.84"],
        "verdict": ["better", "worse", "tie (one seed)"],
    }
)
RUN_URL = "https://mlflow.example.org/#/experiments/2/runs/0a1b?x=1&y=2"
PAGE = ComparisonPage(
    title="Comparison of two models",
    city="sample",
    facts={"days": "14", "segments": "1,034"},
    lead=["A cell has a label where it was **observed**."],
    notes=["**Trivial:** with `task=nowcast_same_slice` a < b."],
    tables=[
        PageTable("Every horizon", FIGURES),
        PageTable("Better, worse or tie", VERDICTS, ["Over all horizons."]),
    ],
    runs=[
        PageRun("persistence"),
        PageRun("gcn-enhanced seed 2", RUN_URL, {"training": "73.4 s"}),
    ],
    baselines=frozenset({"persistence"}),
)


class Reader(HTMLParser):
    """Keeps elements with their attributes, and the texts of those that are asked for."""

    def __init__(self, text: str, kept: frozenset[str] = frozenset()) -> None:
        super().__init__()
        self.kept = kept
        self.elements: list[tuple[str, dict[str, str | None]]] = []
        self.texts: list[list[str]] = []
        self.open: list[str] = []
        self.feed(text)
        self.close()

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.elements.append((tag, dict(attrs)))
        if tag not in ("meta", "img", "br"):
            self.open.append(tag)
        if tag in self.kept:
            self.texts.append([])

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag

    def handle_data(self, data: str) -> None:
        if self.kept & set(self.open):
            self.texts[-1].append(data)

    def found(self) -> list[str]:
        return ["".join(parts).strip() for parts in self.texts]


def written(page: ComparisonPage, tmp_path: Path) -> str:
    write_comparison_page(page, tmp_path / "comparison.html")
    return (tmp_path / "comparison.html").read_text("utf-8")


def texts_of(text: str, *tags: str) -> list[str]:
    return Reader(text, frozenset(tags)).found()


def classes_of(text: str, tag: str) -> list[str]:
    reader = Reader(text)
    return [attributes.get("class") or "" for name, attributes in reader.elements if name == tag]


@pytest.fixture
def picture(tmp_path: Path) -> Picture:
    path = tmp_path / "scores.png"
    path.write_bytes(PNG)
    return Picture("Macro F1 by horizon", path)


def test_the_page_is_whole_without_network_or_files(picture: Picture, tmp_path: Path) -> None:
    runs = [replace(run, pictures=[picture]) for run in PAGE.runs]
    reader = Reader(written(replace(PAGE, pictures=[picture], runs=runs), tmp_path))
    assert reader.open == []  # every element is closed
    names = {attributes.get("id") for _, attributes in reader.elements}
    sources = []
    for tag, attributes in reader.elements:
        assert tag not in ("link", "iframe", "object", "embed", "base", "form")
        sources += [attributes[name] for name in ("src", "srcset", "data") if name in attributes]
        link = attributes.get("href")
        assert link is None or link == RUN_URL or (link[0] == "#" and link[1:] in names)
    assert sources == ["data:image/png;base64," + base64.b64encode(PNG).decode()] * 3


def test_nothing_outside_is_named_in_style_or_script_and_a_browser_would_refuse_it(
    tmp_path: Path,
) -> None:
    text = written(replace(PAGE, runs=[]), tmp_path)
    assert "://" not in text
    assert "url(" not in text
    assert "@import" not in text
    policies = [
        attributes["content"]
        for tag, attributes in Reader(text).elements
        if attributes.get("http-equiv") == "Content-Security-Policy"
    ]
    assert policies == [
        "default-src 'none'; img-src data:; style-src 'unsafe-inline'; script-src 'unsafe-inline'"
    ]


def test_every_cell_of_a_table_stands_in_its_place(tmp_path: Path) -> None:
    text = written(PAGE, tmp_path)
    assert texts_of(text, "th") == [*FIGURES.columns, *VERDICTS.columns]
    cells = [
        str(cell).strip("*") for table in (FIGURES, VERDICTS) for cell in table.to_numpy().ravel()
    ]
    assert texts_of(text, "td") == cells


def test_baselines_are_grey_the_best_is_marked_and_verdicts_are_told_apart(tmp_path: Path) -> None:
    text = written(PAGE, tmp_path)
    assert classes_of(text, "tr")[1:5] == ["baseline", "baseline", "another", ""]
    cells = classes_of(text, "td")
    assert cells[:4] == ["", "number", "number", "number"]
    assert [place for place, kind in enumerate(cells) if "best" in kind.split()] == [2 * 4 + 2]
    assert [kind for kind in cells[16:] if kind] == [
        "number", "better", "number", "worse", "number", "tie",
    ]  # fmt: skip


def test_bold_and_code_are_shown_and_all_else_is_escaped(tmp_path: Path) -> None:
    text = written(PAGE, tmp_path)
    notes = text[text.index("<aside>") : text.index("</aside>")]
    assert texts_of(notes, "strong") == ["Trivial:"]
    assert texts_of(notes, "code") == ["task=nowcast_same_slice"]
    assert texts_of(notes, "li") == ["Trivial: with task=nowcast_same_slice a < b."]
    assert "<p>A cell has a label where it was <strong>observed</strong>.</p>" in text


def test_hostile_texts_stay_texts(picture: Picture, tmp_path: Path) -> None:
    hostile = ComparisonPage(
        title=HOSTILE,
        city=HOSTILE,
        facts={HOSTILE: HOSTILE},
        lead=[HOSTILE],
        notes=[f"**{HOSTILE}**"],
        tables=[PageTable(HOSTILE, pd.DataFrame({"model": [HOSTILE], HOSTILE: [HOSTILE]}))] * 2,
        pictures=[replace(picture, title=HOSTILE)],
        runs=[PageRun(HOSTILE, RUN_URL, {HOSTILE: HOSTILE}, [replace(picture, title=HOSTILE)])],
        baselines=frozenset({HOSTILE}),
    )
    text = written(hostile, tmp_path)
    reader = Reader(text)
    assert reader.open == []
    assert [tag for tag, _ in reader.elements].count("script") == 1
    assert "<script>alert" not in text
    known = {"alt", "aria-label", "charset", "class", "content", "href", "http-equiv", "id",
             "lang", "name", "open", "rel", "role", "scope", "src", "tabindex"}  # fmt: skip
    assert {name for _, attributes in reader.elements for name in attributes} <= known
    assert texts_of(text, "h1") == [HOSTILE]
    assert texts_of(text, "td") == [HOSTILE] * 4
    assert [a["alt"] for tag, a in reader.elements if tag == "img"] == [HOSTILE] * 2


def test_a_run_links_to_the_server_where_there_is_one(tmp_path: Path) -> None:
    text = written(PAGE, tmp_path)
    links = [a["href"] or "" for tag, a in Reader(text).elements if tag == "a"]
    assert [link for link in links if link[0] != "#"] == [RUN_URL]
    assert texts_of(text, "dt") == ["days", "segments", "training"]
    assert texts_of(text, "dd") == ["14", "1,034", "73.4 s"]


@pytest.mark.parametrize("url", ["javascript:alert(1)", "file:///tmp/mlflow.db", "mlflow/#/runs"])
def test_an_address_that_is_no_web_page_is_refused(url: str, tmp_path: Path) -> None:
    page = replace(PAGE, runs=[PageRun("gcn-enhanced seed 2", url)])
    with pytest.raises(DataError, match=r"run 'gcn-enhanced seed 2': '.*' is no web address"):
        written(page, tmp_path)


def test_a_missing_picture_is_named_and_nothing_is_written(tmp_path: Path) -> None:
    page = replace(PAGE, pictures=[Picture("Macro F1 by horizon", tmp_path / "gone.png")])
    with pytest.raises(DataError, match=r"gone\.png: the picture 'Macro F1 by horizon' .* missing"):
        written(page, tmp_path)
    assert list(tmp_path.iterdir()) == []


def test_a_picture_that_is_not_png_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "curves.png"
    path.write_text("<svg onload='alert(1)'/>", "utf-8")
    page = replace(PAGE, runs=[PageRun("persistence", pictures=[Picture("Curves", path)])])
    with pytest.raises(DataError, match=r"curves\.png: the picture 'Curves' .* is not PNG"):
        written(page, tmp_path)


def test_the_same_content_gives_the_same_bytes_and_is_not_changed(
    picture: Picture, tmp_path: Path
) -> None:
    page = replace(PAGE, pictures=[picture])
    before = FIGURES.copy()
    assert written(page, tmp_path) == written(page, tmp_path)
    pd.testing.assert_frame_equal(FIGURES, before)


def test_a_page_without_tables_and_runs_has_no_empty_parts(tmp_path: Path) -> None:
    tags = [tag for tag, _ in Reader(written(ComparisonPage("Empty", "sample"), tmp_path)).elements]
    assert not {"table", "nav", "aside", "dl", "figure"} & set(tags)
