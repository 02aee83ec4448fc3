"""A workspace in which toy fixes become slices."""

from pathlib import Path
from typing import Any

import polars as pl

from roadgraph.config import settings_from_dict
from roadgraph.network.network import Network
from roadgraph.settings import Settings
from roadgraph.slices.run import SlicesReport, make_slices
from roadgraph.slices.store import DayFolder, stored_days
from roadgraph.workspace import Workspace
from tests.toy import straight_network


def settings_of(folder: Path, fixes: Path, **groups: dict[str, Any]) -> Settings:
    """Return settings of a toy city whose workspace is ``folder``."""
    city = {"name": "toy", "fixes": str(fixes), **groups.pop("city", {})}
    return settings_from_dict({"city": city, "workspace": str(folder), **groups})


def made(settings: Settings, network: Network | None = None) -> tuple[SlicesReport, Workspace]:
    """Make the slices of ``settings`` on the straight road or another network."""
    workspace = Workspace.of(settings)
    return make_slices(settings, network or straight_network(), workspace), workspace


def table_of_days(workspace: Workspace, table: str) -> pl.DataFrame:
    """Return ``slices``, ``traversals`` or ``quarantine`` of all days, one behind the other."""
    folders = [
        DayFolder(workspace.slices / day.isoformat()) for day in stored_days(workspace.slices)
    ]
    return pl.concat([pl.read_parquet(getattr(folder, table)) for folder in folders])


def bytes_of(folder: Path) -> dict[str, bytes]:
    """Return the bytes of every file under ``folder`` by its name there, but of hidden ones."""
    names = {path: path.relative_to(folder) for path in sorted(folder.rglob("*"))}
    return {
        str(name): path.read_bytes()
        for path, name in names.items()
        if path.is_file() and not any(part.startswith(".") for part in name.parts)
    }
