from dataclasses import replace
from pathlib import Path

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.compute as pc
import pytest

from roadgraph.errors import DataError
from roadgraph.predict.store import read_forecast
from roadgraph.schema import utc_times
from roadgraph.settings import Settings
from roadgraph.verification import issued
from roadgraph.verification.scoring import FORECAST, HISTORICAL_AVERAGE, PERSISTENCE
from roadgraph.verification.verification import (
    Verification,
    outdated_verifications,
    read_verification,
    stale_verification,
    verified_days,
    verify_day,
    write_verification,
)
from roadgraph.workspace import Workspace
from tests.quality.toy import MONDAY, NETWORK, SLICES, TUESDAY, city, write_day
from tests.slices.toy import bytes_of
from tests.verification.toy import forecast, put

SEVEN = 28  # the slice that begins at 07:00
SAID = forecast(
    "2026-01-06T07:00",
    [[10.0, 40.0, 30.0], [20.0, 44.0, 30.0]],
    [["gridlock", "free_flow", "moderate"], ["congested", "free_flow", "moderate"]],
)


def tuesday() -> np.ndarray:
    """Return what was observed: 8 km/h on A at 07:00, 25 on A and 40 on B at 07:15."""
    speeds = np.full((SLICES, 3), np.nan)
    speeds[SEVEN, 0] = 8.0
    speeds[SEVEN + 1, :2] = 25.0, 40.0
    return speeds


@pytest.fixture
def observed(tmp_path: Path) -> tuple[Settings, Workspace]:
    """A Monday with 40 km/h everywhere, so free flow is that, and then the Tuesday."""
    settings, workspace = city(tmp_path)
    write_day(settings, MONDAY, 40.0)
    write_day(settings, TUESDAY, tuesday())
    return settings, workspace


def figure(found: Verification, name: str, part: str = "all") -> dict[tuple[str, int], float]:
    rows = found.scores[found.scores["part"] == part]
    return dict(zip(zip(rows["model"], rows["horizon_min"], strict=True), rows[name], strict=True))


def test_the_forecast_and_the_baselines_are_judged_on_the_same_observed_cells(
    observed: tuple[Settings, Workspace],
) -> None:
    settings, workspace = observed
    put(settings, SAID)
    found = verify_day(settings, NETWORK, workspace, TUESDAY)
    # A at 07:00: 10 for 8; at 07:15 A: 20 for 25, B: 44 for 40. Both baselines say 40.
    assert figure(found, "speed_mae_kph") == {
        (FORECAST, 15): 2,
        (PERSISTENCE, 15): 32,
        (HISTORICAL_AVERAGE, 15): 32,
        (FORECAST, 30): 4.5,
        (PERSISTENCE, 30): 7.5,
        (HISTORICAL_AVERAGE, 30): 7.5,
    }
    # The cuts lie at 10, 20 and 30 km/h.
    right = figure(found, "accuracy")
    assert (right[FORECAST, 15], right[FORECAST, 30], right[PERSISTENCE, 30]) == (1, 0.5, 0.5)
    assert figure(found, "gridlock_recall")[FORECAST, 15] == 1
    assert figure(found, "log_loss")[FORECAST, 15] == pytest.approx(-np.log(0.7))
    assert figure(found, "interval_coverage")[FORECAST, 30] == 1
    assert figure(found, "cells")[HISTORICAL_AVERAGE, 30] == 2
    assert found.counts == {
        "judged": 3,
        "unobserved": 3,
        "seen": 0,
        "strangers": 0,
        "other_length": 0,
    }
    assert found.models == {"mlp-simple (version 1)": 3}
    assert found.figures["speed_mae_kph"] == 3.25


