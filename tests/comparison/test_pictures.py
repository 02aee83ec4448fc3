import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from roadgraph.comparison import pictures
from roadgraph.comparison.judging import Judge
from roadgraph.comparison.pictures import Scene, draw_pictures
from roadgraph.comparison.runs import Run
from roadgraph.evaluation.details import Details
from roadgraph.settings import Settings
from roadgraph.storage import write_json
from tests.comparison.toy import model_run, quick_settings, toy_judge
from tests.toy import detector_network, network_of, straight_network, straight_segments

SETTINGS = quick_settings()
DRAWN = (
    "plot_learning_curves", "plot_confusion", "plot_reliability", "plot_error_by_hour",
    "plot_error_map",
)  # fmt: skip
EVERY = {
    "learning-curves", "confusion", "rush-hour-confusion", "reliability", "error-by-hour",
    "error-map",
}  # fmt: skip
DETAILS = Details(
    np.full(10, 0.5), np.full(10, 0.5), np.full(10, 7),
    np.full(24, 3), np.full(24, 0.5), np.full(24, 16.09344),
    np.full(3, 24), np.full(3, 0.5), np.full(3, 32.18688),
    np.array([[3, 1], [0, 2]]),
)  # fmt: skip


pytestmark = pytest.mark.usefixtures("real_pictures")


@pytest.fixture(scope="module")
def judge() -> Judge:
    return toy_judge(SETTINGS)


@pytest.fixture
def told(monkeypatch: pytest.MonkeyPatch) -> dict[str, tuple[object, ...]]:
    """Return what each kind of picture is drawn of, once it is; an empty file stands for it."""
    found: dict[str, tuple[object, ...]] = {}

    def draw(*shown: object, path: Path) -> None:
        found[path.stem] = shown
        path.touch()

    for name in DRAWN:
        monkeypatch.setattr(pictures, name, draw)
    return found


def run_of(folder: Path, seed: int = 1) -> Run:
    run = model_run("mlp-simple", seed, folder / "run", {"macro_f1": 0.5}, loss=1.0 / seed)
    confusion = np.eye(4, dtype=int) * seed
    return replace(run, verdict=replace(run.verdict, confusion=confusion, details=DETAILS))


def scene_of(judge: Judge, settings: Settings = SETTINGS) -> Scene:
    return Scene.of(judge, straight_network(), settings)


def titles_of(told: dict[str, tuple[object, ...]]) -> dict[str, str]:
    place = {"reliability": 3, "error-by-hour": 3, "error-map": 5, "learning-curves": 1}
    return {kind: str(shown[place.get(kind, 3)]) for kind, shown in told.items()}


def test_a_run_that_answers_everything_has_every_picture(judge: Judge, tmp_path: Path) -> None:
    run = run_of(tmp_path)
    draw_pictures(run, scene_of(judge))
    assert set(run.pictures) == EVERY
    assert all(path.read_bytes().startswith(b"\x89PNG") for path in run.pictures.values())
    drawings = {path.stem for path in run.picture_files if path.suffix == ".svg"}
    assert drawings == EVERY


def test_what_is_not_answered_has_no_picture(judge: Judge, tmp_path: Path) -> None:
    run = replace(model_run("mlp-simple", 1, tmp_path / "run", {}), history=[])
    draw_pictures(run, scene_of(judge))
    assert run.pictures == {}
    assert (tmp_path / "run" / "pictures").is_dir()


def test_without_geometry_there_is_no_map(
    judge: Judge, tmp_path: Path, told: dict[str, tuple[object, ...]]
) -> None:
    draw_pictures(run_of(tmp_path), Scene.of(judge, detector_network(3), SETTINGS))
    assert set(told) == EVERY - {"error-map"}


def test_titles_name_the_forecaster_the_seed_and_the_horizon(
    judge: Judge, tmp_path: Path, told: dict[str, tuple[object, ...]]
) -> None:
    run = run_of(tmp_path, seed=2)
    draw_pictures(run, scene_of(judge))
    assert titles_of(told) == {
        "learning-curves": "mlp-simple seed 2: learning curves",
        "confusion": "mlp-simple seed 2\nCongestion 15 minutes ahead, test span",
        "rush-hour-confusion": "mlp-simple seed 2\nRush hour 15 minutes ahead, test span",
        "reliability": "mlp-simple seed 2\nReliability, 15 minutes ahead, test span",
        "error-by-hour": "mlp-simple seed 2\nErrors by local hour, 15 minutes ahead, test span",
        "error-map": "mlp-simple seed 2\nSpeed 15 minutes ahead, test span",
    }
    told.clear()
    baseline = replace(run.facts, title="persistence", seed=0, baseline=True)
    draw_pictures(replace(run, facts=baseline, folder=tmp_path / "baseline"), scene_of(judge))
    assert titles_of(told)["confusion"].startswith("persistence\n")


