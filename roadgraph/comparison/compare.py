"""The comparison itself: what is missing is run, and all runs stand in one table."""

from __future__ import annotations

import logging
import math
from dataclasses import asdict, dataclass, replace
from functools import partial
from importlib.metadata import version
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd

from roadgraph import __version__
from roadgraph.calendar import ALL_DAYS, Days
from roadgraph.comparison.baselines import Roads, baseline_makers, run_baseline
from roadgraph.comparison.judging import Judge
from roadgraph.comparison.keys import LIBRARIES, NOT_IN_KEY
from roadgraph.comparison.members import CONTROL, WITH_GRAPH
from roadgraph.comparison.observer import Observer
from roadgraph.comparison.pictures import Scene, draw_pictures
from roadgraph.comparison.runs import NO_SEED, Run, read_run
from roadgraph.comparison.training import train_member
from roadgraph.dataset.loading import load_dataset
from roadgraph.errors import TrainingError
from roadgraph.evaluation.skill import with_skill
from roadgraph.models.registry import model_title
from roadgraph.network.network import read_network
from roadgraph.storage import alone, digest_of_arrays, fingerprint
from roadgraph.workspace import Workspace

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from roadgraph.comparison.baselines import Forecaster
    from roadgraph.dataset.dataset import Dataset
    from roadgraph.settings import Settings

    Progress = Callable[[str, dict[str, float]], None]

logger = logging.getLogger(__name__)


@dataclass(frozen=True)
class Failure:
    """A forecaster that could not be run with one seed, and why."""

    title: str
    seed: int
    reason: str


@dataclass(frozen=True)
class Compared:
    """All runs of a comparison.

    Attributes:
        runs: baselines first, then the members in their order, seed by seed.
        failures: what could not be run.
        judge: on whose cells all figures are.
    """

    runs: tuple[Run, ...]
    failures: tuple[Failure, ...]
    judge: Judge

    @property
    def scores(self) -> pd.DataFrame:
        """A row a run, horizon and part, with ``seed``, ``baseline`` and skill."""
        return with_skill(self._table("scores"))

    @property
    def truth_scores(self) -> pd.DataFrame | None:
        """The same against a simulation's truth, or None."""
        return None if self.judge.truth is None else with_skill(self._table("truth_scores"))

    @property
    def validation_scores(self) -> pd.DataFrame:
        """A row a run and horizon, of all cells of the validation span; ``seed``, ``baseline``."""
        return self._table("validation_scores")

    @property
    def facts(self) -> pd.DataFrame:
        """A row a run: parameters, training time, time of a prediction and so on."""
        return pd.DataFrame([asdict(run.facts) for run in self.runs])

    @property
    def titles(self) -> list[str]:
        """The models that were trained, in their order."""
        return list(dict.fromkeys(run.facts.title for run in self.runs if not run.facts.baseline))

    def best_of(self, title: str) -> Run:
        """Return the run of a model whose seed did best on the validation span."""
        runs = [run for run in self.runs if run.facts.title == title]
        return min(runs, key=_validation_loss)

    @property
    def without_control(self) -> list[str]:
        """The models that pass messages along the links and whose control is not among them."""
        titles = self.titles
        return [
            title
            for title in titles
            if title.startswith(WITH_GRAPH)
            and not title.endswith(CONTROL)
            and f"{title}{CONTROL}" not in titles
        ]

    def _table(self, which: str) -> pd.DataFrame:
        tables = []
        for run in self.runs:
            table = getattr(run.verdict, which)
            facts = {"seed": run.facts.seed, "baseline": run.facts.baseline}
            tables.append(table.assign(**facts))
        return pd.concat(tables, ignore_index=True)


