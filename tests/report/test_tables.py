import pandas as pd

from roadgraph.report.tables import SHORT, markdown, shown_results
from roadgraph.settings import CitySettings

SCORES = pd.DataFrame(
    {
        "model": ["persistence"],
        "horizon_min": [15],
        "accuracy": [0.91234],
        "macro_f1": [0.5],
        "gridlock_recall": [float("nan")],
        "log_loss": [float("nan")],
        "calibration_error": [0.01],
        "rush_hour_f1": [1.0],
        "speed_mae_kph": [1.609344],
        "speed_rmse_kph": [16.09344],
    }
)


def test_errors_are_shown_in_the_citys_unit_and_missing_figures_as_a_dash() -> None:
    metric = shown_results(SCORES, CitySettings()).iloc[0]
    assert metric[["accuracy", "recall gridlock", "log loss"]].tolist() == ["0.912", "-", "-"]
    assert metric[["speed MAE", "speed RMSE"]].tolist() == ["1.61", "16.09"]
    miles = shown_results(SCORES, CitySettings(speed_unit="mph"), SHORT).iloc[0]
    assert miles[["speed MAE", "speed RMSE"]].tolist() == ["1.0000", "10.0000"]


def test_markdown_has_a_head_a_rule_and_a_line_a_row() -> None:
    text = markdown(pd.DataFrame({"a": [1, 2], "b": ["x", "y"]}))
    assert text == "| a | b |\n| --- | --- |\n| 1 | x |\n| 2 | y |\n"
