"""Toy bundles and hand-made contests."""

import numpy as np
import pandas as pd

from roadgraph.config import settings_to_dict
from roadgraph.dataset.dataset import Dataset
from roadgraph.evaluation.parts import ALL, HIDDEN_SEGMENTS
from roadgraph.promotion.contest import Contest
from roadgraph.promotion.decision import FIGURES, Decision, Figures
from roadgraph.settings import Settings
from roadgraph.tracking.versions import CHALLENGER, CHAMPION
from roadgraph.training.adjustment import Adjustment, Adjustments
from roadgraph.training.bundle import Bundle
from roadgraph.training.fit import fit
from roadgraph.training.seen_time import SeenTime

ALWAYS_GRIDLOCK = (1e6, 1.0, 1.0, 1.0)
ALWAYS_FREE = (1.0, 1.0, 1.0, 1e6)


def bundle_of(
    dataset: Dataset, settings: Settings, weights: tuple[float, ...] = (1.0, 1.0, 1.0, 1.0)
) -> Bundle:
    """Train a model on ``dataset`` whose classes are decided by ``weights``."""
    trained = fit(dataset, settings)
    steps, segments = len(dataset.horizons), len(dataset.grid.segment_ids)
    adjustment = Adjustment(1.0, 1.0, np.array(weights), np.zeros(steps))
    return Bundle(
        title=f"{settings.model.name}-{settings.size}",
        model=trained.model,
        preparation=dataset.preparation,
        unseen=dataset.fitted.unseen,
        options=settings.model,
        settings=settings_to_dict(settings),
        city=settings.city.name,
        timezone=settings.city.timezone,
        slice_minutes=dataset.grid.slice_minutes,
        window=dataset.window,
        horizons=dataset.horizons,
        adjustments=Adjustments.same(adjustment, segments),
        segment_ids=dataset.grid.segment_ids,
        network_fingerprint=dataset.graph.fingerprint,
        seen=SeenTime.of(dataset),
        metrics=[],
        history=trained.history,
    )


def figures_of(decision: Decision) -> Figures:
    """Return what a decision after a contest rests on."""
    assert decision.figures is not None
    return decision.figures


def rows_of(model: str, values: dict[str, list[float]], part: str = ALL) -> pd.DataFrame:
    """Return rows at 15, 30 ... minutes with these figures; the others are NaN."""
    horizons = len(next(iter(values.values())))
    table = pd.DataFrame(float("nan"), index=range(horizons), columns=list(FIGURES))
    for name, column in values.items():
        table[name] = column
    minutes = 15 * np.arange(1, horizons + 1)
    return table.assign(model=model, horizon_min=minutes, part=part)


def contest_by_hand(
    champion: dict[str, list[float]],
    challenger: dict[str, list[float]],
    baselines: dict[str, dict[str, list[float]]] | None = None,
    without: dict[str, tuple[dict[str, list[float]], dict[str, list[float]]]] | None = None,
    hidden: tuple[dict[str, list[float]], dict[str, list[float]]] | None = None,
) -> Contest:
    """Return a contest with these figures at 15, 30 ... minutes, of the champion first.

    ``without`` gives those of all cells but the ones of a block, by its name.
    """
    tables = [rows_of(CHAMPION, champion), rows_of(CHALLENGER, challenger)]
    tables += [rows_of(name, values) for name, values in (baselines or {}).items()]
    for block, both in (without or {}).items():
        for role, values in zip((CHAMPION, CHALLENGER), both, strict=True):
            tables.append(rows_of(role, values, f"without {block}"))
    blind = [rows_of(CHAMPION, {"macro_f1": []}, HIDDEN_SEGMENTS)]
    if hidden is not None:
        blind = [
            rows_of(role, values, HIDDEN_SEGMENTS)
            for role, values in zip((CHAMPION, CHALLENGER), hidden, strict=True)
        ]
    start = pd.Timestamp("2026-01-05", tz="Asia/Bangkok")
    return Contest(
        pd.concat(tables, ignore_index=True),
        pd.concat(blind, ignore_index=True),
        start,
        start + pd.Timedelta("3D"),
        "day",
    )
