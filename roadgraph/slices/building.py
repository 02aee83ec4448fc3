"""From a city's raw data to its slices, with an account of every fix."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import polars as pl
import pyarrow as pa

from roadgraph.errors import DataError
from roadgraph.probes.clean import Box, clean_fixes
from roadgraph.probes.matching import Matcher
from roadgraph.probes.read import fix_files, read_fixes
from roadgraph.probes.traversals import traversals_from_steps
from roadgraph.schema import SLICES, TRAVERSALS
from roadgraph.slices.aggregate import slices_from_traversals
from roadgraph.slices.detectors import read_detector_speeds

if TYPE_CHECKING:
    from collections.abc import Callable

    from roadgraph.network.network import Network
    from roadgraph.settings import Settings


@dataclass(frozen=True)
class SlicesReport:
    """What came in and what became of it.

    Attributes:
        inputs: the files read.
        rows_in: rows of them.
        rows_used: rows that the slices rest on.
        refused: the other rows by the rule that refused them.
    """

    inputs: tuple[str, ...]
    rows_in: int
    rows_used: int
    refused: dict[str, int]


@dataclass(frozen=True)
class BuiltSlices:
    """A city's slices, and the traversals that they came from (none for detectors)."""

    slices: pa.Table
    traversals: pa.Table | None
    report: SlicesReport


def build_slices(
    settings: Settings,
    network: Network,
    progress: Callable[[str, float], None] = lambda step, share: None,
) -> BuiltSlices:
    """Read, clean and match a city's fixes, or read its detectors, and aggregate slices.

    Args:
        settings: ``city``, ``probes`` and ``slices`` are used.
        network: what the fixes are matched to.
        progress: called with the step's name and the share of it that is done.

    Raises:
        DataError: a file cannot be used, or no fix matches the network.
    """
    minutes = settings.slices.minutes
    if settings.city.source == "detectors":
        path = Path(settings.city.speeds)
        slices = read_detector_speeds(path, settings.city, minutes)
        return BuiltSlices(slices, None, SlicesReport((path.name,), len(slices), len(slices), {}))
    files = fix_files(Path(settings.city.fixes))
    parts = []
    for count, file in enumerate(files, start=1):
        parts.append(read_fixes(file, settings.probes))
        progress("reading fixes", count / len(files))
    raw = pl.concat(parts)
    # Vehicles drive past midnight, so trips are matched over the border between two files.
    clean = clean_fixes(raw, _box(network), settings.probes)
    matched = Matcher(network, settings.probes).match(
        clean.fixes, lambda share: progress("matching fixes", share)
    )
    refused = {**clean.refused, **matched.refused}
    report = SlicesReport(
        tuple(file.name for file in files), len(raw), len(raw) - sum(refused.values()), refused
    )
    traversals = traversals_from_steps(matched.steps, network, minutes, settings.probes.gps_error_m)
    if traversals.is_empty():
        counts = ", ".join(f"{rule} {count}" for rule, count in refused.items())
        raise DataError(
            f"{settings.city.fixes}: none of the {len(raw)} fixes matches the network ({counts}); "
            "do the fixes and the roads belong to the same city, and are lat and lon swapped?"
        )
    slices = slices_from_traversals(traversals, minutes)
    progress("aggregating slices", 1.0)
    return BuiltSlices(
        SLICES.conform(slices.to_arrow()), TRAVERSALS.conform(traversals.to_arrow()), report
    )


def _box(network: Network) -> Box:
    if not network.has_geometry:
        raise DataError("GPS fixes cannot be matched: the network has no geometry")
    return Box(*(float(value) for value in network.segments.total_bounds))
