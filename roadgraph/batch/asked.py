"""What a scheduled run is asked for: local days and steps."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date, timedelta
from typing import TYPE_CHECKING, Literal

from roadgraph.batch.outcome import STEPS
from roadgraph.calendar import Days, asked_day
from roadgraph.errors import SettingsError, nearest

if TYPE_CHECKING:
    from collections.abc import Collection

NOW: Literal["now"] = "now"
"""Instead of a day to end with: the newest slice that is over."""


@dataclass(frozen=True)
class Asked:
    """What a run is asked for.

    Attributes:
        first: local day to begin with, or None: as many days back as the settings say.
        last: local day to end with; ``now``; or None: that of the newest data.
        steps: some of ``STEPS``.
    """

    first: date | None = None
    last: date | Literal["now"] | None = None
    steps: Collection[str] = STEPS

    @property
    def slices(self) -> Days:
        """The days whose slices are brought up to date: all, where none were named.

        The day before the first is one of them: the first forecasts look back into it.
        """
        before = None if self.first is None else self.first - timedelta(days=1)
        return Days(before, None if self.last == NOW else self.last)


def asked_for(first: str | None, last: str | None, steps: str | None) -> Asked:
    """Return what the options of the command line ask for.

    Raises:
        SettingsError: a day or a step that there is not.
    """
    chosen: tuple[str, ...] = STEPS
    if steps is not None:
        chosen = tuple(name.strip() for name in steps.split(","))
        for name in chosen:
            if name not in STEPS:
                raise SettingsError(
                    f"--steps: no step '{name}' (there are {', '.join(STEPS)})"
                    f"{nearest(name, STEPS)}"
                )
    end = NOW if last == NOW else asked_day("--to", last, f" or '{NOW}'")
    return Asked(asked_day("--from", first), end, chosen)
