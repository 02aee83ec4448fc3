import pandas as pd
import pytest

from roadgraph.evaluation.comparison import means_and_spreads, verdict_table, with_costs
from roadgraph.markdown import markdown
from roadgraph.report.tables import (
    ANSWERED,
    COSTS_SHOWN,
    FULL,
    SHORT,
    clear_winners,
    shown_comparison,
    shown_in_full,
    shown_verdicts,
)
from roadgraph.settings import CitySettings

NAN = float("nan")
COLUMNS = {
    "macro_f1": "macro F1",
    "log_loss": "log loss",
    "speed_mae_kph": "speed MAE",
    "interval_coverage": "coverage",
}


def runs(model: str, macro_f1: list[float], mae_kph: float, baseline: bool = False) -> pd.DataFrame:
    """Return one row a seed."""
    return pd.DataFrame({"macro_f1": macro_f1}).assign(
        model=model,
        seed=range(len(macro_f1)),
        horizon_min=15,
        part="all",
        log_loss=NAN,
        speed_mae_kph=mae_kph,
        interval_coverage=0.99 if baseline else 0.8,
        baseline=baseline,
    )


TABLE = pd.concat(
    [
        runs("persistence", [0.3], 3.218688, baseline=True),
        runs("gcn-simple", [0.4, 0.5, 0.6], 1.609344),
        runs("gcn-simple-self-loops", [0.45, 0.45, 0.45], 1.609344),
    ]
)


@pytest.mark.parametrize(
    ("city", "errors"),
    [
        (CitySettings(), ["3.22", "1.61 ± 0.00", "1.61 ± 0.00"]),
        (CitySettings(speed_unit="mph"), ["2.0000", "1.0000 ± 0.0000", "1.0000 ± 0.0000"]),
    ],
)
def test_means_stand_with_their_spread_in_the_citys_unit(
    city: CitySettings, errors: list[str]
) -> None:
    shown = shown_comparison(means_and_spreads(TABLE), city, COLUMNS)
    assert shown["model"].tolist() == TABLE["model"].unique().tolist()
    assert shown["minutes"].tolist() == [15] * 3
    assert shown["macro F1"].tolist() == ["0.300", "0.500 ± 0.100", "0.450 ± 0.000"]
    assert shown["speed MAE"].tolist() == errors
    assert shown["log loss"].tolist() == ["-"] * 3


def test_the_best_is_bold_only_where_it_ties_with_nothing() -> None:
    tied = shown_comparison(means_and_spreads(TABLE), CitySettings(), COLUMNS, bold=True)
    assert "**" not in markdown(tied)  # 0.5 ± 0.1 and 0.45, and two equal errors
    clear = TABLE.assign(macro_f1=TABLE["macro_f1"] + (TABLE["model"] == "gcn-simple"))
    bold = shown_comparison(means_and_spreads(clear), CitySettings(), COLUMNS, bold=True)
    assert bold["macro F1"].tolist() == ["0.300", "**1.500 ± 0.100**", "0.450 ± 0.000"]
    plain = shown_comparison(means_and_spreads(clear), CitySettings(), COLUMNS)
    assert "**" not in markdown(plain)


def test_each_horizon_has_its_own_winner_and_of_errors_the_lowest_wins() -> None:
    near = [runs("a", [0.5], 2.0, True), runs("b", [0.5] * 2, 1.0), runs("c", [0.4] * 2, 3.0)]
    far = [runs("a", [0.9], 5.0, True), runs("b", [0.8, 0.9], 4.0), runs("c", [0.4] * 2, NAN)]
    table = pd.concat([*near, *(rows.assign(horizon_min=60) for rows in far)])
    means = means_and_spreads(table)
    assert clear_winners(means, "speed_mae_kph").tolist() == [False, True, False] * 2
    # equal at 15 minutes; at 60 the difference of 0.05 is smaller than the spread of b
    assert not clear_winners(means, "macro_f1").any()


def test_a_part_is_named_where_there_are_several() -> None:
    one = shown_comparison(means_and_spreads(TABLE), CitySettings(), COLUMNS)
    late = pd.concat([TABLE, TABLE.assign(part="late 20-24")])
    both = shown_comparison(means_and_spreads(late), CitySettings(), COLUMNS)
    assert "part" not in one
    assert set(both["part"]) == {"all", "late 20-24"}


def test_verdicts_are_shown_with_what_a_tie_is_and_one_seed_is_marked() -> None:
    shown = shown_verdicts(verdict_table(TABLE), CitySettings())
    graph = shown[shown["comparison"] == "graph against its control"].iloc[0]
    assert graph.tolist()[1:] == [
        "gcn-simple", "gcn-simple-self-loops", "macro F1", "0.500", "0.450", "0.100", "tie",
    ]  # fmt: skip
    alone = verdict_table(TABLE[TABLE["seed"] == 0], ["speed_mae_kph"])
    miles = shown_verdicts(alone, CitySettings(speed_unit="mph"))
    best = miles[miles["comparison"] == "model against the best baseline"].iloc[0]
    assert best[["mean", "against's", "verdict"]].tolist() == [
        "1.0000", "2.0000", "better (one seed)",
    ]  # fmt: skip


def test_costs_stand_beside_the_figures_without_spread_and_never_bold() -> None:
    facts = pd.DataFrame(
        {
            "title": ["persistence", "gcn-simple", "gcn-simple-self-loops"],
            "parameters": [None, 118_150, 118_150],
            "training_seconds": [0.04, 1234.5, 60.0],
            "prediction_ms": [0.5, 12.34, 11.0],
        }
    )
    means = with_costs(means_and_spreads(TABLE), facts)
    shown = shown_comparison(means, CitySettings(), {**COLUMNS, **COSTS_SHOWN}, bold=True)
    assert shown["parameters"].tolist() == ["-", "118,150", "118,150"]
    assert shown["training, s"].tolist() == ["0.0", "1,234.5", "60.0"]
    assert shown["prediction, ms"].tolist() == ["0.5", "12.3", "11.0"]


def test_the_short_table_fits_into_a_terminal() -> None:
    figures = dict.fromkeys(SHORT, 0.5) | {"speed_mae_kph": 10.5, "speed_rmse_kph": 10.5}
    rows = [
        {"model": "roadnet-enhanced-self-loops", "horizon_min": 15, "part": "all", "seed": seed}
        for seed in (1, 2)
    ]
    table = pd.DataFrame(rows).assign(baseline=False, **figures)
    shown = shown_comparison(means_and_spreads(table), CitySettings(), SHORT)
    widths = [max(map(len, [name, *shown[name].astype(str)])) for name in shown.columns]
    assert sum(widths) + len(widths) <= 120


def test_what_was_answered_is_shown_only_where_something_abstained() -> None:
    table = TABLE.assign(**dict.fromkeys(FULL, 0.25), **dict.fromkeys(ANSWERED, 1.0))
    complete = shown_in_full(means_and_spreads(table), CitySettings())
    assert list(complete) == ["model", "minutes", "seeds", *FULL.values()]
    assert complete["rush hour AUC"].tolist() == ["0.250", "0.250 ± 0.000", "0.250 ± 0.000"]
    shy = table.assign(
        answered_share=table["answered_share"].where(table["model"] != "gcn-simple", 0.9)
    )
    shown = shown_in_full(means_and_spreads(shy), CitySettings())
    assert list(shown)[-3:] == list(ANSWERED.values())
    assert shown["answered share"].tolist() == ["1.000", "0.900 ± 0.000", "1.000 ± 0.000"]
