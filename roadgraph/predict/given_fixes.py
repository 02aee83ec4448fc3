"""Raw fixes that are handed over for a forecast: cleaned, matched and aggregated for it alone."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from roadgraph.slices.run import make_slices
from roadgraph.slices.store import read_slices
from roadgraph.storage import scratch_folder
from roadgraph.workspace import Workspace

if TYPE_CHECKING:
    from pathlib import Path

    import pyarrow as pa

    from roadgraph.network.network import Network
    from roadgraph.settings import Settings
    from roadgraph.slices.report import SlicesReport


def slices_of_fixes(
    path: Path, settings: Settings, network: Network, slice_minutes: int
) -> tuple[pa.Table, SlicesReport]:
    """Return the slices of raw fixes, made as the city's own; its stores are not touched.

    Args:
        path: a file or folder of fixes.
        settings: ``city``, ``probes``, ``engine`` and ``spark`` are used.
        network: what the fixes are matched to.
        slice_minutes: length of the slices.

    Returns:
        The columns of ``schema.SLICES``, and what became of every fix.

    Raises:
        DataError: a file cannot be used, or no fix can.
    """
    chosen = replace(
        settings,
        city=replace(settings.city, source="probes", fixes=str(path)),
        slices=replace(settings.slices, minutes=slice_minutes),
    )
    with scratch_folder(Workspace.of(settings).root / "given-fixes") as folder:
        workspace = Workspace(folder, folder)
        report = make_slices(chosen, network, workspace)
        return read_slices(workspace.slices), report
