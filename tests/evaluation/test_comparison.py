from typing import Any

import numpy as np
import pandas as pd
import pytest

from roadgraph.evaluation.comparison import (
    compare_models,
    graph_sentences,
    means_and_spreads,
    verdict_table,
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
    assert compare_models(table, "a", "b", "macro_f1") == verdict
    opposite = {"better": "worse", "worse": "better", "tie": "tie"}
    assert compare_models(table, "b", "a", "macro_f1") == opposite[verdict]


def test_of_errors_the_lower_is_better() -> None:
    table = pd.concat([runs("a", 0.5, 0.5, mae=4.0), runs("b", 0.5, 0.5, mae=5.0)])
    assert compare_models(table, "a", "b", "speed_mae_kph") == "better"
    assert compare_models(table, "a", "b", "macro_f1") == "tie"


def test_with_one_seed_a_difference_must_reach_the_floor() -> None:
    near = pd.concat([runs("a", 0.505), runs("b", 0.5)])
    far = pd.concat([runs("a", 0.52), runs("b", 0.5)])
    assert compare_models(near, "a", "b", "macro_f1") == "tie"
    assert compare_models(far, "a", "b", "macro_f1") == "better"
    slower = pd.concat([runs("a", 0.5, mae=4.95), runs("b", 0.5, mae=5.0)])
    assert compare_models(slower, "a", "b", "speed_mae_kph") == "tie"


def test_a_baseline_has_no_chance_in_it_and_needs_no_floor() -> None:
    table = pd.concat([baseline("persistence", 0.5), runs("a", 0.503, 0.504, 0.505)])
    assert compare_models(table, "a", "persistence", "macro_f1") == "better"
    alone = pd.concat([baseline("persistence", 0.5), runs("a", 0.504)])
    assert compare_models(alone, "a", "persistence", "macro_f1") == "tie"


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
    assert compare_models(table, "a", "b", "macro_f1") == "better"


def test_a_model_or_figure_that_is_not_there_is_named() -> None:
    table = pd.concat([runs("a", 0.5), runs("b", 0.5, mae=np.nan)])
    with pytest.raises(ValueError, match=r"needs 'macro_f1' of both models \(found none of 'c'\)"):
        compare_models(table, "a", "c", "macro_f1")
    with pytest.raises(ValueError, match=r"needs 'speed_mae_kph' .*none of 'b'"):
        compare_models(table, "a", "b", "speed_mae_kph")


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
    found = verdict_table(table)
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
    found = verdict_table(table, ["speed_mae_kph"])
    assert set(found.loc[found["kind"] == "baseline", "against"]) == {"persistence"}
    hidden = verdict_table(table.assign(part="hidden segments"), part="hidden segments")
    assert set(hidden.loc[hidden["kind"] == "baseline", "against"]) == {NEAREST}


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
