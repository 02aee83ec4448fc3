import sys
from pathlib import Path

import pytest

from roadgraph.exchange import exchange


def names(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.iterdir())


@pytest.mark.skipif(sys.platform not in ("linux", "darwin"), reason="needs renameat2 or its like")
def test_two_folders_change_places(tmp_path: Path) -> None:
    one, other = tmp_path / "one", tmp_path / "other"
    for folder in (one, other):
        folder.mkdir()
        (folder / f"{folder.name}.txt").touch()
    assert exchange(one, other)
    assert (names(one), names(other)) == (["other.txt"], ["one.txt"])
    with pytest.raises(FileNotFoundError) as error:
        exchange(one, tmp_path / "nothing")
    assert error.value.filename == str(one)


def test_a_system_that_knows_no_exchange_says_so(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("ctypes.CDLL", lambda name, use_errno: object())
    assert not exchange(tmp_path / "one", tmp_path / "other")
