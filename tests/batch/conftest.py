"""A toy city after its first scheduled run, to copy."""

from pathlib import Path

import pytest

from roadgraph.settings import Settings
from tests.batch.city import DAYS, HOURLY, fixes_of, run
from tests.toy_city import city_settings


@pytest.fixture(scope="session")
def fed(tmp_path_factory: pytest.TempPathFactory) -> Settings:
    """A city with five days of fixes that nothing was made of yet."""
    return city_settings(tmp_path_factory.mktemp("batch") / "city", *HOURLY)


@pytest.fixture(scope="session")
def trained(fed: Settings) -> Settings:
    """The city after a run up to its fourth day, which trained the first model.

    The fixes of its fifth day lie beside its workspace and have not come yet.
    """
    later = fixes_of(fed, DAYS[4])
    later.rename(Path(fed.workspace).parent / later.name)
    report = run(fed, DAYS[0], DAYS[3])
    assert not report.failed, report.failed
    assert Path(fed.workspace, "toy", "bundles", "mlp-simple").is_dir()
    return fed
