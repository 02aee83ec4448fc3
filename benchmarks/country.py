"""Cost a segment and memory at its peak, from a town to a country.

    python benchmarks/country.py [--model gcn] [--size enhanced] [--tile 20000] [SEGMENTS ...]

A made city of 10,000, 100,000 and 1,000,000 segments, each in a process of its own, one after the
other: an epoch of `fit`, the product's own training, over as many slices as make half a million
cells in all (one at least), with a validation on as many, and a forecast from the newest slices to
the table of answers. Each goes once to warm up. Prints the cost a segment and slice, what it is
times that of the smallest city, and the memory of the process at its peak, with the data in it. The
road graph is cut into parts of at most `--tile` segments and their halos.
"""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
import time
from itertools import pairwise
from pathlib import Path
from typing import TYPE_CHECKING

import pandas as pd
from made_city import (
    made_dataset,
    made_network,
    made_settings,
    observed_slices,
    streets_of,
    untrained_bundle,
)
from measuring import Asked, Times, asked_table, in_turn, machine, peak_gib

from roadgraph.markdown import markdown
from roadgraph.predict.forecaster import Forecaster
from roadgraph.training.fit import fit

if TYPE_CHECKING:
    from roadgraph.settings import Settings

SEGMENTS = (10_000, 100_000, 1_000_000)
REPEATS = 3
DEARER, MEMORY_GIB = 1.3, 16.0
TRAINING, FORECAST = "training", "forecast"


def settings_of(given: argparse.Namespace) -> Settings:
    """Return the settings of a training slice by slice, part by part."""
    training = {
        "batch_size": 1,
        "device": "cpu",
        "max_epochs": 1 + REPEATS,
        "patience": 1 + REPEATS,
        "tile_segments": given.tile,
    }
    return made_settings(given.model, given.size, training=training)


def train(segments: int, settings: Settings, work: int) -> Times:
    """Return the seconds of each epoch but the first, with its validation.

    Args:
        segments: ``N``.
        settings: model and training.
        work: cells (segments and slices) to train on in an epoch.
    """
    window, reach = settings.dataset.window, max(settings.horizons_min) // settings.slices.minutes
    slices = slices_of(segments, work) + window + reach - 1
    dataset = made_dataset(streets_of(segments), slices, settings)
    ends: list[float] = []
    fit(dataset, settings, lambda figures: ends.append(time.perf_counter()))
    return Times(tuple(end - begin for begin, end in pairwise(ends)))


def slices_of(segments: int, work: int) -> int:
    """Return how many slices an epoch trains on."""
    return max(work // segments, 1)


def forecast(segments: int, settings: Settings) -> Times:
    """Return the seconds of each forecast."""
    network = made_network(streets_of(segments))
    bundle = untrained_bundle(network, settings)
    forecaster = Forecaster.of(bundle, network)
    slices = observed_slices(network, bundle.slices, bundle.slice_minutes)
    observations = forecaster.observations(slices, bundle.slice_minutes)
    at = observations.newest_end
    return in_turn({"": lambda: forecaster.forecast(observations, at)}, REPEATS)[""]


def alone(what: str, segments: int, given: argparse.Namespace) -> tuple[Times, float]:
    """Return the times and the peak memory in GiB of a measurement in a process of its own."""
    words = ["--model", given.model, "--size", given.size, "--work", str(given.work)]
    words += ["--tile", str(given.tile)]
    words += ["--alone", what, str(segments)]
    ended = subprocess.run(
        [sys.executable, str(Path(__file__)), *words], capture_output=True, text=True, check=False
    )
    if ended.returncode:
        sys.exit(f"{' '.join(words)} ended with {ended.returncode}:\n{ended.stderr}")
    said = json.loads(ended.stdout.splitlines()[-1])
    return Times(tuple(said["seconds"])), said["peak_gib"]


def measured(what: str, given: argparse.Namespace) -> list[Asked]:
    """Print the table of one thing; return what was asked."""
    sizes = list(given.segments)
    rows, costs_us, peaks_gib = [], [], []
    for segments in sizes:
        times, peak = alone(what, segments, given)
        slices = slices_of(segments, given.work) if what == TRAINING else 1
        costs_us.append(1e6 * times.median / (segments * slices))
        peaks_gib.append(peak)
        rows.append(
            {
                what: f"{segments:,} segments",
                "slices": slices,
                "median, s": times.text(),
                "min-max, s": times.spread(),
                "a segment and slice, us": f"{costs_us[-1]:.2f}",
                "times the smallest": f"{costs_us[-1] / costs_us[0]:.2f}",
                "memory at its peak, GiB": f"{peak:.1f}",
                "KiB a segment": f"{peak * 2**20 / segments:.1f}",
            }
        )
        print(f"{what} of {segments:,} segments: {times.text()} s", file=sys.stderr, flush=True)
    print(markdown(pd.DataFrame(rows)), flush=True)
    largest = f"{sizes[-1]:,} segments"
    asked = [
        Asked(
            f"the cost a segment of {what} at {largest}",
            f"itself at {sizes[0]:,}",
            DEARER,
            costs_us[-1] / costs_us[0],
            at_least=False,
        )
    ]
    if what == TRAINING:
        row = Asked(
            f"memory of a training at {largest}", "-", MEMORY_GIB, peaks_gib[-1], False, "GiB"
        )
        asked.append(row)
    return asked


def main() -> None:
    """Measure and print Markdown tables."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("segments", nargs="*", type=int, default=SEGMENTS)
    parser.add_argument("--model", default="gcn")
    parser.add_argument("--size", default="enhanced")
    parser.add_argument("--work", type=int, default=500_000, help="cells of an epoch")
    parser.add_argument("--tile", type=int, default=20_000, help="training.tile_segments")
    parser.add_argument("--alone", choices=(TRAINING, FORECAST), help=argparse.SUPPRESS)
    given = parser.parse_args()
    if given.alone:
        settings, (segments,) = settings_of(given), given.segments
        training = given.alone == TRAINING
        times = train(segments, settings, given.work) if training else forecast(segments, settings)
        print(json.dumps({"seconds": times.wall, "peak_gib": peak_gib()}))
        return
    print(
        f"{given.model} {given.size}, float32, batch 1, parts of {given.tile:,} segments at most; "
        f"{REPEATS} runs each; {machine('torch', 'torch_geometric')}\n"
    )
    asked = [row for what in (TRAINING, FORECAST) for row in measured(what, given)]
    print(asked_table(asked))


if __name__ == "__main__":
    main()
