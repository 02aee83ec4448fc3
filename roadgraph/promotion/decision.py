"""Whether a challenger takes the champion's place, and every reason for it in a sentence."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd
from scipy import stats

from roadgraph.errors import PromotionError
from roadgraph.evaluation.comparison import FLOOR, FLOOR_KPH, LOWER_IS_BETTER
from roadgraph.evaluation.parts import ALL, HIDDEN_SEGMENTS
from roadgraph.report.tables import SHOWN
from roadgraph.tracking.versions import CHALLENGER, CHAMPION

if TYPE_CHECKING:
    from roadgraph.promotion.contest import Contest
    from roadgraph.settings import PromotionSettings

FIGURES = (
    "accuracy",
    "macro_f1",
    "gridlock_recall",
    "log_loss",
    "calibration_error",
    "speed_mae_kph",
    "speed_rmse_kph",
)
ROUNDING = 1e-9  # a difference that is just the tolerance is tolerated


@dataclass(frozen=True)
class Figures:
    """What a decision after a contest rests on.

    Attributes:
        table: a row a forecaster, ``model`` and :data:`FIGURES`, means over the horizons (speeds
            in km/h); ``hidden`` is the metric on hidden segments. NaN where there is no figure.
        metric: that was decided by.
        ahead: by how much the challenger is better in it; below 0 it is worse.
        needed: more than which it has to be.
    """

    table: pd.DataFrame
    metric: str
    ahead: float
    needed: float


@dataclass(frozen=True)
class Decision:
    """Whether a challenger takes the champion's place.

    Attributes:
        promoted: whether it does.
        reasons: a sentence each.
        figures: that it rests on, or None where no contest could be held.
    """

    promoted: bool
    reasons: tuple[str, ...]
    figures: Figures | None = None


@dataclass(frozen=True)
class Guard:
    """A figure that must not get worse: what is to be said of it, and whether it forbids."""

    reason: str
    forbids: bool


def decide(contest: Contest, settings: PromotionSettings, seed_spread: float | None) -> Decision:
    """Decide whether the challenger is better by more than the spread, and no guard forbids it.

    The spread is that of :func:`needed_ahead`: of the difference between both over blocks of time,
    or over the seeds of its training.

    Args:
        contest: both on the same cells.
        settings: metric and tolerances.
        seed_spread: of the metric over the seeds of the challenger's training; None: unknown.

    Raises:
        PromotionError: no cell has a label, or a model does not give the metric.
    """
    metric, table = settings.metric, mean_figures(contest, settings.metric)
    _refuse_no_figure(contest, table, metric)
    error, blocks = standard_error(contest.scores, metric)
    needed, source = needed_ahead(
        metric, error, blocks, seed_spread, settings.confidence, _plural(contest.block)
    )
    of = table.set_index("model")[metric].to_dict()
    mine, theirs = of[CHALLENGER], of[CHAMPION]
    ahead = _ahead(metric, mine, theirs)
    better = ahead > needed
    guards = guards_of(table, settings)
    reasons = [
        f"{_said(metric, mine)} of the challenger, {_number(metric, theirs)} of the champion: "
        f"{_compared(metric, ahead, needed)} ({source})",
        *(guard.reason for guard in guards),
        *_beaten_by_baselines(table, metric),
    ]
    promoted = better and not any(guard.forbids for guard in guards)
    return Decision(promoted, tuple(reasons), Figures(table, metric, ahead, needed))


def decide_unopposed(difference: str) -> Decision:
    """Return the decision for a challenger whose champion cannot forecast any more.

    Args:
        difference: how the champion's network differs from the current one, on which the
            challenger was trained.
    """
    return Decision(
        True,
        (
            f"the champion was trained on another network than the current one ({difference}) and "
            "cannot forecast on it; the challenger was trained on the current one, so it takes its "
            "place without a contest",
        ),
    )


def mean_figures(contest: Contest, metric: str) -> pd.DataFrame:
    """Return a row a forecaster: :data:`FIGURES` and ``hidden``, means over the horizons."""
    whole = contest.scores[contest.scores["part"] == ALL]
    means = whole.groupby("model", sort=False)[list(FIGURES)].mean()
    means["hidden"] = contest.hidden.groupby("model")[metric].mean()
    return means.reset_index()


def standard_error(scores: pd.DataFrame, metric: str) -> tuple[float | None, int]:
    """Return the standard error of the difference between both models, and the blocks it rests on.

    Cells of neighbouring slices err alike, so whole blocks of time are left out in turn (the block
    jackknife with blocks that do not overlap: Künsch, The Jackknife and the Bootstrap for General
    Stationary Observations, Annals of Statistics 17, 1989)::

        se^2 = (B - 1) / B * sum_b (d_b - mean(d))^2

    where ``d_b`` is the difference on all cells but those of block ``b`` of ``B``, the mean over
    the horizons. It is of the **paired** difference (as Diebold and Mariano, Comparing Predictive
    Accuracy, 1995), in which days that are hard for both cancel out, and holds for figures such as
    macro F1 that are no mean over cells. With fewer than two blocks it is unknown, None.

    Args:
        scores: of :class:`~roadgraph.promotion.contest.Contest`.
        metric: a column of it.
    """
    both = scores[scores["model"].isin((CHAMPION, CHALLENGER))]
    wide = both.pivot(index=["model", "horizon_min"], columns="part", values=metric)
    left_out = wide.drop(columns=ALL).dropna(axis="columns", how="all")
    blocks = left_out.shape[1]
    if blocks < 2:
        return None, blocks
    # A block without a cell at a horizon leaves that horizon's figure as it is.
    left_out = left_out.apply(lambda column: column.fillna(wide[ALL]))
    differences = (left_out.loc[CHALLENGER] - left_out.loc[CHAMPION]).mean(axis="rows").to_numpy()
    around = differences - differences.mean()
    return float(np.sqrt((blocks - 1) / blocks * (around**2).sum())), blocks


def needed_ahead(
    metric: str,
    error: float | None,
    blocks: int,
    seed_spread: float | None,
    confidence: float,
    unit: str,
) -> tuple[float, str]:
    """Return more than what a challenger must be ahead by, and where that comes from.

    The largest of ``t * se``, with ``t`` the one-sided quantile of Student's distribution of one
    degree of freedom fewer than there are blocks (a single ``se`` would let a model that is no
    better pass one time in six, of few days one in three); of the spread over the seeds of the
    challenger's training; and, where its seeds are not known, of the floor that a comparison of
    single seeds has too.

    Args:
        metric: of the difference.
        error: from :func:`standard_error`.
        blocks: that it rests on.
        seed_spread: of the metric, None where one seed was trained.
        confidence: of the quantile, 0.5 to 1.
        unit: what blocks are called.
    """
    known = []
    if error is not None and not math.isnan(error):
        quantile = float(stats.t.ppf(confidence, blocks - 1))
        what = f"{quantile:.2f} standard errors over {blocks} {unit}"
        known.append((quantile * error, what))
    if seed_spread is not None and not math.isnan(seed_spread):
        known.append((seed_spread, "spread over the seeds of its training"))
    else:
        floor = FLOOR_KPH if metric.endswith("_kph") else FLOOR
        known.append((floor, "the least difference that is asked of a single seed"))
    return max(known)


def guards_of(table: pd.DataFrame, settings: PromotionSettings) -> list[Guard]:
    """Return what the guards say: recall of gridlock, calibration and hidden segments."""

    def both(name: str) -> tuple[float, float]:
        of = table.set_index("model")[name].to_dict()
        return of[CHALLENGER], of[CHAMPION]

    guards = []
    for name, title, tolerance, missing in (
        (
            "gridlock_recall",
            "recall of gridlock",
            settings.recall_tolerance,
            "no gridlock was observed in these days, or a model does not forecast it",
        ),
        (
            "calibration_error",
            "calibration error",
            settings.calibration_tolerance,
            "a model gives no probabilities of the classes",
        ),
    ):
        guards.append(_guard(name, title, *both(name), tolerance, missing))
    mine, theirs = both("hidden")
    tolerance = settings.hidden_tolerance * abs(theirs)
    title = f"{SHOWN[settings.metric]} on {HIDDEN_SEGMENTS}"
    missing = "no segment was hidden, or none of them has a label"
    return [*guards, _guard(settings.metric, title, mine, theirs, tolerance, missing)]


def _guard(
    name: str, title: str, mine: float, theirs: float, tolerance: float, missing: str
) -> Guard:
    if math.isnan(mine) and not math.isnan(theirs):
        return Guard(f"{title} is not to be had of the challenger, which forbids it", True)
    if math.isnan(mine) or math.isnan(theirs):
        return Guard(f"{title} cannot be judged and forbids nothing: {missing}", False)
    values = f"{title} {_number(name, mine)} of the challenger, {_number(name, theirs)} of the"
    lost = -_ahead(name, mine, theirs)
    if lost > tolerance + ROUNDING:
        return Guard(
            f"{values} champion: worse by {_number(name, lost)}, more than the "
            f"{_number(name, tolerance)} that are tolerated, which forbids it",
            True,
        )
    return Guard(f"{values} champion: not worse than tolerated", False)


def _beaten_by_baselines(table: pd.DataFrame, metric: str) -> list[str]:
    """Return a sentence for every baseline that is better than the better of both models."""
    figures = table.set_index("model")[metric].dropna().to_dict()
    role = max((CHALLENGER, CHAMPION), key=lambda each: _ahead(metric, figures[each], 0.0))
    return [
        f"{name} is better than both models: {_said(metric, value)}, "
        f"{_number(metric, figures[role])} of the {role}"
        for name, value in figures.items()
        if name not in (CHAMPION, CHALLENGER) and _ahead(metric, value, figures[role]) > 0
    ]


def _refuse_no_figure(contest: Contest, table: pd.DataFrame, metric: str) -> None:
    missing = [
        role
        for role in (CHAMPION, CHALLENGER)
        if math.isnan(table.loc[table["model"] == role, metric].item())
    ]
    if not missing:
        return
    when = f"from {contest.start:%Y-%m-%d %H:%M} to {contest.end:%Y-%m-%d %H:%M} local time"
    if table[list(FIGURES)].isna().all(axis=None):
        raise PromotionError(f"no segment was observed {when}, so nothing can be judged")
    raise PromotionError(
        f"there is no {metric} of {' and '.join(missing)} {when}: set promotion.metric to a figure "
        "of a task that both models have"
    )


def _ahead(metric: str, mine: float, theirs: float) -> float:
    return theirs - mine if metric in LOWER_IS_BETTER else mine - theirs


def _compared(metric: str, ahead: float, needed: float) -> str:
    spread = f"the spread of {_number(metric, needed)}"
    if ahead > needed:
        return f"better by {_number(metric, ahead)}, more than {spread}"
    if ahead > 0:
        return f"better by {_number(metric, ahead)}, not more than {spread}"
    return f"worse by {_number(metric, -ahead)}" if ahead < 0 else "the same"


def _said(metric: str, value: float) -> str:
    return f"{SHOWN[metric]} {_number(metric, value)}"


def _number(metric: str, value: float) -> str:
    return f"{value:.2f} km/h" if metric.endswith("_kph") else f"{value:.3f}"


def _plural(block: str) -> str:
    return "days" if block == "day" else f"blocks of {block}"
