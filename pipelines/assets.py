"""The assets of a city: each does one step of the library on the partitions of its run."""

# Dagster reads the annotations of an asset, so they are not put off as in other modules.
import warnings
from collections.abc import Iterator, Mapping
from datetime import date, timedelta

import dagster as dg
import pandas as pd

import roadgraph
from pipelines.partitions import ISSUED, Partitions
from pipelines.results import FILES, check_result, failure, files_check, outcome_of, told_of
from roadgraph.batch import steps
from roadgraph.batch.outcome import Outcome
from roadgraph.batch.span import Span
from roadgraph.calendar import Days, city_zone
from roadgraph.quality.checks import Check
from roadgraph.settings import Settings
from roadgraph.slices.store import stored_days
from roadgraph.workspace import Workspace

DAY_CHECKS = {
    "account": "Rows in are rows used and rows quarantined.",
    "coverage": "About as many cells are observed as on the same weekday before.",
    "feature_drift": "The features are distributed as in the weeks before.",
}
SLICES_CHECKS = {
    FILES: "Every file of fixes can be used.",
    "freshness": "The newest observation is not too old; asked when a slice is over.",
}
ERROR_CHECKS = {"error_drift": "The forecasts are about as good as in the weeks before."}

RETRY = dg.RetryPolicy(max_retries=2, delay=30, backoff=dg.Backoff.EXPONENTIAL)
"""For a store that another run is at, and for an MLflow server that does not answer."""

TIMES_A_RUN = 96
"""Issue times that a backfill does in one run: a day of quarter-hours."""


def assets_of(settings: Settings, partitions: Partitions) -> list[dg.AssetsDefinition]:
    """Return the assets of the city in ``settings``."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", dg.BetaWarning)  # backfill_policy
        return [
            network_of(settings),
            slices_of(settings, partitions),
            quality_report_of(settings, partitions),
            predictions_of(settings, partitions),
            evaluation_of(settings, partitions),
            model_of(settings),
            promotion_of(settings),
        ]


def network_of(settings: Settings) -> dg.AssetsDefinition:
    """Return the asset of the road map."""

    @dg.asset(code_version=roadgraph.__version__, retry_policy=RETRY, pool=_pool(settings))
    def network(context: dg.AssetExecutionContext) -> dg.MaterializeResult:
        """The road map: segments and the links between them."""
        return _told(outcome_of(steps.make_network, settings))

    return network


def slices_of(settings: Settings, partitions: Partitions) -> dg.AssetsDefinition:
    """Return the asset of the time slices, by local day."""

    @dg.asset(
        deps=["network"],
        partitions_def=partitions.days,
        backfill_policy=dg.BackfillPolicy.single_run(),
        check_specs=_specs("slices", SLICES_CHECKS),
        code_version=roadgraph.__version__,
        retry_policy=RETRY,
        pool=_pool(settings),
    )
    def slices(context: dg.AssetExecutionContext) -> dg.MaterializeResult:
        """The five measured features of every segment and time slice.

        New files are read. One that cannot be used is left out and fails the check; the slices of
        the others are made.
        """
        days = _days_of(context)
        outcome = outcome_of(steps.make_slices, settings, Days(days[0], days[-1]))
        checks = [files_check(outcome), _freshness(context, settings, days[-1])]
        return dg.MaterializeResult(metadata=told_of(outcome), check_results=checks)

    return slices


def quality_report_of(settings: Settings, partitions: Partitions) -> dg.AssetsDefinition:
    """Return the asset of the reports on the data, by local day."""

    @dg.asset(
        deps=[dg.AssetDep("slices")],
        partitions_def=partitions.days,
        backfill_policy=dg.BackfillPolicy.single_run(),
        check_specs=_specs("quality_report", DAY_CHECKS),
        code_version=roadgraph.__version__,
        retry_policy=RETRY,
    )
    def quality_report(context: dg.AssetExecutionContext) -> dg.MaterializeResult:
        """What came in, what was refused and why, and how much of the city was seen."""
        return _told_by_day(
            context,
            {day: outcome_of(steps.make_quality, settings, day) for day in _days_of(context)},
        )

    return quality_report


def predictions_of(settings: Settings, partitions: Partitions) -> dg.AssetsDefinition:
    """Return the asset of the forecasts, by the time they are issued at."""

    @dg.asset(
        # A forecast rests on the slice before its time; that of midnight, on the day before.
        deps=[_from_one_before("slices")],
        partitions_def=partitions.times,
        backfill_policy=dg.BackfillPolicy.multi_run(TIMES_A_RUN),
        output_required=False,
        code_version=roadgraph.__version__,
        retry_policy=RETRY,
    )
    def predictions(context: dg.AssetExecutionContext) -> Iterator[dg.MaterializeResult]:
        """Forecasts of every segment by the champion, also of days without new fixes.

        What is missing or stale of the days of the partitions is issued, up to the last of them.
        Before there is a champion there is nothing.
        """
        span = _span_of(context, settings)
        outcome = outcome_of(steps.make_predictions, settings, span)
        if outcome.state == "nothing":
            context.log.warning(outcome.reason)
            return
        yield _told(outcome)

    return predictions


def evaluation_of(settings: Settings, partitions: Partitions) -> dg.AssetsDefinition:
    """Return the asset of the forecasts' errors, by local day."""

    @dg.asset(
        # A day's first slices were forecast on the day before.
        deps=[dg.AssetDep("slices"), _from_one_before("predictions")],
        partitions_def=partitions.days,
        backfill_policy=dg.BackfillPolicy.single_run(),
        check_specs=_specs("evaluation", ERROR_CHECKS),
        code_version=roadgraph.__version__,
        retry_policy=RETRY,
    )
    def evaluation(context: dg.AssetExecutionContext) -> dg.MaterializeResult:
        """The forecasts as they were issued, beside the baselines and what was observed."""
        return _told_by_day(
            context,
            {day: outcome_of(steps.make_evaluation, settings, day) for day in _days_of(context)},
        )

    return evaluation


