"""The reference of every setting, ``docs/settings.md``, written from the definitions."""

from __future__ import annotations

from typing import Any, Literal, get_args, get_origin, get_type_hints

import yaml

from roadgraph.config import REPOSITORY, SettingRow, all_settings, settings_to_dict
from roadgraph.settings import Setting, Settings

SETTINGS_PAGE = REPOSITORY / "docs" / "settings.md"

HEAD = """\
# Settings

`make docs` writes this page from the definitions in `roadgraph/settings/`; what is changed here by
hand is lost. `roadgraph settings` prints the same list with the values that a city has.

A setting is given on the line of a command by its path, such as `training.max_epochs=20`, or stands
in a file of `conf/`, where a city's own belong (see [the tutorial](tutorial.md)). The defaults here
are those of the definitions. A command without a city takes `conf/city/sample.yaml`, which sets
some values of its own.

A range holds both of its ends. A value out of it, a misspelt key and settings that do not go
together are one message that names them, before anything is done. An empty unit means none.
"""
COLUMNS = ("setting", "meaning", "unit", "allowed", "default")
WORDS = {str: "text", int: "whole number", float: "number"}
UNGROUPED = "Not in a group"


def settings_page() -> str:
    """Return the text of ``docs/settings.md``."""
    groups: dict[str, list[SettingRow]] = {}
    for row in all_settings():
        groups.setdefault(row.key.rpartition(".")[0], []).append(row)
    defaults = settings_to_dict(Settings())
    parts = [HEAD, "".join(f"* [{_title(group)}](#{_anchor(group)})\n" for group in groups)]
    for group, rows in groups.items():
        values = _value(defaults, group) if group else defaults
        intro = str(getattr(Settings(), group).__doc__) if group else "Of every command."
        table = [COLUMNS, ("---",) * len(COLUMNS), *(_cells(row, values) for row in rows)]
        parts += [
            f"## {_title(group)}\n",
            f"{intro.replace('``', '`')}\n",
            "".join(map(_line, table)),
        ]
    return "\n".join(parts)


def _title(group: str) -> str:
    return group or UNGROUPED


def _anchor(group: str) -> str:
    return _title(group).lower().replace(" ", "-")


def _value(values: dict[str, Any], key: str) -> Any:
    return values[key.rpartition(".")[2]]


def _cells(row: SettingRow, defaults: dict[str, Any]) -> tuple[str, ...]:
    kind, setting = _definition(row.key)
    unit = "" if setting.unit == "1" else setting.unit
    return (
        f"`{row.key}`",
        setting.doc,
        unit,
        _allowed(kind, setting),
        _shown(_value(defaults, row.key)),
    )


def _definition(key: str) -> tuple[Any, Setting]:
    """Return the type and the definition of a setting."""
    group, _, name = key.rpartition(".")
    holder = getattr(Settings(), group) if group else Settings()
    kind, setting = get_args(get_type_hints(type(holder), include_extras=True)[name])
    return kind, setting


def _allowed(kind: Any, setting: Setting) -> str:
    """Return in words which values a setting takes."""
    if setting.low is None:
        return _words(kind)
    high = "" if setting.high is None else f" to {setting.high:.12g}"
    each = "each " if get_origin(kind) is tuple else ""
    return f"{_words(kind)}, {each}{setting.low:.12g}{high}"


def _words(kind: Any, plural: str = "") -> str:
    """Return the name of a type as people call it."""
    arguments = get_args(kind)
    if get_origin(kind) is Literal:
        return ", ".join(f"`{choice}`" for choice in arguments)
    if kind is bool:
        return "`true`, `false`"
    if get_origin(kind) is dict:
        return "texts by name"
    if get_origin(kind) is tuple:
        count = "" if arguments[-1] is Ellipsis else f"{len(arguments)} "
        return f"list{plural} of {count}{_words(arguments[0], 's')}"
    return WORDS[kind] + plural


def _shown(value: Any) -> str:
    """Return a default as it is written in ``conf/``."""
    if value in ("", [], {}):
        return "empty"
    text = yaml.safe_dump(value, default_flow_style=True, width=1000).split("\n...")[0].strip()
    return f"`{text}`"


def _line(cells: tuple[str, ...]) -> str:
    return "| " + " | ".join(cell.replace("|", "\\|") for cell in cells) + " |\n"


def main() -> None:
    """Write ``docs/settings.md``."""
    SETTINGS_PAGE.write_text(settings_page(), "utf-8")


if __name__ == "__main__":
    main()
