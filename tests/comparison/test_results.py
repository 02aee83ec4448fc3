from dataclasses import replace
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from roadgraph.comparison import results
from roadgraph.comparison.compare import Compared, Failure
from roadgraph.comparison.results import (
    TRIVIAL,
    notes_of,
    shown_facts,
    verdicts_of,
    write_results,
)
from roadgraph.comparison.runs import Run
from roadgraph.evaluation.comparison import means_and_spreads, verdict_table, with_costs
from roadgraph.evaluation.parts import ALL, HIDDEN_SEGMENTS, OBSERVED_SEGMENTS
from roadgraph.settings import Settings
from tests.comparison.toy import baseline_run, model_run, quick_settings, toy_judge

SETTINGS = quick_settings()
FULL_HEADING = "## Congestion and rush hour in full"
TABLES = {"results.csv", "comparison.csv", "verdicts.csv", "runs.csv", "results.md", "plots"}


def compared_of(*runs: Run, failures: tuple[Failure, ...] = ()) -> Compared:
    return Compared(runs, failures, toy_judge(SETTINGS))


def toy_comparison(folder: Path) -> Compared:
    """Return a baseline and a graph model that beats it and its own control, two seeds each."""
    return compared_of(
        baseline_run("persistence", folder, {"macro_f1": 0.4, "speed_mae_kph": 6.0}),
        model_run("gcn-simple", 1, folder, {"macro_f1": 0.7, "speed_mae_kph": 4.0}),
        model_run("gcn-simple", 2, folder, {"macro_f1": 0.8, "speed_mae_kph": 5.0}),
        model_run("gcn-simple-self-loops", 1, folder, {"macro_f1": 0.5, "speed_mae_kph": 4.0}),
        model_run("gcn-simple-self-loops", 2, folder, {"macro_f1": 0.5, "speed_mae_kph": 5.0}),
    )


def with_truth(compared: Compared) -> Compared:
    """Judge against a truth on which every F1 is 0.25."""
    runs = [
        replace(
            run,
            verdict=replace(run.verdict, truth_scores=run.verdict.scores.assign(macro_f1=0.25)),
        )
        for run in compared.runs
    ]
    judge = replace(compared.judge, truth=compared.judge.dataset.score_labels)
    return replace(compared, runs=tuple(runs), judge=judge)


def main_table(folder: Path) -> list[str]:
    """Return the lines of the first table of a results.md."""
    lines = (folder / "results.md").read_text("utf-8").splitlines()
    return [line for line in lines[: lines.index(FULL_HEADING)] if line.startswith("|")]


def with_hidden(compared: Compared) -> Compared:
    """Split the cells: on hidden segments graph models have an F1 that is 0.3 lower."""
    runs = []
    for run in compared.runs:
        rows = run.verdict.scores
        lower = 0.0 if run.facts.baseline or run.facts.title.endswith("self-loops") else 0.3
        parts = [
            rows,
            rows.assign(part=OBSERVED_SEGMENTS),
            rows.assign(part=HIDDEN_SEGMENTS, macro_f1=rows["macro_f1"] - lower),
        ]
        runs.append(replace(run, verdict=replace(run.verdict, scores=pd.concat(parts))))
    return replace(compared, runs=tuple(runs))


