"""Contests on waves over the straight road: eight days of three segments."""

from dataclasses import replace
from zoneinfo import ZoneInfo

import numpy as np
import pandas as pd
import pytest

from roadgraph.dataset.dataset import Dataset, build_dataset, hidden_segments
from roadgraph.dataset.loading import road_graph_of
from roadgraph.dataset.splits import Span
from roadgraph.errors import PromotionError
from roadgraph.evaluation.forecast import Forecast
from roadgraph.evaluation.interpolation import INTERPOLATORS
from roadgraph.evaluation.parts import ALL, HIDDEN_SEGMENTS
from roadgraph.models.graph import road_graph
from roadgraph.promotion.contest import (
    Contest,
    forecast_of,
    hold_contest,
    judged_span,
    time_blocks,
)
from roadgraph.schema import CONGESTION_CLASSES, NO_LABEL
from roadgraph.settings import Settings
from roadgraph.tracking.versions import CHALLENGER, CHAMPION
from roadgraph.training.adjustment import Adjustment
from roadgraph.training.bundle import Bundle
from roadgraph.training.inference import answers
from tests.comparison.toy import quick_settings
from tests.dataset.toy import MONDAY, grid_of, waves
from tests.promotion.toy import ALWAYS_FREE, ALWAYS_GRIDLOCK, bundle_of
from tests.toy import straight_network

NETWORK = straight_network()
SETTINGS = quick_settings(training={"max_epochs": 1})
DAYS, A_DAY = 8, 96
LONG_AGO = MONDAY + pd.Timedelta("1D")


def dataset_of(settings: Settings, speeds: np.ndarray | None = None) -> Dataset:
    grid = grid_of(waves(DAYS * A_DAY, 3) if speeds is None else speeds)
    grid = replace(grid, segment_ids=tuple(NETWORK.segment_ids))
    return build_dataset(grid, NETWORK.segments, road_graph_of(NETWORK), settings)


def seen_until(bundle: Bundle, moment: pd.Timestamp) -> Bundle:
    return replace(bundle, seen=replace(bundle.seen, validation=(MONDAY, moment)))


@pytest.fixture(scope="module")
def dataset() -> Dataset:
    return dataset_of(SETTINGS)


@pytest.fixture(scope="module")
def champion(dataset: Dataset) -> Bundle:
    return bundle_of(dataset, SETTINGS, ALWAYS_FREE)


@pytest.fixture(scope="module")
def challenger(dataset: Dataset) -> Bundle:
    return bundle_of(dataset, quick_settings(model={"name": "gcn"}, training={"max_epochs": 1}))


@pytest.fixture(scope="module")
def contest(dataset: Dataset, champion: Bundle, challenger: Bundle) -> Contest:
    return hold_contest(champion, challenger, dataset, NETWORK, SETTINGS)


def test_the_judged_time_is_what_neither_has_seen(contest: Contest, dataset: Dataset) -> None:
    # The validation span ends a gap of window 2 and reach 2 before the test span, three quarters
    # in; after that gap begins what is judged.
    assert contest.start == MONDAY + pd.Timedelta("6D")
    assert contest.end == MONDAY + pd.Timedelta("8D")
    assert dataset.splits.test.start == 6 * A_DAY


def test_of_older_models_the_newest_days_count(dataset: Dataset, champion: Bundle) -> None:
    old = dict.fromkeys((CHAMPION, CHALLENGER), seen_until(champion, LONG_AGO))
    assert judged_span(old, dataset, 2, 3) == Span(5 * A_DAY, 8 * A_DAY)
    assert judged_span(old, dataset, 2, 1) == Span(7 * A_DAY, 8 * A_DAY)


def test_the_training_span_of_the_current_slices_is_not_judged(
    dataset: Dataset, champion: Bundle
) -> None:
    old = dict.fromkeys((CHAMPION, CHALLENGER), seen_until(champion, LONG_AGO))
    assert judged_span(old, dataset, 2, 8) == Span(dataset.splits.train.stop + 4, 8 * A_DAY)


def test_the_model_that_has_seen_more_bounds_the_judged_time(
    dataset: Dataset, champion: Bundle
) -> None:
    newer = seen_until(champion, MONDAY + pd.Timedelta("6D12h"))
    for pair in ((champion, newer), (newer, champion)):
        both = dict(zip((CHAMPION, CHALLENGER), pair, strict=True))
        assert judged_span(both, dataset, 2, 3).start == 6 * A_DAY + 48 + 4


