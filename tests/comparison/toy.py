"""Toy judges and finished runs, small enough to check by hand."""

from dataclasses import fields, replace
from pathlib import Path

import numpy as np
import pandas as pd

from roadgraph.comparison.compare import Compared, Failure
from roadgraph.comparison.judging import Judge, Verdict
from roadgraph.comparison.runs import NO_SEED, Facts, Run
from roadgraph.dataset.dataset import Dataset
from roadgraph.evaluation.details import Details
from roadgraph.evaluation.parts import ALL, HIDDEN_SEGMENTS, OBSERVED_SEGMENTS
from roadgraph.evaluation.scores import Score, score_table
from roadgraph.settings import Settings
from tests.dataset.toy import toy_dataset, toy_settings

NO_DETAILS = Details(
    None, None, None, np.zeros(24, dtype=int), None, None, np.zeros(3, dtype=int), None, None, None
)
"""Of a forecaster that answers nothing, on three segments."""


class Killed(BaseException):
    """Ends a training as a kill does; Lightning makes a SystemExit of a KeyboardInterrupt."""


def quick_settings(**groups: dict[str, object]) -> Settings:
    """Return settings of the toy city with two horizons, a short window and a short training."""
    quick: dict[str, dict[str, object]] = {
        "city": {"name": "toy", "timezone": "UTC"},
        "dataset": {"window": 2, "horizons_min": [15, 30]},
        "evaluation": {"report_horizons_min": [15, 30]},
        "training": {"max_epochs": 2, "device": "cpu"},
        "model": {"name": "mlp"},
    }
    for name, group in groups.items():
        quick[name] = {**quick.get(name, {}), **group}
    return toy_settings(**quick)


def toy_judge(settings: Settings, dataset: Dataset | None = None) -> Judge:
    """Return the judge of a dataset of waves, or of ``dataset``, on residential roads."""
    judged = toy_dataset(settings) if dataset is None else dataset
    return Judge.of(judged, np.full(judged.graph.segments, "residential"), settings)


def verdict_of(title: str, *rows: dict[str, float]) -> Verdict:
    """Return a verdict with these figures at 15, 30 ... minutes on both spans; others are NaN."""
    nothing = dict.fromkeys((field.name for field in fields(Score)), float("nan"))
    scores = [
        Score(**{**nothing, "cells": 10, **row, "model": title, "horizon_min": 15 * i, "part": ALL})  # type: ignore[arg-type]
        for i, row in enumerate(rows, 1)
    ]
    return Verdict(score_table(scores), None, None, score_table(scores), NO_DETAILS)


def baseline_run(title: str, folder: Path, *rows: dict[str, float]) -> Run:
    """Return the run of a baseline with these figures."""
    facts = Facts(title, NO_SEED, baseline=True, key="k", training_seconds=0.5, prediction_ms=1.0)
    return Run(facts, verdict_of(title, *rows), [], folder)


def model_run(
    title: str, seed: int, folder: Path, *rows: dict[str, float], loss: float = 1.0
) -> Run:
    """Return the run of a model of 1,234 weights with these figures."""
    facts = Facts(
        title,
        seed,
        baseline=False,
        key="k",
        training_seconds=10.0 * seed,
        prediction_ms=2.0 * seed,
        parameters=1234,
        best_epoch=1,
        validation_loss=loss,
        device="cpu",
        diagnosis="it went well",
    )
    history: list[dict[str, float]] = [
        {"epoch": 0, "train_loss": loss + 1, "val_loss": loss + 2},
        {"epoch": 1, "train_loss": loss, "val_loss": loss},
    ]
    return Run(facts, verdict_of(title, *rows), history, folder)


def compared_of(*runs: Run, failures: tuple[Failure, ...] = ()) -> Compared:
    """Return a comparison of these runs on the data of waves."""
    return Compared(runs, failures, toy_judge(quick_settings()))


def toy_comparison(folder: Path) -> Compared:
    """Return a baseline and a graph model that beats it and its own control, two seeds each."""
    return compared_of(
        baseline_run("persistence", folder, {"macro_f1": 0.4, "speed_mae_kph": 6.0}),
        model_run("gcn-simple", 1, folder, {"macro_f1": 0.7, "speed_mae_kph": 4.0}),
        model_run("gcn-simple", 2, folder, {"macro_f1": 0.8, "speed_mae_kph": 5.0}),
        model_run("gcn-simple-self-loops", 1, folder, {"macro_f1": 0.5, "speed_mae_kph": 4.0}),
        model_run("gcn-simple-self-loops", 2, folder, {"macro_f1": 0.5, "speed_mae_kph": 5.0}),
    )


def with_truth(compared: Compared) -> Compared:
    """Judge against a truth on which every F1 is 0.25."""
    runs = [
        replace(
            run,
            verdict=replace(run.verdict, truth_scores=run.verdict.scores.assign(macro_f1=0.25)),
        )
        for run in compared.runs
    ]
    judge = replace(compared.judge, truth=compared.judge.dataset.score_labels)
    return replace(compared, runs=tuple(runs), judge=judge)


def with_hidden(compared: Compared) -> Compared:
    """Split the cells: on hidden segments graph models have an F1 that is 0.3 lower."""
    runs = []
    for run in compared.runs:
        rows = run.verdict.scores
        lower = 0.0 if run.facts.baseline or run.facts.title.endswith("self-loops") else 0.3
        parts = [
            rows,
            rows.assign(part=OBSERVED_SEGMENTS),
            rows.assign(part=HIDDEN_SEGMENTS, macro_f1=rows["macro_f1"] - lower),
        ]
        runs.append(replace(run, verdict=replace(run.verdict, scores=pd.concat(parts))))
    return replace(compared, runs=tuple(runs))
