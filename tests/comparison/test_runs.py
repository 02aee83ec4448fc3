import dataclasses
import json
from pathlib import Path

import numpy as np
import pandas as pd

from roadgraph.comparison.judging import Verdict
from roadgraph.comparison.runs import Facts, read_run, write_run

FACTS = Facts("mlp-simple", 2, baseline=False, key="abc", training_seconds=1.5, prediction_ms=2.5)
SCORES = pd.DataFrame({"model": ["mlp-simple"], "macro_f1": [0.5], "part": ["all"]})
VERDICT = Verdict(SCORES, SCORES.assign(macro_f1=0.6), np.eye(4, dtype=np.int64))
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


def test_what_a_verdict_lacks_it_lacks_when_read_again(tmp_path: Path) -> None:
    write_run(FACTS, Verdict(SCORES, None, None), [], None, tmp_path / "run")
    run = read_run(tmp_path / "run", "abc")
    assert run is not None
    assert run.verdict.truth_scores is None
    assert run.verdict.confusion is None


def test_a_run_of_other_settings_or_data_is_no_run(tmp_path: Path) -> None:
    write_run(FACTS, VERDICT, HISTORY, None, tmp_path / "run")
    assert read_run(tmp_path / "run", "abd") is None


def test_an_empty_folder_is_no_run(tmp_path: Path) -> None:
    assert read_run(tmp_path / "run", "abc") is None


def test_a_new_run_takes_the_old_ones_place_whole(tmp_path: Path) -> None:
    write_run(FACTS, VERDICT, HISTORY, None, tmp_path / "run")
    newer = dataclasses.replace(FACTS, key="new")
    write_run(newer, Verdict(SCORES, None, None), [], None, tmp_path / "run")
    assert not (tmp_path / "run" / "truth_scores.parquet").exists()
    content = json.loads((tmp_path / "run" / "run.json").read_text("utf-8"))
    assert content["facts"]["key"] == "new"
