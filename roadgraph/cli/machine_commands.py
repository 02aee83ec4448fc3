"""What the machine has, and what can be set."""

from __future__ import annotations

from typing import Any

from roadgraph.cli.app import Overrides, app, settings_of
from roadgraph.cli.screen import screen


@app.command()
def doctor() -> None:
    """Show versions, devices and what is missing for each extra."""
    from roadgraph.doctor import examine

    for title, rows in examine().items():
        screen.print(f"[bold]{title}[/]")
        for name, value in rows.items():
            screen.print(f"  {name}: {value}", highlight=False, soft_wrap=True, markup=False)


@app.command()
def settings(
    overrides: Overrides = None,
) -> None:
    """List every setting with its meaning, unit, range and value."""
    from roadgraph.config import all_settings
    from roadgraph.masking import MASK, is_secret_name

    values = settings_of(overrides)
    for row in all_settings():
        value: Any = values
        for part in row.key.split("."):
            value = getattr(value, part)
        if value and is_secret_name(row.key):
            value = MASK
        screen.print(f"{row.key}={value!r}", highlight=False, soft_wrap=True, markup=False)
        screen.print(
            f"    {row.setting.describe()}; {row.kind}",
            highlight=False,
            soft_wrap=True,
            markup=False,
        )