def test_less_than_a_day_is_an_error_that_says_how_much_and_who_saw_what(
    dataset: Dataset, champion: Bundle
) -> None:
    newer = seen_until(champion, MONDAY + pd.Timedelta("7D"))
    with pytest.raises(
        PromotionError,
        match=r"only 23\.0 h of the slices, which end at 2026-01-13 00:00 UTC.*"
        r"challenger until 2026-01-12 00:00.*gap of 4 slices.*roadgraph slices",
    ):
        judged_span({CHAMPION: champion, CHALLENGER: newer}, dataset, 2, 3)
    all_seen = seen_until(champion, MONDAY + pd.Timedelta("8D"))
    with pytest.raises(PromotionError, match=r"only 0\.0 h"):
        judged_span({CHAMPION: champion, CHALLENGER: all_seen}, dataset, 2, 3)


def test_all_forecasters_stand_on_the_same_cells(contest: Contest) -> None:
    whole = contest.scores[contest.scores["part"] == ALL]
    assert whole["model"].unique().tolist() == [
        CHAMPION, CHALLENGER, "persistence", "historical average", "majority class",
        "gradient boosting",
    ]  # fmt: skip
    assert whole.groupby("horizon_min")["cells"].nunique().to_dict() == {15: 1, 30: 1}
    assert (whole["cells"] > 0).all()


def test_what_each_says_is_what_it_says_in_evaluation(dataset: Dataset, challenger: Bundle) -> None:
    origins = np.array([600, 650])
    graph = road_graph(dataset.graph, "network")
    given = answers(challenger.model, (graph,), dataset.inputs, origins, 2, dataset.preparation)
    forecast = forecast_of(challenger, "x", dataset.grid, dataset.graph, origins)
    assert forecast.origins.tolist() == [600, 650]
    assert forecast.speed_kph is not None
    np.testing.assert_allclose(forecast.speed_kph, given["speed"], rtol=1e-5)


def test_each_has_its_own_window_and_preparation(dataset: Dataset, champion: Bundle) -> None:
    settings = quick_settings(
        dataset={"window": 6, "fill": "typical", "static_channels": False},
        training={"max_epochs": 1},
    )
    other = dataset_of(settings)
    wide = bundle_of(other, settings)
    origins = np.array([620, 640])
    graph = road_graph(dataset.graph, "network")
    given = answers(wide.model, (graph,), other.inputs, origins, 6, other.preparation)
    forecast = forecast_of(wide, "x", dataset.grid, dataset.graph, origins)
    np.testing.assert_allclose(forecast.speed_kph, given["speed"], rtol=1e-5)  # type: ignore[arg-type]
    contest = hold_contest(champion, wide, dataset, NETWORK, SETTINGS)
    # The gap and the first window are those of the longer one.
    assert contest.start == MONDAY + pd.Timedelta("6D") + 4 * pd.Timedelta("15min")
    whole = contest.scores[contest.scores["part"] == ALL]
    assert whole.groupby("horizon_min")["cells"].nunique().eq(1).all()


def test_every_cell_is_left_out_with_one_block(contest: Contest) -> None:
    assert contest.block == "3 hours"
    rows = contest.scores[contest.scores["model"] == CHAMPION]
    for _, at_horizon in rows.groupby("horizon_min"):
        cells = at_horizon.set_index("part")["cells"]
        blocks = cells.drop(ALL)
        assert len(blocks) == 2 * 8
        assert (cells[ALL] - blocks).sum() == cells[ALL]


def test_of_three_days_blocks_are_local_days(dataset: Dataset) -> None:
    local = replace(dataset, zone=ZoneInfo("Asia/Bangkok"))
    kind, blocks = time_blocks(local, Span(5 * A_DAY, 8 * A_DAY))
    assert kind == "day"
    # 17:00 UTC is midnight there.
    assert blocks[67:69].tolist() == ["2026-01-05", "2026-01-06"]
    kind, blocks = time_blocks(local, Span(5 * A_DAY + 1, 8 * A_DAY))
    assert kind == "3 hours"
    assert blocks[[0, 7, 8]].tolist() == [
        "2026-01-05 06:00", "2026-01-05 06:00", "2026-01-05 09:00",
    ]  # fmt: skip


