"""One toy city and one comparison in it, made once; who changes anything works on a copy."""

import shutil
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import pytest

from roadgraph.comparison.compare import Compared, compare_members
from roadgraph.comparison.members import members_of
from roadgraph.settings import Settings
from roadgraph.workflow import run_network, run_slices
from tests.toy_city import city_settings

TITLES = ("mlp-simple", "gcn-enhanced")
SEEDS = (1, 2)


@pytest.fixture(scope="session")
def imported(tmp_path_factory: pytest.TempPathFactory) -> Settings:
    """A city with roads and slices, in which nothing was ever trained."""
    settings = city_settings(
        tmp_path_factory.mktemp("imported") / "city",
        "dataset.horizons_min=[15,30]",
        "evaluation.report_horizons_min=[15,30]",
    )
    run_network(settings)
    run_slices(settings)
    return settings


@pytest.fixture(scope="session")
def city(imported: Settings, tmp_path_factory: pytest.TempPathFactory) -> Settings:
    """The city in which the comparison ``compared`` ran; not to be changed."""
    return in_a_copy(imported, tmp_path_factory.mktemp("city"))


@pytest.fixture(scope="session")
def members(city: Settings) -> list[Settings]:
    return members_of(city, TITLES)


@pytest.fixture(scope="session")
def compared(city: Settings, members: Sequence[Settings]) -> Compared:
    return compare_members(city, members, SEEDS)


@pytest.fixture
def fresh(imported: Settings, tmp_path: Path) -> Settings:
    """A copy of the city before any comparison."""
    return in_a_copy(imported, tmp_path)


@pytest.fixture
def finished(city: Settings, compared: Compared, tmp_path: Path) -> Settings:
    """A copy of the city after the comparison."""
    del compared
    return in_a_copy(city, tmp_path)


def in_a_copy(settings: Settings, folder: Path) -> Settings:
    """Copy the workspace into ``folder`` and return the settings that name the copy."""
    shutil.copytree(settings.workspace, folder / "work")
    return replace(settings, workspace=str(folder / "work"))
