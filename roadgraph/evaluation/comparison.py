"""Several models over several seeds: mean, spread, and who is better, worse or tied."""

from __future__ import annotations

from itertools import combinations
from typing import TYPE_CHECKING

import pandas as pd

from roadgraph.evaluation.parts import ALL
from roadgraph.evaluation.skill import counts_as_baseline

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

CONTROL_SUFFIX = "-self-loops"
"""Of the title of a graph model's control, which is the same without any neighbour."""

LOWER_IS_BETTER = (
    "log_loss",
    "calibration_error",
    "speed_mae_kph",
    "speed_rmse_kph",
    "interval_width_kph",
    "pinball_p10_kph",
    "pinball_p90_kph",
)
FLOOR, FLOOR_KPH = 0.01, 0.1
"""What a difference must reach at least where a model has one seed and so no spread: about the
spread over seeds of the models here on the sample city. Figures of speed end in ``_kph``."""

JUDGED = ("macro_f1", "speed_mae_kph")
"""The figures that verdicts are about."""

PLACE = ["model", "baseline", "horizon_min", "part"]

COSTS = ("parameters", "training_seconds", "prediction_ms")
"""What a model costs: facts of its runs."""


def means_and_spreads(table: pd.DataFrame) -> pd.DataFrame:
    """Return one row a model, horizon and part: the mean of each figure over the seeds.

    Beside each figure stands ``<figure>_spread``, its sample standard deviation, NaN of one seed;
    ``seeds`` says how many there were.

    Args:
        table: from :func:`~roadgraph.evaluation.scores.score_table`, with the columns ``seed`` and
            ``baseline``.
    """
    figures = [
        name
        for name in table.select_dtypes("number").columns
        if name not in (*PLACE, "seed", "cells")
    ]
    groups = table.groupby(PLACE, sort=False)
    spreads = groups[figures].std(ddof=1).add_suffix("_spread")
    seeds = groups[["seed"]].nunique().rename(columns={"seed": "seeds"})
    return seeds.join(groups[figures].mean()).join(spreads).reset_index()


def with_costs(means: pd.DataFrame, facts: pd.DataFrame) -> pd.DataFrame:
    """Return ``means`` with :data:`COSTS` of each model at its end, the medians over its runs.

    Args:
        means: from :func:`means_and_spreads`.
        facts: a row a run, with the columns ``title`` and :data:`COSTS`.
    """
    figures = facts[list(COSTS)].astype(float)
    costs = figures.groupby(facts["title"]).median()
    costs["parameters"] = costs["parameters"].astype("Int64")  # baselines have none
    return means.join(costs, on="model")


def needed_difference(
    figure: str, spreads: Sequence[float], seeds: Sequence[int], baselines: Sequence[bool]
) -> float:
    """Return how far two means must lie apart not to be a tie.

    It is the largest spread. A baseline has none, for there is no chance in it; a model with one
    seed has an unknown one, so that a documented floor is asked at least.

    Args:
        figure: a column of scores.
        spreads: of each forecaster, NaN where it has none.
        seeds: of each.
        baselines: whether each is one.
    """
    known = [spread for spread in spreads if not pd.isna(spread)]
    largest = max(known, default=0.0)
    if any(count < 2 and not base for count, base in zip(seeds, baselines, strict=True)):
        return max(largest, FLOOR_KPH if figure.endswith("_kph") else FLOOR)
    return largest


def verdict_table(
    table: pd.DataFrame, figures: Sequence[str] = JUDGED, part: str = ALL
) -> pd.DataFrame:
    """Return who is better than whom, over all horizons of a part.

    The pairs: ``size``, enhanced against simple; ``backbone``, each against each of the same size;
    ``baseline``, every model against the baseline that is best at the figure; ``graph``, every
    model against its control ``<title>-self-loops``. Pairs that lack a figure are left out.

    Args:
        table: a row a run, horizon and part, of **all** parts (see
            :func:`~roadgraph.evaluation.skill.counts_as_baseline`).
        figures: columns to judge.
        part: on which to judge.

    Returns:
        The columns ``part, kind, model, against, figure, mean, mean_against, needed, seeds,
        verdict``; ``verdict`` says how ``model`` does, ``seeds`` is the smaller number of both (a
        baseline has no chance in it and does not count).
    """
    rows = table[table["part"] == part]
    held_against = table[(table["part"] == part) & counts_as_baseline(table)]
    models = rows.loc[~rows["baseline"], "model"].unique().tolist()
    found = []
    for figure in figures:
        best = _best_baseline(held_against, figure)
        against_best = [("baseline", model, best) for model in models if best is not None]
        for kind, a, b in (*_pairs(models), *against_best):
            if b is not None and not _nothing(rows, a, figure) and not _nothing(rows, b, figure):
                found.append({"part": part, "kind": kind, **_compared(rows, a, b, figure)})
    columns = ["part", "kind", "model", "against", "figure", "mean", "mean_against", "needed"]
    return pd.DataFrame(found, columns=[*columns, "seeds", "verdict"])


