"""Which time a trained model has seen, so that it is judged on other time alone."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import pandas as pd

if TYPE_CHECKING:
    from roadgraph.dataset.dataset import Dataset

    Moments = tuple[pd.Timestamp, pd.Timestamp]


@dataclass(frozen=True)
class SeenTime:
    """The time that a bundle was made from; each span is its first moment (UTC) and that after it.

    Attributes:
        train: that the model learned from.
        validation: on which epoch, decisions and intervals were chosen (with ``training.refit``
            the model learned from it too).
        test: that its figures are of.
    """

    train: Moments
    validation: Moments
    test: Moments

    @classmethod
    def of(cls, dataset: Dataset) -> SeenTime:
        """Return the spans of ``dataset``."""
        starts, splits = dataset.grid.slice_starts, dataset.splits
        width = pd.Timedelta(minutes=dataset.grid.slice_minutes)

        def moments(start: int, stop: int) -> Moments:
            return starts[start], starts[stop - 1] + width

        return cls(
            *(
                moments(span.start, span.stop)
                for span in (splits.train, splits.validation, splits.test)
            )
        )

    @property
    def until(self) -> pd.Timestamp:
        """The first moment of which nothing was learned or chosen: the validation span's end."""
        return self.validation[1]

    def to_dict(self) -> dict[str, dict[str, str]]:
        """Return plain types."""
        spans = {"train": self.train, "validation": self.validation, "test": self.test}
        return {
            name: {"start": start.isoformat(), "end": end.isoformat()}
            for name, (start, end) in spans.items()
        }

    @classmethod
    def from_dict(cls, content: dict[str, dict[str, str]]) -> SeenTime:
        """Return what :meth:`to_dict` made plain."""
        spans = (content[name] for name in ("train", "validation", "test"))
        return cls(*((pd.Timestamp(span["start"]), pd.Timestamp(span["end"])) for span in spans))
