"""Takes pictures of a city: runs and curves in MLflow, its comparison, its pipeline, its map.

Run it through `make screenshots` after `roadgraph compare` and `roadgraph report`; it needs the
`playwright` package and a Chromium of the system. The store is copied first, so that looking at it
changes nothing.
"""

from __future__ import annotations

import argparse
import io
import json
import os
import shutil
import signal
import socket
import sqlite3
import subprocess
import sys
import tempfile
import time
import urllib.request
from contextlib import closing, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from dagster_assets import served_assets
from page_screenshots import take_map_pictures
from PIL import Image
from playwright.sync_api import Page, sync_playwright

from roadgraph.report.scorecard_page.page import SCORECARD_FILE
from roadgraph.reporting import MAP_FILE

if TYPE_CHECKING:
    from collections.abc import Iterator

    from mlflow.entities import Run

FOLDER = Path(__file__).parent
WORK = FOLDER.parent / "work"
BROWSERS = ("chromium", "chromium-browser", "google-chrome")
WIDTH_PX, HEIGHT_PX = 1400, 900
SCORECARD_HEIGHT_PX = 1120
PAGE_SCALE = 0.8
"""Comparison, scorecard and assets are shown smaller, so that the widest of them fits."""

START_S = 90
PARENT = "mlflow.parentRunId"
CONTROL = "self-loops"
CURVES = "^(train|val)_(loss|congestion|speed)$"
"""What a model records by epoch, as the search of its charts takes it."""

ASSETS_STATE = {"dagster-nav-collapsed": "true", "communityNux": "1"}
ASSETS_HEIGHT_PX = 560
SETTLE_MS = 1500  # charts draw themselves in steps
COLUMN_WIDTHS_PX = {"attributes.`Run Name`": 270, "runDateAndNestInfo": 130, "duration": 80}
METRIC_WIDTH_PX = 210
HIDDEN = "[data-assistant-ui] { display: none !important; }"


@dataclass(frozen=True)
class Chosen:
    """The runs that the pictures show, and the metrics that the table of runs shows."""

    experiment: str
    parent: str
    best: str
    metrics: list[str]


