"""A question, cut down to what the model hears for it."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from itertools import islice
from typing import TYPE_CHECKING

import numpy as np
import torch

from roadgraph.calendar import city_zone
from roadgraph.explain.answers import class_probabilities, class_reading, speed_reading
from roadgraph.explain.heard import Heard, heard_by
from roadgraph.explain.ordinary import WEEK_CLOCK, ordinary, ordinary_week
from roadgraph.training.decision import decide
from roadgraph.training.tiling import TILE_TO_ANSWER

if TYPE_CHECKING:
    from collections.abc import Sequence
    from zoneinfo import ZoneInfo

    from roadgraph.dataset.grid import SliceGrid
    from roadgraph.dataset.preparation import Preparation
    from roadgraph.explain.answers import Reading
    from roadgraph.explain.gradients import Answer
    from roadgraph.explain.question import Question
    from roadgraph.training.bundle import Bundle


@dataclass(frozen=True)
class Scene:
    """A question, cut down to what the model hears for it.

    Attributes:
        question: that is asked.
        heard: ``M`` segments.
        grid: ``[T, M]`` what was observed of them.
        preparation: of them.
    """

    question: Question
    heard: Heard
    grid: SliceGrid
    preparation: Preparation

    @classmethod
    def of(cls, question: Question) -> Scene:
        """Return the scene of a question."""
        part = question.part
        heard = heard_by(part.bundle.model, part.tiles, question.own)
        places = part.places[heard.places]
        grid, preparation = question.grid, part.bundle.preparation
        if not np.array_equal(places, np.arange(len(grid.segment_ids))):
            grid = grid.at_places(places)
        if not np.array_equal(heard.places, np.arange(len(preparation.fill))):
            preparation = preparation.at_places(heard.places)
        return cls(question, heard, grid, preparation)

    @property
    def bundle(self) -> Bundle:
        """The model that answers."""
        return self.question.part.bundle

    @cached_property
    def ordinary(self) -> SliceGrid:
        """The same on an ordinary day."""
        return ordinary(self.grid, self.preparation, self.zone)

    @property
    def zone(self) -> ZoneInfo:
        """The city's time zone."""
        return city_zone(self.bundle.timezone)

    @property
    def step(self) -> int:
        """Which of the model's horizons answers."""
        assert self.question.step is not None
        return self.question.step

    @property
    def at_once(self) -> int:
        """Windows that the model is called with at once, so that the memory is bounded."""
        return max(TILE_TO_ANSWER // len(self.heard.places), 1)

    def inputs(self, grid: SliceGrid) -> torch.Tensor:
        """Return what the model sees of a grid, ``[1, L, M, C]``."""
        return self._inputs_by(grid, self.zone)

    def _inputs_by(self, grid: SliceGrid, zone: ZoneInfo) -> torch.Tensor:
        first = len(grid.slice_starts) - self.bundle.window
        return torch.from_numpy(self.preparation.inputs(grid, zone, first=first))[None]

    def said(self, x: torch.Tensor) -> dict[str, torch.Tensor]:
        """Return the model's outputs for windows ``[B, L, M, C]``."""
        given: dict[str, torch.Tensor] = self.bundle.model(x, self.heard.graph)
        return given

    def answer(self, reading: Reading) -> Answer:
        """Return a number of what the model says as a function of the window."""
        return lambda x: reading(self.said(x))

    def speed(self) -> Reading:
        """Return how the forecast speed is read."""
        return speed_reading(self.step, self.heard.own, self.preparation)

    def answered_class(self) -> tuple[int, np.ndarray, Reading]:
        """Return the class that is answered.

        Returns:
            Its place among ``schema.CONGESTION_CLASSES``, the calibrated probabilities of all of
            them, ``[4]``, and how its own is read.
        """
        adjustments = self.bundle.adjustments
        unseen = adjustments.is_unseen[self.question.own]
        adjustment = adjustments.unseen if unseen else adjustments.seen
        which = self.step, self.heard.own, adjustment.congestion_temperature
        with torch.no_grad():
            given = self.said(self.inputs(self.grid))
        told = class_probabilities(given, *which)[0].numpy()
        chosen = int(decide(told, adjustment.decision_weights))
        return chosen, told, class_reading(*which, chosen)

    def week(self, readings: Sequence[Reading]) -> list[float]:
        """Return the mean of each of ``readings`` over an ordinary week."""
        grids = ordinary_week(self.grid, self.preparation, self.zone)
        windows = (self._inputs_by(grid, WEEK_CLOCK) for grid in grids)
        told = []
        with torch.no_grad():
            while batch := list(islice(windows, self.at_once)):
                given = self.said(torch.cat(batch))
                told.append(torch.stack([read(given) for read in readings]))
        return torch.cat(told, dim=1).double().mean(dim=1).tolist()
