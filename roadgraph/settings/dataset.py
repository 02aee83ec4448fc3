"""Settings of labels, inputs, splits and evaluation."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated, Literal

from roadgraph.settings.setting import Setting


@dataclass(frozen=True)
class LabelsSettings:
    """What counts as congested and as rush hour."""

    congestion: Annotated[
        Literal["relative", "absolute", "traffic4cast"],
        Setting("classes by speed over free flow, by speed, or by the Traffic4cast rule"),
    ] = "relative"
    relative_cuts: Annotated[
        tuple[float, float, float],
        Setting("share of free flow where congested, moderate and free flow begin", "1", 0, 1),
    ] = (0.25, 0.50, 0.75)
    absolute_cuts_kph: Annotated[
        tuple[float, float, float],
        Setting("speeds where congested, moderate and free flow begin", "km/h", 0, 200),
    ] = (10.0, 20.0, 35.0)
    free_flow_percentile: Annotated[
        float, Setting("percentile of a segment's training speeds that is free flow", "%", 50, 100)
    ] = 85.0
    free_flow_min_share: Annotated[
        float, Setting("free flow is never below this share of the speed limit", "1", 0, 1)
    ] = 0.6
    rush_hour: Annotated[
        Literal["observed", "clock"],
        Setting("rush hour by the share of congested segments, or by fixed weekday hours"),
    ] = "observed"
    rush_hour_share: Annotated[
        float, Setting("share of segments in class 0 or 1 that makes a rush hour", "1", 0, 1)
    ] = 0.15
    rush_hour_clock: Annotated[
        tuple[tuple[float, float], ...],
        Setting("weekday rush hours, [start, end) in local hours, for `clock`"),
    ] = ((7.0, 9.0), (16.0, 19.0))


@dataclass(frozen=True)
class DatasetSettings:
    """Windows, horizons, splits and input channels."""

    window: Annotated[int, Setting("slices that the model sees", "slices", 1, 288)] = 4
    horizons_min: Annotated[
        tuple[int, ...], Setting("how far ahead to forecast", "min", 1, 1440)
    ] = (15, 30, 45, 60)
    train_share: Annotated[float, Setting("share of the time to train on", "1", 0.1, 0.9)] = 0.60
    validation_share: Annotated[
        float, Setting("share of the time, after the training, for validation", "1", 0.01, 0.5)
    ] = 0.15
    fill: Annotated[
        Literal["last", "mean", "typical"],
        Setting(
            "what an unobserved cell shows: the segment's last speed within the window (else its "
            "training mean), its training mean, or its typical speed at that time of the week"
        ),
    ] = "last"
    weekday_channels: Annotated[
        bool,
        Setting(
            "let the models know the day of the week; with less than some weeks of training a day "
            "is learned by heart, not what its kind is like"
        ),
    ] = True
    observed_channel: Annotated[
        bool, Setting("add the mask of observed cells to the input channels")
    ] = True
    history_channels: Annotated[
        bool,
        Setting("add the segment's typical speed now and at the farthest horizon to the channels"),
    ] = True
    hidden_share: Annotated[
        float,
        Setting(
            "share of the segments whose observations are hidden always and everywhere but in "
            "evaluation, to see how segments without probes fare",
            "1",
            0,
            0.9,
        ),
    ] = 0.0
    hidden_seed: Annotated[int, Setting("seed of which segments are hidden", "", 0, 2**31)] = 1
    static_channels: Annotated[
        bool, Setting("add length, speed limit, lanes and free flow to the input channels")
    ] = True


@dataclass(frozen=True)
class EvaluationSettings:
    """What the tables of results show."""

    report_horizons_min: Annotated[
        tuple[int, ...], Setting("horizons in the tables", "min", 1, 1440)
    ] = (15, 30, 45, 60)
    errors: Annotated[
        Literal["at_horizon", "up_to_horizon"],
        Setting("errors of the one step at the horizon, or of all steps up to it (T-GCN)"),
    ] = "at_horizon"
    leave_out_last_window: Annotated[
        bool, Setting("leave the last test window out, as the T-GCN code does")
    ] = False
    seeds: Annotated[
        tuple[int, ...], Setting("a comparison trains every model once a seed", "", 0, 2**31)
    ] = (1, 2, 3)
    abstain_below: Annotated[
        float,
        Setting("no congestion class is answered below this probability; 0: always one", "1", 0, 1),
    ] = 0.0
