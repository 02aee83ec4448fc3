"""The reference of the settings says what the definitions say."""

from pathlib import Path

import pytest

from roadgraph import documentation
from roadgraph.config import all_settings
from roadgraph.documentation import SETTINGS_PAGE, settings_page

PAGE = settings_page()


def row_of(key: str) -> list[str]:
    """Return the cells of a setting's row."""
    rows = [line for line in PAGE.splitlines() if line.startswith(f"| `{key}` |")]
    assert len(rows) == 1, key
    return [cell.strip() for cell in rows[0].strip("|").split(" | ")]


def test_the_page_is_as_new_as_the_definitions() -> None:
    assert SETTINGS_PAGE.read_text("utf-8") == PAGE, (
        "docs/settings.md is stale: make docs, or python -m roadgraph.documentation"
    )


def test_every_setting_has_a_row_with_its_meaning() -> None:
    for row in all_settings():
        assert row_of(row.key)[1] == row.setting.doc


def test_a_row_has_unit_range_and_default() -> None:
    assert row_of("pipeline.freshness_min")[2:] == ["min", "number, 1 to 100000", "`60.0`"]
    assert row_of("training.seed")[3] == "whole number, 0 to 2147483648"
    assert row_of("city.speed_unit")[3:] == ["`km/h`, `mph`", "`km/h`"]
    assert row_of("network.service_roads")[3:] == ["`true`, `false`", "`false`"]
    assert row_of("dataset.horizons_min")[3:] == [
        "list of whole numbers, each 1 to 1440", "`[15, 30, 45, 60]`",
    ]  # fmt: skip
    assert row_of("labels.rush_hour_clock")[3] == "list of lists of 2 numbers"
    assert row_of("probes.columns")[3:] == ["texts by name", "empty"]
    assert row_of("labels.relative_cuts")[2:4] == ["", "list of 3 numbers, each 0 to 1"]


def test_settings_stand_in_their_groups() -> None:
    _, city, *others = PAGE.split("\n## ")
    assert city.startswith("city\n\nWhere a city's data is")
    assert "`city.name`" in city
    assert not any("`city.name`" in other for other in others)
    assert others[-1].startswith("Not in a group\n")
    assert "`workspace`" in others[-1]


def test_the_command_writes_the_page(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(documentation, "SETTINGS_PAGE", tmp_path / "settings.md")
    documentation.main()
    assert (tmp_path / "settings.md").read_text("utf-8") == PAGE
