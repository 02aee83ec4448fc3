from typing import Any

import numpy as np
import pandas as pd
import pytest

from roadgraph.evaluation.comparison import (
    graph_sentences,
    means_and_spreads,
    verdict_table,
    with_costs,
)
from roadgraph.evaluation.interpolation import NEAREST


def runs(model: str, *macro_f1: float, mae: float = 5.0, **more: Any) -> pd.DataFrame:
    """Return one row a seed, with ``macro_f1`` of each."""
    rows = pd.DataFrame({"macro_f1": macro_f1, "seed": range(1, len(macro_f1) + 1)})
    return rows.assign(
        model=model, horizon_min=30, part="all", cells=9, speed_mae_kph=mae, baseline=False
    ).assign(**more)


def baseline(model: str, macro_f1: float, mae: float = 5.0, **more: Any) -> pd.DataFrame:
    return runs(model, macro_f1, mae=mae, seed=0, baseline=True, **more)


def verdict_of(table: pd.DataFrame, a: str, b: str, figure: str) -> str:
    """Return how ``a`` does beside ``b``; models are named by their backbones."""
    sized = table.assign(model=table["model"].where(table["baseline"], table["model"] + "-simple"))
    found = verdict_table(sized, [figure])
    rows = found[found["model"] == f"{a}-simple"]
    return str(rows.loc[rows["against"].isin([b, f"{b}-simple"]), "verdict"].item())


def test_mean_and_sample_standard_deviation_over_the_seeds() -> None:
    table = means_and_spreads(pd.concat([runs("a", 0.4, 0.5, 0.6), baseline("b", 0.3)]))
    assert table["model"].tolist() == ["a", "b"]
    np.testing.assert_allclose(table["macro_f1"], [0.5, 0.3])
    np.testing.assert_allclose(table["macro_f1_spread"], [0.1, np.nan])
    assert table["seeds"].tolist() == [3, 1]
    assert "cells_spread" not in table
    assert "seed" not in table


def test_horizons_and_parts_have_means_of_their_own() -> None:
    later = runs("a", 0.2, 0.4, horizon_min=60)
    table = means_and_spreads(pd.concat([runs("a", 0.6, 0.8), later]))
    np.testing.assert_allclose(table["macro_f1"], [0.7, 0.3])


# Both spread by 0.1 around 0.5 and around the other mean.
@pytest.mark.parametrize(
    ("other", "verdict"), [(0.39, "better"), (0.45, "tie"), (0.5, "tie"), (0.61, "worse")]
)
def test_a_difference_smaller_than_the_larger_spread_is_a_tie(other: float, verdict: str) -> None:
    table = pd.concat([runs("a", 0.4, 0.5, 0.6), runs("b", other, other, other)])
    assert verdict_of(table, "a", "b", "macro_f1") == verdict
    opposite = {"better": "worse", "worse": "better", "tie": "tie"}
    assert verdict_of(table[::-1], "b", "a", "macro_f1") == opposite[verdict]


def test_of_errors_the_lower_is_better() -> None:
    table = pd.concat([runs("a", 0.5, 0.5, mae=4.0), runs("b", 0.5, 0.5, mae=5.0)])
    assert verdict_of(table, "a", "b", "speed_mae_kph") == "better"
    assert verdict_of(table, "a", "b", "macro_f1") == "tie"


def test_with_one_seed_a_difference_must_reach_the_floor() -> None:
    near = pd.concat([runs("a", 0.505), runs("b", 0.5)])
    far = pd.concat([runs("a", 0.52), runs("b", 0.5)])
    assert verdict_of(near, "a", "b", "macro_f1") == "tie"
    assert verdict_of(far, "a", "b", "macro_f1") == "better"
    slower = pd.concat([runs("a", 0.5, mae=4.95), runs("b", 0.5, mae=5.0)])
    assert verdict_of(slower, "a", "b", "speed_mae_kph") == "tie"


def test_a_baseline_has_no_chance_in_it_and_needs_no_floor() -> None:
    table = pd.concat([baseline("persistence", 0.5), runs("a", 0.503, 0.504, 0.505)])
    assert verdict_of(table, "a", "persistence", "macro_f1") == "better"
    alone = pd.concat([baseline("persistence", 0.5), runs("a", 0.504)])
    assert verdict_of(alone, "a", "persistence", "macro_f1") == "tie"


def test_horizons_are_averaged_seed_by_seed() -> None:
    # Horizons differ a lot, the seeds' means over them hardly.
    table = pd.concat(
        [
            runs("a", 0.90, 0.91),
            runs("a", 0.11, 0.10, horizon_min=60),
            runs("b", 0.80, 0.81),
            runs("b", 0.11, 0.10, horizon_min=60),
        ]
    )
    assert verdict_of(table, "a", "b", "macro_f1") == "better"


