"""A forecast of 100,000 segments, against PyG's layers, and how soon `roadgraph predict` is there.

    python benchmarks/prediction.py [--segments 100000] [MODEL ...]

On the made city and with untrained weights: the forward pass of one slice through `gcn` and `gat`,
and the forecast from the table of slices to that of answers, against the same model with PyG's
layers; then for each model the forecast to the written file, and its parts. With a trained sample
city in data/work (`make demo`) the whole command `roadgraph predict` from cold, in turn with
`import torch, torch_geometric`.
"""

from __future__ import annotations

import argparse
from dataclasses import replace
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING, cast

import limits
import numpy as np
import pyg_peer
import torch
from made_city import (
    made_network,
    made_settings,
    observed_slices,
    streets_of,
    untrained_bundle,
)
from measuring import (
    REPOSITORY,
    Asked,
    asked_table,
    in_turn,
    machine,
    peak_gib,
    process,
    times_table,
)

from roadgraph.calendar import city_zone
from roadgraph.dataset.loading import road_graph_of
from roadgraph.predict.forecaster import Forecaster
from roadgraph.predict.store import write_forecast
from roadgraph.training.inference import answers

if TYPE_CHECKING:
    from collections.abc import Callable

    import pyarrow as pa
    from measuring import Times

    from roadgraph.models.graph import Graph
    from roadgraph.network.network import Network

RUNS = 3
MODELS = ("gcn-enhanced", "roadnet-simple", "mlp-simple")
AGAINST_PYG = ("gcn", "gat")
FASTER, WHOLE_S, START_UP = 4.0, 1.0, 1.5
SAMPLE = Path("data/work/sample")
IMPORTS = "import torch, torch_geometric"
PYG, OURS = "PyG's layers", "roadgraph"
LIMIT = "limit: the dense layers of mlp alone"
WHOLE, BUNDLE = "from slices to the file", "`roadgraph predict`, a bundle, no picture"


def forecaster_of(title: str, network: Network) -> Forecaster:
    """Return an untrained model on the network."""
    name, size = title.rsplit("-", 1)
    return Forecaster.of(untrained_bundle(network, made_settings(name, size)), network)


def with_pyg(forecaster: Forecaster, network: Network) -> Forecaster:
    """Return the forecaster of the same model with PyG's layers, on the graph as one."""
    (part,) = forecaster.parts
    peer = pyg_peer.with_pyg_layers(part.bundle.model).eval()
    bundle = replace(part.bundle, model=peer)
    tiles = cast("tuple[Graph, ...]", (pyg_peer.Links.of(road_graph_of(network)),))
    return replace(forecaster, bundle=bundle, parts=(replace(part, bundle=bundle, tiles=tiles),))


def measure_against_pyg(network: Network, slices: pa.Table) -> list[Asked]:
    """Print the times of forward pass and forecast beside the peer's; return what was asked."""
    forward: dict[str, Callable[[], dict[str, np.ndarray]]] = {}
    whole: dict[str, Callable[[], object]] = {}
    for name in AGAINST_PYG:
        ours = forecaster_of(f"{name}-enhanced", network)
        for who, each in ((PYG, with_pyg(ours, network)), (OURS, ours)):
            forward[f"{name}: {who}"] = one_slice(each)
            whole[f"{name}: {who}"] = lambda each=each: forecast_of(each, slices)  # type: ignore[misc]
        theirs = forward[f"{name}: {PYG}"]()
        np.testing.assert_equal(list(theirs), list(forward[f"{name}: {OURS}"]()))
        for key, answer in forward[f"{name}: {OURS}"]().items():
            np.testing.assert_allclose(answer, theirs[key], atol=1e-3, rtol=1e-4)
    mlp = forecaster_of("mlp-enhanced", network).parts[0].bundle
    x = torch.zeros(1, mlp.window, len(mlp.segment_ids), len(mlp.preparation.channels))
    dense = limits.dense_products(mlp.model, x, None, backward=False)
    where, asked = f"one slice of {len(network.segment_ids):,} segments", []
    for what, steps in (
        ("forward pass", {**forward, LIMIT: dense}),
        ("from slices to the table", whole),
    ):
        times = in_turn(steps, RUNS)
        ratios = {
            name: times[f"{name}: {PYG}"].median / times[f"{name}: {OURS}"].median
            for name in AGAINST_PYG
        }
        faster = {f"{name}: {OURS}": f"{ratio:.1f}" for name, ratio in ratios.items()}
        print(times_table(f"{what}, enhanced", times, unit="ms", more={"times as fast": faster}))
        asked += [
            Asked(f"{what}, `{name}` enhanced, {where}", PYG, FASTER, ratio)
            for name, ratio in ratios.items()
        ]
    return asked


