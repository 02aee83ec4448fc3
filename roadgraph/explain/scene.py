"""A question, cut down to what the model hears for it."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING

import numpy as np
import torch

from roadgraph.calendar import city_zone
from roadgraph.explain.answers import class_answer, class_probabilities, speed_answer
from roadgraph.explain.heard import Heard, heard_by
from roadgraph.explain.ordinary import ordinary, ordinary_week
from roadgraph.training.decision import decide
from roadgraph.training.tiling import TILE_TO_ANSWER

if TYPE_CHECKING:
    from collections.abc import Sequence

    from roadgraph.dataset.grid import SliceGrid
    from roadgraph.dataset.preparation import Preparation
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
        return ordinary(self.grid, self.preparation, city_zone(self.bundle.timezone))

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
        zone = city_zone(self.bundle.timezone)
        first = len(grid.slice_starts) - self.bundle.window
        return torch.from_numpy(self.preparation.inputs(grid, zone, first=first))[None]

    def speed(self) -> Answer:
        """Return the forecast speed as a function of the window."""
        return speed_answer(self.bundle.model, self.heard, self.step, self.preparation)

    def answered_class(self) -> tuple[int, float, Answer]:
        """Return the class that is answered, its probability and that as a function."""
        adjustments = self.bundle.adjustments
        unseen = adjustments.is_unseen[self.question.own]
        adjustment = adjustments.unseen if unseen else adjustments.seen
        given = self.bundle.model, self.heard, self.step, adjustment.congestion_temperature
        with torch.no_grad():
            told = class_probabilities(*given, self.inputs(self.grid))[0]
        chosen = int(decide(told.numpy(), adjustment.decision_weights))
        return chosen, float(told[chosen]), class_answer(*given, chosen)

    def week(self, answers: Sequence[Answer]) -> list[float]:
        """Return the mean of each of ``answers`` over an ordinary week."""
        zone = city_zone(self.bundle.timezone)
        told = []
        with torch.no_grad():
            for grid in ordinary_week(self.grid, self.preparation, zone):
                x = self.inputs(grid)
                told.append([float(answer(x)[0]) for answer in answers])
        return [float(mean) for mean in np.mean(told, axis=0)]