def titles_of(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """Return the list that the titles of all pictures will be put into, none being drawn."""
    titles: list[str] = []
    for name, place in (
        ("plot_learning_curves", 1),
        ("plot_confusion", 1),
        ("plot_scores", 3),
        ("plot_coverage", 1),
    ):

        def draw(*arguments: object, place: int = place) -> None:
            titles.append(str(arguments[place]))

        monkeypatch.setattr(results, name, draw)
    return titles


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
    baselines = ("persistence", "historical-average", "majority-class", "gradient-boosting")
    models = [f"{name}-seed-{seed}" for name in ("mlp-simple", "gcn-enhanced") for seed in (1, 2)]
    assert names_in(written / "plots") == {
        *(f"{name}-confusion.png" for name in (*baselines, *models)),
        *(f"{name}-learning-curves.png" for name in models),
        "macro_f1.png",
        "speed_mae_kph.png",
        "interval_coverage.png",
    }


def test_seeds_that_learned_differently_have_different_pictures(tmp_path: Path) -> None:
    compared = compared_of(
        *(
            model_run("mlp-simple", seed, tmp_path, {"macro_f1": 0.5}, loss=1.0 / seed)
            for seed in (1, 2)
        )
    )
    runs = [
        replace(run, verdict=replace(run.verdict, confusion=np.eye(4, dtype=int) * run.facts.seed))
        for run in compared.runs
    ]
    write_results(replace(compared, runs=tuple(runs)), SETTINGS, tmp_path / "results")
    plots = tmp_path / "results" / "plots"
    for kind in ("confusion", "learning-curves"):
        first, second = (
            (plots / f"mlp-simple-seed-{seed}-{kind}.png").read_bytes() for seed in (1, 2)
        )
        assert first != second


def test_the_titles_of_pictures_name_the_seed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    titles = titles_of(monkeypatch)
    write_results(toy_comparison(tmp_path), SETTINGS, tmp_path / "results")
    assert titles[:2] == [
        "gcn-simple, seed 1: learning curves",
        "gcn-simple, seed 2: learning curves",
    ]
    assert not any("trivial" in title for title in titles)


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
                confusion=np.eye(4, dtype=int),
                scores=run.verdict.scores.assign(interval_coverage=0.8),
            ),
        )
        for run in compared.runs
    ]
    trivial = replace(SETTINGS, task="nowcast_same_slice")
    write_results(replace(compared, runs=tuple(runs)), trivial, tmp_path / "results")
    # a confusion matrix of 5 runs, curves of 4, and 3 of the whole comparison
    assert len(titles) == 12
    assert all(title.endswith("(trivial: nowcast)") for title in titles)
    for name in ("results", "comparison", "verdicts", "results_truth"):
        assert pd.read_csv(tmp_path / "results" / f"{name}.csv")["trivial"].all()