def main() -> None:
    """Read the command line and take the pictures."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--city", default="sample")
    parser.add_argument("--minutes", type=int, default=30, help="horizon of the metrics shown")
    parser.add_argument("--store", default=f"sqlite:///{WORK / 'mlflow.db'}")
    parser.add_argument("--page", type=Path, help="default: data/work/CITY/results/comparison.html")
    parser.add_argument("--report", type=Path, help="default: data/work/CITY/report")
    parser.add_argument("--out", type=Path, default=FOLDER)
    parser.add_argument("--browser", help="path of Chromium; by default the one on the PATH")
    asked = parser.parse_args()
    browser = asked.browser or next(filter(None, map(shutil.which, BROWSERS)), None)
    if browser is None or not Path(browser).is_file():
        sys.exit("no Chromium found: install it (apt-get install chromium) or name it by --browser")
    page = asked.page or WORK / asked.city / "results" / "comparison.html"
    if not page.is_file():
        sys.exit(f"{page}: no such page; run `roadgraph compare` first or name it by --page")
    report = asked.report or WORK / asked.city / "report"
    for name in (MAP_FILE, SCORECARD_FILE):
        if not (report / name).is_file():
            sys.exit(f"{report / name}: no such page; run `roadgraph report` first or name its "
                     "folder by --report")  # fmt: skip
    store = Path(asked.store.removeprefix("sqlite:///"))
    if not store.is_file():
        sys.exit(f"{store}: no such MLflow store; run `roadgraph compare` first or name it by "
                 "--store sqlite:///FILE")  # fmt: skip
    asked.out.mkdir(parents=True, exist_ok=True)
    with served(store) as address, sync_playwright() as playwright:
        chosen = choose(address, asked.city, asked.minutes)
        take_map_pictures(playwright.chromium, browser, report / MAP_FILE, asked.out)
        # Chromium's sandbox refuses to run as root, which is who runs in most containers.
        chromium = playwright.chromium.launch(
            executable_path=browser, chromium_sandbox=os.geteuid() != 0
        )
        tab = chromium.new_page(viewport={"width": WIDTH_PX, "height": HEIGHT_PX})
        tab.add_init_script(script=remember(ui_state(chosen)))
        show_runs(tab, address, chosen)
        save(tab, asked.out / "mlflow-runs.png")
        show_curves(tab, address, chosen)
        save(tab, asked.out / "mlflow-charts.png")
        tab = chromium.new_page(
            viewport={
                "width": round(WIDTH_PX / PAGE_SCALE),
                "height": round(HEIGHT_PX / PAGE_SCALE),
            },
            device_scale_factor=PAGE_SCALE,
        )
        tab.goto(page.resolve().as_uri())
        save(tab, asked.out / "comparison.png")
        tab.set_viewport_size(
            {
                "width": round(WIDTH_PX / PAGE_SCALE),
                "height": round(SCORECARD_HEIGHT_PX / PAGE_SCALE),
            }
        )
        tab.goto((report / SCORECARD_FILE).resolve().as_uri())
        save(tab, asked.out / "scorecard.png")
        with served_assets(asked.city, WORK, free_port(), wait) as pages:
            tab = chromium.new_page(
                viewport={
                    "width": round(WIDTH_PX / PAGE_SCALE),
                    "height": round(ASSETS_HEIGHT_PX / PAGE_SCALE),
                },
                device_scale_factor=PAGE_SCALE,
            )
            show_assets(tab, pages)
            save(tab, asked.out / "dagster.png")
        chromium.close()


@contextmanager
def served(store: Path) -> Iterator[str]:
    """Serve a copy of ``store`` with MLflow on a free port of this machine; yield its address."""
    with tempfile.TemporaryDirectory() as name:
        copy, log = Path(name, "mlflow.db"), Path(name, "server.log")
        with closing(sqlite3.connect(store)) as old, closing(sqlite3.connect(copy)) as new:
            old.backup(new)
        port = free_port()
        command = [
            sys.executable, "-m", "mlflow", "server", "--backend-store-uri", f"sqlite:///{copy}",
            "--host", "127.0.0.1", "--port", str(port), "--workers", "1",
        ]  # fmt: skip
        environment = {**os.environ, "MLFLOW_DISABLE_TELEMETRY": "true"}
        with log.open("wb") as lines:
            server = subprocess.Popen(
                command,
                cwd=name,
                env=environment,
                stdout=lines,
                stderr=lines,
                start_new_session=True,
            )
        try:
            wait(server, f"http://127.0.0.1:{port}/health", log)
            yield f"http://127.0.0.1:{port}"
        finally:
            os.killpg(server.pid, signal.SIGTERM)  # it has children that do not end with it
            server.wait()


def free_port() -> int:
    """Return a port that nothing listens on."""
    with socket.socket() as found:
        found.bind(("127.0.0.1", 0))
        return int(found.getsockname()[1])


def wait(server: subprocess.Popen[bytes], page: str, log: Path) -> None:
    """Wait until the server answers."""
    end = time.monotonic() + START_S
    while time.monotonic() < end and server.poll() is None:
        try:
            with urllib.request.urlopen(page, timeout=5):
                return
        except OSError:
            time.sleep(0.5)
    sys.exit(f"the server did not start:\n{log.read_text('utf-8')[-2000:]}")


def choose(address: str, city: str, minutes: int) -> Chosen:
    """Return the newest comparison of ``city`` and its model with the best macro F1."""
    from mlflow import MlflowClient

    client = MlflowClient(address)
    experiment = client.get_experiment_by_name(city)
    if experiment is None:
        sys.exit(f"the MLflow store has no experiment '{city}'; run `roadgraph compare` for it")
    metrics = [
        f"test/{name}/{minutes}min"
        for name in ("congestion/macro_f1", "congestion/accuracy", "speed/mae_kph")
    ]
    runs = client.search_runs(
        [experiment.experiment_id], order_by=["attributes.start_time DESC"], max_results=5000
    )
    parents = [run.info.run_id for run in runs if run.info.run_id in {parent_of(r) for r in runs}]
    judged = [
        run
        for run in runs
        if parents and parent_of(run) == parents[0]
        if metrics[0] in run.data.metrics and "val_loss" in run.data.metrics
        if CONTROL not in run.info.run_name
    ]
    if not judged:
        sys.exit(
            f"no comparison of '{city}' in the MLflow store has a model with '{metrics[0]}'; "
            "run `roadgraph compare`, or name another horizon by --minutes"
        )
    best = max(judged, key=lambda run: run.data.metrics[metrics[0]])
    return Chosen(experiment.experiment_id, parents[0], best.info.run_id, metrics)


def parent_of(run: Run) -> str | None:
    """Return the id of the comparison that ``run`` belongs to."""
    return run.data.tags.get(PARENT)


def ui_state(chosen: Chosen) -> dict[str, str]:
    """Return what MLflow's pages keep in the browser: columns, what is open, no assistant.

    The keys are those of MLflow 3; with another version the pictures may show other columns.
    """
    columns = [f"metrics.`{name}`" for name in chosen.metrics]
    widths = COLUMN_WIDTHS_PX | dict.fromkeys(columns, METRIC_WIDTH_PX)
    table: dict[str, Any] = {
        "selectedColumns": columns,
        "columnOrder": list(widths),
        "columnWidths": widths,
        "runsExpanded": {chosen.parent: True},
        "orderByKey": "attributes.start_time",
        "orderByAsc": False,
    }
    experiment = json.dumps([chosen.experiment], separators=(",", ":"))
    return {
        f"MLflowLocalStorage-1.1-ExperimentPage-{experiment}-ReactComponentState": json.dumps(
            table
        ),
        "mlflow.workflowType_v1": json.dumps("machine_learning"),
        "mlflow.assistant.fab.autoOpenedOnFirstLoad_v1": "true",
        "mlflow.assistant.panelOpen_v1": "false",
    }


def remember(state: dict[str, str]) -> str:
    """Return a script that puts ``state`` into the browser's store, once."""
    return f"for (const [key, value] of Object.entries({json.dumps(state)})) " + (
        "if (localStorage.getItem(key) === null) localStorage.setItem(key, value);"
    )


