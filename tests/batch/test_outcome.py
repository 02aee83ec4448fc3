from dataclasses import replace

from roadgraph.batch.outcome import Outcome
from roadgraph.errors import ExitCode
from tests.batch.toy import check, checked, failed, report

FRESH = Outcome("network", "", "fresh", "as it was")
BUSY = Outcome("slices", "", "busy", "pid 7 holds it")


def test_a_run_that_made_what_was_missing_ends_well() -> None:
    made = checked(check(True), check(None))
    assert report(FRESH, made).exit_code == ExitCode.OK
    assert report(FRESH, made).made == [made]
    assert report().exit_code == ExitCode.OK


def test_a_failed_step_counts_more_than_a_failed_check_and_that_more_than_a_busy_store() -> None:
    assert report(checked(check(False)), failed(), BUSY).exit_code == ExitCode.FAILED
    assert report(checked(check(False)), BUSY).exit_code == ExitCode.CHECKS
    assert report(FRESH, BUSY).exit_code == ExitCode.BUSY


def test_only_checks_that_say_no_have_failed() -> None:
    wrong = check(False)
    assert report(checked(check(True), wrong, check(None))).failed_checks == [wrong]


def test_a_warning_is_told_but_is_no_failed_check() -> None:
    warning = replace(check(False), severity="warning")
    found = report(checked(warning))
    assert found.failed_checks == []
    assert found.unwell == [warning]
    assert found.exit_code == ExitCode.OK
