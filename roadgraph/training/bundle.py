"""The trained thing: one folder, readable without the code that trained it, and no pickle in it."""

from __future__ import annotations

import hashlib
import json
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
import yaml
from safetensors import SafetensorError
from safetensors.numpy import load_file as load_numpy
from safetensors.numpy import save_file as save_numpy
from safetensors.torch import load_file, save_file

from roadgraph import __version__
from roadgraph.dataset.history import History
from roadgraph.dataset.preparation import Preparation
from roadgraph.errors import BundleError
from roadgraph.models.graph import road_graph
from roadgraph.models.registry import build_model, model_title
from roadgraph.schema import CONGESTION_CLASSES, RUSH_HOUR_CLASSES
from roadgraph.settings import ModelSettings
from roadgraph.storage import fingerprint, whole_folder, write_json
from roadgraph.training.adjustment import Adjustments
from roadgraph.training.seen_time import SeenTime
from roadgraph.training.tiling import tiles_to_answer

if TYPE_CHECKING:
    from pathlib import Path

    from roadgraph.dataset.dataset import RoadGraph
    from roadgraph.models.graph import Graph
    from roadgraph.models.multitask import MultiTaskModel

WEIGHTS_FILE = "model.safetensors"
SEGMENTS_FILE = "segments.safetensors"
JSON_FILES = (
    "scaler.json",
    "features.json",
    "classes.json",
    "metrics.json",
    "training_history.json",
    "network.json",
)


@dataclass(frozen=True)
class Bundle:
    """A trained model and all that it takes to use it.

    Attributes:
        title: such as ``gcn-enhanced``.
        model: ready to predict.
        preparation: of its inputs.
        unseen: the same for segments that were never observed.
        options: its model settings.
        settings: every setting of its training, as plain types.
        city: its name.
        timezone: of the city.
        slice_minutes: length of the slices that it was trained on.
        window: slices that it sees.
        horizons: steps ahead that it forecasts.
        adjustments: of its answers, set on the validation span.
        segment_ids: the network's segments in their order.
        network_fingerprint: of segments and links.
        seen: the time that it was made from.
        metrics: rows of the table of results.
        history: figures of every epoch.
    """

    title: str
    model: MultiTaskModel
    preparation: Preparation
    unseen: Preparation
    options: ModelSettings
    settings: dict[str, Any]
    city: str
    timezone: str
    slice_minutes: int
    window: int
    horizons: tuple[int, ...]
    adjustments: Adjustments
    segment_ids: tuple[str, ...]
    network_fingerprint: str
    seen: SeenTime
    metrics: list[dict[str, Any]]
    history: list[dict[str, float]]

    @property
    def slices(self) -> int:
        """How many of the newest slices a forecast looks at.

        The window; with ``dataset.fill=last`` its first slice is filled from as far back again.
        """
        return 2 * self.window - 1 if self.preparation.fill_by == "last" else self.window

    def tiles(self, roads: RoadGraph) -> tuple[Graph, ...]:
        """Return the graph of ``roads`` as the model wants it, in the tiles on which it answers."""
        options, training = self.options, self.settings["training"]
        return tiles_to_answer(
            self.model,
            road_graph(roads, options.graph, options.self_loop_weight),
            roads,
            training.get("tile_segments", 0),  # there are older bundles
            training["devices"],
        )


ANSWERING_FILES = (WEIGHTS_FILE, SEGMENTS_FILE, "config.yaml", "scaler.json", "features.json")
"""What a forecast depends on; the other files tell of the training."""


def digest_of_bundle(folder: Path) -> str:
    """Return the SHA-256 of all in a bundle that its forecasts depend on."""
    contents = ((folder / name).read_bytes() for name in ANSWERING_FILES)
    return fingerprint(hashlib.sha256(content).hexdigest() for content in contents)


def write_bundle(bundle: Bundle, folder: Path) -> None:
    """Write ``bundle`` into ``folder``, whole or not at all."""
    preparation = bundle.preparation
    contents = {
        "scaler.json": {
            name: {"mean": float(mean), "std": float(std)}
            for name, mean, std in zip(
                preparation.channels, preparation.mean, preparation.std, strict=True
            )
        },
        "features.json": {
            "channels": list(preparation.channels),
            "fill": preparation.fill_by,
            "window": bundle.window,
            "horizons": list(bundle.horizons),
            "slice_minutes": bundle.slice_minutes,
            "timezone": bundle.timezone,
            "city": bundle.city,
            "adjustments": bundle.adjustments.to_dict(),
            "seen": bundle.seen.to_dict(),
            "seen_until": bundle.seen.until.isoformat(),
        },
        "classes.json": {
            "congestion": {name: place for place, name in enumerate(CONGESTION_CLASSES)},
            "rush_hour": {name: place for place, name in enumerate(RUSH_HOUR_CLASSES)},
        },
        "metrics.json": bundle.metrics,
        "training_history.json": bundle.history,
        "network.json": {
            "fingerprint": bundle.network_fingerprint,
            "segment_ids": list(bundle.segment_ids),
        },
    }
    with whole_folder(folder) as temporary:
        save_file(
            {name: value.contiguous() for name, value in bundle.model.state_dict().items()},
            temporary / WEIGHTS_FILE,
        )
        arrays = {
            f"{of}{name}": value
            for of, each in (("", preparation), ("unseen_", bundle.unseen))
            for name, value in (
                ("fill", each.fill),
                ("statics", each.statics),
                ("typical_speed", each.history.week),
            )
        }
        # safetensors writes the memory as it lies, that of a transposed or broadcast array too.
        contiguous = {name: np.ascontiguousarray(value) for name, value in arrays.items()}
        save_numpy(contiguous, temporary / SEGMENTS_FILE)
        for name in (WEIGHTS_FILE, SEGMENTS_FILE):
            (temporary / name).chmod(0o644)  # safetensors lets the owner alone read them
        (temporary / "config.yaml").write_text(
            yaml.safe_dump(bundle.settings, sort_keys=False), "utf-8"
        )
        for name in JSON_FILES:
            write_json(temporary / name, contents[name])
        (temporary / "README.md").write_text(_model_card(bundle), "utf-8")


