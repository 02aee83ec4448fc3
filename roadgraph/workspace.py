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
        """``segments.parquet``, ``links.parquet``, ``network.json``, ``cut.csv``, a picture."""
        return self.root / "network"

    @property
    def fixes(self) -> Path:
        """The store of fixes as they were read, by local day and input."""
        return self.root / "fixes"

    @property
    def measured(self) -> Path:
        """``quarantine/``: rows of ``city.source=measured`` that no slice rests on, by input."""
        return self.root / "measured"

    @property
    def matching(self) -> Path:
        """``worst_trips.png``: the newest run's trips that fit the roads worst."""
        return self.root / "matching"

    @property
    def slices(self) -> Path:
        """The store of slices, a folder a local day."""
        return self.root / "slices"

    def bundle(self, title: str) -> Path:
        """Return the folder of the trained model ``title``."""
        return self.root / "bundles" / title

    def registered(self, name: str) -> Path:
        """Return the folder of what was fetched of a registered model.

        ``version-<number>-<run>/bundle`` in it is that version's bundle, ``champion.json`` says
        which version was champion when the store last answered.
        """
        return self.root / "registered" / name

    def run(self, title: str, seed: int, key: str) -> Path:
        """Return the folder of a forecaster's run with a seed: scores, figures, bundle.

        Runs on other data or with other settings, and so of another ``key``, stand beside it.
        """
        return self.root / "runs" / title.replace(" ", "-") / f"seed-{seed}-{key[:8]}"

    def comparison(self, identity: str) -> Path:
        """Return where the results of a comparison are kept."""
        return self.root / "comparisons" / identity[:8]

    @property
    def records(self) -> list[Path]:
        """The folders of what MLflow is to know of comparisons and runs, beside each of them."""
        found = [*self.root.glob("comparisons/*.tracking"), *self.root.glob("runs/*/*.tracking")]
        return sorted(found)

    def checkpoints(self, title: str, seed: int) -> Path:
        """Return where the training of a model with a seed is taken up from."""
        return self.root / "checkpoints" / title / f"seed-{seed}"

    @property
    def results(self) -> Path:
        """The folder of the newest comparison: ``results.csv``, ``results.md``, plots."""
        return self.root / "results"

    @property
    def predictions(self) -> Path:
        """The newest predictions."""
        return self.root / "predictions.parquet"
