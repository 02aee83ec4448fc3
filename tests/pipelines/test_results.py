from dataclasses import replace
from datetime import date
from pathlib import Path

import pytest

from roadgraph.batch.journal import read_journal
from roadgraph.batch.outcome import Outcome
from roadgraph.errors import DataError, LockError, RoadgraphError, TrackingError
from roadgraph.settings import Settings
from roadgraph.workspace import Workspace
from tests.pipelines.toy import DAY, check, outcome

dg = pytest.importorskip("dagster", reason="the extra 'pipelines' is not installed")


def raising(settings: Settings, error: RoadgraphError) -> Outcome:
    raise error


@pytest.mark.parametrize("error", [LockError("busy"), TrackingError("no answer")])
def test_what_may_go_better_in_a_minute_is_tried_again(error: RoadgraphError) -> None:
    from pipelines.results import outcome_of

    with pytest.raises(type(error)):
        outcome_of(raising, Settings(), error)


def test_a_mistake_is_not_tried_again() -> None:
    from pipelines.results import outcome_of

    with pytest.raises(dg.Failure, match="no such column") as failed:
        outcome_of(raising, Settings(), DataError("no such column"))
    assert not failed.value.allow_retries


def test_what_a_step_did_stands_in_the_journal_of_the_city(tmp_path: Path) -> None:
    from pipelines.results import outcome_of

    settings = replace(Settings(), workspace=str(tmp_path))
    made = outcome("model", "made", "none yet")
    assert outcome_of(lambda settings: made, settings) == made
    (line,) = read_journal(Workspace.of(settings).journal)
    assert (line["step"], line["state"]) == ("model", "made")


def test_a_step_that_says_that_it_failed_fails() -> None:
    from pipelines.results import failure

    failed = failure(outcome("model", "failed", "the loss is no number"))
    assert failed.description == "the loss is no number"
    assert not failed.allow_retries
    assert failed.metadata["rows"].value == 3
    assert failure(outcome("model", "busy", "another run trains it")).allow_retries


def test_a_materialization_tells_its_state_its_reason_and_its_figures() -> None:
    from pipelines.results import told_of

    told = told_of(outcome("slices", "fresh", "no fixes have changed"))
    assert told == {"state": "fresh", "why": "no fixes have changed", "rows": 3}


def test_files_that_were_left_out_fail_the_check_of_the_slices() -> None:
    from pipelines.results import files_check

    assert files_check(outcome("slices")).passed
    failed = files_check(outcome("slices", "failed", "a.csv: no column lat"))
    assert not failed.passed
    assert failed.description == "a.csv: no column lat"


def test_a_check_that_passed_tells_its_newest_day() -> None:
    from pipelines.results import check_result

    result = check_result([check("coverage", True), check("coverage", True, date(2026, 1, 8))])
    assert result.passed
    assert result.severity == dg.AssetCheckSeverity.ERROR
    assert result.check_name == "coverage"
    assert result.description == "2026-01-08: half of coverage"
    assert result.metadata["share"].value == 0.5


def test_a_check_without_a_verdict_passes_and_says_so() -> None:
    from pipelines.results import check_result

    result = check_result([check("coverage", None)])
    assert result.passed
    assert result.description == "no verdict yet for 2026-01-07: half of coverage"


def test_one_day_that_fails_speaks_for_all() -> None:
    from pipelines.results import FAILED, check_result

    days = [check("account", None), check("account", False, DAY), check("account", True)]
    result = check_result(days)
    assert not result.passed
    assert result.severity == dg.AssetCheckSeverity.ERROR
    assert result.description == "2026-01-07: half of account"
    assert result.metadata[FAILED].value == {"2026-01-07": "half of account"}


def test_a_warning_stays_one() -> None:
    from pipelines.results import check_result

    result = check_result([check("freshness", False, severity="warning")])
    assert not result.passed
    assert result.severity == dg.AssetCheckSeverity.WARN
