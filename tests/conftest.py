"""What tests of several parts share."""

from pathlib import Path

import pytest

from tests.tracking.toy import new_store


@pytest.fixture(scope="session")
def empty_store(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The file of an MLflow store with nothing in it; making one takes seconds, a copy does not."""
    return new_store(tmp_path_factory.mktemp("store") / "mlflow.db")