def test_hidden_segments_are_judged_without_their_observations(
    dataset: Dataset, champion: Bundle, challenger: Bundle, contest: Contest
) -> None:
    assert contest.hidden["part"].unique().tolist() == [HIDDEN_SEGMENTS]
    assert contest.hidden["model"].unique().tolist() == [CHAMPION, CHALLENGER]
    share = replace(SETTINGS.dataset, hidden_share=0.2, hidden_seed=1)
    hidden = hidden_segments(3, share)
    assert hidden.sum() == 1
    known = dataset.score_labels.congestion[6 * A_DAY + 2 :, hidden] != NO_LABEL
    assert contest.hidden["cells"].iloc[0] == known.sum()
    moved = dataset.grid.measured.copy()
    moved[6 * A_DAY - 4 :, hidden, :2] += 7
    changed = replace(dataset, grid=replace(dataset.grid, measured=moved))
    again = hold_contest(champion, challenger, changed, NETWORK, SETTINGS)
    pd.testing.assert_frame_equal(again.hidden, contest.hidden)
    row = contest.scores["model"] == CHALLENGER
    assert not again.scores[row].equals(contest.scores[row])


def test_a_hidden_segment_is_forecast_as_one_that_was_never_observed(
    dataset: Dataset, challenger: Bundle
) -> None:
    hidden, origins = np.array([False, True, False]), np.array([600, 650])
    unseen = Adjustment(1.0, 1.0, np.array(ALWAYS_GRIDLOCK), np.zeros(2))
    known = challenger.preparation

    def said(bundle: Bundle) -> Forecast:
        return forecast_of(bundle, "x", dataset.grid, dataset.graph, origins, hidden)

    # What was learned of the segment alone must not be looked at.
    fill = np.where(hidden[:, None], known.fill + 20, known.fill).astype(np.float32)
    statics = np.where(hidden[:, None], known.statics + 20, known.statics).astype(np.float32)
    week = np.where(hidden, known.history.week + 20, known.history.week).astype(np.float32)
    moved = replace(known, fill=fill, statics=statics, history=replace(known.history, week=week))
    one, other = (
        replace(
            challenger,
            preparation=preparation,
            adjustments=replace(challenger.adjustments, unseen=unseen),
        )
        for preparation in (known, moved)
    )
    np.testing.assert_array_equal(said(one).speed_kph, said(other).speed_kph)
    np.testing.assert_array_equal(
        said(one).congestion_probability,
        said(other).congestion_probability,
    )
    # Its class is decided as that of a segment that was never observed.
    congestion = said(one).congestion
    assert congestion is not None
    gridlock = CONGESTION_CLASSES.index("gridlock")
    assert (congestion[:, :, hidden] == gridlock).all()
    assert (congestion[:, :, ~hidden] != gridlock).any()


def test_where_none_is_hidden_the_forecast_is_the_plain_one(
    dataset: Dataset, challenger: Bundle
) -> None:
    origins, nowhere = np.array([600]), np.zeros(3, dtype=bool)
    plain = forecast_of(challenger, "x", dataset.grid, dataset.graph, origins)
    blind = forecast_of(challenger, "x", dataset.grid, dataset.graph, origins, nowhere)
    np.testing.assert_array_equal(blind.speed_kph, plain.speed_kph)


def test_without_a_share_no_segment_is_hidden(
    dataset: Dataset, champion: Bundle, challenger: Bundle
) -> None:
    settings = quick_settings(promotion={"hidden_share": 0})
    contest = hold_contest(champion, challenger, dataset, NETWORK, settings)
    assert contest.hidden.empty


def test_where_hidden_segments_are_estimated_they_alone_are_judged() -> None:
    settings = replace(
        quick_settings(
            dataset={"hidden_share": 0.34}, training={"hidden_share": 0.34, "max_epochs": 1}
        ),
        task="estimate_hidden",
    )
    dataset = dataset_of(settings)
    bundle = bundle_of(dataset, settings)
    contest = hold_contest(bundle, bundle, dataset, NETWORK, settings)
    whole = contest.scores[contest.scores["part"] == ALL]
    known = dataset.score_labels.congestion[-2 * A_DAY + 1 :, dataset.hidden] != NO_LABEL
    assert whole["cells"].unique().tolist() == [known.sum()]
    assert set(INTERPOLATORS) < set(whole["model"])
    assert contest.hidden.empty
