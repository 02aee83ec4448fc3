"""From ``conf/`` and the command line to checked :class:`~roadgraph.settings.Settings`."""

from __future__ import annotations

import re
from dataclasses import asdict, fields, is_dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple, get_args, get_type_hints

import yaml

from roadgraph.errors import SettingsError, nearest
from roadgraph.masking import masked_settings, portable_settings
from roadgraph.settings import Setting, Settings

if TYPE_CHECKING:
    from collections.abc import Sequence

REPOSITORY = Path(__file__).resolve().parent.parent
CONF = REPOSITORY / "conf"


def load_settings(overrides: Sequence[str] = (), conf: Path = CONF) -> Settings:
    """Compose ``conf/config.yaml`` with ``overrides`` and return the checked settings.

    Args:
        overrides: Hydra overrides such as ``model=gcn`` or ``training.max_epochs=20``.
        conf: folder of the configuration groups.

    Raises:
        SettingsError: a key or choice that does not exist (the message names the nearest one), or
            a value of the wrong type or out of its range.
    """
    from hydra import compose, initialize_config_dir
    from hydra.core.config_store import ConfigStore
    from hydra.errors import HydraException
    from omegaconf import OmegaConf
    from omegaconf.errors import OmegaConfBaseException

    if not (conf / "config.yaml").is_file():
        raise SettingsError(f"no {conf / 'config.yaml'}; run roadgraph from its repository")
    overrides = _check_overrides(overrides, conf)
    # The definitions' defaults are the base, so that conf/ needs only what differs from them.
    ConfigStore.instance().store("definitions", asdict(Settings()), provider="roadgraph.settings")
    try:
        with initialize_config_dir(str(conf.resolve()), version_base="1.3"):
            composed = compose("config", overrides=list(overrides))
        content: Any = OmegaConf.to_container(composed, resolve=True)
    except (HydraException, OmegaConfBaseException) as error:
        first_line = str(error).strip().splitlines()[0]
        raise SettingsError(f"settings cannot be read: {first_line}") from error
    except yaml.YAMLError as error:  # names the file, line and column
        raise SettingsError(f"settings cannot be read: {' '.join(str(error).split())}") from error
    return settings_from_dict(content)


def settings_from_dict(content: dict[str, Any]) -> Settings:
    """Return the checked settings in the nested dictionary ``content``.

    Raises:
        SettingsError: unknown keys, wrong types or values out of range, all named at once.
    """
    from pydantic import TypeAdapter, ValidationError

    _refuse_unknown_keys(content, Settings(), "")
    try:
        settings = TypeAdapter(Settings).validate_python(content)
    except ValidationError as error:
        faults = [
            f"{'.'.join(str(part) for part in fault['loc'])}: "
            f"{fault['msg'].removeprefix('Value error, ')}"
            + ("" if "found" in fault["msg"] else f" (found {fault['input']!r})")
            for fault in error.errors()
        ]
        raise SettingsError("settings: " + "; ".join(faults)) from error
    _check_together(settings)
    return settings


def _check_together(settings: Settings) -> None:
    """Rules that join several settings; all faults are raised at once."""
    faults = []
    minutes = settings.slices.minutes
    if 60 % minutes:
        faults.append(f"slices.minutes: must divide 60 (found {minutes})")
    horizons = settings.dataset.horizons_min
    if not horizons or list(horizons) != sorted(set(horizons)):
        faults.append(f"dataset.horizons_min: must rise and not be empty (found {list(horizons)})")
    uneven = [horizon for horizon in horizons if horizon % minutes]
    if uneven:
        faults.append(
            f"dataset.horizons_min: {uneven[0]} is no multiple of slices.minutes={minutes}"
        )
    unknown = [h for h in settings.evaluation.report_horizons_min if h not in horizons]
    if unknown:
        faults.append(
            f"evaluation.report_horizons_min: {unknown[0]} is not in dataset.horizons_min"
        )
    report = settings.evaluation.report_horizons_min
    if not report or list(report) != sorted(set(report)):
        faults.append(
            f"evaluation.report_horizons_min: must rise and not be empty (found {list(report)})"
        )
    weights = settings.training
    used = [getattr(weights, f"{task}_weight") for task in settings.model.tasks]
    if used and not any(used):
        faults.append("training: all weights of the model's tasks are 0; nothing would be learned")
    if settings.dataset.train_share + settings.dataset.validation_share >= 1:
        faults.append("dataset.train_share + dataset.validation_share: nothing left to test on")
    if not settings.model.tasks:
        faults.append("model.tasks: needs at least one task")
    if len(set(settings.model.tasks)) < len(settings.model.tasks):
        faults.append(f"model.tasks: names a task twice (found {list(settings.model.tasks)})")
    if settings.model.speed_from == "typical" and not settings.dataset.history_channels:
        faults.append("model.speed_from=typical: needs dataset.history_channels=true")
    faults += _faults_of_task(settings)
    if settings.probes.max_gap_s > 60 * minutes:
        faults.append(
            f"probes.max_gap_s: must not be longer than a slice of {60 * minutes} s "
            f"(found {settings.probes.max_gap_s:g})"
        )
    faults += _faults_of_city_and_labels(settings)
    if faults:
        raise SettingsError("settings: " + "; ".join(faults))


