from dataclasses import replace
from pathlib import Path

from roadgraph.tracking.record import (
    DataUsed,
    Progress,
    Record,
    Sent,
    append_progress,
    read_progress,
    read_record,
    read_sent,
    record_folder,
    reopen,
    write_record,
    write_sent,
)

RECORD = Record(
    record_id="a1",
    experiment="toy",
    title="gcn-simple seed 2",
    status="FINISHED",
    started_ms=1000,
    ended_ms=2500,
    parent="p",
    parameters={"training.seed": "2"},
    metrics={"test/congestion/macro_f1/30min": 0.5},
    tags={"kind": "model"},
    data=(DataUsed("slices of toy", "abc", "toy/slices", {"rows": 3}, "training"),),
    artifacts={"": ("run/classes.json", "run/x.json"), "bundle": ("run/bundle",)},
    network="../../network",
)


def test_a_record_is_read_as_it_was_written(tmp_path: Path) -> None:
    write_record(RECORD, tmp_path / "r")
    assert read_record(tmp_path / "r") == RECORD
    assert read_record(tmp_path / "other") is None


def test_a_metric_that_is_no_number_is_left_out(tmp_path: Path) -> None:
    write_record(replace(RECORD, metrics={"a": float("nan"), "b": 1.0}), tmp_path)
    record = read_record(tmp_path)
    assert record is not None
    assert record.metrics == {"b": 1.0}


def test_progress_is_read_line_by_line_without_one_that_a_kill_cut_off(tmp_path: Path) -> None:
    lines = [
        Progress(0, 10, {"val_loss": 2.0}),
        Progress(0, 11, {"system/cpu_utilization_percentage": 50.0}, "machine"),
        Progress(1, 20, {"val_loss": 1.5}),
    ]
    assert read_progress(tmp_path) == []
    for line in lines:
        append_progress(line, tmp_path)
    assert read_progress(tmp_path) == lines
    path = tmp_path / "progress.jsonl"
    path.write_text(path.read_text("utf-8") + '{"step": 2, "at', "utf-8")
    assert read_progress(tmp_path) == lines


def test_what_each_store_has_is_kept_apart(tmp_path: Path) -> None:
    assert read_sent(tmp_path) == {}
    write_sent("one", Sent("run-1", "4", finished=True), tmp_path)
    write_sent("two", Sent(), tmp_path)
    write_sent("one", Sent("run-1", "4", finished=True, model_id="m"), tmp_path)
    assert read_sent(tmp_path) == {
        "one": Sent("run-1", "4", finished=True, model_id="m"),
        "two": Sent(),
    }


def test_a_reopened_record_keeps_its_run(tmp_path: Path) -> None:
    write_sent("one", Sent("run-1", "4", finished=True, model_id="m"), tmp_path)
    reopen("one", tmp_path)
    assert read_sent(tmp_path) == {"one": Sent("run-1", "4", finished=False, model_id="m")}
    reopen("unknown", tmp_path)
    assert list(read_sent(tmp_path)) == ["one"]


def test_the_record_of_a_run_lies_beside_its_folder() -> None:
    assert record_folder(Path("runs/mlp-simple/seed-1-abc")) == Path(
        "runs/mlp-simple/seed-1-abc.tracking"
    )
