"""What recording in MLflow costs a training of the sample city.

    python benchmarks/tracking.py [--model gcn --size simple] [--repeats 3]

Trains the same model with `tracking.enabled` true and false in turn, in this process, in a
workspace and with a store of its own; baselines are there already and pictures are drawn in
both. Prints the time of the training alone (all epochs) and of the whole of `roadgraph train`
without its start-up, with the waiting for the store at its end.
"""

from __future__ import annotations

import argparse
import shutil
import sys
import tempfile
import time
from dataclasses import replace
from pathlib import Path

from measuring import Times, machine, process, times_table

from roadgraph.comparison.members import members_of
from roadgraph.config import load_settings
from roadgraph.models.registry import model_title
from roadgraph.settings import Settings
from roadgraph.workflow import run_comparison
from roadgraph.workspace import Workspace

NAMES = (("without tracking", False), ("with tracking", True))


def timed(settings: Settings, enabled: bool) -> tuple[float, float]:
    """Return seconds of the training alone and of the whole, of a model that is not there yet."""
    tracking = replace(settings.tracking, enabled=enabled)
    settings = replace(settings, tracking=tracking)
    title = model_title(settings.model, settings.size)
    shutil.rmtree(Workspace.of(settings).root / "runs" / title, ignore_errors=True)
    started = time.perf_counter()
    comparison = run_comparison(settings, members_of(settings, [title]), [1])
    seconds = time.perf_counter() - started
    recorded = comparison.recorded
    if enabled and (recorded is None or recorded.left.folders):
        sys.exit("not everything was recorded")
    (run,) = (run for run in comparison.compared.runs if not run.facts.baseline)
    return run.facts.training_seconds, seconds


def prepared(settings: Settings, folder: Path) -> Settings:
    """Put network and slices of the city into ``folder``; return settings that name it."""
    mine, copy = Workspace.of(settings), replace(settings, workspace=str(folder))
    copy = replace(copy, tracking=replace(copy.tracking, uri=f"sqlite:///{folder / 'mlflow.db'}"))
    for part, step in ((mine.network, "network"), (mine.slices, "slices")):
        if part.is_dir():
            shutil.copytree(part, Workspace.of(copy).root / part.name)
        else:
            process(["-m", "roadgraph", step, "city=sample", f"workspace={folder}"])
    return copy


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--model", default="gcn")
    parser.add_argument("--size", default="simple")
    parser.add_argument("--repeats", type=int, default=3)
    asked = parser.parse_args()
    settings = load_settings([f"model={asked.model}", f"size={asked.size}"])
    times: dict[bool, list[tuple[float, float]]] = {True: [], False: []}
    with tempfile.TemporaryDirectory() as folder:
        copy = prepared(settings, Path(folder))
        short = replace(copy, training=replace(copy.training, max_epochs=1))
        timed(short, enabled=True)  # warm-up: baselines, store, imports
        for repeat in range(asked.repeats):
            for enabled in (True, False) if repeat % 2 else (False, True):
                times[enabled].append(timed(copy, enabled))
    print(
        f"{asked.model}-{asked.size}, sample city, {asked.repeats} trainings each, in turn; "
        f"{machine('torch', 'mlflow')}\n"
    )
    for place, what in enumerate(("training alone", "all of it")):
        found = {
            name: Times(tuple(each[place] for each in times[enabled])) for name, enabled in NAMES
        }
        without, recorded = (found[name].median for name, _ in NAMES)
        cost = {NAMES[1][0]: f"{recorded / without - 1:+.1%}"}
        print(times_table(what, found, more={"cost": cost}))


if __name__ == "__main__":
    main()