def test_what_is_issued_again_while_it_is_read_is_judged_as_first_issued(
    observed: tuple[Settings, Workspace], monkeypatch: pytest.MonkeyPatch
) -> None:
    settings, workspace = observed
    put(settings, SAID)
    before = verify_day(settings, NETWORK, workspace, TUESDAY)
    place, field = SAID.column_names.index("speed"), SAID.schema.field("speed")
    faster = SAID.set_column(place, field, pc.add(SAID["speed"], 10.0).cast(field.type))
    to_come = [faster]

    def read_late(path: Path) -> pa.Table:
        while to_come:  # of another run, which comes between
            put(settings, to_come.pop(), version="2")
        return read_forecast(path)

    monkeypatch.setattr(issued, "read_forecast", read_late)
    after = verify_day(settings, NETWORK, workspace, TUESDAY)
    assert not to_come
    assert after.figures == before.figures
    assert after.models == {"mlp-simple (version 1)": 3}


def test_persistence_is_what_was_observed_when_the_forecast_was_issued(
    observed: tuple[Settings, Workspace],
) -> None:
    settings, workspace = observed
    put(settings, forecast("2026-01-06T07:15", [[30.0, 30.0, 30.0]], [["moderate"] * 3]))
    errors = figure(verify_day(settings, NETWORK, workspace, TUESDAY), "speed_mae_kph")
    # 8 km/h on A, 15 minutes old, for 25; 40 on B, of Monday, for 40.
    assert errors[PERSISTENCE, 15] == pytest.approx((17 + 0) / 2)


def test_persistence_does_not_know_the_slice_that_is_estimated(
    observed: tuple[Settings, Workspace],
) -> None:
    settings, workspace = observed
    starts = utc_times(pd.DatetimeIndex(["2026-01-06T00:00Z"] * 3))
    hidden = {"slice_start": starts, "horizon_min": [0] * 3}
    put(settings, forecast("2026-01-06T07:15", [[30.0] * 3], [["moderate"] * 3], **hidden))
    found = verify_day(settings, NETWORK, workspace, TUESDAY)
    errors = figure(found, "speed_mae_kph")
    # 8 km/h on A came in late: what was known is 40, of Monday.
    assert (found.counts["judged"], errors[FORECAST, 0]) == (1, 22)
    assert errors[PERSISTENCE, 0] == 32


def test_a_forecast_counts_for_the_day_that_its_slice_begins_on(
    observed: tuple[Settings, Workspace],
) -> None:
    settings, workspace = observed
    speeds = tuesday()
    speeds[0], speeds[-1] = 40.0, 40.0
    write_day(settings, TUESDAY, speeds)
    for time in ("2026-01-05T23:45", "2026-01-06T23:45"):
        said = forecast(time, [[36.0] * 3, [38.0] * 3], [["moderate"] * 3] * 2)
        put(settings, said, seen_until="2026-01-05T12:00:00+00:00")
    errors = figure(verify_day(settings, NETWORK, workspace, TUESDAY), "speed_mae_kph")
    # 30 minutes after 23:45 on Monday, and 15 minutes after 23:45 on Tuesday.
    assert (errors[FORECAST, 30], errors[FORECAST, 15]) == (2, 4)


def test_what_was_said_first_is_judged(observed: tuple[Settings, Workspace]) -> None:
    settings, workspace = observed
    put(settings, SAID)
    first = verify_day(settings, NETWORK, workspace, TUESDAY)
    put(settings, forecast("2026-01-06T07:00", [[8.0, 40.0, 40.0]], [["gridlock"] * 3]), "2")
    again = verify_day(settings, NETWORK, workspace, TUESDAY)
    pd.testing.assert_frame_equal(first.scores, again.scores)
    assert again.models == {"mlp-simple (version 1)": 3}


