"""Settings of the choice between the champion and the challenger of a registered model."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated, Literal

from roadgraph.settings.setting import Setting


@dataclass(frozen=True)
class PromotionSettings:
    """When a challenger takes the champion's place."""

    metric: Annotated[
        Literal["macro_f1", "accuracy", "log_loss", "speed_mae_kph", "speed_rmse_kph"],
        Setting("figure in which a challenger must be better by more than the spread"),
    ] = "macro_f1"
    days: Annotated[
        int,
        Setting("newest days that both are judged on, of those that neither has seen", "d", 1, 90),
    ] = 7
    confidence: Annotated[
        float,
        Setting(
            "how sure it must be that a challenger is better: the spread of the difference over "
            "days counts this often (one-sided, Student's t)",
            "1",
            0.5,
            0.999,
        ),
    ] = 0.95
    recall_tolerance: Annotated[
        float, Setting("how much lower its recall of gridlock may be", "1", 0, 1)
    ] = 0.05
    calibration_tolerance: Annotated[
        float, Setting("how much larger its calibration error may be", "1", 0, 1)
    ] = 0.02
    hidden_share: Annotated[
        float,
        Setting(
            "share of the segments whose observations both must do without, to see how each fares "
            "there; 0: not judged",
            "1",
            0,
            0.9,
        ),
    ] = 0.2
    hidden_seed: Annotated[int, Setting("seed of which segments these are", "", 0, 2**31)] = 1
    hidden_tolerance: Annotated[
        float,
        Setting(
            "how much worse its metric may be on those segments, as a share of the champion's",
            "1",
            0,
            1,
        ),
    ] = 0.05
