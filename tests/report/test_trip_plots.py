from pathlib import Path

import matplotlib.image
import numpy as np
import pytest

from roadgraph.report.trip_plots import plot_worst_trips
from tests.toy import point, straight_network


@pytest.mark.parametrize("count", [1, 4])
def test_trips_are_drawn_side_by_side_with_matched_and_unmatched_fixes(
    count: int, tmp_path: Path
) -> None:
    lon, lat = (list(v) for v in zip(*[point(m, 10) for m in (10, 60, 120)], strict=True))
    trip = {
        "vehicle_id": "v1", "started_at": "2026-01-05T00:00:00+00:00", "fixes": 3, "score": 10.0,
        "lat": lat, "lon": lon, "matched": [True, False, True],
    }  # fmt: skip
    path = tmp_path / "worst.png"
    plot_worst_trips(straight_network(), [trip] * count, path)
    image = matplotlib.image.imread(path)
    height, width = image.shape[:2]
    assert width > 600 * min(count, 3)
    assert height > 500
    blue, orange = np.array([0x2C, 0x7F, 0xB8]) / 255, np.array([0xE8, 0x59, 0x0C]) / 255
    for colour in (blue, orange):
        assert (np.abs(image[..., :3] - colour).max(axis=-1) < 0.02).sum() > 10
