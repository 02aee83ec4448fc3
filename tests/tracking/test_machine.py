import math

from roadgraph.tracking.machine import MachineMonitor


def test_the_machines_figures_have_mlflows_names_and_plausible_values() -> None:
    monitor = MachineMonitor()
    for _ in range(2):
        figures = monitor.sample()
        assert 0 < figures["system/system_memory_usage_percentage"] <= 100
        assert 0 <= figures["system/cpu_utilization_percentage"] <= 100
        assert figures["system/network_receive_megabytes"] >= 0
        assert all(name.startswith("system/") for name in figures)
        assert all(math.isfinite(value) for value in figures.values())
