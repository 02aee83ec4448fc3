"""Every setting: its one definition, with type, unit, default and range.

Plain frozen dataclasses, so that models and training need no configuration library. The values in
``conf/`` are checked against these definitions by :mod:`roadgraph.config`.
"""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import Annotated, Literal

from roadgraph.settings.dataset import DatasetSettings, EvaluationSettings, LabelsSettings
from roadgraph.settings.learning import (
    Backbone,
    GraphKind,
    ModelSettings,
    Size,
    SpeedBase,
    TrackingSettings,
    TrainingSettings,
)
from roadgraph.settings.pipeline import PipelineSettings
from roadgraph.settings.promotion import PromotionSettings
from roadgraph.settings.report import ReportSettings
from roadgraph.settings.roads_and_probes import (
    CitySettings,
    MeasuredSettings,
    NetworkSettings,
    ProbesSettings,
    SlicesSettings,
    SparkSettings,
)
from roadgraph.settings.setting import Setting

__all__ = [
    "Backbone",
    "CitySettings",
    "DatasetSettings",
    "EvaluationSettings",
    "GraphKind",
    "LabelsSettings",
    "MeasuredSettings",
    "ModelSettings",
    "NetworkSettings",
    "PipelineSettings",
    "ProbesSettings",
    "PromotionSettings",
    "ReportSettings",
    "Setting",
    "Settings",
    "Size",
    "SlicesSettings",
    "SparkSettings",
    "SpeedBase",
    "TrackingSettings",
    "TrainingSettings",
]


@dataclass(frozen=True)
class Settings:
    """All settings of one run."""

    city: CitySettings = field(default_factory=CitySettings)
    network: NetworkSettings = field(default_factory=NetworkSettings)
    probes: ProbesSettings = field(default_factory=ProbesSettings)
    measured: MeasuredSettings = field(default_factory=MeasuredSettings)
    slices: SlicesSettings = field(default_factory=SlicesSettings)
    labels: LabelsSettings = field(default_factory=LabelsSettings)
    dataset: DatasetSettings = field(default_factory=DatasetSettings)
    evaluation: EvaluationSettings = field(default_factory=EvaluationSettings)
    model: ModelSettings = field(default_factory=ModelSettings)
    training: TrainingSettings = field(default_factory=TrainingSettings)
    tracking: TrackingSettings = field(default_factory=TrackingSettings)
    promotion: PromotionSettings = field(default_factory=PromotionSettings)
    pipeline: PipelineSettings = field(default_factory=PipelineSettings)
    report: ReportSettings = field(default_factory=ReportSettings)
    spark: SparkSettings = field(default_factory=SparkSettings)
    task: Annotated[
        Literal["forecast", "estimate_hidden", "nowcast_same_slice"],
        Setting(
            "forecast the horizons; estimate segments without observations in the newest slice; "
            "or, as older work does, read a slice's class off the very speed that defines it "
            "(trivial, and marked so)"
        ),
    ] = "forecast"
    engine: Annotated[
        Literal["embedded", "spark"],
        Setting("match and aggregate in this process, or on a Spark cluster"),
    ] = "embedded"
    size: Annotated[Size, Setting("2 layers of 64, or 3 of 128 with everything")] = "simple"
    workspace: Annotated[
        str, Setting("folder of everything that roadgraph writes, a folder a city")
    ] = "data/work"

    @property
    def horizons_min(self) -> tuple[int, ...]:
        """How far ahead the task looks, in minutes: 0 is the newest slice itself."""
        return self.dataset.horizons_min if self.task == "forecast" else (0,)

    @property
    def task_evaluation(self) -> EvaluationSettings:
        """How the task is judged: at the horizons that it has."""
        if self.task == "forecast":
            return self.evaluation
        return replace(self.evaluation, report_horizons_min=(0,))
