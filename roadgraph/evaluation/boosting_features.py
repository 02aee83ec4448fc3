"""What gradient boosting sees of a cell: its window, its clock and its neighbours."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from scipy import sparse

from roadgraph.calendar import clock_from
from roadgraph.dataset.history import fit_history
from roadgraph.schema import HISTORY_CHANNELS, MEASURED_FEATURES, OBSERVED_CHANNEL

if TYPE_CHECKING:
    from zoneinfo import ZoneInfo

    from roadgraph.dataset.dataset import Dataset, RoadGraph

MOST_WINDOW = 12  # slices of the window whose channels are features
NEIGHBOUR_SLICES = 3  # last slices of the neighbours' means


@dataclass(frozen=True)
class CellFeatures:
    """The arrays that the features of any cell are looked up in.

    Attributes:
        window: slices of the window that are looked at.
        moving: ``[T, N, M]`` channels that change with every slice.
        resting: ``[T, N, R]`` channels of which the last slice says it all: clock and statics.
        around: ``[T, N, 4]`` mean speed (km/h, NaN where none was observed) of the segments
            straight upstream and downstream, of both kinds of them two links away.
        city: ``[T]`` mean of the scaled speed channel.
        last_kph: ``[T, N]`` the last speed, or what stands in for it; changes count from it.
        typical: ``[T + reach, N]`` typical speed, or None where the dataset has no such channels.
        seen_typical: the same in the training span, each cell without its own day.
    """

    window: int
    moving: np.ndarray
    resting: np.ndarray
    around: np.ndarray
    city: np.ndarray
    last_kph: np.ndarray
    typical: np.ndarray | None
    seen_typical: np.ndarray | None

    @classmethod
    def of(cls, dataset: Dataset, zone: ZoneInfo, hidden: np.ndarray) -> CellFeatures:
        """Gather them; observations of ``hidden`` ``[N]`` segments are not looked at."""
        channels, preparation = dataset.preparation.channels, dataset.preparation
        changing = {*MEASURED_FEATURES, OBSERVED_CHANNEL}
        moving = [place for place, name in enumerate(channels) if name in changing]
        resting = [place for place, name in enumerate(channels) if name not in changing]
        speed = np.where(dataset.grid.observed & ~hidden, dataset.grid.speed_kph, np.nan)
        typical = seen = None
        if HISTORY_CHANNELS[0] in channels:
            grid, stop = dataset.grid, dataset.splits.train.stop
            history, seen = fit_history(
                speed[:stop], grid.slice_starts[:stop], zone, grid.slice_minutes
            )
            steps = len(speed) + max(dataset.horizons)
            clock = clock_from(grid.slice_starts[0], steps, grid.slice_minutes)
            typical = history.at(clock, zone)
        scaled = dataset.inputs[:, :, 0]
        return cls(
            window=min(dataset.window, MOST_WINDOW),
            moving=dataset.inputs[:, :, moving],
            resting=dataset.inputs[:, :, resting],
            around=neighbour_means(speed, dataset.graph),
            city=scaled.mean(axis=1),
            last_kph=scaled * preparation.speed_std_kph + preparation.speed_mean_kph,
            typical=typical,
            seen_typical=seen,
        )

    def at(
        self, origin: np.ndarray, segment: np.ndarray, step: int, training: bool = False
    ) -> np.ndarray:
        """Return the features of cells, ``[M, features]`` float32, NaN where unknown.

        Args:
            origin, segment: ``[M]`` where to forecast from; the window before must be there.
            step: slices ahead.
            training: targets lie in the training span, so take the typical speed that was worked
                out without the target's own day.
        """
        columns = [self.moving[origin - back, segment] for back in range(self.window)]
        columns.append(self.resting[origin, segment])
        for back in range(min(NEIGHBOUR_SLICES, self.window)):
            columns.append(self.around[origin - back, segment])
            columns.append(self.city[origin - back, None])
        if self.typical is not None and self.seen_typical is not None:
            typical = (self.seen_typical if training else self.typical)[origin + step, segment]
            columns.append(typical[:, None])
            columns.append((typical - self.last_kph[origin, segment])[:, None])
        return np.concatenate(columns, axis=1, dtype=np.float32)


def neighbour_means(speed_kph: np.ndarray, graph: RoadGraph) -> np.ndarray:
    """Return the mean speed upstream, downstream, two links up and two links down, ``[T, N, 4]``.

    Only observed segments count, by the weight of their links; NaN where there is none.

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
    for links in (up, down, up @ up, down @ down):
        total = (links @ filled.T).T
        weight = (links @ known.astype(np.float32).T).T
        mean = np.full(speed_kph.shape, np.nan, dtype=np.float32)
        np.divide(total, weight, out=mean, where=weight > 0)
        means.append(mean)
    return np.stack(means, axis=2)
