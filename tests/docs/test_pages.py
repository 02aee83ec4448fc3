"""What the pages of the documentation name is there: links, settings, files, columns, rules."""

import ast
import re
from pathlib import Path

import pytest

from roadgraph.comparison.metrics import METRIC_NAMES, SPANS, TRUTH_SPAN, VALIDATION_SPAN
from roadgraph.config import REPOSITORY, all_settings
from roadgraph.errors import ExitCode
from roadgraph.quality.checks import account, coverage, feature_drift, freshness
from roadgraph.schema import PREDICTIONS
from roadgraph.verification.checks import NAME as ERROR_DRIFT
from tests.docs.pages import DOCS, PAGES, anchors_of, blocks_of, code_of, links_of, name_of

HOW_TO = DOCS / "how-to"
SETTINGS = {row.key for row in all_settings()}
GROUPS = {key.partition(".")[0] for key in SETTINGS if "." in key}


def first_column(page: Path, heading: str) -> list[str]:
    """Return what stands in backticks in the first column of the table below a heading."""
    _, _, below = page.read_text("utf-8").partition(heading)
    assert below, f"{name_of(page)} has no {heading}"
    rows = re.findall(r"^\| (`[^|]+) \|", below.split("\n#")[0], re.MULTILINE)
    return [name for row in rows for name in re.findall(r"`([^`]+)`", row)]


@pytest.mark.parametrize("page", PAGES, ids=name_of)
def test_every_link_leads_to_a_page_and_a_heading_that_are_there(page: Path) -> None:
    for link in links_of(page):
        if link.startswith("https://"):
            continue
        file, _, anchor = link.partition("#")
        target = (page.parent / file).resolve() if file else page
        assert target.exists(), f"{name_of(page)}: {link}"
        if anchor:
            assert anchor in anchors_of(target), f"{name_of(page)}: {link}"


def test_every_page_is_in_the_index() -> None:
    index = DOCS / "README.md"
    listed = {(DOCS / link.partition("#")[0]).resolve() for link in links_of(index)}
    assert listed == set(PAGES) - {index}


@pytest.mark.parametrize("page", PAGES, ids=name_of)
def test_every_setting_that_is_named_is_one(page: Path) -> None:
    for code in code_of(page):
        found = re.fullmatch(r"((\w+)\.\w+)(\.\w+)?(=\S*)?", code)
        if found and found[2] in GROUPS and not code.endswith((".yaml", ".json", ".html")):
            assert found[1] in SETTINGS, f"{name_of(page)}: {code}"


@pytest.mark.parametrize("page", PAGES, ids=name_of)
def test_every_file_of_the_project_that_is_named_is_there(page: Path) -> None:
    own = ("roadgraph/", "conf/", "pipelines/", "tests/", "data/sample", "benchmarks/")
    written = {
        named
        for block in blocks_of(page)
        if block.language == "yaml"
        for named in re.findall(r"^# (conf/\S+)", block.text, re.MULTILINE)
    }
    for code in code_of(page):
        if code.startswith(own) and " " not in code and code not in written:
            assert (REPOSITORY / code).exists() or _is_of_another_page(code), (page, code)


def _is_of_another_page(code: str) -> bool:
    """Return whether some page lets the reader write the file."""
    return any(f"# {code}\n" in page.read_text("utf-8") for page in PAGES)


def test_the_columns_of_predictions_that_a_page_explains_are_there() -> None:
    named = first_column(HOW_TO / "gis.md", "| column | |")
    assert {"congestion", "segment_age_min"} <= set(named) <= set(PREDICTIONS.columns)


def test_the_figures_of_mlflow_that_a_page_explains_are_recorded() -> None:
    named = first_column(HOW_TO / "mlflow.md", "| column | meaning |")
    assert len(named) >= 4
    for name in named:
        span, _, rest = name.partition("/")
        figure, _, horizon = rest.rpartition("/")
        assert span in {*SPANS.values(), TRUTH_SPAN, VALIDATION_SPAN}
        assert figure in METRIC_NAMES.values()
        assert re.fullmatch(r"\d+min|mean", horizon)


def test_the_rules_that_a_page_explains_are_those_that_refuse_rows() -> None:
    named = first_column(HOW_TO / "probes.md", "## Which rows are refused")
    texts = {
        node.value
        for path in (REPOSITORY / "roadgraph" / "probes").glob("*.py")
        for node in ast.walk(ast.parse(path.read_text("utf-8")))
        if isinstance(node, ast.Constant) and isinstance(node.value, str)
    }
    assert len(named) == len(set(named)) == 17
    assert set(named) <= texts


def test_the_checks_that_a_page_explains_are_made() -> None:
    named = first_column(HOW_TO / "schedule.md", "## What is checked")
    made = {check.__name__ for check in (account, coverage, feature_drift, freshness)}
    assert set(named) == made | {ERROR_DRIFT}


def test_a_page_explains_every_exit_code() -> None:
    text = (HOW_TO / "schedule.md").read_text("utf-8").partition("## Exit codes")[2]
    told = re.findall(r"^\| (\d+) \|", text.split("\n## ")[0], re.MULTILINE)
    assert [int(code) for code in told] == [int(code) for code in ExitCode]
