"""What recording in MLflow costs a training of the sample city.

    python benchmarks/tracking.py [--model gcn --size simple] [--repeats 3]

Trains the same model with `tracking.enabled` true and false in turn, in this process, in a copy of
the city's workspace with a store of its own; baselines are there already and pictures are drawn in
both. Prints the time of the training alone (all epochs) and of the whole of `roadgraph train`
without its start-up, with the waiting for the store at its end. Needs `roadgraph network` and
`roadgraph slices` of the sample city.
"""

from __future__ import annotations

import argparse
import platform
import shutil
import statistics
import sys
import tempfile
import time
from dataclasses import replace
from pathlib import Path

import torch

from roadgraph.comparison.members import members_of
from roadgraph.config import load_settings
from roadgraph.models.registry import model_title
from roadgraph.settings import Settings
from roadgraph.workflow import run_comparison
from roadgraph.workspace import Workspace


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


def copied(settings: Settings, folder: Path) -> Settings:
    """Copy network and slices of the city into ``folder``; return settings that name the copy."""
    mine, copy = Workspace.of(settings), replace(settings, workspace=str(folder))
    copy = replace(copy, tracking=replace(copy.tracking, uri=f"sqlite:///{folder / 'mlflow.db'}"))
    for part in (mine.network, mine.slices):
        if not part.is_dir():
            sys.exit(f"no {part}: run roadgraph network and roadgraph slices first")
        shutil.copytree(part, Workspace.of(copy).root / part.name)
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
        copy = copied(settings, Path(folder))
        short = replace(copy, training=replace(copy.training, max_epochs=1))
        timed(short, enabled=True)  # warm-up: baselines, store, imports
        for repeat in range(asked.repeats):
            for enabled in (True, False) if repeat % 2 else (False, True):
                times[enabled].append(timed(copy, enabled))
    print(
        f"{asked.model}-{asked.size}, sample city, {asked.repeats} trainings each, "
        f"{torch.get_num_threads()} threads, {platform.machine()}\n"
    )
    print("| | training alone, s: median (min-max) | all of it, s: median (min-max) |")
    print("| --- | --- | --- |")
    for enabled, name in ((False, "without tracking"), (True, "with tracking")):
        cells = [
            f"{statistics.median(each):.1f} ({min(each):.1f}-{max(each):.1f})"
            for each in zip(*times[enabled], strict=True)
        ]
        print(f"| {name} | {' | '.join(cells)} |")
    medians = {
        enabled: [statistics.median(each) for each in zip(*both, strict=True)]
        for enabled, both in times.items()
    }
    ratios = [a / b - 1 for a, b in zip(medians[True], medians[False], strict=True)]
    print(f"| cost | {' | '.join(f'{ratio:+.1%}' for ratio in ratios)} |")


if __name__ == "__main__":
    main()
