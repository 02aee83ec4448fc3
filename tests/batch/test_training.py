import json
from dataclasses import replace
from datetime import date
from pathlib import Path

import pytest

from roadgraph.batch.training import model_due, train_if_due, training_days
from roadgraph.calendar import Days
from roadgraph.errors import DataError, LockError
from roadgraph.settings import PipelineSettings, Settings
from roadgraph.storage import alone
from roadgraph.workspace import Workspace
from tests.batch.city import DAYS, copy_of

FOURTH, FIFTH = DAYS[3], DAYS[4]


def nightly(settings: Settings, every: int) -> Settings:
    return replace(settings, pipeline=replace(settings.pipeline, retrain_days=every))


def test_a_training_learns_from_the_newest_days_alone() -> None:
    settings = replace(Settings(), pipeline=PipelineSettings(training_days=3))
    assert training_days(settings, DAYS[4]) == Days(DAYS[2], DAYS[4])


def test_the_first_training_waits_for_enough_days(trained: Settings, tmp_path: Path) -> None:
    settings = copy_of(trained, tmp_path)
    Workspace.of(settings).model_record.unlink()
    assert model_due(settings, DAYS[2]) == (
        (),
        "waits for 4 days with slices; there are 3 up to 2026-01-07",
    )
    assert model_due(settings, FOURTH) == (("none yet",), "")
    outcome = train_if_due(settings, DAYS[2])
    assert (outcome.state, outcome.reason[:18]) == ("nothing", "waits for 4 days w")


def test_a_model_is_due_when_it_is_so_many_days_old(trained: Settings) -> None:
    assert model_due(nightly(trained, 1), FOURTH) == ((), "the newest model is of 2026-01-08")
    old = ("the newest model is of 2026-01-08, 1 days before 2026-01-09",)
    assert model_due(nightly(trained, 1), FIFTH) == (old, "")
    assert model_due(nightly(trained, 2), FIFTH)[0] == ()
    assert model_due(nightly(trained, 0), date(2027, 1, 1))[0] == ()


def test_a_changed_setting_or_network_makes_a_model_due(trained: Settings, tmp_path: Path) -> None:
    other = replace(trained, size="enhanced")
    assert model_due(other, FOURTH) == (("size simple -> enhanced",), "")
    settings = copy_of(trained, tmp_path)
    record = Workspace.of(settings).model_record
    content = json.loads(record.read_text())
    content["depends_on"] |= {"network": "0" * 64, "torch": "1.0"}
    record.write_text(json.dumps(content))
    reasons, _ = model_due(settings, FOURTH)
    assert reasons[0] == "network changed"
    assert reasons[1].startswith("torch 1.0 -> ")
    later = replace(settings, pipeline=replace(settings.pipeline, first_training_days=5))
    assert model_due(later, FOURTH)[1] == (
        "waits for 5 days with slices; there are 4 up to 2026-01-08"
    )


def test_a_damaged_record_is_named(trained: Settings, tmp_path: Path) -> None:
    settings = copy_of(trained, tmp_path)
    record = Workspace.of(settings).model_record
    record.write_text("{")
    with pytest.raises(DataError, match=r"model\.json is damaged; remove it"):
        model_due(settings, FOURTH)


def test_while_another_run_trains_this_one_does_not(trained: Settings, tmp_path: Path) -> None:
    settings = copy_of(trained, tmp_path)
    with alone(Workspace.of(settings).model_record), pytest.raises(LockError):
        train_if_due(settings, FOURTH)