def model_of(settings: Settings) -> dg.AssetsDefinition:
    """Return the asset of the trained model."""

    @dg.asset(deps=["slices"], code_version=roadgraph.__version__, retry_policy=RETRY)
    def model(context: dg.AssetExecutionContext) -> dg.MaterializeResult:
        """The model that the settings name, trained when it is due; the registry's challenger."""
        last = _last_day_of(context, settings)
        return _told(outcome_of(steps.make_model, settings, last))

    return model


def promotion_of(settings: Settings) -> dg.AssetsDefinition:
    """Return the asset of the decision which model forecasts."""

    @dg.asset(
        deps=["model", "quality_report", "evaluation"],
        code_version=roadgraph.__version__,
        retry_policy=RETRY,
    )
    def promotion(context: dg.AssetExecutionContext) -> dg.MaterializeResult:
        """The decision whether the challenger forecasts from now on.

        A check of the newest day that failed stops it.
        """
        last = _last_day_of(context, settings)
        return _told(outcome_of(steps.make_promotion, settings, last))

    return promotion


def _pool(settings: Settings) -> str:
    """Return the pool of the steps that write a city's stores, which take turns anyway."""
    return f"{settings.city.name}-stores"


def _specs(asset: str, checks: Mapping[str, str]) -> list[dg.AssetCheckSpec]:
    return [dg.AssetCheckSpec(name, asset=asset, description=text) for name, text in checks.items()]


def _from_one_before(asset: str) -> dg.AssetDep:
    """Return that a partition rests on another asset, from one partition of its own before on."""
    mapping = dg.TimeWindowPartitionMapping(
        start_offset=-1, allow_nonexistent_upstream_partitions=True
    )
    return dg.AssetDep(asset, partition_mapping=mapping)


def _freshness(
    context: dg.AssetExecutionContext, settings: Settings, day: date
) -> dg.AssetCheckResult:
    """Return whether data still come in, which only the run of the newest slice can ask."""
    if ISSUED not in context.run.tags:
        reason = "asked by the run of a slice that has just ended, and by no other"
        return check_result([Check("freshness", day, None, reason, {})])
    return check_result(steps.check_freshness(settings, pd.Timestamp.now("UTC")).checks)


def _has_days(context: dg.AssetExecutionContext) -> bool:
    return context.has_partition_key or context.has_partition_key_range


def _days_of(context: dg.AssetExecutionContext) -> list[date]:
    """Return the local days of a run, without a gap."""
    window = context.partition_time_window
    days = pd.date_range(window.start.date(), window.end.date(), inclusive="left")
    return [day.date() for day in days]


def _last_day_of(context: dg.AssetExecutionContext, settings: Settings) -> date:
    """Return the last day of a run; for a run without days, the newest one that is over."""
    if _has_days(context):
        return _days_of(context)[-1]
    now = pd.Timestamp.now(city_zone(settings.city.timezone))
    yesterday = (now - pd.Timedelta(days=1)).date()
    stored = stored_days(Workspace.of(settings).slices)
    return max((day for day in stored if day <= yesterday), default=yesterday)


def _span_of(context: dg.AssetExecutionContext, settings: Settings) -> Span:
    """Return the days of the issue times of a run, up to the last of these times.

    The run of a slice catches up with what was not issued since the newest forecast; one for times
    that somebody named issues all of them.
    """
    zone, minutes = city_zone(settings.city.timezone), settings.slices.minutes
    window = context.partition_time_window
    first, after = (pd.Timestamp(end.timestamp(), unit="s", tz=zone) for end in window)
    last = after - pd.Timedelta(minutes=minutes)
    catching_up = ISSUED in context.run.tags
    back = timedelta(days=settings.pipeline.catch_up_days - 1 if catching_up else 0)
    return Span(
        first=first.date() - back,
        last=last.date(),
        end=last.tz_convert("UTC"),
        catching_up=catching_up,
        zone=zone,
        slice_minutes=minutes,
    )


def _told(outcome: Outcome) -> dg.MaterializeResult:
    if outcome.state in ("failed", "busy"):
        raise failure(outcome)
    return dg.MaterializeResult(metadata=told_of(outcome))


def _told_by_day(
    context: dg.AssetExecutionContext, outcomes: Mapping[date, Outcome]
) -> dg.MaterializeResult:
    """Return what was made, each day with its own figures, and its checks over all days."""
    for day, outcome in outcomes.items():
        if outcome.state in ("failed", "busy"):
            raise failure(outcome)
        context.add_asset_metadata(told_of(outcome), partition_key=str(day))
    by_day = [outcome.checks for outcome in outcomes.values()]
    return dg.MaterializeResult(
        check_results=[check_result(checks) for checks in zip(*by_day, strict=True)]
    )
