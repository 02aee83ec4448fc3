from dataclasses import replace
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from roadgraph.comparison import results
from roadgraph.comparison.compare import Compared
from roadgraph.comparison.results import picture_name, write_results
from roadgraph.evaluation.comparison import means_and_spreads, verdict_table, with_costs
from roadgraph.evaluation.parts import ALL
from roadgraph.settings import Settings
from tests.comparison.toy import (
    baseline_run,
    compared_of,
    model_run,
    quick_settings,
    toy_comparison,
    with_truth,
)

SETTINGS = quick_settings()
FULL_HEADING = "## Congestion and rush hour in full"
KINDS = (
    "rush-hour-confusion", "confusion", "learning-curves", "reliability", "error-by-hour",
    "error-map",
)  # fmt: skip
TABLES = {"results.csv", "comparison.csv", "verdicts.csv", "runs.csv", "results.md", "plots"}


def main_table(folder: Path) -> list[str]:
    """Return the lines of the first table of a results.md."""
    lines = (folder / "results.md").read_text("utf-8").splitlines()
    return [line for line in lines[: lines.index(FULL_HEADING)] if line.startswith("|")]


def titles_of(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """Return the list that the titles of all pictures will be put into, none being drawn."""
    titles: list[str] = []
    for name, place in (("plot_scores", 3), ("plot_coverage", 1)):

        def draw(*arguments: object, place: int = place) -> None:
            titles.append(str(arguments[place]))

        monkeypatch.setattr(results, name, draw)
    return titles


def pictures_by_forecaster(folder: Path) -> dict[str, set[str]]:
    """Return the kinds of pictures of each forecaster, and under "" those of none."""
    found: dict[str, set[str]] = {}
    names = names_in(folder)
    pictures = {name for name in names if name.endswith(".png")}
    assert names - pictures == {name.removesuffix(".png") + ".svg" for name in pictures}
    for name in pictures:
        stem = name.removesuffix(".png")
        kind = next((kind for kind in KINDS if stem.endswith(f"-{kind}")), None)
        key = "" if kind is None else stem.removesuffix(f"-{kind}")
        found.setdefault(key, set()).add(kind or name)
    return found


def names_in(folder: Path) -> set[str]:
    return {path.name for path in folder.iterdir()}


@pytest.fixture(scope="module")
def written(city: Settings, compared: Compared, tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("written") / "results"
    write_results(compared, city, folder)
    return folder


def test_the_tables_are_those_of_the_comparison(written: Path, compared: Compared) -> None:
    assert names_in(written) == TABLES
    scores = compared.scores
    for name, expected in (
        ("results.csv", scores.assign(trivial=False)),
        (
            "comparison.csv",
            with_costs(means_and_spreads(scores), compared.facts).assign(trivial=False),
        ),
        ("verdicts.csv", verdict_table(scores).assign(trivial=False)),
        ("runs.csv", compared.facts),
    ):
        found = pd.read_csv(written / name)
        floats = {"parameters": float} if "parameters" in expected else {}
        pd.testing.assert_frame_equal(found, expected.astype(floats), check_dtype=False)


def test_figures_and_costs_stand_in_one_table(tmp_path: Path) -> None:
    write_results(toy_comparison(tmp_path), SETTINGS, tmp_path / "results")
    table = pd.read_csv(tmp_path / "results" / "comparison.csv").set_index("model")
    # of the seeds 1 and 2, which took 10 and 20 s, and 2 and 4 ms
    figures = ["macro_f1", "parameters", "training_seconds", "prediction_ms"]
    np.testing.assert_allclose(
        table.loc[["persistence", "gcn-simple"], figures],
        [[0.4, np.nan, 0.5, 1.0], [0.75, 1234, 15, 3]],
    )
    head, _, baseline, model = main_table(tmp_path / "results")[:4]
    assert head.endswith("| interval coverage | parameters | training, s | prediction, ms |")
    assert baseline.endswith("| - | - | 0.5 | 1.0 |")
    assert model.endswith("| - | 1,234 | 15.0 | 3.0 |")


def test_a_second_table_has_the_rest_of_congestion_and_rush_hour(tmp_path: Path) -> None:
    figures = {
        "macro_f1": 0.5, "macro_precision": 0.125, "micro_f1": 0.25, "rush_hour_auc": 0.375,
        "answered_share": 0.625, "accuracy_answered": 0.875,
    }  # fmt: skip
    for share, shown in ((1.0, False), (0.625, True)):
        figures["answered_share"] = share
        compared = compared_of(
            baseline_run("persistence", tmp_path, {"macro_f1": 0.4, "answered_share": 1.0}),
            model_run("mlp-simple", 1, tmp_path, figures),
        )
        write_results(compared, SETTINGS, tmp_path / "results")
        text = (tmp_path / "results" / "results.md").read_text("utf-8")
        _, below = text.split("## Congestion and rush hour in full")
        section, _ = below.split("## Better, worse or tie")
        assert "| macro precision |" in section
        assert "| **0.125** |" in section
        assert "| **0.375** |" in section
        assert ("| answered share | accuracy of the answered |" in section) is shown
        assert ("| 0.625 | **0.875** |" in section) is shown


def test_every_run_has_its_pictures(written: Path) -> None:
    plots = pictures_by_forecaster(written / "plots")
    of_all = {"macro_f1.png", "speed_mae_kph.png", "interval_coverage.png"}
    assert plots.pop("") == of_all
    classes = {"confusion", "rush-hour-confusion", "error-by-hour"}
    assert plots.pop("majority-class") == classes
    for name in ("persistence", "historical-average"):
        assert plots.pop(name) == {*classes, "error-map"}
    assert plots.pop("gradient-boosting") == {*classes, "error-map", "reliability"}
    every = {*classes, "error-map", "reliability", "learning-curves"}
    models = [f"{name}-seed-{seed}" for name in ("mlp-simple", "gcn-enhanced") for seed in (1, 2)]
    assert plots == dict.fromkeys(models, every)


def test_pictures_of_runs_are_those_of_their_folders(written: Path, compared: Compared) -> None:
    for run in compared.runs:
        assert run.pictures
        for picture in run.picture_files:
            copy = written / "plots" / picture_name(run.facts, picture)
            assert copy.read_bytes() == picture.read_bytes()


def test_the_trivial_task_is_marked_in_tables_and_pictures(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    titles = titles_of(monkeypatch)
    compared = with_truth(toy_comparison(tmp_path))
    runs = [
        replace(
            run,
            verdict=replace(
                run.verdict,
                scores=run.verdict.scores.assign(interval_coverage=0.8),
            ),
        )
        for run in compared.runs
    ]
    trivial = replace(SETTINGS, task="nowcast_same_slice")
    write_results(replace(compared, runs=tuple(runs)), trivial, tmp_path / "results")
    assert len(titles) == 3
    assert all(title.endswith("(trivial: nowcast)") for title in titles)
    for name in ("results", "comparison", "verdicts", "results_truth"):
        assert pd.read_csv(tmp_path / "results" / f"{name}.csv")["trivial"].all()


def test_the_text_has_every_section_and_every_forecaster(written: Path) -> None:
    text = (written / "results.md").read_text("utf-8")
    headings = [line for line in text.splitlines() if line.startswith("#")]
    assert headings == [
        "# Results, toy, test span, every cell with a label",
        "## Congestion, rush hour and speed",
        FULL_HEADING,
        "## Better, worse or tie",
        "## Runs",
        "## By kind of segment and time of day",
    ]
    for title in ("persistence", "gradient boosting", "mlp-simple", "gcn-enhanced"):
        assert f"| {title} | 15 |" in text
    assert "Speeds in km/h" in text
    assert "one seed has no spread: a difference below 0.01 (of speed errors 0.1 km/h) is" in text


def test_means_and_spreads_over_the_seeds_stand_in_the_text(tmp_path: Path) -> None:
    write_results(toy_comparison(tmp_path), SETTINGS, tmp_path / "results")
    text = (tmp_path / "results" / "results.md").read_text("utf-8")
    # 0.7 and 0.8 have the sample standard deviation 0.1 / sqrt(2).
    assert "**0.750 ± 0.071**" in text
    assert "4.50 ± 0.71" in text
    verdicts = pd.read_csv(tmp_path / "results" / "verdicts.csv").set_index(["kind", "figure"])
    assert verdicts.loc[("graph", "macro_f1"), "verdict"] == "better"
    assert verdicts.loc[("graph", "speed_mae_kph"), "verdict"] == "tie"


def test_speeds_are_shown_in_the_citys_unit(tmp_path: Path) -> None:
    settings = quick_settings(city={"speed_unit": "mph"})
    write_results(toy_comparison(tmp_path), settings, tmp_path / "results")
    text = (tmp_path / "results" / "results.md").read_text("utf-8")
    assert "Speeds in mph" in text
    assert "3.7282" in text  # 6 km/h
    table = pd.read_csv(tmp_path / "results" / "results.csv")
    assert table.loc[table["model"] == "persistence", "speed_mae_kph"].item() == 6


def test_a_truth_has_a_table_and_a_section_of_its_own(tmp_path: Path) -> None:
    compared = with_truth(toy_comparison(tmp_path))
    write_results(compared, SETTINGS, tmp_path / "results")
    assert names_in(tmp_path / "results") == {*TABLES, "results_truth.csv"}
    table = pd.read_csv(tmp_path / "results" / "results_truth.csv")
    assert table["macro_f1"].tolist() == [0.25] * 5
    text = (tmp_path / "results" / "results.md").read_text("utf-8")
    _, section = text.split("## The same against the simulator's truth, every segment")
    assert "| persistence | 15 | 1 | - | 0.250 |" in section


def test_a_comparison_of_baselines_alone_is_written(tmp_path: Path) -> None:
    compared = compared_of(baseline_run("persistence", tmp_path, {"macro_f1": 0.4}))
    write_results(compared, SETTINGS, tmp_path / "results")
    assert names_in(tmp_path / "results") == TABLES
    assert names_in(tmp_path / "results" / "plots") == {"macro_f1.png", "macro_f1.svg"}
    assert pd.read_csv(tmp_path / "results" / "verdicts.csv").empty


def test_a_figure_that_no_forecaster_has_gets_no_picture(tmp_path: Path) -> None:
    compared = compared_of(
        baseline_run("persistence", tmp_path, {"speed_mae_kph": 6.0}),
        model_run("mlp-simple", 1, tmp_path, {"speed_mae_kph": 5.0}),
    )
    write_results(compared, SETTINGS, tmp_path / "results")
    names = {"speed_mae_kph.png", "speed_mae_kph.svg"}
    assert names_in(tmp_path / "results" / "plots") == names


def test_new_results_take_the_place_of_the_old_ones(tmp_path: Path) -> None:
    compared = toy_comparison(tmp_path)
    write_results(with_truth(compared), SETTINGS, tmp_path / "results")
    write_results(compared, SETTINGS, tmp_path / "results")
    assert names_in(tmp_path / "results") == TABLES


def test_what_fails_while_writing_leaves_the_old_results(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(*arguments: object) -> None:
        raise RuntimeError("no font")

    folder = tmp_path / "made" / "results"
    write_results(toy_comparison(tmp_path), SETTINGS, folder)
    before = {path: path.read_bytes() for path in folder.rglob("*") if path.is_file()}
    monkeypatch.setattr(results, "plot_scores", fail)
    other = compared_of(model_run("mlp-simple", 1, tmp_path, {"macro_f1": 0.1}))
    with pytest.raises(RuntimeError, match="no font"):
        write_results(other, SETTINGS, folder)
    assert {path: path.read_bytes() for path in folder.rglob("*") if path.is_file()} == before
    assert names_in(folder.parent) == {"results"}


def test_parts_stand_in_the_last_section_alone(written: Path, compared: Compared) -> None:
    parts = [part for part in compared.scores["part"].unique() if part != ALL]
    text = (written / "results.md").read_text("utf-8")
    above, below = text.split("## By kind of segment and time of day")
    assert parts
    for part in parts:
        assert f"| {part} |" not in above
        assert f"| {part} |" in below
