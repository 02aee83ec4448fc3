"""How busy the machine is, as MLflow's system metrics show it."""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Sequence

    from mlflow.system_metrics.metrics.base_metrics_monitor import BaseMetricsMonitor

logger = logging.getLogger(__name__)

PREFIX = "system/"  # MLflow's pages show what begins so on a page of its own


class MachineMonitor:
    """Samples processor, memory, disk, network and, where there are any, GPUs by MLflow's means."""

    def __init__(self) -> None:
        self._monitors: Sequence[BaseMetricsMonitor] | None = None

    def sample(self) -> dict[str, float]:
        """Return the present figures, such as ``system/cpu_utilization_percentage``."""
        if self._monitors is None:
            self._monitors = _monitors()
        figures: dict[str, float] = {}
        for monitor in self._monitors:
            monitor.collect_metrics()
            for name, value in monitor.aggregate_metrics().items():
                figures[f"{PREFIX}{name}"] = float(value)
            monitor.clear_metrics()
        return figures


def _monitors() -> list[BaseMetricsMonitor]:
    from mlflow.system_metrics.metrics.cpu_monitor import CPUMonitor
    from mlflow.system_metrics.metrics.disk_monitor import DiskMonitor
    from mlflow.system_metrics.metrics.gpu_monitor import GPUMonitor
    from mlflow.system_metrics.metrics.network_monitor import NetworkMonitor

    monitors: list[BaseMetricsMonitor] = [CPUMonitor(), DiskMonitor(), NetworkMonitor()]
    try:
        monitors.append(GPUMonitor())
    except (ImportError, RuntimeError) as error:
        logger.info("no figures of a GPU: %s", error)
    return monitors
