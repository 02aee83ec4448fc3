"""A toy city with two models, made once; who changes anything works on a copy."""

import shutil
from dataclasses import replace
from pathlib import Path

import pytest

from roadgraph.dataset.loading import load_dataset
from roadgraph.network.network import read_network
from roadgraph.settings import Settings
from roadgraph.training.bundle import write_bundle
from roadgraph.workflow import run_network, run_slices
from roadgraph.workspace import Workspace
from tests.promotion.toy import ALWAYS_GRIDLOCK, bundle_of
from tests.toy_city import city_settings
from tests.tracking.toy import in_own_store


@pytest.fixture(scope="session")
def made(tmp_path_factory: pytest.TempPathFactory) -> Settings:
    """A city with roads, slices and two bundles: ``poor`` always says gridlock, ``good`` learned.

    Not to be changed.
    """
    settings = city_settings(
        tmp_path_factory.mktemp("made") / "city",
        "model=mlp",
        "training.max_epochs=8",
        "training.learning_rate=0.01",
        "promotion.hidden_tolerance=1",  # one segment that no model has learned to do without
        "dataset.horizons_min=[15,30]",
        "evaluation.report_horizons_min=[15,30]",
    )
    run_network(settings)
    run_slices(settings)
    workspace = Workspace.of(settings)
    dataset = load_dataset(settings, workspace, read_network(workspace.network))
    good = bundle_of(dataset, settings)
    poor = replace(good, adjustments=bundle_of(dataset, settings, ALWAYS_GRIDLOCK).adjustments)
    write_bundle(good, workspace.bundle("good"))
    write_bundle(poor, workspace.bundle("poor"))
    return settings


@pytest.fixture
def city(made: Settings, tmp_path: Path, empty_store: Path) -> Settings:
    """A copy of the city with an empty MLflow store."""
    shutil.copytree(made.workspace, tmp_path / "work")
    return in_own_store(replace(made, workspace=str(tmp_path / "work")), tmp_path, empty_store)


@pytest.fixture
def good(city: Settings) -> Path:
    return Workspace.of(city).bundle("good")


@pytest.fixture
def poor(city: Settings) -> Path:
    return Workspace.of(city).bundle("poor")
