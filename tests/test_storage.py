import hashlib
import json
import math
from pathlib import Path

import numpy as np
import pytest

from roadgraph.storage import digest_of_arrays, fingerprint, whole_file, whole_folder, write_json


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


def test_the_old_folder_comes_back_when_the_new_one_cannot_take_its_place(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = tmp_path / "day"
    folder.mkdir()
    (folder / "old.txt").write_text("old")
    replace = Path.replace
    moves = []

    def fail_at_the_second_move(self: Path, target: Path) -> Path:
        moves.append(target)
        if len(moves) == 2:
            raise OSError("disk full")
        return replace(self, target)

    monkeypatch.setattr(Path, "replace", fail_at_the_second_move)
    with pytest.raises(OSError, match="disk full"), whole_folder(folder) as temporary:
        (temporary / "new.txt").write_text("new")
    assert names(folder) == ["old.txt"]


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
