from dataclasses import replace
from pathlib import Path

import pytest

from roadgraph.errors import DataError
from roadgraph.quality.day import quality_of_day
from roadgraph.quality.report import read_quality, stale_quality, write_quality
from tests.quality.toy import MONDAY, NETWORK, NEXT_MONDAY, TUESDAY, city, waves, write_day
from tests.slices.toy import bytes_of


def test_a_report_comes_back_as_it_was_written(tmp_path: Path) -> None:
    settings, workspace = city(tmp_path)
    write_day(settings, MONDAY, waves(0))
    write_day(settings, NEXT_MONDAY, waves(1))
    written = write_quality(settings, NETWORK, workspace, NEXT_MONDAY)
    assert read_quality(workspace, NEXT_MONDAY) == written
    assert sorted(bytes_of(workspace.quality)) == [
        "2026-01-12/checks.json",
        "2026-01-12/report.json",
        "2026-01-12/report.md",
    ]


def test_the_same_data_give_the_same_bytes(tmp_path: Path) -> None:
    found = []
    for folder in ("one", "two"):
        settings, workspace = city(tmp_path / folder)
        write_day(settings, MONDAY, waves(0))
        write_day(settings, NEXT_MONDAY, waves(1))
        write_quality(settings, NETWORK, workspace, NEXT_MONDAY)
        found.append(bytes_of(workspace.quality))
    assert found[0] == found[1]


def test_a_report_is_stale_when_something_it_rests_on_changes(tmp_path: Path) -> None:
    settings, workspace = city(tmp_path)
    write_day(settings, MONDAY, waves(0))
    write_day(settings, NEXT_MONDAY, waves(1))
    assert stale_quality(settings, workspace, NEXT_MONDAY) == ("none yet",)
    write_quality(settings, NETWORK, workspace, NEXT_MONDAY)
    assert stale_quality(settings, workspace, NEXT_MONDAY) == ()
    write_day(settings, TUESDAY, waves(2))  # another weekday is nothing to a Monday
    assert stale_quality(settings, workspace, NEXT_MONDAY) == ()
    strict = replace(settings, pipeline=replace(settings.pipeline, coverage_drop=0.25))
    assert stale_quality(strict, workspace, NEXT_MONDAY) == ("pipeline.coverage_drop 0.5 -> 0.25",)
    write_day(settings, MONDAY, waves(3, observed=0.5))  # late fixes
    assert stale_quality(settings, workspace, NEXT_MONDAY) == ("slices 2026-01-05 changed",)


def test_a_damaged_report_is_stale_and_refused(tmp_path: Path) -> None:
    settings, workspace = city(tmp_path)
    with pytest.raises(DataError, match=r"roadgraph run --from 2026-01-05 --to 2026-01-05"):
        read_quality(workspace, MONDAY)
    write_day(settings, MONDAY, waves(0))
    write_quality(settings, NETWORK, workspace, MONDAY)
    (workspace.quality / "2026-01-05" / "report.json").write_text("{}")
    assert stale_quality(settings, workspace, MONDAY) == ("the report is damaged",)
    with pytest.raises(DataError, match=r"report\.json is missing or damaged"):
        read_quality(workspace, MONDAY)


@pytest.mark.parametrize("content", ["{}", "[", None])
def test_a_report_whose_checks_are_damaged_is_stale(tmp_path: Path, content: str | None) -> None:
    settings, workspace = city(tmp_path)
    write_day(settings, MONDAY, waves(0))
    write_quality(settings, NETWORK, workspace, MONDAY)
    path = workspace.quality / "2026-01-05" / "checks.json"
    if content is None:
        path.unlink()
    else:
        path.write_text(content)
    assert stale_quality(settings, workspace, MONDAY) == ("the checks are damaged",)


def test_a_report_that_nothing_is_known_for_comes_back_too(tmp_path: Path) -> None:
    settings, workspace = city(tmp_path)
    write_quality(settings, NETWORK, workspace, MONDAY)
    found, made = (
        read_quality(workspace, MONDAY),
        quality_of_day(settings, NETWORK, workspace, MONDAY),
    )
    assert repr(found) == repr(made)  # NaN is not equal to itself
