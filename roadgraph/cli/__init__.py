"""The ``roadgraph`` command: parses the line, shows progress and results."""

from roadgraph.cli import (  # isort: skip
    network_commands,
    slices_commands,
    model_commands,
    forecast_commands,
    run_commands,
    machine_commands,
)
from roadgraph.cli.app import app, main
from roadgraph.cli.screen import screen

COMMANDS = (
    network_commands,
    slices_commands,
    model_commands,
    forecast_commands,
    run_commands,
    machine_commands,
)
"""A command is known once its module was imported; ``roadgraph --help`` keeps this order."""

__all__ = ["COMMANDS", "app", "main", "screen"]
