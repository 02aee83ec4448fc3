"""Whoever wants to know of the runs of a comparison as they happen."""

from __future__ import annotations

from contextlib import contextmanager
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from roadgraph.comparison.judging import Judge
    from roadgraph.comparison.runs import Run
    from roadgraph.settings import Settings


class Observer:
    """Is told of the data, of each training and of each finished run; this one does nothing."""

    def data(self, judge: Judge, key: str) -> None:
        """Hear which data all runs rest on, before the first; ``key`` stands for all of it."""

    @contextmanager
    def training(
        self, member: Settings, key: str, folder: Path
    ) -> Iterator[Callable[[dict[str, float]], None]]:
        """Go around a training, and yield what is told the figures of every finished epoch.

        Args:
            member: settings of the model; ``training.seed`` is its seed.
            key: of all that the figures depend on.
            folder: that the run will be written to.
        """
        del member, key, folder
        yield lambda figures: None

    def finished(self, run: Run) -> None:
        """Hear of a run that is complete, also of one that was before."""
