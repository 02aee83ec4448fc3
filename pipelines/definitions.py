"""The nightly run as Dagster assets: network, slices, model, promotion, predictions.

Open it with ``dagster dev -m pipelines.definitions``. The city and any other setting come from
``ROADGRAPH_OVERRIDES``, written as on the command line: ``city=sample size=enhanced``.
"""

from __future__ import annotations

import logging
import os
import shlex
from typing import Any

import dagster as dg

from roadgraph.comparison.members import members_of
from roadgraph.config import load_settings
from roadgraph.errors import PromotionError, RegistryError, TrackingError
from roadgraph.evaluation.parts import ALL
from roadgraph.models.registry import model_title
from roadgraph.workflow import (
    run_comparison,
    run_network,
    run_prediction,
    run_promotion,
    run_slices,
    trained_bundle,
)

OVERRIDES = "ROADGRAPH_OVERRIDES"

logger = logging.getLogger(__name__)


def _settings() -> Any:
    return load_settings(shlex.split(os.environ.get(OVERRIDES, "size=enhanced")))


@dg.asset
def network() -> dg.MaterializeResult:
    """The road map: segments and links."""
    imported, workspace = run_network(_settings())
    facts = {"kind": imported.kind, **imported.summary.counts(), "cut away": len(imported.cut)}
    return dg.MaterializeResult(metadata={"path": str(workspace.network), **facts})


@dg.asset(deps=[network])
def slices() -> dg.MaterializeResult:
    """The five measured features of every segment and time slice."""
    report, workspace = run_slices(_settings())
    counts = {f"refused {rule}": count for rule, count in report.refused.items()}
    return dg.MaterializeResult(
        metadata={
            "path": str(workspace.slices),
            "rows in": report.rows_in,
            "rows used": report.rows_used,
            "slices": report.slices,
            "days built": len(report.built),
            **counts,
        }
    )


@dg.asset(deps=[slices])
def model() -> dg.MaterializeResult:
    """The model that the settings name, trained and judged beside the baselines."""
    settings = _settings()
    title = model_title(settings.model, settings.size)
    comparison = run_comparison(settings, members_of(settings, [title]), [settings.training.seed])
    scored = comparison.scores
    rows = scored[(scored["model"] == title) & (scored["part"] == ALL)]
    scores = {
        f"macro F1, {minutes} min": float(score)
        for minutes, score in zip(rows["horizon_min"], rows["macro_f1"], strict=True)
    }
    return dg.MaterializeResult(metadata={"bundle": str(comparison.bundles[title]), **scores})


@dg.asset(deps=[model])
def promotion() -> dg.MaterializeResult:
    """The decision whether the challenger forecasts from now on.

    Where there is nothing to decide, or the registry does not answer, the champion stays and the
    reason is told: the forecasts of the night are not to wait for it.
    """
    settings = _settings()
    if not settings.tracking.enabled:
        return dg.MaterializeResult(metadata={"outcome": "no registry: tracking.enabled=false"})
    try:
        decided = run_promotion(settings)
    except (RegistryError, PromotionError, TrackingError) as error:
        logger.warning("no promotion: %s", error)
        return dg.MaterializeResult(metadata={"outcome": f"nothing was decided: {error}"})
    reasons = "; ".join(decided.decision.reasons)
    return dg.MaterializeResult(metadata={"outcome": decided.outcome, "reasons": reasons})


@dg.asset(deps=[slices, promotion])
def predictions() -> dg.MaterializeResult:
    """Forecasts of every segment from the newest slices, by the registered champion.

    Without tracking there is no registry, and the model above forecasts.
    """
    settings = _settings()
    bundle = None if settings.tracking.enabled else trained_bundle(settings)
    predicted = run_prediction(settings, bundle, None)
    return dg.MaterializeResult(
        metadata={"path": str(predicted.files[0]), "model": predicted.model}
    )


nightly = dg.ScheduleDefinition(
    name="nightly",
    target=dg.AssetSelection.all(),
    cron_schedule="0 3 * * *",
    execution_timezone=_settings().city.timezone,
)

defs = dg.Definitions(assets=[network, slices, model, promotion, predictions], schedules=[nightly])
