"""The decision of a night: whether the challenger forecasts from now on, unless a check failed."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

from roadgraph.batch.outcome import Outcome, State
from roadgraph.batch.training import training_days
from roadgraph.errors import DataError, PromotionError, RegistryError, TrackingError
from roadgraph.quality.checks import Check
from roadgraph.storage import alone, fingerprint, write_json
from roadgraph.verification.checks import failed_checks
from roadgraph.workspace import Workspace

if TYPE_CHECKING:
    from collections.abc import Sequence
    from datetime import date

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
        str(content["outcome"] + content["newest_model"])
    except (ValueError, KeyError, TypeError) as error:
        raise DataError(f"{path} is damaged; remove it, and the next run decides again") from error
    return content


def promote_unless_checks_failed(
    settings: Settings, last: date, also: Sequence[Check] = ()
) -> Outcome:
    """Hold the challenger against the champion on the days up to ``last``, once a day.

    It is held again for the same day when a newer model was trained, or when checks that had
    stopped it are well. Where there is nothing to decide, or the registry does not answer, the
    champion stays and the reason is told.

    Args:
        settings: of the city.
        last: local day to end with; its checks that failed stop the promotion.
        also: further checks that stop it.

    Raises:
        RoadgraphError: the data cannot be judged on.
        LockError: another run decides for longer than ``pipeline.patience_s``.
    """
    if not settings.tracking.enabled:
        return Outcome(PROMOTION, str(last), "nothing", "no registry: tracking.enabled=false")
    workspace = Workspace.of(settings)
    with alone(workspace.promotions / f"{last}.json", settings.pipeline.patience_s):
        failed = [*_stopping(settings, workspace, last), *also]
        before, newest = decided(workspace, last), _newest_model(workspace)
        is_old = before is None or before["newest_model"] != newest
        if before is not None and not is_old and (failed or before["outcome"] != STOPPED):
            return Outcome(PROMOTION, str(last), "fresh", before["outcome"])
        if failed:
            reasons = [f"{check.name} of {check.day}: {check.reason}" for check in failed]
            return _kept(workspace, last, newest, "nothing", STOPPED, reasons)
        from roadgraph.workflow import run_promotion  # takes seconds, and most runs have decided

        try:
            promotion = run_promotion(settings, days=training_days(settings, last))
        except TrackingError as error:  # the next run asks again
            return Outcome(PROMOTION, str(last), "nothing", f"nothing was decided: {error}")
        except (RegistryError, PromotionError) as error:
            reason = f"nothing was decided: {error}"
            return _kept(workspace, last, newest, "nothing", reason, [])
        figures = {
            "champion": f"version {promotion.champion.number}",
            "challenger": f"version {promotion.challenger.number}",
            "promoted": str(promotion.decision.promoted),
        }
        reasons = list(promotion.decision.reasons)
        return _kept(workspace, last, newest, "made", promotion.outcome, reasons, figures)


def _stopping(settings: Settings, workspace: Workspace, day: date) -> list[Check]:
    """Return the checks of a day that stop a promotion; that it was never checked is one."""
    if not (workspace.quality / str(day)).is_dir():
        reason = f"{day} was not checked; run the steps quality and evaluation"
        return [Check("quality", day, False, reason, {})]
    return failed_checks(settings, workspace, [day])


def _newest_model(workspace: Workspace) -> str:
    """Return what tells one training of the scheduled runs from the next."""
    record = workspace.model_record
    return fingerprint([record.read_text("utf-8")]) if record.is_file() else ""


def _kept(
    workspace: Workspace,
    day: date,
    newest_model: str,
    state: State,
    outcome: str,
    reasons: list[str],
    figures: dict[str, Any] | None = None,
) -> Outcome:
    """Write what was decided, and return it."""
    content = {
        "day": str(day),
        "outcome": outcome,
        "reasons": reasons,
        "newest_model": newest_model,
        **(figures or {}),
    }
    write_json(workspace.promotions / f"{day}.json", content)
    text = f"{outcome}: {'; '.join(reasons)}" if reasons else outcome
    return Outcome(PROMOTION, str(day), state, text, dict(figures or {}))
