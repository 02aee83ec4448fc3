import errno
import hashlib
import json
import math
import os
import shutil
import subprocess
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import numpy as np
import polars as pl
import pyarrow.parquet as pq
import pytest

from roadgraph.processes import host_mark
from roadgraph.storage import (
    digest_of_arrays,
    disk_error,
    fingerprint,
    remove_folder,
    sweep,
    sweep_tree,
    whole_file,
    whole_folder,
    write_json,
)
from tests.kills import ended_process, leave


class StopError(Exception):
    """Stands for any failure in the middle of writing."""


def names(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.iterdir())


def write_and_fail(path: Path) -> None:
    """Write half of a file, then fail."""
    with whole_file(path) as temporary:
        temporary.write_text("half")
        raise StopError


def fill_and_fail(folder: Path) -> None:
    """Write one file into a new folder, then fail."""
    with whole_folder(folder) as temporary:
        (temporary / "new.txt").write_text("half")
        raise StopError


def test_a_file_appears_only_when_the_block_has_ended(tmp_path: Path) -> None:
    path = tmp_path / "deep" / "table.csv"
    with whole_file(path) as temporary:
        temporary.write_text("whole")
        assert not path.exists()
        assert temporary.parent == path.parent
        assert temporary.suffix == ".csv"
    assert path.read_text() == "whole"
    assert names(path.parent) == ["table.csv"]
    assert path.stat().st_mode & 0o777 == 0o644


def test_a_file_stays_as_it_was_when_writing_fails(tmp_path: Path) -> None:
    path = tmp_path / "table.csv"
    path.write_text("old")
    with pytest.raises(StopError):
        write_and_fail(path)
    assert path.read_text() == "old"
    assert names(tmp_path) == ["table.csv"]


def test_no_file_appears_when_the_first_writing_fails(tmp_path: Path) -> None:
    with pytest.raises(StopError):
        write_and_fail(tmp_path / "table.csv")
    assert names(tmp_path) == []


def test_a_folder_takes_the_place_of_the_old_one_and_of_all_that_was_in_it(tmp_path: Path) -> None:
    folder = tmp_path / "day"
    folder.mkdir()
    (folder / "old.txt").write_text("old")
    with whole_folder(folder) as temporary:
        (temporary / "new.txt").write_text("new")
        assert names(folder) == ["old.txt"]
    assert names(folder) == ["new.txt"]
    assert names(tmp_path) == ["day"]
    assert folder.stat().st_mode & 0o777 == 0o755


def test_a_new_folder_is_made_with_those_above_it(tmp_path: Path) -> None:
    with whole_folder(tmp_path / "a" / "b") as temporary:
        (temporary / "x").write_text("x")
    assert (tmp_path / "a" / "b" / "x").read_text() == "x"


def test_a_folder_stays_as_it_was_when_filling_fails(tmp_path: Path) -> None:
    folder = tmp_path / "day"
    folder.mkdir()
    (folder / "old.txt").write_text("old")
    with pytest.raises(StopError):
        fill_and_fail(folder)
    assert names(folder) == ["old.txt"]
    assert names(tmp_path) == ["day"]