def show_runs(tab: Page, address: str, chosen: Chosen) -> None:
    """Open the table of runs with the newest comparison unfolded."""
    tab.goto(f"{address}/#/experiments/{chosen.experiment}/runs")
    tab.locator(f'a[href*="{chosen.best}"]').first.wait_for()


def show_curves(tab: Page, address: str, chosen: Chosen) -> None:
    """Open the charts of the best model's losses and scores by epoch."""
    tab.goto(f"{address}/#/experiments/{chosen.experiment}/runs/{chosen.best}/model-metrics")
    search = tab.get_by_placeholder("Search metric charts")
    search.fill(CURVES)
    search.blur()
    tab.get_by_text("val_loss").first.wait_for()


def show_assets(tab: Page, address: str) -> None:
    """Open the graph of the assets with the state of their partitions."""
    tab.add_init_script(script=remember(ASSETS_STATE))
    tab.goto(f"{address}/asset-groups")
    tab.get_by_text("Latest event").first.wait_for()
    tab.wait_for_timeout(SETTLE_MS)
    tab.wait_for_function("!document.body.innerText.includes('Loading...')")


def save(tab: Page, path: Path) -> None:
    """Write what ``tab`` shows as a small PNG."""
    tab.add_style_tag(content=HIDDEN)
    tab.wait_for_timeout(SETTLE_MS)
    with Image.open(io.BytesIO(tab.screenshot(animations="disabled"))) as shot:
        # Of Pillow's ways to 256 colours the one that keeps the lines of a legend apart.
        few = shot.convert("RGB").quantize(
            256, Image.Quantize.MAXCOVERAGE, dither=Image.Dither.NONE
        )
    few.save(path, optimize=True)
    print(f"{path}: {few.width} x {few.height}, {path.stat().st_size / 1000:.0f} kB")


if __name__ == "__main__":
    main()