def one_slice(forecaster: Forecaster) -> Callable[[], dict[str, np.ndarray]]:
    """Return the step of the model's answers for one slice, from random inputs."""
    (part,) = forecaster.parts
    own = part.bundle
    shape = (own.window, len(own.segment_ids), len(own.preparation.channels))
    inputs = np.random.default_rng(2).standard_normal(shape, dtype=np.float32)
    newest = np.array([own.window - 1])
    return lambda: answers(own.model, part.tiles, inputs, newest, own.window, own.preparation)


def forecast_of(forecaster: Forecaster, slices: pa.Table) -> pa.Table:
    """Return the forecast from the newest of ``slices``."""
    seen = forecaster.observations(slices, forecaster.bundle.slice_minutes)
    return forecaster.forecast(seen, seen.newest_end)


def measure_forecast(title: str, network: Network, slices: pa.Table, folder: Path) -> Times:
    """Print the times of a forecast and of its parts; return those of the whole."""
    forecaster = forecaster_of(title, network)
    bundle = forecaster.bundle
    zone = city_zone(bundle.timezone)
    observations = forecaster.observations(slices, bundle.slice_minutes)
    at = observations.newest_end
    table = forecaster.forecast(observations, at)

    def whole() -> None:
        write_forecast(folder, zone, forecast_of(forecaster, slices), {})

    times = in_turn(
        {
            "slices in the order of time": lambda: forecaster.observations(
                slices, bundle.slice_minutes
            ),
            "forecast": lambda: forecaster.forecast(observations, at),
            "file": lambda: write_forecast(folder, zone, table, {}),
            WHOLE: whole,
        },
        RUNS,
    )
    print(times_table(title, times), flush=True)
    return times[WHOLE]


def measure_commands() -> Asked:
    """Print how long the command takes from cold; return what was asked."""
    bundle = SAMPLE / "bundles" / "roadnet-simple"
    what = ("the whole command `roadgraph predict`, sample city", f"`{IMPORTS}`", START_UP)
    if not (REPOSITORY / bundle).is_dir():
        print("There is no trained sample city in data/work: run `make demo` first.\n")
        return Asked(*what, None, at_least=False)
    words = {
        BUNDLE: ("--bundle", str(bundle), "--no-picture"),
        "`roadgraph predict`, the champion, no picture": ("--no-picture",),
        "`roadgraph predict`, the champion, with the map": (),
    }
    steps: dict[str, Callable[[], object]] = {f"`{IMPORTS}`": lambda: process(["-c", IMPORTS])}
    for name, own in words.items():
        steps[name] = lambda own=own: predict(own)  # type: ignore[misc]
    times = in_turn(steps, RUNS)
    print(times_table("command, from cold", times, f"`{IMPORTS}`"), flush=True)
    return Asked(*what, times[BUNDLE].median / times[f"`{IMPORTS}`"].median, at_least=False)


def predict(words: tuple[str, ...]) -> None:
    """Run ``roadgraph predict`` on the sample city."""
    with TemporaryDirectory() as folder:
        out = Path(folder) / "predictions.parquet"
        process(["-m", "roadgraph", "predict", *words, "--out", str(out)])


def main() -> None:
    """Measure and print Markdown tables."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("models", nargs="*", default=MODELS, metavar="MODEL")
    parser.add_argument("--segments", type=int, default=100_000)
    given = parser.parse_args()
    torch.manual_seed(0)
    print(
        f"{given.segments:,} segments; {RUNS} runs each, in turn; "
        f"{machine('torch', 'torch_geometric')}\n"
    )
    network = made_network(streets_of(given.segments))
    bundle = forecaster_of(given.models[0], network).bundle
    slices = observed_slices(network, bundle.slices, bundle.slice_minutes)
    asked = measure_against_pyg(network, slices)
    for title in given.models:
        with TemporaryDirectory() as folder:
            times = measure_forecast(title, network, slices, Path(folder))
        what = f"a forecast of {given.segments:,} segments with `{title}`, {WHOLE}"
        asked.append(Asked(what, "-", WHOLE_S, times.median, at_least=False, unit="s"))
    print(f"Memory at its peak, with the peers: {peak_gib():.1f} GiB.\n")
    asked.append(measure_commands())
    print(asked_table(asked))


if __name__ == "__main__":
    main()
