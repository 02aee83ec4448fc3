"""What became of a step of a scheduled run."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Literal

from roadgraph.errors import ExitCode

if TYPE_CHECKING:
    from collections.abc import Mapping

    from roadgraph.quality.checks import Check

State = Literal["made", "fresh", "nothing", "failed", "busy"]
"""Made; as new already; nothing to do, or not yet; failed; another run is at it."""

STEPS = ("network", "slices", "quality", "predictions", "evaluation", "model", "promotion")
"""In the order in which they usually run."""


@dataclass(frozen=True)
class Outcome:
    """What became of one step.

    Attributes:
        step: one of ``STEPS``.
        partition: a local day, some of them, a time of issue, or "" for a step without any.
        state: what became of it.
        reason: why it was made, or why not; one sentence.
        figures: counts and names for people to see.
        checks: of what was made.
    """

    step: str
    partition: str
    state: State
    reason: str
    figures: Mapping[str, float | int | str] = field(default_factory=dict)
    checks: tuple[Check, ...] = ()


@dataclass(frozen=True)
class RunReport:
    """A whole run.

    Attributes:
        outcomes: of its steps, in their order.
    """

    outcomes: tuple[Outcome, ...]

    @property
    def made(self) -> list[Outcome]:
        """The steps that made something."""
        return [outcome for outcome in self.outcomes if outcome.state == "made"]

    @property
    def failed(self) -> list[Outcome]:
        """The steps that failed."""
        return [outcome for outcome in self.outcomes if outcome.state == "failed"]

    @property
    def failed_checks(self) -> list[Check]:
        """The checks that failed; a warning is none of them."""
        return [check for check in self.unwell if check.severity == "error"]

    @property
    def unwell(self) -> list[Check]:
        """The checks that failed, and those that warn."""
        checks = (check for outcome in self.outcomes for check in outcome.checks)
        return [check for check in checks if check.passed is False]

    @property
    def exit_code(self) -> ExitCode:
        """What the command ends with; a failed step counts more than a failed check."""
        if self.failed:
            return ExitCode.FAILED
        if self.failed_checks:
            return ExitCode.CHECKS
        if any(outcome.state == "busy" for outcome in self.outcomes):
            return ExitCode.BUSY
        return ExitCode.OK