@pytest.fixture
def no_exchange(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let the system be one that cannot exchange two folders."""
    monkeypatch.setattr("roadgraph.storage.exchange", lambda one, other: False)


@pytest.mark.usefixtures("no_exchange")
def test_where_folders_cannot_be_exchanged_the_old_one_steps_aside(tmp_path: Path) -> None:
    folder = tmp_path / "day"
    folder.mkdir()
    (folder / "old.txt").write_text("old")
    with whole_folder(folder) as temporary:
        (temporary / "new.txt").write_text("new")
    assert names(folder) == ["new.txt"]
    assert names(tmp_path) == ["day"]


@pytest.mark.usefixtures("no_exchange")
def test_the_old_folder_comes_back_when_the_new_one_cannot_take_its_place(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = tmp_path / "day"
    folder.mkdir()
    (folder / "old.txt").write_text("old")
    move = Path.replace
    moves = []

    def fail_at_the_second_move(self: Path, target: Path) -> Path:
        moves.append(target)
        if len(moves) == 2:
            raise OSError("disk full")
        return move(self, target)

    monkeypatch.setattr(Path, "replace", fail_at_the_second_move)
    with pytest.raises(OSError, match="disk full"), whole_folder(folder) as temporary:
        (temporary / "new.txt").write_text("new")
    assert names(folder) == ["old.txt"]


def test_a_folder_is_removed_in_one_step_if_it_is_there(tmp_path: Path) -> None:
    (tmp_path / "day").mkdir()
    (tmp_path / "day" / "x").touch()
    for _ in range(2):
        remove_folder(tmp_path / "day")
        assert names(tmp_path) == []


def test_what_a_dead_process_left_goes_with_the_next_writer_of_the_same_name(
    tmp_path: Path,
) -> None:
    dead = ended_process()
    leave(tmp_path, "day", dead)
    leave(tmp_path, "day", os.getpid())  # of another process that had our number
    (tmp_path / f".day-{host_mark()}-{dead}-zzzzzzzz.csv").touch()
    other = leave(tmp_path, "other", dead)
    with whole_folder(tmp_path / "day"):
        pass
    assert names(tmp_path) == [other.name, "day"]
    sweep(tmp_path)
    assert names(tmp_path) == ["day"]
    sweep(tmp_path / "nothing")


def test_what_is_being_written_or_may_be_stays(tmp_path: Path) -> None:
    alive = leave(tmp_path, "day", os.getppid())
    elsewhere = leave(tmp_path, "day", ended_process(), host="0123abcd")
    with whole_folder(tmp_path / "day") as temporary:
        sweep(tmp_path)
        assert temporary.is_dir()
    assert names(tmp_path) == sorted([alive.name, elsewhere.name, "day"])
    yesterday = time.time() - 90_000
    os.utime(elsewhere, (yesterday, yesterday))
    sweep(tmp_path)
    assert names(tmp_path) == sorted([alive.name, "day"])


def test_a_folder_that_had_stepped_aside_comes_back_when_its_writer_was_killed(
    tmp_path: Path,
) -> None:
    leave(tmp_path, "day", ended_process(), end="-old")
    sweep(tmp_path)
    assert names(tmp_path / "day") == ["half.txt"]
    leave(tmp_path, "day", ended_process(), end="-old")
    sweep(tmp_path)
    assert names(tmp_path) == ["day"]


def test_a_tree_is_swept_in_every_folder_and_goes_on_past_what_cannot_be_removed(
    tmp_path: Path, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    dead = ended_process()
    (tmp_path / "a" / "b").mkdir(parents=True)
    left = [leave(folder, "day", dead) for folder in (tmp_path, tmp_path / "a" / "b")]
    alive = leave(tmp_path / "a", "day", os.getppid())
    stuck = leave(tmp_path / "a", "stuck", dead)
    remove = shutil.rmtree

    def refuse(path: Path) -> None:
        if path == stuck:
            raise PermissionError(errno.EACCES, "Permission denied", str(path))
        remove(path)

    monkeypatch.setattr(shutil, "rmtree", refuse)
    sweep_tree(tmp_path)
    assert not any(path.exists() for path in left)
    assert alive.is_dir()
    (record,) = caplog.records
    assert f"left in {tmp_path / 'a'}: [Errno 13] Permission denied" in record.getMessage()
    sweep_tree(tmp_path / "nothing")


@contextmanager
def mounted(folder: Path, *options: str) -> Iterator[None]:
    """Mount a small disk in memory on ``folder``; skip where that is not allowed."""
    folder.mkdir(exist_ok=True)
    command = ["mount", "-t", "tmpfs", *options, "tmpfs", str(folder)]
    if not hasattr(os, "geteuid") or os.geteuid() != 0 or not shutil.which("mount"):
        pytest.skip("only root can mount a small disk")
    if subprocess.run(command, check=False, capture_output=True).returncode:
        pytest.skip("mounting is not allowed here")
    try:
        yield
    finally:
        subprocess.run(["umount", str(folder)], check=True)


TABLE = pl.DataFrame({"a": np.random.default_rng(1).random(100_000)})
WRITERS: dict[str, Callable[[Path], object]] = {
    "text": lambda path: path.write_text("x" * 1_000_000),
    "pyarrow": lambda path: pq.write_table(TABLE.to_arrow(), path),
    "polars": lambda path: TABLE.lazy().sink_parquet(path),
}


@pytest.mark.parametrize("writer", WRITERS)
def test_a_full_disk_is_named_with_what_was_to_be_written_and_nothing_is_half_written(
    writer: str, tmp_path: Path
) -> None:
    disk = tmp_path / "disk"
    with mounted(disk, "-o", "size=256k"):
        (disk / "day").mkdir()
        for name in ("day/old.txt", "file.txt"):
            (disk / name).write_text("old")
        with (
            pytest.raises(OSError, match="No space left") as error,
            whole_file(disk / "file.txt") as f,
        ):
            WRITERS[writer](f)
        assert (error.value.errno, error.value.filename) == (errno.ENOSPC, str(disk / "file.txt"))
        with (
            pytest.raises(OSError, match="No space left") as error,
            whole_folder(disk / "day") as d,
        ):
            WRITERS[writer](d / "x")
        assert (error.value.errno, error.value.filename) == (errno.ENOSPC, str(disk / "day"))
        assert names(disk) == ["day", "file.txt"]
        assert names(disk / "day") == ["old.txt"]


def test_a_disk_that_must_not_be_written_is_named(tmp_path: Path) -> None:
    disk = tmp_path / "disk"
    with mounted(disk, "-o", "ro"):
        for write in (whole_file, whole_folder):
            with pytest.raises(OSError, match="Read-only") as error, write(disk / "x"):
                pass
            assert error.value.filename == str(disk / "x")


def test_a_limit_of_the_size_of_files_is_named(tmp_path: Path) -> None:
    resource = pytest.importorskip("resource")
    path = tmp_path / "table.txt"
    path.write_text("old")
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (1000, before[1]))
    try:
        with pytest.raises(OSError, match="too large") as error, whole_file(path) as temporary:
            temporary.write_text("x" * 2000)
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)
    assert error.value.filename == str(path)
    assert names(tmp_path) == ["table.txt"]
    assert path.read_text() == "old"


def test_an_error_that_is_not_of_the_disk_stays_what_it_is(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError) as error, whole_file(tmp_path / "x"):
        (tmp_path / "nothing").read_text()
    assert error.value.filename == str(tmp_path / "nothing")
    assert disk_error(ValueError("no space")) == 0
    assert disk_error(ValueError("No space left on device (os error 28)")) == errno.ENOSPC


def test_json_writes_nan_and_infinity_as_null_at_any_depth(tmp_path: Path) -> None:
    path = tmp_path / "metrics.json"
    write_json(path, {"a": math.nan, "b": [1.5, (math.inf, "Zürich")], "c": {"d": -math.inf}})
    content = json.loads(path.read_text("utf-8"))
    assert content == {"a": None, "b": [1.5, [None, "Zürich"]], "c": {"d": None}}
    assert "Zürich" in path.read_text("utf-8")


def test_json_that_cannot_be_written_leaves_the_old_file(tmp_path: Path) -> None:
    path = tmp_path / "metrics.json"
    write_json(path, {"a": 1})
    with pytest.raises(TypeError, match="set"):
        write_json(path, {"a": {1, 2}})
    assert json.loads(path.read_text("utf-8")) == {"a": 1}


def test_fingerprint_is_the_sha256_of_the_texts_each_closed_by_a_zero_byte() -> None:
    assert fingerprint(["ab", "c"]) == hashlib.sha256(b"ab\x00c\x00").hexdigest()


def test_fingerprint_depends_on_order_and_on_where_one_text_ends() -> None:
    found = {fingerprint(texts) for texts in (["ab", "c"], ["c", "ab"], ["a", "bc"], ["abc"], [])}
    assert len(found) == 5


def test_the_digest_of_arrays_depends_on_values_shape_type_and_order() -> None:
    numbers = np.arange(6, dtype=np.float32)
    variants: list[list[np.ndarray]] = [
        [numbers],
        [numbers + 1],
        [numbers.reshape(2, 3)],
        [numbers.astype(np.float64)],
        [numbers[:3], numbers[3:]],
        [numbers[3:], numbers[:3]],
    ]
    assert len({digest_of_arrays(arrays) for arrays in variants}) == len(variants)
    assert digest_of_arrays([numbers]) == digest_of_arrays([np.arange(6, dtype=np.float32)])


def test_the_digest_of_a_view_is_that_of_its_values() -> None:
    table = np.arange(12.0).reshape(3, 4)
    assert digest_of_arrays([table.T]) == digest_of_arrays([table.T.copy()])
