"""What the scheduled run takes on the sample city, each a command of its own, from cold.

    python benchmarks/pipeline.py [--repeats 5] [--days 3]

The quarter-hourly step: a day's file has grown by one slice; `roadgraph run --steps
network,slices,predictions` reads it, makes the slices again and writes the forecast, with the
champion of an MLflow registry and without a registry. In turn with it, what no such command can do
without: `import torch, torch_geometric`. Then a whole new day (slices, quality report, 96
forecasts, evaluation) without and with a training, the same command again with nothing to do, and
its dry run. Prints a Markdown table: medians, spread, and the ratio to the imports in the same run.
"""

from __future__ import annotations

import argparse
import shutil
import sys
import tempfile
import time
from dataclasses import dataclass, field
from datetime import date, timedelta
from pathlib import Path

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq
from measuring import REPOSITORY, Asked, Times, asked_table, machine, process, times_table

from roadgraph.calendar import city_zone, span_of_day
from roadgraph.config import load_settings
from roadgraph.errors import ExitCode
from roadgraph.predict.store import stored_times
from roadgraph.workspace import Workspace

FIXES = REPOSITORY / "data/sample/fixes"
FIRST, TRAINED = date(2026, 1, 5), date(2026, 1, 8)
GROWING = date(2026, 1, 9)
MORNING = 32  # slices of the growing day that are there at first: until 08:00
SLICE_MINUTES = 15
WHOLE_DAYS = 3  # without a training, and as many with one
MODEL = (
    "model=mlp",
    "size=simple",
    "training.max_epochs=8",
    "pipeline.first_training_days=4",
)
NEVER, NIGHTLY = "pipeline.retrain_days=0", "pipeline.retrain_days=1"
STEP = ("--steps", "network,slices,predictions")
IMPORTS = "import torch, torch_geometric"
ASKED_S = {
    "a quarter of an hour, with a registry": 10,
    "a quarter of an hour, without one": 10,
    "a whole day": 60,
}


@dataclass
class City:
    """A workspace of its own that fixes arrive for.

    Attributes:
        folder: all of it.
        seconds: of every command, by what it did.
    """

    folder: Path
    seconds: dict[str, list[float]] = field(default_factory=dict)

    @property
    def overrides(self) -> list[str]:
        """Return the settings of every run."""
        return [
            "city=sample",
            f"city.fixes={self.folder / 'fixes'}",
            f"workspace={self.folder / 'workspace'}",
            f"tracking.uri=sqlite:///{self.folder / 'mlflow.db'}",
            *MODEL,
        ]

    @property
    def forecasts(self) -> int:
        """How many times of issue there are forecasts of."""
        return len(stored_times(Workspace.of(load_settings(self.overrides)).forecasts))

    def arrive(self, day: date, slices: int | None = None) -> None:
        """Let the fixes of a day arrive, all or those of its first slices."""
        path = self.folder / "fixes" / f"{day}.parquet"
        path.parent.mkdir(exist_ok=True)
        shutil.copyfile(FIXES / path.name, path)
        if slices is not None:
            table = pq.read_table(path)
            begin, _ = span_of_day(day, city_zone("Asia/Bangkok"), SLICE_MINUTES)
            end = begin + timedelta(minutes=SLICE_MINUTES * slices)
            known = pc.less(table["timestamp"], pa.scalar(end, table["timestamp"].type))
            pq.write_table(table.filter(known), path)

    def run(self, what: str, *arguments: str) -> None:
        """Run the command and keep its time under ``what``."""
        command = ["-m", "roadgraph", "run", *arguments, *self.overrides]
        self.seconds.setdefault(what, []).append(timed(command))


def timed(arguments: list[str]) -> float:
    """Return the seconds of a Python process; a check that fails is none of ours."""
    begun = time.perf_counter()
    process(arguments, ends=(ExitCode.OK, ExitCode.CHECKS))
    return time.perf_counter() - begun


def quarter_hours(city: City, repeats: int) -> None:
    """Measure the step that runs every slice, in turn with the imports."""
    city.arrive(GROWING, MORNING)
    city.run("warm-up", *STEP)
    slices = MORNING
    for _ in range(repeats):
        for name, also in (
            ("a quarter of an hour, with a registry", ()),
            ("a quarter of an hour, without one", ("tracking.enabled=false",)),
        ):
            slices += 1
            city.arrive(GROWING, slices)
            before = city.forecasts
            city.run(name, *STEP, *also)
            if city.forecasts != before + 1:
                sys.exit(f"{name}: {city.forecasts - before} forecasts were issued, not 1")
        city.seconds.setdefault(f"`{IMPORTS}`", []).append(timed(["-c", IMPORTS]))


def whole_days(city: City, repeats: int, days: int) -> None:
    """Measure a whole new day, the run with nothing to do and the dry run."""
    city.arrive(GROWING)
    city.run("warm-up", "--to", str(GROWING), NEVER)
    day = GROWING
    for place in range(2 * days):
        day += timedelta(days=1)
        name, often = ("and a training", NIGHTLY) if place % 2 else ("a whole day", NEVER)
        city.arrive(day)
        city.run(name, "--to", str(day), often)
    for _ in range(repeats):
        city.run("nothing to do", "--to", str(day), NEVER)
        city.run("the same, dry run", "--to", str(day), "--dry-run", NEVER)


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--repeats", type=int, default=5)
    parser.add_argument("--days", type=int, default=WHOLE_DAYS, help="without a training, and with")
    given = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        city = City(Path(folder))
        for ahead in range((TRAINED - FIRST).days + 1):
            city.arrive(FIRST + timedelta(days=ahead))
        city.run("warm-up", "--to", str(TRAINED))
        quarter_hours(city, given.repeats)
        whole_days(city, given.repeats, given.days)
    print_table(city.seconds)


def print_table(seconds: dict[str, list[float]]) -> None:
    """Print medians, spread, the ratio to the imports, and what is asked for."""
    times = {name: Times(tuple(own)) for name, own in seconds.items() if name != "warm-up"}
    imports = times[f"`{IMPORTS}`"].median
    more = {
        "runs": {name: str(len(own.wall)) for name, own in times.items()},
        "times the imports": {name: f"{own.median / imports:.1f}" for name, own in times.items()},
    }
    print(f"sample city, mlp-simple of 8 epochs, each a cold command; {machine('torch')}\n")
    print(times_table("command", times, more=more))
    print(
        asked_table(
            [
                Asked(f"{name}, cold", "-", limit_s, times[name].median, False, "s")
                for name, limit_s in ASKED_S.items()
            ]
        )
    )


if __name__ == "__main__":
    main()
