"""What MLflow gets to know of a comparison and of each of its runs."""

from __future__ import annotations

import os
import time
import uuid
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

from roadgraph.comparison.account import is_trivial
from roadgraph.comparison.metrics import final_metrics
from roadgraph.comparison.note import note_of
from roadgraph.comparison.runs import run_name
from roadgraph.config import shareable_settings
from roadgraph.models.registry import model_title
from roadgraph.storage import digest_of_arrays, fingerprint
from roadgraph.tracking.console import CONSOLE_FILE
from roadgraph.tracking.record import DataUsed, Record, record_folder
from roadgraph.tracking.surroundings import surroundings

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from pathlib import Path

    from roadgraph.comparison.compare import Compared
    from roadgraph.comparison.judging import Judge
    from roadgraph.comparison.runs import Run
    from roadgraph.dataset.splits import Span
    from roadgraph.settings import Settings
    from roadgraph.workspace import Workspace

KEY_TAG = "roadgraph.key"
DIGEST_CHARACTERS = 32  # MLflow takes 36
OF_A_MODEL = ("model", "training", "size")


@dataclass(frozen=True)
class Common:
    """What all runs of a comparison have in common, for their records.

    Attributes:
        settings: of the city.
        workspace: of it.
        key: that stands for all the data.
        data: the same, as MLflow shows it.
        days: first and last local day, such as ``2026-01-05 to 2026-01-18``.
    """

    settings: Settings
    workspace: Workspace
    key: str
    data: tuple[DataUsed, ...]
    days: str

    @classmethod
    def of(cls, judge: Judge, key: str, settings: Settings, workspace: Workspace) -> Common:
        """Return what the judge's dataset says."""
        dataset = judge.dataset
        starts = dataset.grid.slice_starts.tz_convert(dataset.zone)
        first, last = (f"{moment:%Y-%m-%d}" for moment in (starts[0], starts[-1]))
        observed = dataset.grid.observed
        digest = digest_of_arrays([dataset.grid.measured, observed])

        def span(part: Span) -> str:
            return f"{starts[part.start]:%Y-%m-%d %H:%M} to {starts[part.stop - 1]:%Y-%m-%d %H:%M}"

        slices: dict[str, Any] = {
            "days": f"{first} to {last}",
            "number of days": starts.normalize().nunique(),
            "rows": int(observed.sum()),
            "segments": observed.shape[1],
            "slices": observed.shape[0],
            "slice_minutes": dataset.grid.slice_minutes,
            "observed share": round(float(observed.mean()), 4),
            "hidden segments": int(dataset.hidden.sum()),
            "fingerprint": digest,
            **{name: span(getattr(dataset.splits, name)) for name in ("train", "validation")},
            "test": span(dataset.splits.test),
        }
        roads = {
            "segments": dataset.graph.segments,
            "links": len(dataset.graph.source),
            "fingerprint": dataset.graph.fingerprint,
        }
        city = settings.city.name
        data = (
            DataUsed(
                f"slices of {city}", digest[:DIGEST_CHARACTERS], f"{city}/slices", slices,
                "training, validation and test",
            ),
            DataUsed(
                f"network of {city}", dataset.graph.fingerprint[:DIGEST_CHARACTERS],
                f"{city}/network", roads, "graph",
            ),
        )  # fmt: skip
        return cls(settings, workspace, key, data, f"{first} to {last}")

    @property
    def folder(self) -> Path:
        """Where the record of the comparison lies."""
        return record_folder(self.workspace.comparison(self.key))

    @property
    def record_id(self) -> str:
        """Of the comparison: the same for the same data, so that all runs on it stand together."""
        return fingerprint([self.settings.city.name, self.key])[:DIGEST_CHARACTERS]

    def begun(self) -> Record:
        """Return the record of the comparison as it begins."""
        task = "" if self.settings.task == "forecast" else f", {self.settings.task}"
        return Record(
            record_id=self.record_id,
            experiment=self.settings.city.name,
            title=f"comparison {self.days}{task}",
            status="RUNNING",
            started_ms=now_ms(),
            parameters=_parameters(self.settings, leave_out=OF_A_MODEL),
            tags={"kind": "comparison", KEY_TAG: self.key, **self._tags()},
            data=self.data,
        )

    def ended(self, begun: Record, compared: Compared, results: Path) -> Record:
        """Return the record of the comparison as it ended; ``results`` is the folder to keep."""
        best = {
            f"best seed/{title}": str(compared.best_of(title).facts.seed)
            for title in compared.titles
        }
        note = note_of(compared, self.settings)
        failed = {
            f"failed/{failure.title} seed {failure.seed}": failure.reason
            for failure in compared.failures
        }
        files = tuple(
            os.path.relpath(path, self.folder.parent) for path in sorted(results.iterdir())
        )
        return replace(
            begun,
            status="FINISHED",
            ended_ms=now_ms(),
            tags={**begun.tags, **best, **failed, "mlflow.note.content": note},
            artifacts={"results": tuple(name for name in files if not name.endswith("plots"))}
            | {"results/plots": tuple(name for name in files if name.endswith("plots"))},
        )

    def of_training(self, member: Settings, key: str) -> Record:
        """Return the record of a training that begins."""
        title, seed = model_title(member.model, member.size), member.training.seed
        return Record(
            record_id=uuid.uuid4().hex,
            experiment=self.settings.city.name,
            title=run_name(title, seed),
            status="RUNNING",
            started_ms=now_ms(),
            parent=self.record_id,
            parameters=_parameters(member),
            tags={
                "kind": "model",
                "model": title,
                "seed": str(seed),
                KEY_TAG: key,
                **self._tags(),
            },
            data=self.data,
        )

    def of_run(
        self, run: Run, begun: Record | None, member: Settings | None, baselines: Sequence[Run]
    ) -> Record:
        """Return the record of a finished run.

        Args:
            run: of a baseline or a model.
            begun: of its training, or None when that was not watched.
            member: settings of the model, of whatever seed; None of a baseline.
            baselines: of the comparison, which skill is measured against.
        """
        facts = run.facts
        if begun is None:
            begun = self._unwatched(run, member)
        tags = dict(begun.tags)
        if not facts.baseline:
            tags |= {"device": str(facts.device), "diagnosis": str(facts.diagnosis)}
        return replace(
            begun,
            status="FINISHED",
            ended_ms=now_ms(),
            metrics=final_metrics(run, baselines),
            tags=tags,
            artifacts=_artifacts(run),
            network=""
            if facts.baseline
            else os.path.relpath(self.workspace.network, run.folder.parent),
        )

    def _unwatched(self, run: Run, member: Settings | None) -> Record:
        began_ms = now_ms() - int(1000 * run.facts.training_seconds)
        if member is not None:
            training = replace(member.training, seed=run.facts.seed)
            seeded = replace(member, training=training)
            return replace(self.of_training(seeded, run.facts.key), started_ms=began_ms)
        return Record(
            record_id=uuid.uuid4().hex,
            experiment=self.settings.city.name,
            title=run.facts.name,
            status="RUNNING",
            started_ms=began_ms,
            parent=self.record_id,
            parameters=_parameters(self.settings, leave_out=OF_A_MODEL),
            tags={
                "kind": "baseline",
                "model": run.facts.title,
                KEY_TAG: run.facts.key,
                **self._tags(),
            },
            data=self.data,
        )

    def _tags(self) -> dict[str, str]:
        tags = {"task": self.settings.task, **surroundings()}
        if is_trivial(self.settings):
            tags["trivial"] = "yes"
        if self.settings.labels.rush_hour == "clock":
            tags["rush_hour"] = "from the clock"
        return tags


