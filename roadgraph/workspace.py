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

    @property
    def bundles(self) -> Path:
        """The trained models, a folder each."""
        return self.root / "bundles"

    def bundle(self, title: str) -> Path:
        """Return the folder of the trained model ``title``."""
        return self.bundles / title

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
    def model_record(self) -> Path:
        """What the newest model of the scheduled runs was made from."""
        return self.root / "model.json"

    @property
    def promotions(self) -> Path:
        """What scheduled runs decided: ``<local day>.json``."""
        return self.root / "promotions"

    @property
    def alerts(self) -> Path:
        """Which faults of scheduled runs people were told of, and when."""
        return self.root / "alerts.json"

    @property
    def journal(self) -> Path:
        """What scheduled runs did: a line of JSON a step."""
        return self.root / "journal.jsonl"

    @property
    def quality(self) -> Path:
        """What is known of each local day's data, a folder a day: report and checks."""
        return self.root / "quality"

    @property
    def evaluation(self) -> Path:
        """What was forecast for each local day against what was observed, a folder a day."""
        return self.root / "evaluation"

    @property
    def forecasts(self) -> Path:
        """The store of issued forecasts, a folder a local day, a file each time of issue."""
        return self.root / "predictions"

    @property
    def report(self) -> Path:
        """The newest report: map page, scorecard, their plots and tables."""
        return self.root / "report"

    @property
    def explanations(self) -> Path:
        """What moved single forecasts: a table and a map each."""
        return self.root / "explanations"

    @property
    def predictions(self) -> Path:
        """The newest predictions."""
        return self.root / "predictions.parquet"
