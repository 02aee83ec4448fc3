"""The scheduled runs of a city as Dagster assets; the work is the library's.

Open it with ``dagster dev -m pipelines.definitions``. The city and any other setting come from
``ROADGRAPH_OVERRIDES``, written as on the command line: ``city=sample size=enhanced``. Times and
checks are the settings of ``conf/pipeline``.
"""

from __future__ import annotations

import os
import shlex

import dagster as dg
import pandas as pd

from pipelines.alerts import alert_sensors_of
from pipelines.assets import assets_of
from pipelines.partitions import partitions_of
from pipelines.schedules import timetable_of
from roadgraph.config import load_settings
from roadgraph.settings import Settings

OVERRIDES = "ROADGRAPH_OVERRIDES"


def definitions_of(settings: Settings, now: pd.Timestamp) -> dg.Definitions:
    """Return everything that Dagster is to know of a city."""
    partitions = partitions_of(settings, now)
    timetable = timetable_of(settings, partitions)
    return dg.Definitions(
        assets=assets_of(settings, partitions),
        jobs=timetable.jobs,
        schedules=timetable.schedules,
        sensors=[*timetable.sensors, *alert_sensors_of(settings)],
        # A city's steps follow each other anyway, and importing torch anew takes seconds.
        executor=dg.in_process_executor,
    )


defs = definitions_of(
    load_settings(shlex.split(os.environ.get(OVERRIDES, "size=enhanced"))), pd.Timestamp.now("UTC")
)
