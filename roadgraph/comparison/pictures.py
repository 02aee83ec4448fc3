"""The pictures of a run: drawn once into its folder, for results and for MLflow."""

from __future__ import annotations

import json
from dataclasses import dataclass
from functools import cached_property, partial
from typing import TYPE_CHECKING, Any

import numpy as np
import shapely

from roadgraph.comparison.account import TRIVIAL_IN_TITLES, is_trivial
from roadgraph.comparison.runs import PICTURES_FOLDER
from roadgraph.legend import CLASS_TITLES
from roadgraph.report.calibration_plots import plot_reliability
from roadgraph.report.error_plots import plot_error_by_hour, plot_error_map
from roadgraph.report.plots import plot_confusion, plot_learning_curves
from roadgraph.report.style import PLOT_FORMATS
from roadgraph.schema import CONGESTION_CLASSES
from roadgraph.storage import digest_of_arrays, whole_folder, write_json
from roadgraph.units import KPH_PER

if TYPE_CHECKING:
    from collections.abc import Callable

    from roadgraph.comparison.judging import Judge, Verdict
    from roadgraph.comparison.runs import Run
    from roadgraph.evaluation.details import Details
    from roadgraph.network.network import Network
    from roadgraph.settings import Settings
    from roadgraph.settings.roads_and_probes import Side

    Drawing = Callable[..., None]

SCENE_FILE = "scene.json"
"""Beside the pictures: what they show beside the run's own figures."""

RUSH_HOUR_TITLES = ("no rush hour", "rush hour")
"""In the order of the classes."""

BY_CLOCK_IN_TITLES = "\n(a function of the clock: its score says nothing)"

CLASS_WIDTH = 0.25
"""Of free flow, in the labels that are set by default: an error of more is a wrong class."""


@dataclass(frozen=True)
class Scene:
    """What the pictures of all runs of a comparison have in common.

    Attributes:
        minutes: the horizon that they show.
        trivial: whether a label is computed from a speed that is among the inputs.
        by_clock: whether rush hour is a function of the clock, so that its score says nothing.
        speed_unit: of the city.
        drives_on: in the city.
        most_error_kph: end of the colours of every map, so that maps can be compared.
        network: None where the segments have no place on a map.
    """

    minutes: int
    trivial: bool
    by_clock: bool
    speed_unit: str
    drives_on: Side
    most_error_kph: float
    network: Network | None

    @classmethod
    def of(cls, judge: Judge, network: Network, settings: Settings) -> Scene:
        """Return the scene of a city and its judge; maps end at a class's width of errors."""
        free_flow_kph = float(np.median(judge.dataset.label_free_flow_kph))
        return cls(
            judge.middle_minutes,
            is_trivial(settings),
            settings.labels.rush_hour == "clock",
            settings.city.speed_unit,
            settings.city.drives_on,
            CLASS_WIDTH * free_flow_kph,
            network if network.has_geometry else None,
        )

    @cached_property
    def content(self) -> dict[str, Any]:
        """What is written down of it; pictures of another content must be drawn again."""
        lines = None
        if self.network is not None:
            geometry = self.network.segments.geometry
            lines = digest_of_arrays(shapely.get_coordinates(geometry, return_index=True))
        return {
            "minutes": self.minutes,
            "trivial": self.trivial,
            "by_clock": self.by_clock,
            "speed_unit": self.speed_unit,
            "drives_on": self.drives_on,
            "most_error_kph": self.most_error_kph,
            "lines": lines,
            "formats": list(PLOT_FORMATS),
        }


def draw_pictures(run: Run, scene: Scene) -> None:
    """Draw what a run came to into its folder, unless that was done in the same scene.

    What the forecaster does not answer has no picture, and without geometry there is no map.
    """
    folder = run.folder / PICTURES_FOLDER
    known = folder / SCENE_FILE
    if known.is_file() and json.loads(known.read_text("utf-8")) == scene.content:
        return
    with whole_folder(folder) as temporary:
        for kind, draw in _drawings(run, scene).items():
            draw(path=temporary / f"{kind}.png")
        write_json(temporary / SCENE_FILE, scene.content)


def _drawings(run: Run, scene: Scene) -> dict[str, Drawing]:
    """Return what draws each kind of picture, given its path."""
    facts = run.facts
    name = facts.name
    mark = f"\n{TRIVIAL_IN_TITLES}" if scene.trivial else ""
    ahead = f"{scene.minutes} minutes ahead, test span{mark}"
    drawings: dict[str, Drawing] = {}
    if run.history:
        title = f"{name}: learning curves{mark}"
        drawings["learning-curves"] = partial(plot_learning_curves, run.history, title)
    return {
        **drawings,
        **_drawings_of_answers(run.verdict, scene, name, ahead),
        **_drawings_of_errors(run.verdict.details, scene, name, ahead),
    }


def _drawings_of_answers(
    verdict: Verdict, scene: Scene, name: str, ahead: str
) -> dict[str, Drawing]:
    drawings: dict[str, Drawing] = {}
    if verdict.confusion is not None:
        classes = [CLASS_TITLES[each] for each in CONGESTION_CLASSES]
        title = f"{name}\nCongestion {ahead}"
        drawings["confusion"] = partial(plot_confusion, verdict.confusion, classes, "cells", title)
    rush_hour = verdict.details.rush_hour_confusion
    if rush_hour is not None:
        title = f"{name}\nRush hour {ahead}{BY_CLOCK_IN_TITLES if scene.by_clock else ''}"
        drawings["rush-hour-confusion"] = partial(
            plot_confusion, rush_hour, RUSH_HOUR_TITLES, "slices", title
        )
    return drawings


def _drawings_of_errors(
    details: Details, scene: Scene, name: str, ahead: str
) -> dict[str, Drawing]:
    unit, unit_kph = scene.speed_unit, KPH_PER[scene.speed_unit]
    drawings: dict[str, Drawing] = {}
    sure, right, cells = (
        details.confidence,
        details.confidence_right_share,
        details.confidence_cells,
    )
    if sure is not None and right is not None and cells is not None:
        title = f"{name}\nReliability, {ahead}"
        drawings["reliability"] = partial(plot_reliability, sure, right, cells, title)
    by_hour, right = details.hour_speed_mae_kph, details.hour_right_share
    if by_hour is not None or right is not None:
        error = None if by_hour is None else by_hour / unit_kph
        title = f"{name}\nErrors by local hour, {ahead}"
        drawings["error-by-hour"] = partial(plot_error_by_hour, error, right, unit, title)
    by_segment = details.segment_speed_mae_kph
    if scene.network is not None and by_segment is not None:
        drawings["error-map"] = partial(
            plot_error_map,
            scene.network,
            by_segment / unit_kph,
            scene.most_error_kph / unit_kph,
            unit,
            scene.drives_on,
            f"{name}\nSpeed {ahead}",
        )
    return drawings
