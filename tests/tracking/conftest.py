"""An empty MLflow store for every test."""

from pathlib import Path

import pytest

from roadgraph.settings import Settings
from roadgraph.tracking.store import Store
from tests.tracking.toy import store_of, toy_workspace


@pytest.fixture
def settings(tmp_path: Path, empty_store: Path) -> Settings:
    """Settings of the city ``toy`` in a store of its own."""
    return toy_workspace(tmp_path, empty_store)


@pytest.fixture
def store(settings: Settings) -> Store:
    """The store of ``settings``."""
    return store_of(settings)