def test_a_model_is_not_judged_on_time_that_it_was_made_from(
    observed: tuple[Settings, Workspace],
) -> None:
    settings, workspace = observed
    # Of the two slices it is for, the second begins at that time; it was issued before.
    until = "2026-01-06T00:15:00+00:00"
    put(settings, SAID, seen_until=until)
    found = verify_day(settings, NETWORK, workspace, TUESDAY)
    assert found.counts == {
        "judged": 0,
        "unobserved": 3,
        "seen": 3,
        "strangers": 0,
        "other_length": 0,
    }
    put(settings, forecast("2026-01-06T07:15", [[25.0] * 3], [["moderate"] * 3]), seen_until=until)
    assert verify_day(settings, NETWORK, workspace, TUESDAY).counts["judged"] == 2


def test_of_two_models_in_a_forecast_each_is_named(
    observed: tuple[Settings, Workspace],
) -> None:
    settings, workspace = observed
    models = ["mlp-simple", "gcn-simple", "mlp-simple"]
    put(settings, forecast("2026-01-06T07:15", [[25.0] * 3], [["moderate"] * 3], model=models))
    found = verify_day(settings, NETWORK, workspace, TUESDAY)
    assert found.models == {"gcn-simple": 1, "mlp-simple (version 1)": 1}
    # 25 for 25 on A, 25 for 40 on B.
    errors = {name: figure(found, "speed_mae_kph", f"made by {name}") for name in found.models}
    assert errors["mlp-simple (version 1)"][FORECAST, 15] == 0
    assert errors["gcn-simple"][FORECAST, 15] == 15


def test_a_forecast_without_a_row_counts_nowhere(observed: tuple[Settings, Workspace]) -> None:
    settings, workspace = observed
    put(settings, SAID)
    before = verify_day(settings, NETWORK, workspace, TUESDAY)
    time = pd.Timestamp("2026-01-06T07:15", tz="Asia/Bangkok")
    put(settings, SAID.slice(0, 0), issued_at=time)
    pd.testing.assert_frame_equal(
        verify_day(settings, NETWORK, workspace, TUESDAY).scores, before.scores
    )


def test_a_day_of_which_all_was_learned_is_empty_and_says_so(
    observed: tuple[Settings, Workspace],
) -> None:
    settings, workspace = observed
    put(settings, SAID, seen_until="2026-01-07T00:00:00+00:00")
    found = verify_day(settings, NETWORK, workspace, TUESDAY)
    assert found.scores.empty
    assert found.reason == (
        "no forecast of 2026-01-06 can be judged (judged 0, unobserved 3, seen 3, strangers 0, "
        "other length 0)"
    )
    assert found.figures == {"reason": found.reason}


def test_segments_that_the_network_does_not_have_are_counted(
    observed: tuple[Settings, Workspace],
) -> None:
    settings, workspace = observed
    names = ["A", "B", "Z"]
    put(settings, forecast("2026-01-06T07:15", [[25.0] * 3], [["moderate"] * 3], segment_id=names))
    found = verify_day(settings, NETWORK, workspace, TUESDAY)
    assert found.counts == {
        "judged": 2,
        "unobserved": 0,
        "seen": 0,
        "strangers": 1,
        "other_length": 0,
    }


def test_forecasts_of_slices_of_another_length_are_left_out_and_counted(
    observed: tuple[Settings, Workspace],
) -> None:
    settings, workspace = observed
    # 15 minutes ahead of 07:15 until 07:30, but from 07:00 on: a slice of half an hour.
    starts = utc_times(pd.DatetimeIndex(["2026-01-06T00:00Z"] * 3))
    long = forecast("2026-01-06T07:15", [[25.0] * 3], [["moderate"] * 3], slice_start=starts)
    put(settings, long)
    found = verify_day(settings, NETWORK, workspace, TUESDAY)
    assert found.counts["other_length"] == 3
    assert found.reason.endswith("(judged 0, unobserved 0, seen 0, strangers 0, other length 3)")
    put(settings, SAID)
    found = verify_day(settings, NETWORK, workspace, TUESDAY)
    assert (found.counts["judged"], found.counts["other_length"]) == (3, 3)
    assert figure(found, "speed_mae_kph")[FORECAST, 15] == 2