def compare_members(
    settings: Settings,
    members: Sequence[Settings],
    seeds: Sequence[int],
    on_epoch: Progress = lambda title, figures: None,
    on_run: Callable[[str], None] = lambda title: None,
    observer: Observer | None = None,
    days: Days = ALL_DAYS,
) -> Compared:
    """Run every member with every seed, and the baselines, on the same cells.

    A run whose data and settings have not changed is not run again, so that a comparison that was
    interrupted goes on where it was. A member or a baseline that fails is left out, and the others
    go on. What is named twice runs once.

    Args:
        settings: of the city and its data, the same for all members.
        members: settings of each model.
        seeds: of the trainings.
        on_epoch: called with a run's title and the figures of every finished epoch.
        on_run: called with a run's title before it begins.
        observer: is told of the data, of each training and of each run.
        days: that are learned from and judged on.

    Raises:
        DataError: the city's data cannot be used.
        TrainingError: every member failed.
    """
    workspace = Workspace.of(settings)
    network = read_network(workspace.network)
    dataset = load_dataset(settings, workspace, network, days)
    roads = Roads(
        network.segments["length_m"].astype("float64").to_numpy(),
        network.segments["road_class"].astype(str).to_numpy(),
    )
    judge = Judge.of(dataset, roads.road_class, settings)
    scene = Scene.of(judge, network, settings)
    of_data = _key_of_data(dataset, judge, roads, settings)
    observer = observer or Observer()
    observer.data(judge, of_data)
    asked: list[tuple[str, int, Callable[[], Run]]] = []
    for name, make in baseline_makers(dataset, settings, roads).items():
        made = partial(_baseline_of, name, make, judge, of_data, settings, workspace, on_run)
        asked.append((name, NO_SEED, made))
    baselines = len(asked)
    by_title = {model_title(member.model, member.size): member for member in members}
    for title, member in by_title.items():
        for seed in dict.fromkeys(seeds):
            seeded = replace(member, training=replace(member.training, seed=seed))
            trained = partial(
                _run_of, seeded, judge, of_data, workspace, on_epoch, on_run, observer
            )
            asked.append((title, seed, trained))
    runs: list[Run] = []
    failures: list[Failure] = []
    for title, seed, run_one in asked:
        try:
            run = run_one()
            with alone(run.folder):
                draw_pictures(run, scene)
            runs.append(run)
        except Exception as error:
            # One forecaster must not cost the others their night.
            if len(asked) == baselines + 1 and seed != NO_SEED:
                raise
            logger.warning("%s with seed %d failed", title, seed, exc_info=True)
            failures.append(Failure(title, seed, _one_line(error)))
        else:
            _tell(observer, run)
    failed = [failure for failure in failures if failure.seed != NO_SEED]
    if failed and len(failed) == len(asked) - baselines:
        raise TrainingError(
            f"every model failed; the first, {failed[0].title}: {failed[0].reason}; "
            "`roadgraph -v compare` shows where"
        )
    return Compared(tuple(runs), tuple(failures), judge)


def _tell(observer: Observer, run: Run) -> None:
    try:
        observer.finished(run)
    except Exception:
        # Whoever watches must not cost a run that is complete.
        logger.warning("%s is complete, but could not be recorded", run.facts.name, exc_info=True)


def _baseline_of(
    name: str,
    make: Callable[[], Forecaster],
    judge: Judge,
    of_data: str,
    settings: Settings,
    workspace: Workspace,
    on_run: Callable[[str], None],
) -> Run:
    key = fingerprint([of_data, name, settings.training.decision])
    folder = workspace.run(name, NO_SEED, key)
    with alone(folder):
        found = read_run(folder, key)
        if found is not None:
            return found
        on_run(name)
        return run_baseline(name, make, judge, key, folder)


def _run_of(
    member: Settings,
    judge: Judge,
    of_data: str,
    workspace: Workspace,
    on_epoch: Progress,
    on_run: Callable[[str], None],
    observer: Observer,
) -> Run:
    title, seed = model_title(member.model, member.size), member.training.seed
    training = {
        name: value for name, value in asdict(member.training).items() if name not in NOT_IN_KEY
    }
    key = fingerprint([of_data, repr(asdict(member.model)), member.size, repr(training)])
    folder = workspace.run(title, seed, key)
    shown = f"{title}, seed {seed}"
    with alone(folder):
        found = read_run(folder, key)
        if found is not None:
            return found
        on_run(shown)
        with observer.training(member, key, folder) as tell:

            def epoch(figures: dict[str, float]) -> None:
                on_epoch(shown, figures)
                tell(figures)

            return train_member(
                member, judge, key, folder, workspace.checkpoints(title, seed), epoch
            )


def _key_of_data(dataset: Dataset, judge: Judge, roads: Roads, settings: Settings) -> str:
    """Return the fingerprint of what all runs of a comparison have in common."""
    from roadgraph.training.checkpoints import places_of_tiles

    labels = [dataset.labels, dataset.score_labels, *([judge.truth] if judge.truth else [])]
    arrays = [
        dataset.inputs,
        dataset.unseen_inputs,
        dataset.grid.measured,
        dataset.hidden,
        dataset.free_flow_kph,
        dataset.label_free_flow_kph,
        roads.length_m,
        np.asarray(roads.road_class, dtype=str),
        np.asarray(dataset.grid.segment_ids, dtype=str),
        dataset.graph.source,
        dataset.graph.target,
        dataset.graph.weight,
        *places_of_tiles(dataset, settings),
        *(array for each in labels for array in (each.congestion, each.rush_hour, each.speed_kph)),
    ]
    evaluation = asdict(judge.settings)
    del evaluation["seeds"]
    asked = [
        __version__,
        *(f"{name} {version(name)}" for name in LIBRARIES),
        settings.task,
        settings.city.timezone,
        dataset.graph.fingerprint,
        *(repr(asdict(group)) for group in (settings.dataset, settings.labels)),
        repr(evaluation),
    ]
    return fingerprint([digest_of_arrays(arrays), *asked])


def _validation_loss(run: Run) -> float:
    loss = run.facts.validation_loss
    return math.inf if loss is None else loss


def _one_line(error: Exception) -> str:
    return (str(error).strip() or type(error).__name__).splitlines()[0]
