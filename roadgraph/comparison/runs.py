"""One run: a forecaster trained with one seed, judged, and kept so that it need not run again."""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass, fields
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

from roadgraph.comparison.judging import Verdict
from roadgraph.evaluation.details import Details
from roadgraph.storage import whole_folder, write_json

if TYPE_CHECKING:
    from pathlib import Path

    from roadgraph.training.bundle import Bundle

NO_SEED = 0  # of a baseline, which has no chance in it
PICTURES_FOLDER = "pictures"
KEY_TAG = "roadgraph.key"
"""Of a run and a registered version in MLflow: :attr:`Facts.key`."""
VALIDATION_FILE, DETAILS_FILE = "validation_scores.parquet", "details.npz"


def run_name(title: str, seed: int) -> str:
    """Return what the training of a model with a seed is called."""
    return f"{title} seed {seed}"


@dataclass(frozen=True)
class Facts:
    """What there is to know of a run beside its scores; None where it does not apply.

    Attributes:
        title: of the forecaster.
        seed: of its training.
        baseline: whether it is one.
        key: of all that its figures depend on.
        parameters: weights that were trained.
        training_seconds: of the training.
        prediction_ms: median time of a forecast of all segments from one slice.
        best_epoch: whose weights were kept, from 0.
        validation_loss: of that epoch.
        device: on which it was trained.
        diagnosis: of its training, one line.
    """

    title: str
    seed: int
    baseline: bool
    key: str
    training_seconds: float
    prediction_ms: float
    parameters: int | None = None
    best_epoch: int | None = None
    validation_loss: float | None = None
    device: str | None = None
    diagnosis: str | None = None

    @property
    def name(self) -> str:
        """What the run is called: ``gcn-enhanced seed 2``, or the title of a baseline."""
        return self.title if self.baseline else run_name(self.title, self.seed)


@dataclass(frozen=True)
class Run:
    """A finished run.

    Attributes:
        facts: about it.
        verdict: how it did.
        history: figures of every epoch of its training.
        folder: where it is kept; ``bundle`` in it is the trained model, where there is one.
    """

    facts: Facts
    verdict: Verdict
    history: list[dict[str, float]]
    folder: Path

    @property
    def bundle(self) -> Path:
        """The folder of the trained model."""
        return self.folder / "bundle"

    @property
    def pictures(self) -> dict[str, Path]:
        """The PNG of each picture that was drawn, by its kind, such as ``confusion``."""
        files = sorted((self.folder / PICTURES_FOLDER).glob("*.png"))
        return {file.stem: file for file in files}

    @property
    def picture_files(self) -> tuple[Path, ...]:
        """Every file of the pictures, by their names: ``pictures`` and the drawings beside them."""
        from roadgraph.report.style import PLOT_FORMATS  # imports Matplotlib

        files = sorted((self.folder / PICTURES_FOLDER).glob("*"))
        return tuple(file for file in files if file.suffix in PLOT_FORMATS)


def write_run(
    facts: Facts,
    verdict: Verdict,
    history: list[dict[str, float]],
    bundle: Bundle | None,
    folder: Path,
) -> Run:
    """Write a finished run into ``folder``, whole or not at all."""
    from roadgraph.training.bundle import write_bundle

    with whole_folder(folder) as temporary:
        verdict.scores.to_parquet(temporary / "scores.parquet", index=False)
        if verdict.truth_scores is not None:
            verdict.truth_scores.to_parquet(temporary / "truth_scores.parquet", index=False)
        if verdict.confusion is not None:
            np.save(temporary / "confusion.npy", verdict.confusion)
        verdict.validation_scores.to_parquet(temporary / VALIDATION_FILE, index=False)
        known = {name: value for name, value in vars(verdict.details).items() if value is not None}
        np.savez_compressed(temporary / DETAILS_FILE, **known)
        if bundle is not None:
            write_bundle(bundle, temporary / "bundle")
        write_json(temporary / "run.json", {"facts": asdict(facts), "history": history})
    return Run(facts, verdict, history, folder)


def read_run(folder: Path, key: str) -> Run | None:
    """Return the run in ``folder``, or None unless one of the same ``key`` was finished there.

    A run of an older version, which kept less of its verdict, counts as not finished.
    """
    path = folder / "run.json"
    if not path.is_file():
        return None
    content: dict[str, Any] = json.loads(path.read_text("utf-8"))
    if content["facts"]["key"] != key:
        return None
    if not all((folder / name).is_file() for name in (VALIDATION_FILE, DETAILS_FILE)):
        return None
    truth, confusion = folder / "truth_scores.parquet", folder / "confusion.npy"
    verdict = Verdict(
        pd.read_parquet(folder / "scores.parquet"),
        pd.read_parquet(truth) if truth.is_file() else None,
        np.load(confusion) if confusion.is_file() else None,
        pd.read_parquet(folder / VALIDATION_FILE),
        _read_details(folder / DETAILS_FILE),
    )
    return Run(Facts(**content["facts"]), verdict, content["history"], folder)


def _read_details(path: Path) -> Details:
    with np.load(path) as arrays:
        return Details(**{field.name: arrays.get(field.name) for field in fields(Details)})
