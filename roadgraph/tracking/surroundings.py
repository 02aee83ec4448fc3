"""What a run happened in: commit, versions of libraries, machine."""

from __future__ import annotations

import platform
import shutil
import subprocess
from functools import cache
from importlib.metadata import version
from typing import TYPE_CHECKING

from roadgraph.config import REPOSITORY

if TYPE_CHECKING:
    from pathlib import Path

LIBRARIES = (
    "roadgraph", "torch", "torch-geometric", "pytorch-lightning", "lightgbm", "numpy", "pandas",
    "polars", "mlflow",
)  # fmt: skip


@cache
def surroundings(repository: Path = REPOSITORY) -> dict[str, str]:
    """Return tags that say in what a run happened.

    ``mlflow.source.git.commit``, which MLflow shows as the version, and ``git.clean`` stand for
    the checkout that roadgraph runs from; they are missing where it is none.
    """
    tags = {f"version.{name}": version(name) for name in LIBRARIES}
    tags |= {
        "version.python": platform.python_version(),
        "machine": f"{platform.system()} {platform.machine()}",
        "mlflow.source.name": "roadgraph",
        "mlflow.source.type": "PROJECT",
    }
    commit = _git(repository, "rev-parse", "HEAD")
    if commit is not None:
        changes = _git(repository, "status", "--porcelain")
        tags["mlflow.source.git.commit"] = commit
        tags["git.clean"] = "yes" if changes == "" else "no"
    return tags


def _git(repository: Path, *command: str) -> str | None:
    """Return what git says, or None where there is no git or no checkout."""
    git = shutil.which("git")
    if git is None or not (repository / ".git").exists():
        return None
    said = subprocess.run(
        [git, "-C", str(repository), *command], capture_output=True, text=True, check=False
    )
    return said.stdout.strip() if said.returncode == 0 else None
