from dataclasses import replace
from pathlib import Path

import pandas as pd

from roadgraph.comparison.account import (
    TRIVIAL,
    Account,
    Section,
    account_of,
    notes_of,
    shown_facts,
    verdicts_of,
)
from roadgraph.comparison.compare import Failure
from roadgraph.evaluation.parts import ALL, HIDDEN_SEGMENTS, OBSERVED_SEGMENTS
from tests.comparison.toy import (
    baseline_run,
    compared_of,
    model_run,
    quick_settings,
    toy_comparison,
    with_hidden,
    with_truth,
)

SETTINGS = quick_settings()


def test_an_account_reads_as_markdown() -> None:
    rows = pd.DataFrame({"model": ["mlp"], "macro F1": ["**0.5**"]})
    account = Account("Title", ("Lead.",), ("Note.",), (Section("Table", rows, ("Rule.",)),))
    assert account.markdown() == (
        "# Title\n\nLead.\n\n* Note.\n\n## Table\n\nRule.\n\n"
        "| model | macro F1 |\n| --- | --- |\n| mlp | **0.5** |\n"
    )


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
    text = account_of(compared, SETTINGS).markdown()
    _, below = text.split("## Better, worse or tie\n")
    section, _ = below.split("## Runs")
    everywhere, rest = section.split("## Better, worse or tie on observed segments")
    observed, hidden = rest.split("## Better, worse or tie on hidden segments")
    row = "| graph against its control | gcn-simple | gcn-simple-self-loops | macro F1 |"
    assert f"{row} 0.750 | 0.500 | 0.071 | better |" in everywhere
    assert f"{row} 0.750 | 0.500 | 0.071 | better |" in observed
    assert f"{row} 0.450 | 0.500 | 0.071 | tie |" in hidden
    verdicts = verdicts_of(compared.scores)
    assert verdicts["part"].unique().tolist() == [ALL, OBSERVED_SEGMENTS, HIDDEN_SEGMENTS]
    general, of_hidden = notes_of(compared, SETTINGS)
    assert [general] == notes_of(toy_comparison(tmp_path), SETTINGS)
    assert of_hidden == (
        "gcn-simple on hidden segments: the graph has not been shown to help (macro_f1 0.450, "
        "control 0.500, tie; speed_mae_kph 4.500, control 4.500, tie)."
    )


def test_the_text_says_when_hidden_segments_alone_are_judged(tmp_path: Path) -> None:
    estimate = replace(SETTINGS, task="estimate_hidden")
    text = account_of(with_truth(toy_comparison(tmp_path)), estimate).markdown()
    assert text.startswith("# Results, toy, test span, hidden segments, every cell with a label\n")
    assert "Hidden segments alone are judged" in text
    assert "simulator's truth, every hidden segment with a vehicle\n" in text


def test_without_hidden_segments_there_is_one_table_of_verdicts(tmp_path: Path) -> None:
    compared = toy_comparison(tmp_path)
    assert verdicts_of(compared.scores)["part"].unique().tolist() == [ALL]
    assert "tie on" not in account_of(compared, SETTINGS).markdown()


def test_a_member_that_failed_is_noted_and_stands_in_the_text(tmp_path: Path) -> None:
    compared = compared_of(
        baseline_run("persistence", tmp_path, {"macro_f1": 0.4}),
        failures=(Failure("roadnet-simple", 3, "too few roads"),),
    )
    note = "roadnet-simple with seed 3 failed and is missing: too few roads"
    assert notes_of(compared, SETTINGS) == [note]
    assert f"* {note}\n" in account_of(compared, SETTINGS).markdown()
