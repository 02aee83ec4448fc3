from datetime import date, timedelta
from pathlib import Path

import numpy as np
import pytest

from roadgraph.calendar import city_zone
from roadgraph.dataset.grid import grid_from_slices
from roadgraph.dataset.history import fit_history
from roadgraph.dataset.labels import congestion_classes, free_flow_kph
from roadgraph.quality.cells import road_classes
from roadgraph.schema import NO_LABEL
from roadgraph.slices.store import read_slices
from roadgraph.verification import observed
from roadgraph.verification.observed import observed_day
from tests.quality.toy import MONDAY, NETWORK, city, waves, write_day

MONTH = [MONDAY + timedelta(days=ahead) for ahead in range(20)]
DAY = date(2026, 1, 25)


@pytest.mark.parametrize("rule", ["relative", "traffic4cast"])
def test_a_day_is_what_all_slices_at_once_say(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, rule: str
) -> None:
    monkeypatch.setattr(observed, "SEGMENTS_AT_ONCE", 2)  # of three
    settings, workspace = city(tmp_path, labels={"congestion": rule})
    for number, day in enumerate([*MONTH, DAY]):
        speeds = waves(number, observed=0.3)
        if day != DAY:
            speeds[:, 1] = np.nan  # B was never observed before
        if number not in (3, 15):  # missing days
            write_day(settings, day, speeds, count=number % 7)
    found = observed_day(settings, NETWORK, workspace, DAY)

    grid = grid_from_slices(read_slices(workspace.slices), NETWORK.segment_ids, 15)
    zone = city_zone(settings.city.timezone)
    begin = found.slice_starts[found.first]
    first = int(grid.slice_starts.searchsorted(begin))
    before, speed = slice(0, first), grid.speed_kph
    limits = NETWORK.segments["speed_limit_kph"].astype("float64").to_numpy()
    flow = free_flow_kph(speed[before], limits, road_classes(NETWORK), settings.labels)
    count = np.nan_to_num(grid.measured[:, :, 3])
    congestion = congestion_classes(speed, flow, count, settings.labels)
    history, _ = fit_history(speed[before], grid.slice_starts[before], zone, 15)
    known = congestion[before][congestion[before] != NO_LABEL]

    shared = found.slice_starts.intersection(grid.slice_starts)
    ours, theirs = (
        found.slice_starts.get_indexer(shared),
        grid.slice_starts.get_indexer(shared),
    )
    assert len(shared) > 8 * 96
    np.testing.assert_array_equal(found.speed_kph[ours], speed[theirs])
    np.testing.assert_array_equal(found.congestion[ours], congestion[theirs])
    typical = history.at(found.slice_starts[found.first :], zone)
    np.testing.assert_allclose(found.typical, typical, rtol=1e-6)
    assert found.mean_kph == pytest.approx(np.nanmean(speed[before]), rel=1e-6)
    assert found.common_class == np.bincount(known).argmax()
