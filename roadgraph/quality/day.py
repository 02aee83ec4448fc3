"""What the data of a local day are like."""

from __future__ import annotations

import math
from dataclasses import dataclass, replace
from importlib.metadata import version
from typing import TYPE_CHECKING, Any

import numpy as np
import polars as pl

from roadgraph.errors import DataError
from roadgraph.network.network import SEGMENTS_FILE
from roadgraph.probes.fix_store import FixStore, sha256_of
from roadgraph.probes.match_report import MatchReport
from roadgraph.quality.account import InputRows, faults_of_account, rows_told
from roadgraph.quality.cells import (
    Coverage,
    cells_of_day,
    coverage_of,
    road_classes,
)
from roadgraph.quality.drift import Drift, drift_of_day
from roadgraph.quality.reference import Reference, reference_days
from roadgraph.schema import MEASURED_FEATURES
from roadgraph.slices.store import DayFolder, read_manifest, stored_days
from roadgraph.staleness import fingerprint_of
from roadgraph.storage import fingerprint

if TYPE_CHECKING:
    from collections.abc import Callable
    from datetime import date

    from roadgraph.network.network import Network
    from roadgraph.settings import Settings
    from roadgraph.workspace import Workspace

NONE = (None, None)
SPEED, SCORE = (MEASURED_FEATURES.index(name) for name in ("mean_speed", "quality_score"))


@dataclass(frozen=True)
class QualityReport:
    """What the data of a local day are like. Shares are 0-1; NaN stands where nothing is known.

    Attributes:
        day: the day.
        inputs: account of each input file that has rows of it.
        faults: sums of this account that do not come out when the stores are counted again.
        matching: how well the fixes fit the roads; None where none were matched.
        coverage: which share of the cells was observed.
        traversals: drives over a segment; None where the source has no vehicles.
        vehicles: that these are of, or None.
        median_quality_score: of the observed cells.
        mean_speed_kph: of the observed cells, each counting once.
        reference: the days before that it is held against.
        reference_coverage: share of the cells that was observed on each of them.
        drift: of its features from theirs.
        manifest: what the report depends on.
    """

    day: date
    inputs: tuple[InputRows, ...]
    faults: tuple[str, ...]
    matching: MatchReport | None
    coverage: Coverage
    traversals: int | None
    vehicles: int | None
    median_quality_score: float
    mean_speed_kph: float
    reference: Reference
    reference_coverage: tuple[float, ...]
    drift: tuple[Drift, ...]
    manifest: dict[str, Any]

    @property
    def rows_in(self) -> int:
        """Rows of the day that came in."""
        return sum(each.rows for each in self.inputs)

    @property
    def used(self) -> int:
        """Rows of the day that slices rest on."""
        return sum(each.used for each in self.inputs)

    @property
    def refused(self) -> dict[str, int]:
        """Rows of the day that lie in the quarantine, by rule."""
        rules = sorted({rule for each in self.inputs for rule in each.refused})
        return {rule: sum(each.refused.get(rule, 0) for each in self.inputs) for rule in rules}


def quality_of_day(
    settings: Settings, network: Network, workspace: Workspace, day: date
) -> QualityReport:
    """Return the quality report of a local day, from the stores; a day without fixes has one too.

    Args:
        settings: ``city``, ``slices`` and ``pipeline.drift_weeks`` are used.
        network: the workspace's.
        workspace: where the stores are.
        day: the day, which is over: a coverage of half a day says nothing.

    Raises:
        DataError: the stored slices are of another length, network or time zone, or a store is
            damaged.
    """
    stored = stored_days(workspace.slices)
    cells = cells_of_day(settings, network, workspace, day)
    reference = reference_days(day, stored, settings.pipeline.drift_weeks)
    before = [cells_of_day(settings, network, workspace, other) for other in reference.days]
    manifest = read_manifest(workspace.slices, day) if day in stored else {}
    inputs = FixStore(workspace.fixes).inputs()
    told = rows_told(manifest, inputs) if manifest else ()
    matching = manifest.get("matching")
    source = manifest["city"]["source"] if manifest else settings.city.source
    traversals, vehicles = _traversals(workspace, day) if source == "probes" else NONE
    depends_on = quality_depends_on(settings, workspace, day)
    return QualityReport(
        day=day,
        inputs=told,
        faults=tuple(faults_of_account(workspace, day, told, source)),
        # Where vehicles drove is in the slices' manifest; a report that is handed on has no places.
        matching=replace(MatchReport.from_manifest(matching), worst=()) if matching else None,
        coverage=coverage_of(cells, network, settings),
        traversals=traversals,
        vehicles=vehicles,
        median_quality_score=_of_cells(np.median, cells.measured[:, SCORE]),
        mean_speed_kph=_of_cells(np.mean, cells.measured[:, SPEED]),
        reference=reference,
        reference_coverage=tuple(float(each.observed.mean()) for each in before),
        drift=drift_of_day(cells, before, road_classes(network)),
        manifest={"depends_on": depends_on, "fingerprint": fingerprint_of(depends_on)},
    )


def quality_depends_on(settings: Settings, workspace: Workspace, day: date) -> dict[str, str]:
    """Return all that the report and the checks of a day rest on, by name.

    Raises:
        DataError: the network was not imported, or the store of slices is damaged.
    """
    stored = stored_days(workspace.slices)
    pipeline = settings.pipeline
    fixes = [path.stem for path in FixStore(workspace.fixes).parts(day)]
    reference = reference_days(day, stored, pipeline.drift_weeks)
    return {
        f"slices {day}": digest_of_slices(workspace, day) if day in stored else "none",
        "fixes": fingerprint(fixes),
        **{f"slices {other}": digest_of_slices(workspace, other) for other in reference.days},
        "network": digest_of_network(workspace),
        "city.timezone": settings.city.timezone,
        "slices.minutes": str(settings.slices.minutes),
        "pipeline.drift_weeks": str(pipeline.drift_weeks),
        "pipeline.coverage_drop": str(pipeline.coverage_drop),
        "pipeline.psi_limit": str(pipeline.psi_limit),
        **{name: version(name) for name in ("roadgraph", "numpy")},
    }


def digest_of_slices(workspace: Workspace, day: date) -> str:
    """Return a SHA-256 that stands for the stored slices of a day: that of their manifest."""
    return sha256_of(DayFolder(workspace.slices / day.isoformat()).manifest)


def digest_of_network(workspace: Workspace) -> str:
    """Return a SHA-256 that stands for the segments of the imported network.

    Raises:
        DataError: there is none.
    """
    path = workspace.network / SEGMENTS_FILE
    if not path.is_file():
        raise DataError(f"{path} is missing; import the roads first: roadgraph network")
    return sha256_of(path)


def _traversals(workspace: Workspace, day: date) -> tuple[int, int]:
    """Return how many traversals a day has and of how many vehicles they are."""
    path = DayFolder(workspace.slices / day.isoformat()).traversals
    if not path.is_file():
        return 0, 0
    vehicles = pl.col("vehicle_id").n_unique().alias("vehicles")
    counts = pl.scan_parquet(path).select(pl.len().alias("rows"), vehicles).collect()
    return int(counts["rows"][0]), int(counts["vehicles"][0])


def _of_cells(figure: Callable[[np.ndarray], Any], values: np.ndarray) -> float:
    return float(figure(values.astype(np.float64))) if len(values) else math.nan
