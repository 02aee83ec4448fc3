"""Records of toy runs, and what a store came to have of them."""

from dataclasses import replace
from pathlib import Path

from mlflow import MlflowClient
from mlflow.entities import DatasetInput, Run

from roadgraph.storage import write_json
from roadgraph.tracking.record import (
    DataUsed,
    Progress,
    Record,
    Sent,
    append_progress,
    read_sent,
    record_folder,
    write_record,
    write_sent,
)
from roadgraph.tracking.store import Store

EPOCHS = 3


def toy_record(title: str, **changes: object) -> Record:
    """Return the record of a finished run of 1.5 s; ``changes`` are fields of it."""
    record = Record(
        record_id=title.replace(" ", "-"),
        experiment="toy",
        title=title,
        status="FINISHED",
        started_ms=1_000_000,
        ended_ms=1_001_500,
        parameters={"training.seed": "2", "city.name": "toy"},
        metrics={"test/congestion/macro_f1/30min": 0.5},
        tags={"kind": "model"},
        data=(
            DataUsed("slices of toy", "abc", "toy/slices", {"rows": 3}, "training"),
            DataUsed("network of toy", "def", "toy/network", {"links": 2}, "graph"),
        ),
        artifacts={"": ("run/classes.json",), "bundle": ("run/bundle",)},
    )
    return replace(record, **changes)  # type: ignore[arg-type]


def write_toy(record: Record, folder: Path, store: Store | None = None) -> Path:
    """Write a record with its files and three epochs under ``folder``; return its own folder.

    With ``store`` it is meant for that.
    """
    run = folder / record.record_id / "run"
    (run / "bundle").mkdir(parents=True)
    write_json(run / "classes.json", {"congestion": {"gridlock": 0}})
    write_json(run / "bundle" / "scaler.json", {})
    place = record_folder(run)
    write_record(record, place)
    for epoch in range(EPOCHS):
        line = Progress(epoch, 1_000_100 + 100 * epoch, {"val_loss": 2.0 - epoch})
        append_progress(line, place)
    if store is not None:
        write_sent(store.name, Sent(), place)
    return place


def runs_of(client: MlflowClient, city: str = "toy") -> dict[str, Run]:
    """Return the runs of a city by name; two of a name are an error."""
    experiment = client.get_experiment_by_name(city)
    if experiment is None:
        return {}
    runs = client.search_runs([experiment.experiment_id], max_results=1000)
    names = [str(run.info.run_name) for run in runs]
    assert len(names) == len(set(names)), f"a run was made twice: {sorted(names)}"
    return dict(zip(names, runs, strict=True))


def curve(client: MlflowClient, run: Run, name: str) -> list[tuple[int, int, float]]:
    """Return step, time and value of every point of a metric."""
    points = client.get_metric_history(run.info.run_id, name)
    return [(point.step, point.timestamp, point.value) for point in points]


def inputs_of(run: Run) -> list[DatasetInput]:
    """Return the datasets of a run."""
    assert run.inputs is not None
    return list(run.inputs.dataset_inputs)


def sent_to(store: Store, place: Path) -> Sent:
    """Return what the store has of the record in ``place``."""
    return read_sent(place)[store.name]
