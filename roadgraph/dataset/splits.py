"""Training, validation and test, one after the other in time, with gaps between them."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from roadgraph.errors import DataError


@dataclass(frozen=True)
class Span:
    """Slices ``start`` to ``stop`` (not included), by their place in time."""

    start: int
    stop: int

    def origins(self, window: int, reach: int) -> np.ndarray:
        """Return the slices to forecast from: window before and ``reach`` after lie inside.

        The window of origin ``t`` is ``t - window + 1 .. t``; its farthest target ``t + reach``.
        """
        return np.arange(self.start + window - 1, self.stop - reach)


@dataclass(frozen=True)
class Splits:
    """The three spans of time."""

    train: Span
    validation: Span
    test: Span


def split_by_time(
    slices: int, train_share: float, validation_share: float, window: int, reach: int
) -> Splits:
    """Cut ``slices`` into three spans with ``window + reach`` slices left out between them.

    The gaps are taken from the front and the end of the validation span, so that the training and
    the test span begin and end exactly where the shares say.

    Args:
        slices: the number ``T`` of slices.
        train_share: part of the time to train on.
        validation_share: part of the time after it for validation; the rest is for testing.
        window: slices that a model sees.
        reach: the farthest horizon in slices.

    Raises:
        DataError: a span is too short for a single window.
    """
    gap = window + reach
    # Sums of shares such as 0.7 + 0.1 must not fall short of 0.8 by a rounding.
    train_stop = int(round(slices * train_share, 6))
    test_start = int(round(slices * (train_share + validation_share), 6))
    splits = Splits(
        Span(0, train_stop), Span(train_stop + gap, test_start - gap), Span(test_start, slices)
    )
    for name in ("train", "validation", "test"):
        span = getattr(splits, name)
        if len(span.origins(window, reach)) == 0:
            raise DataError(
                f"the {name} span has {max(span.stop - span.start, 0)} slices, too few for a "
                f"window of {window} and a horizon of {reach} slices; "
                "gather more days or change the shares"
            )
    return splits
