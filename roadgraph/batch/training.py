"""The model of the scheduled runs: trained when it is due, on the newest days."""

from __future__ import annotations

import json
from contextlib import contextmanager
from dataclasses import asdict
from datetime import date, timedelta
from importlib.metadata import version
from typing import TYPE_CHECKING, Any

from roadgraph.batch.clock import way_of_making
from roadgraph.batch.outcome import Outcome
from roadgraph.batch.words import told
from roadgraph.calendar import Days
from roadgraph.comparison.keys import LIBRARIES, NOT_IN_KEY
from roadgraph.errors import DataError, LockError
from roadgraph.network.network import read_network
from roadgraph.slices.store import read_manifest, stored_days
from roadgraph.staleness import changes
from roadgraph.storage import alone, write_json
from roadgraph.workspace import Workspace

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from roadgraph.settings import Settings

MODEL = "model"
OF_THE_RUN = (*NOT_IN_KEY, "devices")
"""Settings of a training that say how it is carried out; ``torchrun`` sets the last one."""


def training_days(settings: Settings, last: date) -> Days:
    """Return the days that a training up to ``last`` learns from."""
    return Days(last - timedelta(days=settings.pipeline.training_days - 1), last)


def model_due(settings: Settings, last: date) -> tuple[tuple[str, ...], str]:
    """Return why a model is to be trained on the days up to ``last``, or why not.

    Returns:
        The reasons, and "" with them; or none and why there is nothing to do.
    """
    workspace = Workspace.of(settings)
    days = training_days(settings, last)
    there = [day for day in stored_days(workspace.slices) if day in days]
    least = settings.pipeline.first_training_days
    record = _record(workspace)
    if record is None:
        if len(there) < least:
            return (), f"waits for {least} days with slices; there are {len(there)} up to {last}"
        return changes(None, {}), ""
    if not there:
        return (), f"there are no slices up to {last}"
    reasons = changes(record["depends_on"], depends_on(settings, workspace, last))
    made = date.fromisoformat(record["last_day"])
    age, every = (last - made).days, settings.pipeline.retrain_days
    if every and age >= every:
        reasons += (f"the newest model is of {made}, {age} days before {last}",)
    if not reasons:
        return (), f"the newest model is of {made}"
    if len(there) < least:
        return (), f"waits for {least} days with slices; there are {len(there)} up to {last}"
    return reasons, ""


def depends_on(settings: Settings, workspace: Workspace, last: date) -> dict[str, str]:
    """Return what a model depends on beside the data of the days up to ``last``, by name."""
    groups: dict[str, Any] = {
        name: asdict(getattr(settings, name)) for name in ("labels", "dataset", "model", "training")
    }
    made = [day for day in stored_days(workspace.slices) if day <= last]
    return {
        "network": read_network(workspace.network).fingerprint(),
        "how slices are made": way_of_making(read_manifest(workspace.slices, made[-1])),
        "task": settings.task,
        "size": settings.size,
        "slices.minutes": str(settings.slices.minutes),
        **{
            f"{group}.{name}": json.dumps(value)
            for group, values in groups.items()
            for name, value in values.items()
            if not (group == "training" and name in OF_THE_RUN)
        },
        **{name: version(name) for name in ("roadgraph", *LIBRARIES)},
    }


def train_if_due(
    settings: Settings,
    last: date,
    on_epoch: Callable[[str, dict[str, float]], None] = lambda title, figures: None,
) -> Outcome:
    """Train the model that the settings name on the days up to ``last``, if it is due.

    It becomes the challenger of the city's registered model, the first one the champion too.

    Args:
        settings: of the city.
        last: local day to end with.
        on_epoch: called with a run's title and the figures of every finished epoch.

    Raises:
        RoadgraphError: it cannot be trained.
        LockError: another run trains it.
    """
    workspace = Workspace.of(settings)
    with _no_other_training(workspace):
        reasons, why_not = model_due(settings, last)
        if not reasons:
            return Outcome(MODEL, str(last), "nothing", why_not)
        # They take seconds, and most runs find that no model is due.
        from roadgraph.comparison.members import members_of
        from roadgraph.evaluation.parts import ALL
        from roadgraph.models.registry import model_title
        from roadgraph.workflow import run_comparison

        # Before the training: what changes while it goes on makes the model stale.
        rests_on = depends_on(settings, workspace, last)
        title = model_title(settings.model, settings.size)
        days = training_days(settings, last)
        first = min(day for day in stored_days(workspace.slices) if day in days)
        comparison = run_comparison(
            settings, members_of(settings, [title]), [settings.training.seed], on_epoch, days=days
        )
        scored = comparison.scores
        rows = scored[(scored["model"] == title) & (scored["part"] == ALL)]
        figures: dict[str, float | int | str] = {"model": title, "first day": str(first)}
        for minutes, score in zip(rows["horizon_min"], rows["macro_f1"], strict=True):
            figures[f"macro F1, {minutes} min"] = round(float(score), 4)
        recorded = comparison.recorded
        if recorded is not None and recorded.registered:
            figures["registered"] = str(recorded.registered)
        if recorded is not None and recorded.left.folders:
            figures["not sent to MLflow yet"] = len(recorded.left.folders)
        content = {
            "title": title,
            "last_day": str(last),
            "depends_on": rests_on,
            "figures": figures,
        }
        write_json(workspace.model_record, content)
    return Outcome(MODEL, str(last), "made", told(reasons), figures)


@contextmanager
def _no_other_training(workspace: Workspace) -> Iterator[None]:
    """Keep other runs from training at the same time.

    Raises:
        LockError: another run trains.
    """
    try:
        with alone(workspace.model_record, patience_s=0.0):
            yield
    except LockError as error:
        raise LockError(f"another run trains the model: {error}") from error


def _record(workspace: Workspace) -> dict[str, Any] | None:
    """Return what is known of the newest model, or None before the first.

    Raises:
        DataError: it is damaged.
    """
    path = workspace.model_record
    if not path.is_file():
        return None
    try:
        content: dict[str, Any] = json.loads(path.read_text("utf-8"))
        date.fromisoformat(content["last_day"])
        dict(content["depends_on"])
    except (ValueError, KeyError, TypeError) as error:
        raise DataError(
            f"{path} is damaged; remove it, and the next run trains a model again"
        ) from error
    return content