def read_bundle(folder: Path) -> Bundle:
    """Read what :func:`write_bundle` wrote.

    Raises:
        BundleError: the folder or a file of it is missing, the weights do not fit, or it is an
            older bundle that does not say which time it has seen or what it knows of segments
            that were never observed.
    """
    if not folder.is_dir():
        there = sorted(path.name for path in folder.parent.glob("*") if path.is_dir())
        near = f"; near it there are {', '.join(there)}" if there else ""
        raise BundleError(f"no bundle {folder}{near}; train one: roadgraph train")
    for name in (WEIGHTS_FILE, SEGMENTS_FILE, "config.yaml", *JSON_FILES):
        if not (folder / name).is_file():
            raise BundleError(f"bundle {folder} has no {name}; train it again: roadgraph train")
    try:
        found = {name: json.loads((folder / name).read_text("utf-8")) for name in JSON_FILES}
        settings = yaml.safe_load((folder / "config.yaml").read_text("utf-8"))
        options = ModelSettings(**{**settings["model"], "tasks": tuple(settings["model"]["tasks"])})
        features = found["features.json"]
        if "city" in features and "seen" not in features:
            raise BundleError(
                f"bundle {folder} is an older one that does not say which time it has seen; "
                "train it again: roadgraph train"
            )
        model = build_model(
            options,
            settings["size"],
            features["channels"],
            features["window"],
            features["horizons"],
            len(found["network.json"]["segment_ids"]),
        )
        model.load_state_dict(load_file(folder / WEIGHTS_FILE))
        return Bundle(
            title=model_title(options, settings["size"]),
            model=model.eval(),
            preparation=_preparation(features, found["scaler.json"], folder),
            unseen=_preparation(features, found["scaler.json"], folder, "unseen_"),
            options=options,
            settings=settings,
            city=features["city"],
            timezone=features["timezone"],
            slice_minutes=features["slice_minutes"],
            window=features["window"],
            horizons=tuple(features["horizons"]),
            adjustments=Adjustments.from_dict(features["adjustments"]),
            segment_ids=tuple(found["network.json"]["segment_ids"]),
            network_fingerprint=found["network.json"]["fingerprint"],
            seen=SeenTime.from_dict(features["seen"]),
            metrics=found["metrics.json"],
            history=found["training_history.json"],
        )
    except (
        ValueError, KeyError, TypeError, RuntimeError, SafetensorError, yaml.YAMLError,
    ) as error:  # fmt: skip
        reason = str(error).strip().splitlines()[0]
        raise BundleError(f"bundle {folder} is damaged ({reason}); train it again") from error


def _preparation(
    features: dict[str, Any], scaler: dict[str, dict[str, float]], folder: Path, of: str = ""
) -> Preparation:
    arrays = load_numpy(folder / SEGMENTS_FILE)
    if f"{of}fill" not in arrays and "fill" in arrays:
        raise BundleError(
            f"bundle {folder} is an older one that says nothing of segments that were never "
            "observed; train it again: roadgraph train"
        )
    return Preparation(
        channels=tuple(features["channels"]),
        mean=np.array([scaler[name]["mean"] for name in features["channels"]], dtype=np.float32),
        std=np.array([scaler[name]["std"] for name in features["channels"]], dtype=np.float32),
        fill=arrays[f"{of}fill"],
        statics=arrays[f"{of}statics"],
        history=History(arrays[f"{of}typical_speed"], features["slice_minutes"]),
        fill_by=features["fill"],
        window=features["window"],
        reach=max(features["horizons"]),
    )


def _model_card(bundle: Bundle) -> str:
    minutes = [step * bundle.slice_minutes for step in bundle.horizons]
    lines = [
        f"# {bundle.title}, {bundle.city}",
        "",
        f"Forecasts congestion, rush hour and speed of {len(bundle.segment_ids):,} road segments "
        f"{', '.join(str(value) for value in minutes)} minutes ahead, from the last "
        f"{bundle.window} slices of {bundle.slice_minutes} minutes. Trained by roadgraph "
        f"{__version__} over {len(bundle.history)} epochs.",
        "",
        "Figures on the test span, on every cell with a label, beside the baselines:",
        "",
        "| model | minutes | accuracy | macro F1 | speed MAE, km/h | speed RMSE, km/h |",
        "| --- | --- | --- | --- | --- | --- |",
    ]
    lines += [
        f"| {row['model']} | {row['horizon_min']} | {row['accuracy']:.3f} | {row['macro_f1']:.3f} "
        f"| {row['speed_mae_kph']:.2f} | {row['speed_rmse_kph']:.2f} |"
        for row in bundle.metrics
        if row["part"] == "all"
    ]
    lines += [
        "",
        "Use it for the network it was trained on (`network.json`) and slices of the same length "
        "and features (`features.json`); `roadgraph predict` refuses others. The speed interval "
        "held 80 % of the validation span; it is not wider where less is known.",
    ]
    return "\n".join(lines) + "\n"
