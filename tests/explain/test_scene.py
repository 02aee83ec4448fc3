import pytest
import torch

from roadgraph.explain import scene
from roadgraph.explain.question import asked
from roadgraph.explain.scene import Scene
from roadgraph.predict.forecaster import Forecaster
from roadgraph.training.bundle import Bundle
from tests.explain.toy import linear_bundle, with_model
from tests.predict.toy import END, NETWORK, SLICES_TABLE


def scene_of(bundle: Bundle, segment_id: str = "C") -> Scene:
    forecaster = Forecaster.of(bundle, NETWORK)
    observations = forecaster.observations(SLICES_TABLE, 15)
    return Scene.of(asked(forecaster, NETWORK, observations, END, segment_id, None))


def test_of_what_is_heard_the_model_sees_the_same_as_in_the_whole_city(bundle: Bundle) -> None:
    whole = scene_of(with_model(bundle, name="attention"))
    cut = scene_of(with_model(bundle, name="mlp"))
    assert cut.heard.places.tolist() == [2]
    seen = whole.inputs(whole.grid)
    assert seen.shape == (1, bundle.window, 3, len(bundle.preparation.channels))
    assert torch.equal(cut.inputs(cut.grid), seen[:, :, [2]])
    usual = whole.inputs(whole.ordinary)
    assert torch.equal(cut.inputs(cut.ordinary), usual[:, :, [2]])


@pytest.mark.parametrize("cells", [1, 50, 20_000])
def test_the_answers_are_averaged_over_an_ordinary_week(
    bundle: Bundle, monkeypatch: pytest.MonkeyPatch, cells: int
) -> None:
    monkeypatch.setattr(scene, "TILE_TO_ANSWER", cells)
    chosen = scene_of(linear_bundle(bundle, {"mean_speed": 1.0}), "B")
    assert chosen.grid.observed[-1].all()
    windows: list[int] = []

    def read(given: dict[str, torch.Tensor]) -> torch.Tensor:
        windows.append(len(given["speed"]))
        return given["speed"][:, 1, 0]

    speed, one = chosen.week([read, lambda given: torch.ones(len(given["speed"]))])
    assert sum(windows) == 168
    assert max(windows) == min(cells, 168)
    # The newest slice of each window is the last of an hour.
    typical = bundle.preparation.history.week[3::4, 1]
    scaled = (typical - bundle.preparation.mean[0]) / bundle.preparation.std[0]
    assert speed == pytest.approx(scaled.mean(), abs=1e-4)
    assert one == 1


def test_the_model_is_called_with_so_many_windows_that_the_memory_is_bounded(
    bundle: Bundle, monkeypatch: pytest.MonkeyPatch
) -> None:
    chosen = scene_of(with_model(bundle, name="attention"))
    for cells, windows in ((7, 2), (2, 1)):
        monkeypatch.setattr(scene, "TILE_TO_ANSWER", cells)
        assert chosen.at_once == windows
