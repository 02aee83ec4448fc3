"""The simulator's own speeds, by segment and quarter of an hour; only evaluation may read them."""

from __future__ import annotations

from datetime import UTC, datetime, time
from pathlib import Path
from xml.etree import ElementTree

import pandas as pd

from simulation.parameters import DRIVING, TIME_ZONE, local_date


def midnight_utc(day: int) -> pd.Timestamp:
    """Local midnight at the start of a day."""
    return pd.Timestamp(datetime.combine(local_date(day), time(), TIME_ZONE).astimezone(UTC))


def read_truth(edges_xml: Path, day: int) -> pd.DataFrame:
    """Space-mean speed (distance driven over time spent, all vehicles) and how many vehicles.

    `vehicles` are those on the segment when the slice begins and those that come onto it during
    the slice. SUMO gives only the comings and goings, so the first number is carried along; a
    vehicle that is lifted out of gridlock counts as gone from where it stood.
    """
    rows: list[tuple[str, int, float, int]] = []
    present: dict[str, int] = {}
    begin_s = 0
    for event, element in ElementTree.iterparse(edges_xml, events=("start", "end")):
        if element.tag == "interval" and event == "start":
            begin_s = int(float(element.get("begin", "0"))) - DRIVING.warm_up_s
        elif element.tag == "edge" and event == "end":
            segment_id = element.get("id", "")
            came = int(element.get("entered", "0")) + int(element.get("departed", "0"))
            went = int(element.get("left", "0")) + int(element.get("arrived", "0"))
            there = present.get(segment_id, 0)
            present[segment_id] = there + came - went
            if begin_s >= 0 and element.get("speed") is not None:
                rows.append((segment_id, begin_s, float(element.get("speed", "0")), there + came))
            element.clear()
    table = pd.DataFrame(rows, columns=["segment_id", "begin_s", "speed_mps", "vehicles"])
    return pd.DataFrame(
        {
            "segment_id": table["segment_id"],
            "slice_start": midnight_utc(day) + pd.to_timedelta(table["begin_s"], unit="s"),
            "mean_speed": (table["speed_mps"] * 3.6).round(2),
            "vehicles": table["vehicles"].clip(lower=1),
        }
    )