def now_ms() -> int:
    """Return the time in ms since 1970."""
    return int(time.time() * 1000)


def flat(settings: Mapping[str, Any], prefix: str = "") -> dict[str, Any]:
    """Return nested settings as one level of dotted names."""
    result: dict[str, Any] = {}
    for name, value in settings.items():
        if isinstance(value, dict):
            result.update(flat(value, f"{prefix}{name}."))
        else:
            result[f"{prefix}{name}"] = value
    return result


def _parameters(settings: Settings, leave_out: Sequence[str] = ()) -> dict[str, str]:
    content = shareable_settings(settings)
    for name in leave_out:
        del content[name]
    return {name: str(value) for name, value in flat(content).items()}


def _artifacts(run: Run) -> dict[str, tuple[str, ...]]:
    """Return files and folders of a run by their place in MLflow, relative to the folder above."""
    top = run.folder.parent
    artifacts: dict[str, tuple[str, ...]] = {}
    if run.pictures:
        artifacts["plots"] = tuple(os.path.relpath(path, top) for path in run.pictures.values())
    files = []
    if run.bundle.is_dir():
        artifacts["bundle"] = (os.path.relpath(run.bundle, top),)
        files = [run.bundle / name for name in ("training_history.json", "classes.json")]
    log = record_folder(run.folder) / CONSOLE_FILE
    if log.is_file():
        files.append(log)
    if files:
        artifacts[""] = tuple(os.path.relpath(path, top) for path in files)
    return artifacts
