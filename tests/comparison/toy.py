"""Toy judges and finished runs, small enough to check by hand."""

from dataclasses import fields
from pathlib import Path

import numpy as np

from roadgraph.comparison.judging import Judge, Verdict
from roadgraph.comparison.runs import NO_SEED, Facts, Run
from roadgraph.dataset.dataset import Dataset
from roadgraph.evaluation.parts import ALL
from roadgraph.evaluation.scores import Score, score_table
from roadgraph.settings import Settings
from tests.dataset.toy import toy_dataset, toy_settings


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
    """Return a verdict whose table has these figures, at 15, 30 ... minutes; the others are NaN."""
    nothing = dict.fromkeys((field.name for field in fields(Score)), float("nan"))
    scores = [
        Score(**{**nothing, "cells": 10, **row, "model": title, "horizon_min": 15 * i, "part": ALL})  # type: ignore[arg-type]
        for i, row in enumerate(rows, 1)
    ]
    return Verdict(score_table(scores), None, None)


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
