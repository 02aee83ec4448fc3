"""Which model of a comparison is put forward for promotion: chosen on the validation span alone."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pandas as pd

from roadgraph.comparison.members import CONTROL
from roadgraph.comparison.runs import KEY_TAG
from roadgraph.evaluation.comparison import LOWER_IS_BETTER
from roadgraph.evaluation.parts import ALL
from roadgraph.tracking.versions import SPREAD_TAG

if TYPE_CHECKING:
    from roadgraph.comparison.compare import Compared
    from roadgraph.comparison.runs import Run


def candidate_title(compared: Compared, metric: str) -> str | None:
    """Return the model that is best at ``metric`` on the validation span, or None without any.

    The mean over horizons and seeds counts. Controls are there to be compared with; where one of
    them is best, the table says so.

    Args:
        compared: the comparison.
        metric: a column of scores.
    """
    means = _by_seed(compared.validation_scores, metric).groupby(level="model").mean().dropna()
    means = means[[title in compared.titles and CONTROL not in title for title in means.index]]
    if means.empty:
        return None
    best = means.idxmin() if metric in LOWER_IS_BETTER else means.idxmax()
    return str(best)


def candidate_tags(compared: Compared, run: Run, metric: str) -> dict[str, str]:
    """Return what a registered version is tagged with: what it is, and how it did.

    ``spread/<metric>`` is the sample standard deviation over the seeds of the mean over the
    horizons of the test span; it is missing for a model with one seed.
    """
    title, seed = run.facts.title, run.facts.seed
    tags = {"model": title, "seed": str(seed), KEY_TAG: run.facts.key}
    for span, table in (("validation", compared.validation_scores), ("test", compared.scores)):
        value = _by_seed(table, metric).get((title, seed))
        if value is not None and not pd.isna(value):
            tags[f"{span}/{metric}"] = f"{value:.6g}"
    seeds = _by_seed(compared.scores, metric).loc[[title]]
    if len(seeds) > 1 and seeds.notna().all():
        tags[f"{SPREAD_TAG}/{metric}"] = f"{seeds.std(ddof=1):.6g}"
    return tags


def _by_seed(scores: pd.DataFrame, metric: str) -> pd.Series:
    """Return the mean of ``metric`` over the horizons, by model and seed."""
    rows = scores[scores["part"] == ALL]
    return rows.groupby(["model", "seed"], sort=False)[metric].mean()
