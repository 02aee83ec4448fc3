"""A city's raw data into its store of slices, with an account of every row."""

from __future__ import annotations

from typing import TYPE_CHECKING

from roadgraph.calendar import ALL_DAYS
from roadgraph.slices.from_detectors import slices_from_detectors, stale_from_detectors
from roadgraph.slices.from_measured import slices_from_measured, stale_from_measured
from roadgraph.slices.from_probes import slices_from_probes, stale_from_probes
from roadgraph.slices.report import SlicesReport, StaleSlices
from roadgraph.slices.store import refuse_other_length
from roadgraph.storage import alone, sweep

if TYPE_CHECKING:
    from collections.abc import Callable, Container
    from datetime import date

    from roadgraph.network.network import Network
    from roadgraph.settings import Settings
    from roadgraph.workspace import Workspace

__all__ = ["SlicesReport", "StaleSlices", "make_slices", "stale_slices"]


def make_slices(
    settings: Settings,
    network: Network,
    workspace: Workspace,
    progress: Callable[[str, float], None] = lambda step, share: None,
    days: Container[date] = ALL_DAYS,
    tolerant: bool = False,
) -> SlicesReport:
    """Bring a city's store of slices up to date with its raw data.

    All files are read; a file that is gone stays in the store with what came from it. Runs at the
    same time take turns.

    Args:
        settings: ``city``, ``slices``, and ``measured`` or ``probes``, ``engine`` and ``spark``;
            ``pipeline.patience_s`` is how long another run is waited for.
        network: what fixes are matched to, or measured data refers to.
        workspace: where the stores are.
        progress: called with the step's name and the share of it that is done.
        days: local days that are built if they are stale; the others stay stale.
        tolerant: go on without a file or day that cannot be used. It is among the faults of the
            report, until its bytes change, and what was stored of it stays. That there is nothing
            new is no error then either.

    Raises:
        DataError: a file cannot be used, or no fix matches the network.
        LockError: another run is at the stores for longer than that.
    """
    with alone(workspace.slices, settings.pipeline.patience_s):
        sweep(workspace.slices)
        refuse_other_length(workspace.slices, settings.slices.minutes)
        if settings.city.source == "detectors":
            return slices_from_detectors(settings, network, workspace, days)
        if settings.city.source == "measured":
            return slices_from_measured(settings, network, workspace, progress, days, tolerant)
        return slices_from_probes(settings, network, workspace, progress, days, tolerant)


def stale_slices(settings: Settings, network: Network, workspace: Workspace) -> StaleSlices:
    """Return what :func:`make_slices` would read and build, and why; nothing is written.

    Args:
        settings: as there.
        network: as there.
        workspace: as there.

    Raises:
        DataError: there is no data, or the store holds slices of another length.
    """
    refuse_other_length(workspace.slices, settings.slices.minutes)
    if settings.city.source == "detectors":
        return stale_from_detectors(settings, network, workspace)
    if settings.city.source == "measured":
        return stale_from_measured(settings, network, workspace)
    return stale_from_probes(settings, network, workspace)
