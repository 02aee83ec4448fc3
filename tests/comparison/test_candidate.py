from dataclasses import replace
from pathlib import Path

import pytest

from roadgraph.comparison.candidate import candidate_tags, candidate_title
from roadgraph.comparison.compare import Compared
from roadgraph.comparison.runs import Run
from tests.comparison.toy import baseline_run, compared_of, model_run


def validated(run: Run, **figures: float) -> Run:
    """Return ``run`` with these figures on the validation span, at every horizon."""
    scores = run.verdict.scores.assign(**figures)
    return replace(run, verdict=replace(run.verdict, validation_scores=scores))


def comparison(folder: Path) -> Compared:
    """Return models whose order on the validation span is not that on the test span."""
    return compared_of(
        validated(baseline_run("persistence", folder, {}), macro_f1=0.95),
        validated(model_run("mlp-simple", 1, folder, {"macro_f1": 0.9}), macro_f1=0.5, log_loss=1),
        validated(model_run("gcn-simple", 1, folder, {"macro_f1": 0.2}), macro_f1=0.5, log_loss=2),
        validated(model_run("gcn-simple", 2, folder, {"macro_f1": 0.4}), macro_f1=0.7, log_loss=3),
        validated(
            model_run("gcn-simple-self-loops", 1, folder, {"macro_f1": 0.9}), macro_f1=0.9
        ),
    )  # fmt: skip


def test_the_best_model_on_the_validation_span_is_put_forward_no_baseline_and_no_control(
    tmp_path: Path,
) -> None:
    assert candidate_title(comparison(tmp_path), "macro_f1") == "gcn-simple"


def test_of_errors_the_smallest_is_best(tmp_path: Path) -> None:
    assert candidate_title(comparison(tmp_path), "log_loss") == "mlp-simple"


def test_without_the_figure_nothing_is_put_forward(tmp_path: Path) -> None:
    assert candidate_title(comparison(tmp_path), "speed_mae_kph") is None


def test_a_version_says_what_it_is_and_how_far_seeds_lie_apart(tmp_path: Path) -> None:
    compared = comparison(tmp_path)
    *_, second, _ = compared.runs
    tags = candidate_tags(compared, second, "macro_f1")
    spread = float(tags.pop("spread/macro_f1"))
    # Of 0.2 and 0.4: 0.1 from their mean each, so sqrt(2 * 0.01 / 1).
    assert spread == pytest.approx(0.141421, abs=1e-6)
    assert tags == {
        "model": "gcn-simple",
        "seed": "2",
        "roadgraph.key": "k",
        "validation/macro_f1": "0.7",
        "test/macro_f1": "0.4",
    }


def test_a_model_with_one_seed_has_no_spread(tmp_path: Path) -> None:
    compared = comparison(tmp_path)
    tags = candidate_tags(compared, compared.runs[1], "macro_f1")
    assert "spread/macro_f1" not in tags
    assert tags["seed"] == "1"