def test_forecasts_by_history_models_and_new_segments_have_rows_of_their_own(
    observed: tuple[Settings, Workspace],
) -> None:
    settings, workspace = observed
    put(settings, SAID)
    nothing = [None] * 3
    history = forecast(
        "2026-01-06T07:15",
        [[35.0] * 3],
        [nothing],
        basis=["history"] * 3,
        new_segment=[True, False, False],
        **dict.fromkeys(
            ("p_gridlock", "p_congested", "p_moderate", "p_free_flow", "speed_p10", "speed_p90"),
            nothing,
        ),
    )
    put(settings, history, version="2")
    found = verify_day(settings, NETWORK, workspace, TUESDAY)
    assert list(dict.fromkeys(found.scores["part"])) == [
        "all",
        "basis observations",
        "basis history",
        "made by mlp-simple (version 1)",
        "made by mlp-simple (version 2)",
        "new segments",
    ]
    # 35 for 25 and 40; no class and no interval.
    assert figure(found, "speed_mae_kph", "basis history")[FORECAST, 15] == 7.5
    assert figure(found, "speed_mae_kph", "new segments")[FORECAST, 15] == 10
    assert np.isnan(figure(found, "accuracy", "basis history")[FORECAST, 15])
    assert np.isnan(figure(found, "accuracy", "basis history")[PERSISTENCE, 15])
    # On all cells the classes and intervals are those of the cells that have one.
    assert figure(found, "accuracy")[FORECAST, 15] == 1
    assert figure(found, "interval_coverage")[FORECAST, 15] == 1
    assert figure(found, "cells")[FORECAST, 15] == 3


def test_an_answer_that_was_held_back_is_not_among_the_answered(
    observed: tuple[Settings, Workspace],
) -> None:
    settings, workspace = observed
    said = [["moderate", None, "moderate"]]
    put(settings, forecast("2026-01-06T07:15", [[25.0, 40.0, 25.0]], said))
    found = verify_day(settings, NETWORK, workspace, TUESDAY)
    assert figure(found, "answered_share")[FORECAST, 15] == 0.5
    assert figure(found, "accuracy_answered")[FORECAST, 15] == 1


def test_persistence_goes_no_farther_back_than_a_week(tmp_path: Path) -> None:
    settings, workspace = city(tmp_path)
    late = TUESDAY.replace(day=13)
    write_day(settings, MONDAY, 40.0)
    speeds = np.full((SLICES, 3), np.nan)
    speeds[0, 0], speeds[-1, 1] = 10.0, 20.0
    write_day(settings, TUESDAY, speeds)
    write_day(settings, late, tuesday())
    put(settings, forecast("2026-01-13T07:15", [[25.0] * 3], [["moderate"] * 3]))
    errors = figure(verify_day(settings, NETWORK, workspace, late), "speed_mae_kph")
    # A was observed at 07:00 (8 for 25), B last on Tuesday night, 20 for 40, 6.3 days before.
    assert errors[PERSISTENCE, 15] == (17 + 20) / 2
    put(settings, forecast("2026-01-13T07:00", [[8.0] * 3], [["gridlock"] * 3]))
    errors = figure(verify_day(settings, NETWORK, workspace, late), "speed_mae_kph")
    # A: 10 km/h of Tuesday at 00:00 is older than a week, so the mean of all, 39.8, for 8.
    mean_kph = (288 * 40 + 10 + 20) / 290
    assert errors[PERSISTENCE, 15] == pytest.approx((mean_kph - 8 + 17 + 20) / 3)


def test_days_without_forecasts_or_observations_are_empty_and_say_so(tmp_path: Path) -> None:
    settings, workspace = city(tmp_path)
    empty = verify_day(settings, NETWORK, workspace, TUESDAY)
    assert empty.reason == "no forecast was issued for 2026-01-06"
    put(settings, SAID)
    unobserved = verify_day(settings, NETWORK, workspace, TUESDAY)
    assert unobserved.reason == "nothing was observed on 2026-01-06"
    write_day(settings, TUESDAY, tuesday())
    first = verify_day(settings, NETWORK, workspace, TUESDAY)
    assert first.reason.startswith("nothing was observed before 2026-01-06")
    assert first.scores.empty


