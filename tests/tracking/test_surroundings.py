import platform
import shutil
import subprocess
from importlib.metadata import version
from pathlib import Path

import pytest

from roadgraph.tracking.surroundings import surroundings


def git(repository: Path, *command: str) -> str:
    author = ("-c", "user.name=a", "-c", "user.email=a@b")
    said = subprocess.run(
        ["git", "-C", str(repository), *author, *command],
        capture_output=True, text=True, check=True,
    )  # fmt: skip
    return said.stdout.strip()


needs_git = pytest.mark.skipif(shutil.which("git") is None, reason="git is not installed")


@pytest.fixture
def repository(tmp_path: Path) -> Path:
    git(tmp_path, "init", "--quiet")
    (tmp_path / "file").write_text("one", "utf-8")
    git(tmp_path, "add", "file")
    git(tmp_path, "commit", "--quiet", "-m", "one")
    return tmp_path


@needs_git
def test_a_clean_checkout_is_told_from_a_changed_one(repository: Path) -> None:
    commit = git(repository, "rev-parse", "HEAD")
    surroundings.cache_clear()
    clean = surroundings(repository)
    (repository / "file").write_text("two", "utf-8")
    surroundings.cache_clear()
    changed = surroundings(repository)
    assert (clean["mlflow.source.git.commit"], clean["git.clean"]) == (commit, "yes")
    assert (changed["mlflow.source.git.commit"], changed["git.clean"]) == (commit, "no")


def test_where_there_is_no_checkout_nothing_is_said_of_one(tmp_path: Path) -> None:
    tags = surroundings(tmp_path)
    assert "mlflow.source.git.commit" not in tags
    assert "git.clean" not in tags
    assert tags["version.python"] == platform.python_version()
    assert tags["version.torch"] == version("torch")
