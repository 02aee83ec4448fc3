import hashlib
import json
import os
import time
from pathlib import Path

import pytest

from roadgraph.probes.file_digests import FileDigests
from roadgraph.probes.fix_store import sha256_of

OLD_NS = 1_700_000_000 * 10**9


def write(path: Path, content: str, changed_ns: int = OLD_NS) -> Path:
    path.write_text(content)
    os.utime(path, ns=(changed_ns, changed_ns))
    return path


@pytest.fixture
def hashed(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """Return a list that gets the name of each file whose bytes are read."""
    names: list[str] = []

    def reading(path: Path) -> str:
        names.append(path.name)
        return sha256_of(path)

    monkeypatch.setattr("roadgraph.probes.file_digests.sha256_of", reading)
    return names


def run(cache: Path, *files: Path) -> list[str]:
    digests = FileDigests(cache)
    found = [digests.sha256(file) for file in files]
    digests.save()
    return found


def test_a_file_is_read_again_only_when_it_has_changed(tmp_path: Path, hashed: list[str]) -> None:
    cache = tmp_path / "cache.json"
    a, b = write(tmp_path / "a", "one"), write(tmp_path / "b", "two")
    expected = [hashlib.sha256(text).hexdigest() for text in (b"one", b"two")]
    assert run(cache, a, b) == expected
    assert run(cache, a, b) == expected
    assert hashed == ["a", "b"]
    write(a, "three", OLD_NS + 1)
    assert run(cache, a, b) == [hashlib.sha256(b"three").hexdigest(), expected[1]]
    assert hashed == ["a", "b", "a"]


def test_another_file_of_the_same_size_and_time_is_seen(tmp_path: Path, hashed: list[str]) -> None:
    a = write(tmp_path / "a", "one")
    run(tmp_path / "cache.json", a)
    write(tmp_path / "new", "two").replace(a)
    assert run(tmp_path / "cache.json", a) == [hashlib.sha256(b"two").hexdigest()]


def test_what_has_just_changed_is_not_trusted(tmp_path: Path, hashed: list[str]) -> None:
    a = write(tmp_path / "a", "one", time.time_ns() + 10**12)
    for _ in range(2):
        run(tmp_path / "cache.json", a)
    assert hashed == ["a", "a"]
    assert not (tmp_path / "cache.json").exists()


def test_files_that_are_gone_are_forgotten_and_others_are_not(tmp_path: Path) -> None:
    cache = tmp_path / "cache.json"
    a, b, c = (write(tmp_path / name, name) for name in "abc")
    run(cache, a, b)
    a.unlink()
    run(cache, c)
    assert sorted(json.loads(cache.read_text())) == [str(b), str(c)]


@pytest.mark.parametrize("content", ["{", "[]", '{"a": 1}', '{"a": []}'])
def test_a_damaged_cache_costs_time_alone(
    content: str, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    a, cache = write(tmp_path / "a", "one"), write(tmp_path / "cache.json", content)
    assert run(cache, a) == [hashlib.sha256(b"one").hexdigest()]
    assert "all files are hashed again" in caplog.text
