from __future__ import annotations

import base64
import gzip
import hashlib
import json
import re
from importlib import resources
from typing import TYPE_CHECKING

import pytest

from roadgraph.report.map_page.page import LIBRARY, SCRIPTS, STYLE, MapPage, write_map_page
from tests.report.map_page.toy import element

if TYPE_CHECKING:
    from pathlib import Path

HOSTILE = "</script><script>alert('once')</script> & \"twice\" <!-- ถนนสีลม"
PAGE = MapPage("Congestion in <toy>", {"city": HOSTILE, "arrays": {}}, b"\x1f\x8b block")


def written(page: MapPage, folder: Path) -> str:
    write_map_page(page, folder / "map.html")
    return (folder / "map.html").read_text("utf-8")


def test_page_holds_title_header_block_and_library(tmp_path: Path) -> None:
    html = written(PAGE, tmp_path)
    assert "<title>Congestion in &lt;toy&gt;</title>" in html
    assert base64.b64decode(element(html, "data")) == PAGE.data
    library = gzip.decompress(base64.b64decode(element(html, "library")))
    assert b"deck" in library[:2000]


def test_no_text_of_the_header_ends_its_element(tmp_path: Path) -> None:
    html = written(PAGE, tmp_path)
    assert json.loads(element(html, "header")) == PAGE.header
    assert "<script>alert" not in html


@pytest.mark.parametrize("page", [PAGE, MapPage("x", {}, b""), MapPage("ถนน", {"a": "é"}, b"1234")])
def test_size_is_that_of_the_file(page: MapPage, tmp_path: Path) -> None:
    assert page.size == len(written(page, tmp_path).encode())


def test_page_says_how_large_it_is(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level("INFO"):
        written(PAGE, tmp_path)
    (message,) = caplog.messages
    assert re.fullmatch(r".*map\.html: \d\.\d MB", message)


def test_scripts_and_style_end_no_element_and_ask_for_nothing_elsewhere() -> None:
    for name in (*SCRIPTS, STYLE):
        text = (resources.files("roadgraph.report.map_page") / name).read_text("utf-8")
        assert "</script" not in text.lower(), name
        assert "</style" not in text.lower(), name
        assert not re.search(r"@import|url\(\s*['\"]?http", text), name


def test_library_is_the_one_that_its_note_names() -> None:
    folder = resources.files("roadgraph.report.map_page")
    unpacked = gzip.decompress((folder / LIBRARY).read_bytes())
    note = (folder / "deck.gl" / "README.md").read_text("utf-8")
    assert hashlib.sha256(unpacked).hexdigest() in note
