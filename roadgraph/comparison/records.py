"""What MLflow gets to know of a comparison and of each of its runs."""

from __future__ import annotations

import os
import uuid
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

from roadgraph.comparison.account import is_trivial
from roadgraph.comparison.metrics import final_metrics
from roadgraph.comparison.note import note_of
from roadgraph.comparison.runs import KEY_TAG, run_name
from roadgraph.config import shareable_settings
from roadgraph.models.registry import model_title
from roadgraph.storage import digest_of_arrays, fingerprint
from roadgraph.tracking.console import CONSOLE_FILE
from roadgraph.tracking.record import DataUsed, Record, now_ms, record_folder, this_process
from roadgraph.tracking.surroundings import surroundings
from roadgraph.workspace import Workspace

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from pathlib import Path

    from roadgraph.comparison.compare import Compared
    from roadgraph.comparison.judging import Judge
    from roadgraph.comparison.runs import Run
    from roadgraph.dataset.dataset import Dataset
    from roadgraph.dataset.splits import Span
    from roadgraph.settings import Settings

DIGEST_CHARACTERS = 32  # MLflow takes 36
TITLES_NAMED = 3
"""Of a comparison's models, in its name."""
OF_A_MODEL = ("model", "training", "size")


@dataclass(frozen=True)
class Common:
    """What all runs of a comparison have in common, for their records.

    Attributes:
        settings: of the city.
        workspace: of it.
        key: that stands for all the data.
        identity: of the comparison: its data, models, seeds and settings.
        titles: of its models.
        data: that it rests on, as MLflow shows it.
        days: first and last local day, such as ``2026-01-05 to 2026-01-18``.
    """

    settings: Settings
    workspace: Workspace
    key: str
    identity: str
    titles: tuple[str, ...]
    data: tuple[DataUsed, ...]
    days: str

    @classmethod
    def of(
        cls,
        judge: Judge,
        key: str,
        settings: Settings,
        members: Sequence[Settings],
        seeds: Sequence[int],
    ) -> Common:
        """Return what the judge's dataset and the settings say.

        Args:
            judge: of the test span.
            key: that stands for all the data.
            settings: of the city.
            members: settings of each model.
            seeds: of the trainings.
        """
        city = settings.city.name
        asked = [repr(_parameters(each)) for each in (settings, *members)]
        identity = fingerprint([city, key, *asked, repr(list(seeds))])
        titles = dict.fromkeys(model_title(member.model, member.size) for member in members)
        workspace = Workspace.of(settings)
        data = _data_used(judge.dataset, city)
        days = str(data[0].profile["days"])
        return cls(settings, workspace, key, identity, tuple(titles), data, days)

    @property
    def kept(self) -> Path:
        """Where the results of the comparison are kept."""
        return self.workspace.comparison(self.identity)

    @property
    def folder(self) -> Path:
        """Where the record of the comparison lies."""
        return record_folder(self.kept)

    def place_of(self, run: Run) -> Path:
        """Return where the record of a run lies.

        That of a model lies beside it. A baseline stands in every comparison anew, so that it is a
        row beside the models.
        """
        if not run.facts.baseline:
            return record_folder(run.folder)
        title = run.facts.title.replace(" ", "-")
        return record_folder(self.kept.with_name(f"{self.kept.name}-{title}"))

    def begun(self) -> Record:
        """Return the record of the comparison as it begins."""
        task = "" if self.settings.task == "forecast" else f" ({self.settings.task})"
        more = len(self.titles) - TITLES_NAMED
        names = [*self.titles[:TITLES_NAMED], *([f"{more} more"] if more > 0 else [])]
        return Record(
            record_id=self.identity[:DIGEST_CHARACTERS],
            experiment=self.settings.city.name,
            title=f"comparison of {', '.join(names)}{task}, {self.days}",
            status="RUNNING",
            started_ms=now_ms(),
            process=this_process(),
            parameters=_parameters(self.settings, leave_out=OF_A_MODEL),
            tags={"kind": "comparison", KEY_TAG: self.key, **self._tags()},
            data=self.data,
        )

    def ended(self, begun: Record, compared: Compared) -> Record:
        """Return the record of the comparison as it ended, with the results in :attr:`kept`."""
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
            os.path.relpath(path, self.folder.parent) for path in sorted(self.kept.iterdir())
        )
        return replace(
            begun,
            status="FINISHED",
            ended_ms=now_ms(),
            tags={**begun.tags, **best, **failed, "mlflow.note.content": note},
            artifacts={"results": tuple(name for name in files if not name.endswith("plots"))}
            | {"results/plots": tuple(name for name in files if name.endswith("plots"))},
        )

    def of_training(self, member: Settings, key: str, place: Path) -> Record:
        """Return the record of a training that begins, in the folder ``place``."""
        title, seed = model_title(member.model, member.size), member.training.seed
        tags = {"kind": "model", "model": title, "seed": str(seed), KEY_TAG: key}
        return self._below(run_name(title, seed), _parameters(member), tags, place)

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
        facts, place = run.facts, self.place_of(run)
        if begun is None:
            begun = self._unwatched(run, member, place)
        tags = dict(begun.tags)
        if not facts.baseline:
            tags |= {"device": str(facts.device), "diagnosis": str(facts.diagnosis)}
        return replace(
            begun,
            status="FINISHED",
            ended_ms=now_ms(),
            metrics=final_metrics(run, baselines),
            tags=tags,
            artifacts=_artifacts(run, place),
            network="" if facts.baseline else os.path.relpath(self.workspace.network, place.parent),
        )

    def parent_of(self, place: Path) -> str:
        """Return the comparison's record as one in the folder ``place`` names it."""
        return os.path.relpath(self.folder, place.parent)

    def _unwatched(self, run: Run, member: Settings | None, place: Path) -> Record:
        began_ms = now_ms() - int(1000 * run.facts.training_seconds)
        if member is not None:
            training = replace(member.training, seed=run.facts.seed)
            seeded = replace(member, training=training)
            return replace(self.of_training(seeded, run.facts.key, place), started_ms=began_ms)
        parameters = _parameters(self.settings, leave_out=OF_A_MODEL)
        tags = {"kind": "baseline", "model": run.facts.title, KEY_TAG: run.facts.key}
        return replace(self._below(run.facts.name, parameters, tags, place), started_ms=began_ms)

    def _below(
        self, title: str, parameters: Mapping[str, str], tags: Mapping[str, str], place: Path
    ) -> Record:
        """Return a record in the folder ``place`` that begins now, below the comparison's."""
        return Record(
            record_id=uuid.uuid4().hex,
            experiment=self.settings.city.name,
            title=title,
            status="RUNNING",
            started_ms=now_ms(),
            parent=self.parent_of(place),
            process=this_process(),
            parameters=parameters,
            tags={**tags, **self._tags()},
            data=self.data,
        )

    def _tags(self) -> dict[str, str]:
        tags = {"task": self.settings.task, **surroundings()}
        if is_trivial(self.settings):
            tags["trivial"] = "yes"
        if self.settings.labels.rush_hour == "clock":
            tags["rush_hour"] = "from the clock"
        return tags