def _faults_of_task(settings: Settings) -> list[str]:
    """Rules that join ``task`` and ``model`` with others."""
    faults = []
    if settings.task == "estimate_hidden":
        faults += [
            f"task=estimate_hidden: needs {group}.hidden_share above 0"
            for group in ("dataset", "training")
            if not getattr(settings, group).hidden_share
        ]
    if settings.training.refit and settings.training.schedule == "plateau":
        faults.append(
            "training.refit: needs another training.schedule than plateau, which watches the "
            "validation span"
        )
    # Whatever the model's name is: a comparison puts others in its place.
    if settings.training.hidden_share and settings.model.segment_embedding:
        faults.append(
            "model.segment_embedding: must be 0 with training.hidden_share above 0, as a segment "
            "without probes has no embedding that was learned"
        )
    if 64 % settings.model.heads:
        faults.append(f"model.heads: must divide 64 (found {settings.model.heads})")
    return faults + _faults_of_pipeline(settings)


def _faults_of_pipeline(settings: Settings) -> list[str]:
    least, days = settings.pipeline.first_training_days, settings.pipeline.training_days
    if days >= least:
        return []
    return [
        f"pipeline.training_days: must not be less than pipeline.first_training_days={least}, or "
        f"no model is ever trained (found {days})"
    ]


def _faults_of_city_and_labels(settings: Settings) -> list[str]:
    faults = []
    if not re.fullmatch(r"[\w.-]*\w[\w.-]*", settings.city.name):
        faults.append(
            f"city.name: names a folder, so letters, digits, - and _ alone "
            f"(found '{settings.city.name}')"
        )
    for start, end in settings.labels.rush_hour_clock:
        if not 0 <= start < end <= 24:
            faults.append(
                f"labels.rush_hour_clock: needs 0 <= start < end <= 24 (found [{start}, {end}])"
            )
    for name in ("relative_cuts", "absolute_cuts_kph"):
        cuts = getattr(settings.labels, name)
        if list(cuts) != sorted(set(cuts)):
            faults.append(f"labels.{name}: must rise (found {list(cuts)})")
    if settings.city.source == "detectors" and not settings.city.speeds:
        faults.append("city.speeds: detectors need the table of their speeds")
    return faults + _faults_of_zones(settings)


def _faults_of_zones(settings: Settings) -> list[str]:
    from roadgraph.calendar import city_zone  # numpy and pandas are not needed for the rest

    zones = {
        "city.timezone": settings.city.timezone,
        "city.speeds_timezone": settings.city.speeds_timezone or "UTC",
        "probes.timezone": settings.probes.timezone or "UTC",
        "measured.timezone": settings.measured.timezone or "UTC",
    }
    faults = []
    for key, name in zones.items():
        try:
            city_zone(name, key)
        except SettingsError as error:
            faults.append(str(error))
    return faults


