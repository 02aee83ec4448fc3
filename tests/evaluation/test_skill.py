import numpy as np
import pandas as pd
import pytest

from roadgraph.evaluation.interpolation import INVERSE_DISTANCE
from roadgraph.evaluation.skill import with_skill


def table_of(*rows: tuple[str, str, float, float, bool]) -> pd.DataFrame:
    columns = ["model", "part", "macro_f1", "speed_mae_kph", "baseline"]
    return pd.DataFrame(rows, columns=columns).assign(horizon_min=15)


def test_skill_is_the_share_of_the_way_from_the_best_baseline_to_perfection() -> None:
    table = with_skill(
        table_of(
            ("persistence", "all", 0.4, 10.0, True),
            ("historical average", "all", 0.5, 12.0, True),
            ("gcn", "all", 0.6, 8.0, False),
            ("mlp", "all", 0.4, 11.0, False),
        )
    )
    # the best F1 is 0.5, the best error 10: of two baselines
    assert table["best_macro_f1"].unique().tolist() == ["historical average"]
    assert table["best_speed_mae"].unique().tolist() == ["persistence"]
    np.testing.assert_allclose(table["skill_macro_f1"], [-0.2, 0, 0.2, -0.2])
    np.testing.assert_allclose(table["skill_speed_mae"], [0, -0.2, 0.2, -0.1])


def test_each_part_and_horizon_has_its_own_best_baseline() -> None:
    table = pd.concat(
        [
            table_of(("a", "all", 0.5, 5.0, True), ("b", "all", 0.4, 4.0, True)),
            table_of(("a", "late 20-24", 0.1, 5.0, True), ("b", "late 20-24", 0.4, 4.0, True)),
            table_of(("b", "all", 0.3, 1.0, True)).assign(horizon_min=30),
        ]
    )
    assert with_skill(table)["best_macro_f1"].tolist() == ["a", "a", "b", "b", "b"]


def test_an_interpolator_is_a_baseline_on_hidden_segments_alone() -> None:
    rows = [
        (model, part, f1, 1.0, True)
        for part in ("all", "hidden segments")
        for model, f1 in (("persistence", 0.3), (INVERSE_DISTANCE, 0.5))
    ]
    best = with_skill(table_of(*rows)).groupby("part")["best_macro_f1"].first()
    assert best.to_dict() == {"all": "persistence", "hidden segments": INVERSE_DISTANCE}


def test_where_hidden_segments_alone_are_judged_an_interpolator_is_a_baseline() -> None:
    rows = [
        (model, part, f1, 1.0, True)
        for part in ("all", "late 20-24")
        for model, f1 in (("persistence", 0.3), (INVERSE_DISTANCE, 0.5))
    ]
    assert set(with_skill(table_of(*rows))["best_macro_f1"]) == {INVERSE_DISTANCE}


def test_where_nothing_is_left_to_gain_or_no_baseline_answers_there_is_no_skill() -> None:
    table = with_skill(
        table_of(
            ("persistence", "all", 1.0, 0.0, True),
            ("majority class", "late 20-24", 0.2, np.nan, True),
            ("gcn", "late 20-24", 0.6, 3.0, False),
        )
    )
    assert table["skill_macro_f1"].isna().tolist() == [True, False, False]
    assert table["skill_speed_mae"].isna().all()
    assert pd.isna(table["best_speed_mae"].iloc[2])
    assert table["skill_macro_f1"].iloc[2] == pytest.approx(0.5)
