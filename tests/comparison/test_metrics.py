from dataclasses import replace
from pathlib import Path

import pandas as pd
import pytest

from roadgraph.comparison.metrics import METRIC_NAMES, final_metrics
from roadgraph.evaluation.parts import HIDDEN_SEGMENTS, OBSERVED_SEGMENTS
from tests.comparison.toy import baseline_run, model_run

FIGURES = {"macro_f1": 0.5, "speed_mae_kph": 4.0}


def test_figures_are_named_by_span_task_figure_and_horizon(tmp_path: Path) -> None:
    baseline = baseline_run("majority class", tmp_path, FIGURES, FIGURES)
    run = model_run("mlp-simple", 1, tmp_path, FIGURES, {"macro_f1": 0.75})
    figures = final_metrics(run, [baseline])
    test = {name: value for name, value in figures.items() if name.startswith("test/")}
    assert test == pytest.approx(
        {
            "test/congestion/macro_f1/15min": 0.5,
            "test/congestion/macro_f1/30min": 0.75,
            "test/congestion/macro_f1/mean": 0.625,
            "test/congestion/skill/15min": 0.0,
            # (0.75 - 0.5) / (1 - 0.5)
            "test/congestion/skill/30min": 0.5,
            "test/congestion/skill/mean": 0.25,
            "test/speed/mae_kph/15min": 4.0,
            "test/speed/mae_kph/mean": 4.0,
            "test/speed/skill/15min": 0.0,
            "test/speed/skill/mean": 0.0,
        }
    )
    others = {"training_seconds", "prediction_ms", "best_epoch", "parameters", "validation_loss"}
    assert others <= set(figures)
    assert (figures["parameters"], figures["best_epoch"]) == (1234, 1)


def test_a_baseline_has_no_figures_of_a_training(tmp_path: Path) -> None:
    baseline = baseline_run("majority class", tmp_path, FIGURES)
    figures = final_metrics(baseline, [baseline])
    assert figures["test/congestion/skill/15min"] == 0
    assert figures["prediction_ms"] == 1
    assert not {"parameters", "best_epoch", "validation_loss"} & set(figures)


def test_a_baseline_is_held_against_the_best_one(tmp_path: Path) -> None:
    worse = baseline_run("majority class", tmp_path, {"macro_f1": 0.2})
    best = baseline_run("persistence", tmp_path, {"macro_f1": 0.6})
    # (0.2 - 0.6) / (1 - 0.6)
    skill = final_metrics(worse, [worse, best])["test/congestion/skill/15min"]
    assert skill == pytest.approx(-1)


def test_parts_truth_and_validation_are_spans_of_their_own(tmp_path: Path) -> None:
    run = model_run("mlp-simple", 1, tmp_path, FIGURES)
    scores = run.verdict.scores
    verdict = replace(
        run.verdict,
        scores=pd.concat(
            [
                scores,
                scores.assign(part=OBSERVED_SEGMENTS, macro_f1=0.6),
                scores.assign(part=HIDDEN_SEGMENTS, macro_f1=0.3),
                scores.assign(part="morning", macro_f1=0.1),
            ]
        ),
        truth_scores=scores.assign(macro_f1=0.7),
        validation_scores=scores.assign(macro_f1=0.8),
    )
    figures = final_metrics(replace(run, verdict=verdict), [])
    found = {
        name.partition("/")[0]: value
        for name, value in figures.items()
        if name.endswith("congestion/macro_f1/15min")
    }
    assert found == {
        "test": 0.5,
        "test_observed": 0.6,
        "test_hidden": 0.3,
        "test_truth": 0.7,
        "validation": 0.8,
    }


def test_short_horizons_sort_before_long_ones(tmp_path: Path) -> None:
    run = model_run("mlp-simple", 1, tmp_path, FIGURES)
    scores = run.verdict.scores.assign(horizon_min=5)
    figures = final_metrics(replace(run, verdict=replace(run.verdict, scores=scores)), [])
    assert "test/congestion/macro_f1/05min" in figures


def test_every_figure_has_a_name_of_its_own() -> None:
    assert len(set(METRIC_NAMES.values())) == len(METRIC_NAMES)