def test_the_text_has_every_section_and_every_forecaster(written: Path) -> None:
    text = (written / "results.md").read_text("utf-8")
    headings = [line for line in text.splitlines() if line.startswith("#")]
    assert headings == [
        "# Results, toy, test span, every cell with a label",
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
    assert names_in(tmp_path / "results" / "plots") == {"macro_f1.png"}
    assert pd.read_csv(tmp_path / "results" / "verdicts.csv").empty


def test_a_figure_that_no_forecaster_has_gets_no_picture(tmp_path: Path) -> None:
    compared = compared_of(
        baseline_run("persistence", tmp_path, {"speed_mae_kph": 6.0}),
        model_run("mlp-simple", 1, tmp_path, {"speed_mae_kph": 5.0}),
    )
    write_results(compared, SETTINGS, tmp_path / "results")
    assert names_in(tmp_path / "results" / "plots") == {
        "mlp-simple-seed-1-learning-curves.png",
        "speed_mae_kph.png",
    }


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
    monkeypatch.setattr(results, "plot_learning_curves", fail)
    other = compared_of(model_run("mlp-simple", 1, tmp_path, {"macro_f1": 0.1}))
    with pytest.raises(RuntimeError, match="no font"):
        write_results(other, SETTINGS, folder)
    assert {path: path.read_bytes() for path in folder.rglob("*") if path.is_file()} == before
    assert names_in(folder.parent) == {"results"}


def test_runs_are_shown_with_parameters_and_medians_of_times(tmp_path: Path) -> None:
    compared = compared_of(
        baseline_run("persistence", tmp_path, {}),
        *(model_run("mlp-simple", seed, tmp_path, {}) for seed in (1, 2, 6)),
    )
    assert shown_facts(compared).to_dict("records") == [
        {
            "model": "persistence",
            "parameters": "-",
            "seeds": 1,
            "training, s": "0.5",
            "prediction, ms": "1.0",
            "diagnosis": "-",
        },
        {
            "model": "mlp-simple",
            "parameters": "1,234",
            "seeds": 3,
            "training, s": "20.0",
            "prediction, ms": "4.0",
            "diagnosis": "it went well",
        },
    ]


def test_a_plain_comparison_of_models_without_graph_needs_no_note(tmp_path: Path) -> None:
    compared = compared_of(
        baseline_run("persistence", tmp_path, {"macro_f1": 0.4}),
        model_run("mlp-simple", 1, tmp_path, {"macro_f1": 0.5}),
    )
    assert notes_of(compared, SETTINGS) == []


def test_the_trivial_task_is_noted_first(tmp_path: Path) -> None:
    trivial = replace(SETTINGS, task="nowcast_same_slice")
    compared = toy_comparison(tmp_path)
    assert notes_of(compared, trivial) == [TRIVIAL, *notes_of(compared, SETTINGS)]
    assert TRIVIAL not in notes_of(compared, replace(SETTINGS, task="estimate_hidden"))


def test_rush_hour_by_the_clock_is_noted(tmp_path: Path) -> None:
    clock = quick_settings(labels={"rush_hour": "clock"})
    (note,) = set(notes_of(toy_comparison(tmp_path), clock)) - set(
        notes_of(toy_comparison(tmp_path), SETTINGS)
    )
    assert note == "Rush hour is a function of the clock here, so its score says nothing."


def test_what_a_control_says_of_its_graph_model_is_noted(tmp_path: Path) -> None:
    (note,) = notes_of(toy_comparison(tmp_path), SETTINGS)
    assert note == (
        "gcn-simple: the graph helps (macro_f1); otherwise the graph has not been shown to help "
        "(speed_mae_kph 4.500, control 4.500, tie)."
    )


def test_hidden_segments_have_verdicts_and_sentences_of_their_own(tmp_path: Path) -> None:
    compared = with_hidden(toy_comparison(tmp_path))
    write_results(compared, SETTINGS, tmp_path / "results")
    text = (tmp_path / "results" / "results.md").read_text("utf-8")
    _, below = text.split("## Better, worse or tie")
    section, _ = below.split("## Runs")
    everywhere, rest = section.split("### On observed segments")
    observed, hidden = rest.split("### On hidden segments")
    row = "| graph against its control | gcn-simple | gcn-simple-self-loops | macro F1 |"
    assert f"{row} 0.750 | 0.500 | 0.071 | better |" in everywhere
    assert f"{row} 0.750 | 0.500 | 0.071 | better |" in observed
    assert f"{row} 0.450 | 0.500 | 0.071 | tie |" in hidden
    verdicts = pd.read_csv(tmp_path / "results" / "verdicts.csv")
    assert verdicts["part"].unique().tolist() == [ALL, OBSERVED_SEGMENTS, HIDDEN_SEGMENTS]
    general, of_hidden = notes_of(compared, SETTINGS)
    assert [general] == notes_of(toy_comparison(tmp_path), SETTINGS)
    assert of_hidden == (
        "gcn-simple on hidden segments: the graph has not been shown to help (macro_f1 0.450, "
        "control 0.500, tie; speed_mae_kph 4.500, control 4.500, tie)."
    )


def test_the_text_says_when_hidden_segments_alone_are_judged(tmp_path: Path) -> None:
    estimate = replace(SETTINGS, task="estimate_hidden")
    write_results(with_truth(toy_comparison(tmp_path)), estimate, tmp_path / "results")
    text = (tmp_path / "results" / "results.md").read_text("utf-8")
    assert text.startswith("# Results, toy, test span, hidden segments, every cell with a label\n")
    assert "Hidden segments alone are judged" in text
    assert "simulator's truth, every hidden segment with a vehicle\n" in text


def test_without_hidden_segments_there_is_one_table_of_verdicts(tmp_path: Path) -> None:
    compared = toy_comparison(tmp_path)
    assert verdicts_of(compared.scores)["part"].unique().tolist() == [ALL]
    write_results(compared, SETTINGS, tmp_path / "results")
    assert "### On" not in (tmp_path / "results" / "results.md").read_text("utf-8")


def test_a_member_that_failed_is_noted_and_stands_in_the_text(tmp_path: Path) -> None:
    compared = compared_of(
        baseline_run("persistence", tmp_path, {"macro_f1": 0.4}),
        failures=(Failure("roadnet-simple", 3, "too few roads"),),
    )
    note = "roadnet-simple with seed 3 failed and is missing: too few roads"
    assert notes_of(compared, SETTINGS) == [note]
    write_results(compared, SETTINGS, tmp_path / "results")
    assert f"* {note}\n" in (tmp_path / "results" / "results.md").read_text("utf-8")


def test_parts_stand_in_the_last_section_alone(written: Path, compared: Compared) -> None:
    parts = [part for part in compared.scores["part"].unique() if part != ALL]
    text = (written / "results.md").read_text("utf-8")
    above, below = text.split("## By kind of segment and time of day")
    assert parts
    for part in parts:
        assert f"| {part} |" not in above
        assert f"| {part} |" in below
