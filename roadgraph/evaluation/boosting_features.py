"""What gradient boosting sees of a cell: its window, its clock and its neighbours."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from scipy import sparse

from roadgraph.calendar import clock_from
from roadgraph.schema import HISTORY_CHANNELS, MEASURED_FEATURES, OBSERVED_CHANNEL

if TYPE_CHECKING:
    from roadgraph.dataset.dataset import Dataset, RoadGraph
    from roadgraph.dataset.preparation import Preparation

MOST_WINDOW = 12  # slices of the window whose channels are features
NEIGHBOUR_SLICES = 3  # last slices of the neighbours' means


@dataclass(frozen=True)
class Shown:
    """What is known of the segments themselves.

    Attributes:
        moving: ``[T, N, M]`` channels that change with every slice.
        resting: ``[T, N, R]`` channels of which the last slice says it all: clock and statics.
        last_kph: ``[T, N]`` the last speed, or what stands in for it; changes count from it.
        typical: ``[T + reach, N]`` typical speed, or None where the dataset has no such channels.
        left_out: ``[S, N]``, the same in the training span, each cell without its own day.
    """

    moving: np.ndarray
    resting: np.ndarray
    last_kph: np.ndarray
    typical: np.ndarray | None
    left_out: np.ndarray

    @classmethod
    def of(
        cls, dataset: Dataset, inputs: np.ndarray, preparation: Preparation, left_out: np.ndarray
    ) -> Shown:
        """Gather them from ``inputs`` ``[T, N, C]``, which ``preparation`` made."""
        channels, grid = preparation.channels, dataset.grid
        changing = {*MEASURED_FEATURES, OBSERVED_CHANNEL}
        moving = [place for place, name in enumerate(channels) if name in changing]
        resting = [place for place, name in enumerate(channels) if name not in changing]
        typical = None
        if HISTORY_CHANNELS[0] in channels:
            steps = len(inputs) + max(dataset.horizons)
            clock = clock_from(grid.slice_starts[0], steps, grid.slice_minutes)
            typical = preparation.history.at(clock, dataset.zone)
        return cls(
            moving=inputs[:, :, moving],
            resting=inputs[:, :, resting],
            last_kph=inputs[:, :, 0] * preparation.speed_std_kph + preparation.speed_mean_kph,
            typical=typical,
            left_out=left_out,
        )


@dataclass(frozen=True)
class CellFeatures:
    """The arrays that the features of any cell are looked up in.

    Attributes:
        window: slices of the window that are looked at.
        seen: what is known of the segments.
        unseen: what would be known of each, had it never been observed.
        around: ``[T, N, 4]`` mean speed (km/h, NaN where none was observed) of the segments
            straight upstream and downstream, of both kinds of them two links away.
        city: ``[T]`` mean of the scaled speed channel.
    """

    window: int
    seen: Shown
    unseen: Shown
    around: np.ndarray
    city: np.ndarray

    @classmethod
    def of(cls, dataset: Dataset) -> CellFeatures:
        """Gather them; the observations of hidden segments are no part of a dataset."""
        speed = np.where(dataset.grid.observed, dataset.grid.speed_kph, np.nan)
        fitted = dataset.fitted
        return cls(
            window=min(dataset.window, MOST_WINDOW),
            seen=Shown.of(dataset, dataset.inputs, fitted.known, fitted.left_out),
            unseen=Shown.of(dataset, dataset.unseen_inputs, fitted.unseen, fitted.unseen_left_out),
            around=neighbour_means(speed, dataset.graph),
            city=dataset.inputs[:, :, 0].mean(axis=1),
        )

    def last_kph(self, origin: np.ndarray, segment: np.ndarray, unseen: np.ndarray) -> np.ndarray:
        """Return the speed of cells ``[M]`` from which changes count; arguments as in ``at``."""
        return np.where(
            unseen, self.unseen.last_kph[origin, segment], self.seen.last_kph[origin, segment]
        )

    def at(
        self,
        origin: np.ndarray,
        segment: np.ndarray,
        step: int,
        unseen: np.ndarray,
        training: bool = False,
    ) -> np.ndarray:
        """Return the features of cells, ``[M, features]`` float32, NaN where unknown.

        Args:
            origin, segment: ``[M]`` where to forecast from; the window before must be there.
            step: slices ahead.
            unseen: ``[M]`` bool, cells whose segment is treated as never observed.
            training: targets lie in the training span, so take the typical speed that was worked
                out without the target's own day.
        """

        def of(name: str, row: np.ndarray) -> np.ndarray:
            seen, other = (getattr(shown, name)[row, segment] for shown in (self.seen, self.unseen))
            return np.where(unseen.reshape(-1, *[1] * (seen.ndim - 1)), other, seen)

        columns = [of("moving", origin - back) for back in range(self.window)]
        columns.append(of("resting", origin))
        for back in range(min(NEIGHBOUR_SLICES, self.window)):
            columns.append(self.around[origin - back, segment])
            columns.append(self.city[origin - back, None])
        if self.seen.typical is not None:
            typical = of("left_out" if training else "typical", origin + step)
            columns.append(typical[:, None])
            columns.append((typical - self.last_kph(origin, segment, unseen))[:, None])
        return np.concatenate(columns, axis=1, dtype=np.float32)


def neighbour_means(speed_kph: np.ndarray, graph: RoadGraph) -> np.ndarray:
    """Return the mean speed upstream, downstream, two links up and two links down, ``[T, N, 4]``.

    Only observed segments count, by the weight of their links, and never the segment itself, which
    is two links from where it can turn round; NaN where there is none.

    Args:
        speed_kph: ``[T, N]``, NaN where nothing was observed.
        graph: links between the segments.
    """
    shape = (graph.segments,) * 2
    up = sparse.csr_array((graph.weight, (graph.target, graph.source)), shape=shape)
    down = up.T.tocsr()
    known = ~np.isnan(speed_kph)
    filled = np.where(known, speed_kph, 0).astype(np.float32)
    means = []
    for links in (up, down, _without_self(up @ up), _without_self(down @ down)):
        total = (links @ filled.T).T
        weight = (links @ known.astype(np.float32).T).T
        mean = np.full(speed_kph.shape, np.nan, dtype=np.float32)
        np.divide(total, weight, out=mean, where=weight > 0)
        means.append(mean)
    return np.stack(means, axis=2)


def _without_self(links: sparse.csr_array) -> sparse.csr_array:
    others = links.tocoo()
    away = others.row != others.col
    return sparse.csr_array(
        (others.data[away], (others.row[away], others.col[away])), shape=links.shape
    )