def _check_overrides(overrides: Sequence[str], conf: Path) -> list[str]:
    """Refuse misspelt keys and choices by our own message, which names the nearest right one.

    A column mapping may gain keys, which Hydra wants marked by ``++``.
    """
    checked = []
    groups = {folder.name for folder in conf.iterdir() if folder.is_dir()}
    keys = {setting.key for setting in all_settings()} | groups
    for override in overrides:
        if "=" not in override:
            raise SettingsError(f"'{override}' is no setting; write key=value, such as model=gcn")
        key, _, value = override.partition("=")
        if re.match(r"(network|probes|measured)\.columns(\.\w+)?$", key):
            checked.append(f"++{override}")
            continue
        checked.append(override)
        if key in groups:
            choices = sorted(path.stem for path in (conf / key).glob("*.yaml"))
            if value not in choices:
                raise SettingsError(
                    f"{key}: no choice '{value}' (there are {', '.join(choices)})"
                    f"{nearest(value, choices)}"
                )
        elif key not in keys:
            raise SettingsError(f"no setting '{key}'{nearest(key, keys)}")
    return checked


def _refuse_unknown_keys(content: dict[str, Any], defaults: Any, prefix: str) -> None:
    known = [item.name for item in fields(defaults)]
    for key, value in content.items():
        if key not in known:
            near = nearest(f"{prefix}{key}", [prefix + name for name in known])
            raise SettingsError(f"no setting '{prefix}{key}'{near}")
        default = getattr(defaults, key)
        if is_dataclass(default):
            if not isinstance(value, dict):
                raise SettingsError(f"settings: {prefix}{key} must be a group (found {value!r})")
            _refuse_unknown_keys(value, default, f"{prefix}{key}.")


class SettingRow(NamedTuple):
    """One row of the list of all settings."""

    key: str
    default: Any
    kind: str
    setting: Setting


def all_settings() -> list[SettingRow]:
    """Return every setting with its key, default, type and definition, in their order."""
    return _rows(Settings(), "")


def _rows(values: Any, prefix: str) -> list[SettingRow]:
    hints = get_type_hints(type(values), include_extras=True)
    rows = []
    for item in fields(values):
        value = getattr(values, item.name)
        if is_dataclass(value):
            rows += _rows(value, f"{prefix}{item.name}.")
        else:
            kind, setting = get_args(hints[item.name])[:2]
            name = getattr(kind, "__name__", None) if not get_args(kind) else str(kind)
            rows.append(
                SettingRow(prefix + item.name, value, str(name).replace("typing.", ""), setting)
            )
    return rows


def group_file(group: str) -> str:
    """Return the text of ``conf/<group>/default.yaml``: each default under its definition."""
    lines = [f"# The defaults of '{group}', as roadgraph/settings/ defines them."]
    for key, default, _kind, setting in all_settings():
        head, _, name = key.rpartition(".")
        if head != group:
            continue
        value = yaml.safe_dump(_plain(default), default_flow_style=True).split("\n...")[0].strip()
        lines += [f"# {setting.describe()}", f"{name}: {value}"]
    return "\n".join(lines) + "\n"


def _plain(value: Any) -> Any:
    return [_plain(item) for item in value] if isinstance(value, tuple) else value


def settings_to_dict(settings: Settings) -> dict[str, Any]:
    """Return ``settings`` as a nested dictionary of plain YAML types."""

    def plain(value: Any) -> Any:
        if isinstance(value, dict):
            return {key: plain(item) for key, item in value.items()}
        return _plain(value)

    return {key: plain(value) for key, value in asdict(settings).items()}


def shareable_settings(settings: Settings) -> dict[str, Any]:
    """Return the settings that may leave this machine, as plain YAML types.

    Credentials are masked, of absolute paths the name alone is left; the tracking server, the
    schedule, the pages and the workspace, which no figure depends on, are left out.
    """
    content = settings_to_dict(settings)
    for name in ("tracking", "pipeline", "report", "workspace"):
        del content[name]
    shared: dict[str, Any] = portable_settings(masked_settings(content))
    return shared


def main() -> None:
    """Write every ``conf/<group>/default.yaml`` anew from the definitions."""
    for folder in sorted(path for path in CONF.iterdir() if (path / "default.yaml").is_file()):
        (folder / "default.yaml").write_text(group_file(folder.name), "utf-8")


if __name__ == "__main__":
    main()
