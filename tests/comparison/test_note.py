from pathlib import Path

from roadgraph.comparison.note import REST, note_of
from roadgraph.tracking.record import NOTE_CHARACTERS
from tests.comparison.toy import (
    baseline_run,
    compared_of,
    model_run,
    quick_settings,
    toy_comparison,
    with_hidden,
)

SETTINGS = quick_settings()


def test_a_note_holds_the_table_with_baselines_and_what_must_be_known(tmp_path: Path) -> None:
    note = note_of(toy_comparison(tmp_path), SETTINGS)
    assert "| persistence | 15 | 1 | 0.400 |" in note
    assert "| gcn-simple | 15 | 2 | **0.750 ± 0.071** |" in note
    assert "* gcn-simple: the graph helps (macro_f1)" in note
    assert note.endswith(REST)
    assert "hidden segments" not in note


def test_hidden_segments_have_a_table_of_their_own(tmp_path: Path) -> None:
    note = note_of(with_hidden(toy_comparison(tmp_path)), SETTINGS)
    _, below = note.split("**hidden segments**")
    assert "| gcn-simple | 15 | 2 | 0.450 ± 0.071 |" in below


def test_what_does_not_fit_is_left_out_and_that_is_said(tmp_path: Path) -> None:
    figures = [{"macro_f1": 0.5}] * 4
    runs = [model_run(f"mlp-{place:02}", 1, tmp_path, *figures) for place in range(40)]
    note = note_of(compared_of(baseline_run("persistence", tmp_path, *figures), *runs), SETTINGS)
    assert len(note) <= NOTE_CHARACTERS
    assert "Horizons shown: 15, 60 of 4." in note
    assert "| mlp-39 | 60 |" in note
    assert "| mlp-39 | 30 |" not in note
    many = [model_run(f"mlp-{place:03}", 1, tmp_path, *figures) for place in range(110)]
    note = note_of(compared_of(*many), SETTINGS)
    assert "Horizons shown: 30 of 4." in note
    assert len(note) <= NOTE_CHARACTERS
    most = [model_run(f"mlp-{place:04}", 1, tmp_path, *figures) for place in range(300)]
    note = note_of(compared_of(*most), SETTINGS)
    assert len(note) <= NOTE_CHARACTERS
    assert REST in note