def test_a_verification_comes_back_and_has_the_same_bytes_again(
    observed: tuple[Settings, Workspace],
) -> None:
    settings, workspace = observed
    put(settings, SAID)
    written = write_verification(settings, NETWORK, workspace, TUESDAY)
    found = read_verification(workspace, TUESDAY)
    pd.testing.assert_frame_equal(found.scores, written.scores)
    assert replace(found, scores=written.scores) == written
    assert verified_days(workspace) == [TUESDAY]
    before = bytes_of(workspace.evaluation)
    write_verification(settings, NETWORK, workspace, TUESDAY)
    assert bytes_of(workspace.evaluation) == before


def test_an_empty_verification_comes_back_too(tmp_path: Path) -> None:
    settings, workspace = city(tmp_path)
    write_verification(settings, NETWORK, workspace, TUESDAY)
    found = read_verification(workspace, TUESDAY)
    assert (len(found.scores), found.reason) == (0, "no forecast was issued for 2026-01-06")


def test_a_verification_is_stale_when_something_it_rests_on_changes(
    observed: tuple[Settings, Workspace],
) -> None:
    settings, workspace = observed
    put(settings, SAID)
    assert stale_verification(settings, workspace, TUESDAY) == ("none yet",)
    write_verification(settings, NETWORK, workspace, TUESDAY)
    assert stale_verification(settings, workspace, TUESDAY) == ()
    put(settings, SAID, version="2")  # made again, so the first one is kept and judged
    assert stale_verification(settings, workspace, TUESDAY) == ()
    put(settings, forecast("2026-01-06T07:15", [[25.0] * 3], [["moderate"] * 3]))
    assert stale_verification(settings, workspace, TUESDAY) == ("forecasts changed",)
    write_day(settings, MONDAY, tuesday())
    assert "slices 2026-01-05 changed" in stale_verification(settings, workspace, TUESDAY)


def test_other_data_or_settings_make_a_verification_outdated_and_forecasts_do_not(
    observed: tuple[Settings, Workspace],
) -> None:
    settings, workspace = observed
    put(settings, SAID)
    write_verification(settings, NETWORK, workspace, TUESDAY)
    put(settings, forecast("2026-01-06T07:15", [[25.0] * 3], [["moderate"] * 3]))
    assert outdated_verifications(settings, workspace, [TUESDAY]) == []
    longer = replace(settings, pipeline=replace(settings.pipeline, training_days=9))
    assert outdated_verifications(longer, workspace, [TUESDAY]) == [TUESDAY]
    write_day(settings, MONDAY, tuesday())
    assert outdated_verifications(settings, workspace, [TUESDAY]) == [TUESDAY]


def test_a_damaged_verification_is_stale_and_refused(tmp_path: Path) -> None:
    settings, workspace = city(tmp_path)
    write_verification(settings, NETWORK, workspace, TUESDAY)
    (workspace.evaluation / "2026-01-06" / "manifest.json").write_text("{}")
    assert stale_verification(settings, workspace, TUESDAY) == ("the verification is damaged",)
    with pytest.raises(DataError, match=r"2026-01-06 is missing or damaged.*roadgraph run"):
        read_verification(workspace, TUESDAY)


def test_a_forecast_that_does_not_say_what_its_model_has_seen_is_refused(
    observed: tuple[Settings, Workspace],
) -> None:
    settings, workspace = observed
    put(settings, SAID, seen_until="")
    with pytest.raises(DataError, match=r"T0000Z\.parquet does not say which time its model"):
        verify_day(settings, NETWORK, workspace, TUESDAY)
