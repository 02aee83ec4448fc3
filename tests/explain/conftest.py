"""One trained bundle for all tests of explanations; not to be changed."""

import pytest

from roadgraph.training.bundle import Bundle
from tests.predict.toy import SETTINGS, trained_bundle


@pytest.fixture(scope="session")
def bundle() -> Bundle:
    return trained_bundle(SETTINGS)