def test_costs_are_medians_over_the_runs_of_a_model() -> None:
    means = means_and_spreads(
        pd.concat([runs("a", 0.5, 0.6), runs("a", 0.4, 0.4, part="late 20-24"), baseline("b", 0.3)])
    )
    facts = pd.DataFrame(
        {
            "title": ["b", "a", "a", "a"],
            "parameters": [None, 7, 7, 7],
            "training_seconds": [0.5, 10.0, 20.0, 60.0],
            "prediction_ms": [1.0, 3.0, 2.0, 4.0],
        }
    )
    table = with_costs(means, facts)
    pd.testing.assert_frame_equal(table[means.columns], means)
    assert table["model"].tolist() == ["a", "a", "b"]
    assert table["parameters"].tolist() == [7, 7, pd.NA]
    assert table["training_seconds"].tolist() == [20, 20, 0.5]
    assert table["prediction_ms"].tolist() == [3, 3, 1]


@pytest.fixture
def table() -> pd.DataFrame:
    return pd.concat(
        [
            baseline("persistence", 0.3, mae=4.0),
            baseline("historical average", 0.4, mae=6.0),
            baseline("majority class", 0.1, mae=np.nan),
            baseline(NEAREST, 0.9, mae=1.0),
            runs("mlp-simple", 0.5, 0.5),
            runs("gcn-simple", 0.6, 0.6, mae=3.0),
            runs("gcn-enhanced", 0.6, 0.7),
            runs("gcn-simple-self-loops", 0.5, 0.5, mae=3.0),
            runs("gcn-enhanced-self-loops", 0.7, 0.8),
        ]
    )


def test_verdicts_hold_sizes_backbones_baselines_and_controls(table: pd.DataFrame) -> None:
    found = verdict_table(pd.concat([table, table.assign(part="observed segments")]))
    f1 = found[found["figure"] == "macro_f1"]
    pairs = {
        kind: list(zip(rows["model"], rows["against"], rows["verdict"], strict=True))
        for kind, rows in f1.groupby("kind")
    }
    assert pairs["size"] == [
        ("gcn-enhanced", "gcn-simple", "tie"),
        ("gcn-enhanced-self-loops", "gcn-simple-self-loops", "better"),
    ]
    assert pairs["backbone"] == [("mlp-simple", "gcn-simple", "worse")]
    assert pairs["graph"] == [
        ("gcn-simple", "gcn-simple-self-loops", "better"),
        ("gcn-enhanced", "gcn-enhanced-self-loops", "worse"),
    ]
    assert [pair[0] for pair in pairs["baseline"]] == table["model"].unique()[4:].tolist()
    # the interpolator is better, but a baseline on hidden segments alone
    assert {pair[1] for pair in pairs["baseline"]} == {"historical average"}


def test_the_best_baseline_is_that_of_the_figure_and_part(table: pd.DataFrame) -> None:
    both = pd.concat([table, table.assign(part="hidden segments")])
    found = verdict_table(both, ["speed_mae_kph"])
    assert set(found.loc[found["kind"] == "baseline", "against"]) == {"persistence"}
    hidden = verdict_table(both, part="hidden segments")
    assert set(hidden.loc[hidden["kind"] == "baseline", "against"]) == {NEAREST}


def test_where_hidden_segments_alone_are_judged_interpolators_are_baselines(
    table: pd.DataFrame,
) -> None:
    alone = pd.concat([table, table.assign(part="late 20-24")])
    for part in ("all", "late 20-24"):
        found = verdict_table(alone, ["speed_mae_kph"], part)
        assert set(found.loc[found["kind"] == "baseline", "against"]) == {NEAREST}


def test_a_pair_that_lacks_the_figure_has_no_verdict(table: pd.DataFrame) -> None:
    silent = table.assign(
        speed_mae_kph=table["speed_mae_kph"].where(table["model"] != "gcn-simple")
    )
    found = verdict_table(silent, ["speed_mae_kph"])
    assert not found[["model", "against"]].isin(["gcn-simple"]).any(axis=None)
    assert len(verdict_table(silent[silent["baseline"]])) == 0


def test_a_graph_that_does_not_beat_its_control_has_not_been_shown_to_help(
    table: pd.DataFrame,
) -> None:
    simple, enhanced = graph_sentences(verdict_table(table))
    assert simple == (
        "gcn-simple: the graph helps (macro_f1); otherwise the graph has not been shown to help "
        "(speed_mae_kph 3.000, control 3.000, tie)."
    )
    assert enhanced == (
        "gcn-enhanced: the graph has not been shown to help (macro_f1 0.650, control 0.750, worse; "
        "speed_mae_kph 5.000, control 5.000, tie)."
    )
    only = verdict_table(table[table["model"].str.startswith("gcn-simple")], ["macro_f1"])
    assert graph_sentences(only) == ["gcn-simple: the graph helps (macro_f1)."]


def test_what_the_controls_say_of_a_part_names_the_part(table: pd.DataFrame) -> None:
    hidden = table.assign(part="hidden segments", macro_f1=0.5)
    both = pd.concat([table, hidden])
    found = pd.concat(
        [verdict_table(both, ["macro_f1"], part) for part in ("all", "hidden segments")]
    )
    assert found["part"].unique().tolist() == ["all", "hidden segments"]
    assert graph_sentences(found) == [
        *graph_sentences(verdict_table(table, ["macro_f1"])),
        "gcn-simple on hidden segments: the graph has not been shown to help "
        "(macro_f1 0.500, control 0.500, tie).",
        "gcn-enhanced on hidden segments: the graph has not been shown to help "
        "(macro_f1 0.500, control 0.500, tie).",
    ]