def graph_sentences(verdicts: pd.DataFrame) -> list[str]:
    """Return what the controls say of every graph model, a sentence a model and part.

    A graph model that does not beat its control has not shown that the graph helps. The part is
    named unless it is all cells.
    """
    sentences = []
    graphs = verdicts[verdicts["kind"] == "graph"]
    for (part, title), rows in graphs.groupby(["part", "model"], sort=False):
        model = title if part == ALL else f"{title} on {part}"
        better = rows.loc[rows["verdict"] == "better", "figure"].tolist()
        rest = [
            f"{row.figure} {row.mean:.3f}, control {row.mean_against:.3f}, {row.verdict}"
            for row in rows[rows["verdict"] != "better"].itertuples()
        ]
        helped = f"{model}: the graph helps ({', '.join(better)})" if better else ""
        doubt = f"the graph has not been shown to help ({'; '.join(rest)})" if rest else ""
        if helped and doubt:
            sentences.append(f"{helped}; otherwise {doubt}.")
        else:
            sentences.append(f"{helped or f'{model}: {doubt}'}.")
    return sentences


def _pairs(models: Sequence[str]) -> Iterator[tuple[str, str, str]]:
    """Yield the kind of each pair of models and both titles."""
    known = set(models)
    for title in models:
        backbone, size, control = _parsed(title)
        if size == "enhanced" and f"{backbone}-simple{control}" in known:
            yield "size", title, f"{backbone}-simple{control}"
    plain = [title for title in models if not title.endswith(CONTROL_SUFFIX)]
    for a, b in combinations(plain, 2):
        if _parsed(a)[1] == _parsed(b)[1]:
            yield "backbone", a, b
    for title in plain:
        if f"{title}{CONTROL_SUFFIX}" in known:
            yield "graph", title, f"{title}{CONTROL_SUFFIX}"


def _parsed(title: str) -> tuple[str, str, str]:
    """Return backbone, size and the control's suffix of a title such as ``gcn-simple``."""
    control = CONTROL_SUFFIX if title.endswith(CONTROL_SUFFIX) else ""
    backbone, _, size = title.removesuffix(CONTROL_SUFFIX).rpartition("-")
    return backbone, size, control


def _best_baseline(rows: pd.DataFrame, figure: str) -> str | None:
    means = rows.groupby("model", sort=False)[figure].mean().dropna()
    if means.empty:
        return None
    return str(means.idxmin() if figure in LOWER_IS_BETTER else means.idxmax())


def _nothing(rows: pd.DataFrame, model: str, figure: str) -> bool:
    return bool(rows.loc[rows["model"] == model, figure].isna().all())


def _compared(table: pd.DataFrame, a: str, b: str, figure: str) -> dict[str, object]:
    """Return how ``a`` does beside ``b``; horizons are averaged seed by seed first."""
    means, spreads, seeds, baselines = [], [], [], []
    for model in (a, b):
        rows = table[table["model"] == model]
        by_seed = rows.groupby("seed")[figure].mean()
        means.append(float(by_seed.mean()))
        spreads.append(float(by_seed.std(ddof=1)))
        seeds.append(len(by_seed))
        baselines.append(bool(rows["baseline"].all()))
    needed = needed_difference(figure, spreads, seeds, baselines)
    ahead = means[1] - means[0] if figure in LOWER_IS_BETTER else means[0] - means[1]
    verdict = "better" if ahead > 0 else "worse"
    if ahead == 0 or abs(ahead) < needed:
        verdict = "tie"
    counted = [count for count, base in zip(seeds, baselines, strict=True) if not base]
    return {
        "model": a,
        "against": b,
        "figure": figure,
        "mean": means[0],
        "mean_against": means[1],
        "needed": needed,
        "seeds": min(counted, default=1),
        "verdict": verdict,
    }
