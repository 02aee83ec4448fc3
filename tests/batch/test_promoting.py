from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from roadgraph import workflow
from roadgraph.batch import promoting
from roadgraph.batch.promoting import STOPPED, decided, promote_unless_checks_failed
from roadgraph.errors import DataError, PromotionError, RegistryError, TrackingError
from roadgraph.promotion.decision import decide_unopposed
from roadgraph.promotion.promoting import Promotion
from roadgraph.quality.checks import Check
from roadgraph.settings import Settings, TrackingSettings
from roadgraph.tracking.versions import Version
from roadgraph.workspace import Workspace
from tests.batch.toy import DAY, check

PROMOTED = Promotion(
    Version("toy", "1", "run", {}), Version("toy", "2", "run", {}), {}, None,
    decide_unopposed("2 segments are new"), carried_out=True,
)  # fmt: skip


@pytest.fixture
def stored(monkeypatch: pytest.MonkeyPatch) -> list[Check]:
    """The stored checks of the day that failed; to be filled."""
    failed: list[Check] = []
    monkeypatch.setattr(promoting, "failed_checks", lambda settings, workspace, days: failed)
    return failed


@pytest.fixture
def settings(tmp_path: Path, stored: list[Check]) -> Settings:
    settings = replace(Settings(), workspace=str(tmp_path))
    (Workspace.of(settings).quality / str(DAY)).mkdir(parents=True)
    return settings


class Registry:
    """Stands for the registry: counts how often it is asked."""

    def __init__(self, answer: Promotion | Exception) -> None:
        self.answer = answer
        self.asked = 0

    def __call__(self, settings: Settings, days: Any) -> Promotion:
        self.asked += 1
        if isinstance(self.answer, Exception):
            raise self.answer
        return self.answer


def answering(patch: pytest.MonkeyPatch, answer: Promotion | Exception) -> Registry:
    registry = Registry(answer)
    patch.setattr(workflow, "run_promotion", registry)
    return registry


def test_a_decision_is_told_and_kept_with_its_reasons(
    monkeypatch: pytest.MonkeyPatch, settings: Settings
) -> None:
    answering(monkeypatch, PROMOTED)
    outcome = promote_unless_checks_failed(settings, DAY)
    assert outcome.state == "made"
    assert outcome.reason.startswith(
        "version 2 of toy is champion now, in the place of version 1: "
    )
    kept = decided(Workspace.of(settings), DAY)
    assert kept is not None
    assert kept["reasons"] == list(PROMOTED.decision.reasons)
    assert (kept["champion"], kept["challenger"]) == ("version 1", "version 2")


def test_it_is_decided_once_a_day_unless_a_newer_model_was_trained(
    monkeypatch: pytest.MonkeyPatch, settings: Settings
) -> None:
    registry = answering(monkeypatch, PROMOTED)
    states = [promote_unless_checks_failed(settings, DAY).state for _ in range(2)]
    Workspace.of(settings).model_record.write_text('{"last_day": "2026-01-05"}')
    states += [promote_unless_checks_failed(settings, DAY).state for _ in range(2)]
    assert states == ["made", "fresh", "made", "fresh"]
    assert registry.asked == 2


def test_a_failed_check_stops_it_until_the_check_is_well(
    monkeypatch: pytest.MonkeyPatch, settings: Settings, stored: list[Check]
) -> None:
    registry = answering(monkeypatch, PROMOTED)
    stored.append(check(False))
    stopped = promote_unless_checks_failed(settings, DAY)
    assert stopped.state == "nothing"
    assert stopped.reason == f"{STOPPED}: coverage of 2026-01-05: 0.1 of the cells, 0.4 before"
    assert registry.asked == 0
    assert promote_unless_checks_failed(settings, DAY).state == "fresh"
    stored.clear()
    assert promote_unless_checks_failed(settings, DAY).state == "made"


def test_a_check_of_the_moment_stops_it_too(
    monkeypatch: pytest.MonkeyPatch, settings: Settings
) -> None:
    registry = answering(monkeypatch, PROMOTED)
    stopped = promote_unless_checks_failed(settings, DAY, [check(False)])
    assert (stopped.state, registry.asked) == ("nothing", 0)


def test_a_day_that_was_never_checked_promotes_nothing(
    monkeypatch: pytest.MonkeyPatch, settings: Settings
) -> None:
    registry = answering(monkeypatch, PROMOTED)
    (Workspace.of(settings).quality / str(DAY)).rmdir()
    stopped = promote_unless_checks_failed(settings, DAY)
    assert "2026-01-05 was not checked" in stopped.reason
    assert registry.asked == 0


@pytest.mark.parametrize("error", [RegistryError("no challenger"), PromotionError("too short")])
def test_where_there_is_nothing_to_decide_the_reason_is_kept(
    monkeypatch: pytest.MonkeyPatch, settings: Settings, error: Exception
) -> None:
    registry = answering(monkeypatch, error)
    outcome = promote_unless_checks_failed(settings, DAY)
    assert (outcome.state, outcome.reason) == ("nothing", f"nothing was decided: {error}")
    assert promote_unless_checks_failed(settings, DAY).state == "fresh"
    assert registry.asked == 1


def test_a_registry_that_does_not_answer_is_asked_again(
    monkeypatch: pytest.MonkeyPatch, settings: Settings
) -> None:
    registry = answering(monkeypatch, TrackingError("the server is down"))
    for _ in range(2):
        assert promote_unless_checks_failed(settings, DAY).state == "nothing"
    assert registry.asked == 2
    assert decided(Workspace.of(settings), DAY) is None


def test_data_that_cannot_be_judged_on_fail_it(
    monkeypatch: pytest.MonkeyPatch, settings: Settings
) -> None:
    answering(monkeypatch, DataError("slices are missing"))
    with pytest.raises(DataError, match="slices are missing"):
        promote_unless_checks_failed(settings, DAY)


def test_without_tracking_nothing_is_promoted(
    monkeypatch: pytest.MonkeyPatch, settings: Settings
) -> None:
    registry = answering(monkeypatch, PROMOTED)
    off = replace(settings, tracking=TrackingSettings(enabled=False))
    outcome = promote_unless_checks_failed(off, DAY)
    assert outcome.reason == "no registry: tracking.enabled=false"
    assert registry.asked == 0


def test_a_damaged_record_is_named(settings: Settings) -> None:
    path = Workspace.of(settings).promotions / f"{DAY}.json"
    path.parent.mkdir(parents=True)
    path.write_text("{}")
    with pytest.raises(DataError, match=r"2026-01-05\.json is damaged; remove it"):
        decided(Workspace.of(settings), DAY)
