"""The folder in which the commands of the documentation are run."""

import os
import shutil
from pathlib import Path

import pytest
import yaml

from roadgraph.config import REPOSITORY
from tests.docs.city import write_own_files
from tests.docs.commands import BESIDE, Place
from tests.slices.test_spark import QUICK_JAVA

QUICK: dict[str, dict[str, object]] = {
    "training": {"max_epochs": 2},
    "report": {"worst": 1},
    "spark": {
        "master": "local[1]",
        "options": {
            "spark.driver.extraJavaOptions": QUICK_JAVA,
            "spark.sql.shuffle.partitions": "1",
            "spark.ui.enabled": "false",
        },
    },
}
"""Defaults of the folder, so that its commands take seconds."""


@pytest.fixture(scope="session")
def place(tmp_path_factory: pytest.TempPathFactory, empty_store: Path) -> Place:
    """A folder like that of the project, with the files that a reader brings and an empty store.

    All pages are followed in it, as by one reader.
    """
    folder = tmp_path_factory.mktemp("reader")
    for name in BESIDE:
        link = folder / name
        link.parent.mkdir(parents=True, exist_ok=True)
        link.symlink_to(REPOSITORY / name)
    place = Place(folder)
    shutil.copytree(REPOSITORY / "conf", place.conf)
    for group, values in QUICK.items():
        place.write(f"# in conf/{group}/default.yaml\n{yaml.safe_dump(values)}")
    write_own_files(folder / "data")
    work = folder / place.settings().workspace
    work.mkdir(parents=True)
    shutil.copy(empty_store, work / "mlflow.db")
    return place


@pytest.fixture(autouse=True)
def _no_store_but_that_of_the_place(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in [name for name in os.environ if name.startswith("MLFLOW_TRACKING")]:
        monkeypatch.delenv(name)
