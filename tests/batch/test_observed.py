from pathlib import Path

import pandas as pd

from roadgraph.batch.observed import Observed, observed_time
from roadgraph.settings import Settings
from roadgraph.workspace import Workspace
from tests.batch.city import DAYS


def test_the_observed_time_is_from_the_first_day_to_the_end_of_the_newest_slice(
    trained: Settings,
) -> None:
    found = observed_time(Workspace.of(trained).slices, 60)
    assert found == Observed(DAYS[0], pd.Timestamp(f"{DAYS[3]}T17:00", tz="UTC"))


def test_without_slices_there_is_none(tmp_path: Path) -> None:
    assert observed_time(tmp_path / "slices", 60) is None
