"""Makes the sample city: a fictional town, two weeks of traffic, and a fleet's GPS fixes.

Run it through `make sample`; it needs the `eclipse-sumo` package. The same seed gives the same
bytes, whatever the number of jobs.
"""

from __future__ import annotations

import argparse
import tempfile
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd
from simulation.figures import daily_figures
from simulation.fixes import receive
from simulation.fleet import TaxiRank, read_fleet, report_moments
from simulation.incidents import draw_incidents, write_incidents
from simulation.network import build_network, write_roads
from simulation.parameters import RECEIVER, SEED, SLICE_S, local_date
from simulation.run import DayOutput, simulate_day
from simulation.tables import FIXES, TRUTH, TRUTH_FIXES, write_checksums, write_table
from simulation.town import draw_town
from simulation.truth import midnight_utc, read_truth

MAX_DAYS = 14
KEY = ["vehicle_id", "timestamp"]


@dataclass(frozen=True)
class Arguments:
    """What the command line asks for."""

    out: Path
    seed: int
    days: int
    jobs: int
    work: Path | None


def parse_arguments() -> Arguments:
    """The command line."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--out", type=Path, default=Path(__file__).parent)
    parser.add_argument("--seed", type=int, default=SEED)
    parser.add_argument("--days", type=int, default=MAX_DAYS, choices=range(1, MAX_DAYS + 1))
    parser.add_argument("--jobs", type=int, default=2, help="days simulated at a time")
    parser.add_argument("--work", type=Path, help="keep SUMO's own files in this folder")
    return Arguments(**vars(parser.parse_args()))


def make_sample(args: Arguments, work: Path) -> None:
    """Draws the town, simulates the days and writes every file of the sample."""
    (args.out / "fixes").mkdir(parents=True, exist_ok=True)
    for stale in (args.out / "fixes").glob("*.parquet"):
        stale.unlink()
    town = draw_town(np.random.default_rng([args.seed, 0]))
    network = build_network(town, work, args.seed)
    write_roads(town, args.out / "roads.geojson")
    incidents = draw_incidents(town, np.random.default_rng([args.seed, 1]))
    write_incidents(incidents, args.days, args.out / "incidents.csv")
    print(f"{len(town.segments)} segments, {len(town.nodes_m)} crossings", flush=True)

    def simulate(day: int) -> DayOutput:
        print(f"{local_date(day)}: simulating", flush=True)
        folder = work / f"day{day:02d}"
        return simulate_day(town, network, incidents, day, args.seed, folder)

    rank = TaxiRank()
    truths, truth_fixes, touched = [], [], []
    with ThreadPoolExecutor(args.jobs) as pool:
        for output in pool.map(simulate, range(args.days)):
            fixes, driven = fleet_fixes(output, rank, args.seed)
            day = local_date(output.day)
            write_table(fixes, FIXES, args.out / "fixes" / f"{day}.parquet")
            truths.append(read_truth(output.edges_xml, output.day))
            truth_fixes.append(fixes.loc[fixes["genuine"], [*KEY, "segment_id"]])
            touched.append(driven)
            print(f"{day}: {output.trips} vehicles, {len(fixes)} fixes", flush=True)
    truth = pd.concat(truths).sort_values(["segment_id", "slice_start"], ignore_index=True)
    write_table(truth, TRUTH, args.out / "truth.parquet")
    genuine = pd.concat(truth_fixes).sort_values(KEY, ignore_index=True)
    write_table(genuine, TRUTH_FIXES, args.out / "truth_fixes.parquet")
    write_checksums(args.out)
    print(daily_figures(args.out, pd.concat(touched)).to_string(index=False))


def fleet_fixes(output: DayOutput, rank: TaxiRank, seed: int) -> tuple[pd.DataFrame, pd.DataFrame]:
    """The fleet's fixes of one day, and the (segment, slice) cells it truly drove in."""
    rng = np.random.default_rng([seed, 20, output.day])
    seconds = read_fleet(output.fleet_csv)
    moments = report_moments(seconds, output.day, rank, RECEIVER.report_period_s, rng)
    begin_s = seconds["time_s"] // SLICE_S * SLICE_S
    driven = pd.DataFrame({"segment_id": seconds["segment_id"], "begin_s": begin_s})
    driven = driven.drop_duplicates()
    driven["slice_start"] = midnight_utc(output.day) + pd.to_timedelta(driven["begin_s"], unit="s")
    return receive(moments, output.day, rng), driven[["segment_id", "slice_start"]]


def main() -> None:
    """Entry point."""
    args = parse_arguments()
    if args.work is not None:
        make_sample(args, args.work)
        return
    with tempfile.TemporaryDirectory() as folder:
        make_sample(args, Path(folder))


if __name__ == "__main__":
    main()
