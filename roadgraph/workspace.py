"""Where a city's outputs lie."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from roadgraph.settings import Settings


@dataclass(frozen=True)
class Workspace:
    """The folder of one city and what stands in it.

    Attributes:
        root: such as ``data/work/sample``.
        store: folder of the MLflow store, shared by all cities.
    """

    root: Path
    store: Path

    @classmethod
    def of(cls, settings: Settings) -> Workspace:
        """Return the workspace of the city in ``settings``."""
        base = Path(settings.workspace)
        return cls(base / settings.city.name, base)

    @property
    def network(self) -> Path:
        """``segments.parquet``, ``links.parquet`` and ``network.png``."""
        return self.root / "network"

    @property
    def traversals(self) -> Path:
        """Matched traversals of all days."""
        return self.root / "traversals.parquet"

    @property
    def slices(self) -> Path:
        """The store of slices, a folder a local day."""
        return self.root / "slices"

    def bundle(self, title: str) -> Path:
        """Return the folder of the trained model ``title``."""
        return self.root / "bundles" / title

    @property
    def results(self) -> Path:
        """The folder of the newest comparison: ``results.csv``, ``results.md``, plots."""
        return self.root / "results"

    @property
    def predictions(self) -> Path:
        """The newest predictions."""
        return self.root / "predictions.parquet"