def _data_used(dataset: Dataset, city: str) -> tuple[DataUsed, DataUsed]:
    """Return slices and network of a city as MLflow shows them."""
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
    return (
        DataUsed(
            f"slices of {city}", digest[:DIGEST_CHARACTERS], f"{city}/slices", slices,
            "training, validation and test",
        ),
        DataUsed(
            f"network of {city}", dataset.graph.fingerprint[:DIGEST_CHARACTERS],
            f"{city}/network", roads, "graph",
        ),
    )  # fmt: skip


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


def _artifacts(run: Run, place: Path) -> dict[str, tuple[str, ...]]:
    """Return files and folders of a run by their folder in MLflow.

    Args:
        run: the run.
        place: the folder of its record; paths are relative to the folder around it.
    """
    top = place.parent
    artifacts: dict[str, tuple[str, ...]] = {}
    if run.picture_files:
        artifacts["plots"] = tuple(os.path.relpath(path, top) for path in run.picture_files)
    files = []
    if run.bundle.is_dir():
        artifacts["bundle"] = (os.path.relpath(run.bundle, top),)
        files = [run.bundle / name for name in ("training_history.json", "classes.json")]
    log = place / CONSOLE_FILE
    if log.is_file():
        files.append(log)
    if files:
        artifacts[""] = tuple(os.path.relpath(path, top) for path in files)
    return artifacts
