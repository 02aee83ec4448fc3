"""The decision of a night: whether the challenger forecasts from now on, unless a check failed."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

from roadgraph.batch.outcome import Outcome, State
from roadgraph.batch.training import training_days
from roadgraph.errors import DataError, PromotionError, RegistryError, TrackingError
from roadgraph.storage import alone, write_json
from roadgraph.workspace import Workspace

if TYPE_CHECKING:
    from collections.abc import Sequence
    from datetime import date

    from roadgraph.quality.checks import Check
    from roadgraph.settings import Settings

PROMOTION = "promotion"


STOPPED = "stopped by a failed check"


def decided(workspace: Workspace, day: date) -> dict[str, Any] | None:
    """Return what was decided after a local day, or None.

    Raises:
        DataError: the record of it is damaged.
    """
    path = workspace.promotions / f"{day}.json"
    if not path.is_file():
        return None
    try:
        content: dict[str, Any] = json.loads(path.read_text("utf-8"))
        str(content["outcome"])
    except (ValueError, KeyError, TypeError) as error:
        raise DataError(f"{path} is damaged; remove it, and the next run decides again") from error
    return content


def promote_unless_checks_failed(
    settings: Settings, last: date, failed: Sequence[Check], again: bool = False
) -> Outcome:
    """Hold the challenger against the champion on the days up to ``last``, once a day.

    Where there is nothing to decide, or the registry does not answer, the champion stays and the
    reason is told.

    Args:
        settings: of the city.
        last: local day to end with.
        failed: the checks of the run that failed; any of them stops the promotion.
        again: decide although that was done for this day, as there is a new challenger.

    Raises:
        RoadgraphError: the data cannot be judged on.
    """
    if not settings.tracking.enabled:
        return Outcome(PROMOTION, str(last), "nothing", "no registry: tracking.enabled=false")
    workspace = Workspace.of(settings)
    before = decided(workspace, last)
    if before is not None and not again and (failed or before["outcome"] != STOPPED):
        return Outcome(PROMOTION, str(last), "fresh", before["outcome"])
    if failed:
        reasons = [f"{check.name} of {check.day}: {check.reason}" for check in failed]
        return _kept(workspace, last, "nothing", STOPPED, reasons)
    from roadgraph.workflow import run_promotion  # takes seconds, and most runs have decided

    try:
        promotion = run_promotion(settings, days=training_days(settings, last))
    except TrackingError as error:  # the next run asks again
        return Outcome(PROMOTION, str(last), "nothing", f"nothing was decided: {error}")
    except (RegistryError, PromotionError) as error:
        return _kept(workspace, last, "nothing", f"nothing was decided: {error}", [])
    reasons = list(promotion.decision.reasons)
    figures = {
        "champion": f"version {promotion.champion.number}",
        "challenger": f"version {promotion.challenger.number}",
        "promoted": str(promotion.decision.promoted),
    }
    return _kept(workspace, last, "made", promotion.outcome, reasons, figures)


def _kept(
    workspace: Workspace,
    day: date,
    state: State,
    outcome: str,
    reasons: list[str],
    figures: dict[str, Any] | None = None,
) -> Outcome:
    """Write what was decided, and return it."""
    path = workspace.promotions / f"{day}.json"
    content = {"day": str(day), "outcome": outcome, "reasons": reasons, **(figures or {})}
    with alone(path):
        write_json(path, content)
    text = f"{outcome}: {'; '.join(reasons)}" if reasons else outcome
    return Outcome(PROMOTION, str(day), state, text, dict(figures or {}))
