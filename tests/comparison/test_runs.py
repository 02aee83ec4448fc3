import dataclasses
import json
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from roadgraph.comparison.judging import Verdict
from roadgraph.comparison.runs import Facts, read_run, write_run
from roadgraph.evaluation.details import Details
from tests.comparison.toy import NO_DETAILS

FACTS = Facts("mlp-simple", 2, baseline=False, key="abc", training_seconds=1.5, prediction_ms=2.5)
SCORES = pd.DataFrame({"model": ["mlp-simple"], "macro_f1": [0.5], "part": ["all"]})
DETAILS = Details(
    np.array([0.25, np.nan]), np.array([0.5, np.nan]), np.array([2, 0]),
    np.arange(24), np.arange(24) / 24, np.arange(24) / 2,
    np.array([1, 2]), np.array([0.5, 0.25]), np.array([4.0, np.nan]),
    np.array([[3, 1], [0, 2]]),
)  # fmt: skip
VERDICT = Verdict(
    SCORES,
    SCORES.assign(macro_f1=0.6),
    np.eye(4, dtype=np.int64),
    SCORES.assign(macro_f1=0.7),
    DETAILS,
)
BARE = Verdict(SCORES, None, None, SCORES, NO_DETAILS)
HISTORY = [{"epoch": 0.0, "val_loss": 1.5}]


def test_a_run_comes_back_as_it_was_written(tmp_path: Path) -> None:
    write_run(FACTS, VERDICT, HISTORY, None, tmp_path / "run")
    run = read_run(tmp_path / "run", "abc")
    assert run is not None
    assert run.facts == FACTS
    assert run.history == HISTORY
    assert run.bundle == tmp_path / "run" / "bundle"
    pd.testing.assert_frame_equal(run.verdict.scores, SCORES)
    assert run.verdict.truth_scores is not None
    assert run.verdict.truth_scores["macro_f1"].item() == 0.6
    assert run.verdict.confusion is not None
    np.testing.assert_array_equal(run.verdict.confusion, np.eye(4))
    assert run.verdict.validation_scores["macro_f1"].item() == 0.7
    for field in dataclasses.fields(Details):
        found, expected = (getattr(each, field.name) for each in (run.verdict.details, DETAILS))
        np.testing.assert_array_equal(found, expected)


def test_what_a_verdict_lacks_it_lacks_when_read_again(tmp_path: Path) -> None:
    write_run(FACTS, BARE, [], None, tmp_path / "run")
    run = read_run(tmp_path / "run", "abc")
    assert run is not None
    assert run.verdict.truth_scores is None
    assert run.verdict.confusion is None
    for field in dataclasses.fields(Details):
        found, expected = (getattr(each, field.name) for each in (run.verdict.details, NO_DETAILS))
        assert (found is None) == (expected is None)


@pytest.mark.parametrize("name", ["validation_scores.parquet", "details.npz"])
def test_a_run_of_an_older_layout_is_no_run(name: str, tmp_path: Path) -> None:
    write_run(FACTS, VERDICT, HISTORY, None, tmp_path / "run")
    (tmp_path / "run" / name).unlink()
    assert read_run(tmp_path / "run", "abc") is None


def test_the_pictures_of_a_run_are_those_in_its_folder_by_their_kind(tmp_path: Path) -> None:
    run = write_run(FACTS, VERDICT, HISTORY, None, tmp_path / "run")
    assert run.pictures == {}
    folder = tmp_path / "run" / "pictures"
    folder.mkdir()
    names = ("confusion.png", "confusion.svg", "reliability.png", "reliability.svg")
    for name in (*names, "scene.json"):
        (folder / name).touch()
    assert run.pictures == {
        "confusion": folder / "confusion.png",
        "reliability": folder / "reliability.png",
    }
    assert run.picture_files == tuple(folder / name for name in names)


def test_a_run_of_other_settings_or_data_is_no_run(tmp_path: Path) -> None:
    write_run(FACTS, VERDICT, HISTORY, None, tmp_path / "run")
    assert read_run(tmp_path / "run", "abd") is None


def test_an_empty_folder_is_no_run(tmp_path: Path) -> None:
    assert read_run(tmp_path / "run", "abc") is None


def test_a_new_run_takes_the_old_ones_place_whole(tmp_path: Path) -> None:
    write_run(FACTS, VERDICT, HISTORY, None, tmp_path / "run")
    newer = dataclasses.replace(FACTS, key="new")
    write_run(newer, BARE, [], None, tmp_path / "run")
    assert not (tmp_path / "run" / "truth_scores.parquet").exists()
    content = json.loads((tmp_path / "run" / "run.json").read_text("utf-8"))
    assert content["facts"]["key"] == "new"
