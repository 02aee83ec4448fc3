"""Runs SUMO for one day."""

from __future__ import annotations

import subprocess
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from simulation.demand import write_trips
from simulation.incidents import Incident, write_blockers
from simulation.network import sumo_binary
from simulation.parameters import DAY_S, DRIVING, SLICE_S
from simulation.town import Town


@dataclass(frozen=True)
class DayOutput:
    """Where SUMO left what it saw on one day."""

    day: int
    trips: int
    edges_xml: Path
    fleet_csv: Path
    statistics_xml: Path


def simulate_day(
    town: Town, network: Path, incidents: tuple[Incident, ...], day: int, seed: int, folder: Path
) -> DayOutput:
    """One local day from a quarter of an hour before midnight, so that the streets fill first.

    Days are simulated apart from each other: they can run side by side, and the result does not
    depend on how many do.
    """
    folder.mkdir(parents=True, exist_ok=True)
    rng = np.random.default_rng([seed, 10, day])
    trips = write_trips(town, day, rng, folder / "trips.xml")
    routes = route_by_habit(network, folder / "trips.xml", int(rng.integers(1, 2**31)))
    out = DayOutput(
        day, trips, folder / "edges.xml", folder / "fleet.csv", folder / "statistics.xml"
    )
    end_s = DRIVING.warm_up_s + DAY_S
    blockers = folder / "incidents.xml"
    write_blockers(town, incidents, day, blockers)
    extra = folder / "extra.xml"
    extra.write_text(
        f'<additional>\n<edgeData id="truth" file="{out.edges_xml.resolve()}" begin="0"'
        f' end="{end_s}" period="{SLICE_S}" excludeEmpty="true"/>\n</additional>\n'
    )
    options = {
        "net-file": network,
        "route-files": f"{routes},{blockers}",
        "additional-files": extra,
        "begin": 0,
        "end": end_s,
        "step-length": DRIVING.step_s,
        "seed": int(rng.integers(1, 2**31)),
        "time-to-teleport": DRIVING.time_to_teleport_s,
        "ignore-junction-blocker": DRIVING.ignore_junction_blocker_s,
        "max-depart-delay": DRIVING.max_depart_delay_s,
        "device.rerouting.probability": DRIVING.rerouting_share,
        "device.rerouting.period": DRIVING.rerouting_period_s,
        "device.fcd.probability": 0,
        "fcd-output": out.fleet_csv,
        "fcd-output.attributes": "x,y,angle,speed,lane",
        "statistic-output": out.statistics_xml,
        "no-warnings": "true",
        "no-step-log": "true",
    }
    _run("sumo", options)
    return out


def route_by_habit(network: Path, trips: Path, seed: int) -> Path:
    """Gives every trip the way its driver is used to: quick on empty streets, to taste.

    Routed beforehand, because SUMO would let each driver know the jams of the moment at the start.
    Only the share with a navigator learns of them, on the way.
    """
    routes = trips.with_name("routes.xml")
    options = {
        "net-file": network,
        "route-files": trips,
        "output-file": routes,
        "alternatives-output": "NUL",
        "weights.random-factor": DRIVING.route_spread,
        "seed": seed,
        "no-warnings": "true",
        "no-step-log": "true",
    }
    _run("duarouter", options)
    return routes


def _run(program: str, options: Mapping[str, object]) -> None:
    command = [sumo_binary(program)]
    for name, value in options.items():
        command += [f"--{name}", str(value)]
    subprocess.run(command, check=True, stdout=subprocess.DEVNULL)