def test_the_trivial_task_is_marked_in_every_title(
    judge: Judge, tmp_path: Path, told: dict[str, tuple[object, ...]]
) -> None:
    draw_pictures(run_of(tmp_path), scene_of(judge, replace(SETTINGS, task="nowcast_same_slice")))
    assert set(told) == EVERY
    assert all(title.endswith("\n(trivial: nowcast)") for title in titles_of(told).values())


def test_rush_hour_by_the_clock_is_marked(
    judge: Judge, tmp_path: Path, told: dict[str, tuple[object, ...]]
) -> None:
    clock = quick_settings(labels={"rush_hour": "clock"})
    draw_pictures(run_of(tmp_path), scene_of(judge, clock))
    marked = {kind for kind, title in titles_of(told).items() if "function of the clock" in title}
    assert marked == {"rush-hour-confusion"}


def test_errors_are_drawn_in_the_citys_unit_on_its_side_of_the_road(
    judge: Judge, tmp_path: Path, told: dict[str, tuple[object, ...]]
) -> None:
    scene = scene_of(judge, quick_settings(city={"speed_unit": "mph", "drives_on": "right"}))
    draw_pictures(run_of(tmp_path), replace(scene, most_error_kph=16.09344))
    by_hour, _, hour_unit, _ = told["error-by-hour"]
    np.testing.assert_allclose(by_hour, np.full(24, 10))  # type: ignore[call-overload]
    _, by_segment, most, map_unit, side, _ = told["error-map"]
    np.testing.assert_allclose(by_segment, np.full(3, 20))  # type: ignore[call-overload]
    assert most == pytest.approx(10)
    assert (hour_unit, map_unit, side) == ("mph", "mph", "right")


def test_all_maps_end_at_a_quarter_of_the_median_free_flow(judge: Judge) -> None:
    flow = np.array([40.0, 60.0, 100.0])
    dataset = replace(judge.dataset, label_free_flow_kph=flow)
    assert scene_of(replace(judge, dataset=dataset)).most_error_kph == 15


def test_what_was_drawn_is_not_drawn_again(
    judge: Judge, tmp_path: Path, told: dict[str, tuple[object, ...]]
) -> None:
    draw_pictures(run_of(tmp_path), scene_of(judge))
    told.clear()
    draw_pictures(run_of(tmp_path), scene_of(judge))
    assert told == {}


def test_pictures_of_before_there_were_drawings_are_drawn_again(
    judge: Judge, tmp_path: Path, told: dict[str, tuple[object, ...]]
) -> None:
    scene = scene_of(judge)
    before = {name: value for name, value in scene.content.items() if name != "formats"}
    write_json(tmp_path / "run" / "pictures" / "scene.json", before)
    draw_pictures(run_of(tmp_path), scene)
    assert set(told) == EVERY


@pytest.mark.parametrize("change", ["unit", "roads"])
def test_pictures_of_another_unit_or_other_roads_are_drawn_again(
    change: str, judge: Judge, tmp_path: Path, told: dict[str, tuple[object, ...]]
) -> None:
    scene = scene_of(judge)
    draw_pictures(run_of(tmp_path), scene)
    told.clear()
    segments = straight_segments()
    segments.geometry = segments.geometry.translate(0.001)
    other = {
        "unit": replace(scene, speed_unit="mph"),
        "roads": replace(scene, network=network_of(segments)),
    }[change]
    draw_pictures(run_of(tmp_path), other)
    assert set(told) == EVERY
    kept = json.loads((tmp_path / "run" / "pictures" / "scene.json").read_text("utf-8"))
    assert kept == other.content


def test_a_drawing_that_fails_leaves_no_picture(
    judge: Judge, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(*shown: object, path: Path) -> None:
        raise RuntimeError("no font")

    monkeypatch.setattr(pictures, "plot_confusion", fail)
    run = run_of(tmp_path)
    with pytest.raises(RuntimeError, match="no font"):
        draw_pictures(run, scene_of(judge))
    assert run.pictures == {}


def test_seeds_that_learned_differently_have_different_pictures(
    judge: Judge, tmp_path: Path
) -> None:
    runs = [run_of(tmp_path / str(seed), seed) for seed in (1, 2)]
    for run in runs:
        draw_pictures(run, scene_of(judge))
    first, second = (run.pictures for run in runs)
    for kind in ("confusion", "learning-curves"):
        assert first[kind].read_bytes() != second[kind].read_bytes()
