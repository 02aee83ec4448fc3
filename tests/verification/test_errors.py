from datetime import date
from pathlib import Path

from roadgraph.verification.errors import COLUMNS, errors_by_day
from roadgraph.verification.verification import write_verification
from tests.quality.toy import MONDAY, NETWORK, TUESDAY, city
from tests.verification.toy import verified


def test_every_verified_day_has_its_errors_beside_those_of_the_baselines(tmp_path: Path) -> None:
    settings, workspace = city(tmp_path)
    verified(workspace, MONDAY, 7.0)
    verified(workspace, TUESDAY, 6.0, average_kph=9.0)
    write_verification(settings, NETWORK, workspace, date(2026, 1, 7))  # nothing to judge
    found = errors_by_day(workspace, MONDAY, date(2026, 1, 31))
    assert list(found.columns) == COLUMNS
    assert found.to_dict("records") == [
        {
            "day": day,
            "model": "mlp-simple",
            "horizon_min": 15,
            "cells": 1000,
            "speed_mae_kph": mae,
            "macro_f1": 0.6,
            "persistence_speed_mae_kph": 10.0,
            "persistence_macro_f1": 0.4,
            "historical_average_speed_mae_kph": average,
            "historical_average_macro_f1": 0.5,
        }
        for day, mae, average in ((MONDAY, 7.0, 8.0), (TUESDAY, 6.0, 9.0))
    ]
    assert len(errors_by_day(workspace, TUESDAY, TUESDAY)) == 1


def test_without_a_verification_the_table_is_empty(tmp_path: Path) -> None:
    _, workspace = city(tmp_path)
    found = errors_by_day(workspace, MONDAY, TUESDAY)
    assert list(found.columns) == COLUMNS
    assert found.empty
