from dataclasses import replace
from pathlib import Path

import pytest

from roadgraph.tracking.record import (
    DataUsed,
    Progress,
    Record,
    Sent,
    append_progress,
    digest_of,
    is_abandoned,
    read_progress,
    read_record,
    read_sent,
    record_folder,
    set_aside,
    this_process,
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


LINES = [
    Progress(0, 10, {"val_loss": 2.0}),
    Progress(0, 11, {"system/cpu_utilization_percentage": 50.0}, "machine"),
    Progress(1, 20, {"val_loss": 1.5}),
]


def test_progress_is_read_line_by_line(tmp_path: Path) -> None:
    assert read_progress(tmp_path) == []
    for line in LINES:
        append_progress(line, tmp_path)
    assert read_progress(tmp_path) == LINES


@pytest.mark.parametrize("torn", ['{"step": 2, "at', "\0\0\0", '{"step": 2}'])
def test_a_line_that_was_cut_off_costs_no_other(tmp_path: Path, torn: str) -> None:
    append_progress(LINES[0], tmp_path)
    path = tmp_path / "progress.jsonl"
    path.write_text(path.read_text("utf-8") + torn, "utf-8")
    assert read_progress(tmp_path) == LINES[:1]
    append_progress(LINES[1], tmp_path)
    append_progress(LINES[2], tmp_path)
    assert read_progress(tmp_path) == LINES


def test_what_each_store_has_is_kept_apart(tmp_path: Path) -> None:
    assert read_sent(tmp_path) == {}
    write_sent("one", Sent("run-1", "4"), tmp_path)
    write_sent("two", Sent(), tmp_path)
    write_sent("one", Sent("run-1", "4", digest="d", model_id="m"), tmp_path)
    assert read_sent(tmp_path) == {
        "one": Sent("run-1", "4", digest="d", model_id="m"),
        "two": Sent(),
    }


def test_a_digest_changes_with_the_file(tmp_path: Path) -> None:
    assert digest_of(tmp_path, "record.json") == ""
    write_record(RECORD, tmp_path)
    first = digest_of(tmp_path, "record.json")
    write_record(RECORD, tmp_path)
    assert digest_of(tmp_path, "record.json") == first
    write_record(replace(RECORD, title="other"), tmp_path)
    assert digest_of(tmp_path, "record.json") != first


def test_a_record_whose_process_is_gone_is_abandoned() -> None:
    running = replace(RECORD, status="RUNNING", process=this_process())
    host, process, began = this_process().rsplit(":", 2)
    assert not is_abandoned(running)
    assert is_abandoned(replace(running, process=f"{host}:{process}:1.00")), "another of its number"
    assert is_abandoned(replace(running, process=f"{host}:{2**22 + 1}:{began}"))
    assert not is_abandoned(replace(running, process=f"elsewhere:{process}:1.00"))
    assert not is_abandoned(replace(RECORD, process=f"{host}:{process}:1.00")), "it has ended"
    assert not is_abandoned(replace(running, process=""))


def test_a_record_that_a_store_lacks_is_set_aside(tmp_path: Path) -> None:
    place = tmp_path / "seed-1.tracking"
    record = replace(RECORD, artifacts={"": ("seed-1.tracking/console.log", "run/x")})
    write_record(record, place)
    append_progress(LINES[0], place)
    write_sent("one", Sent("run-1", "4"), place)
    set_aside(place)
    assert not place.exists()
    (aside,) = tmp_path.glob("*.tracking")
    assert aside.name == "seed-1-a1.tracking"
    moved = read_record(aside)
    assert moved is not None
    assert moved.artifacts == {"": ("seed-1-a1.tracking/console.log", "run/x")}
    assert read_progress(aside) == LINES[:1]
    assert read_sent(aside) == {"one": Sent("run-1", "4")}


def test_a_record_that_every_store_has_makes_room(tmp_path: Path) -> None:
    place = tmp_path / "seed-1.tracking"
    write_record(RECORD, place)
    write_sent("one", Sent("run-1", "4", digest=digest_of(place, "record.json")), place)
    set_aside(place)
    assert list(tmp_path.iterdir()) == []
    set_aside(place)  # of nothing there is nothing to set aside


def test_the_record_of_a_run_lies_beside_its_folder() -> None:
    assert record_folder(Path("runs/mlp-simple/seed-1-abc")) == Path(
        "runs/mlp-simple/seed-1-abc.tracking"
    )
