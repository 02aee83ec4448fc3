from typing import get_args

import pytest

from roadgraph.models.layers import GCNConv, LinearLayer
from roadgraph.models.multitask import SpeedBasePlaces
from roadgraph.models.registry import BACKBONES, GRAPHS, SIZES, build_model, model_title
from roadgraph.schema import FEATURES, HISTORY_CHANNELS
from roadgraph.settings import Backbone, GraphKind, ModelSettings, Size, SpeedBase

CHANNELS = FEATURES + HISTORY_CHANNELS


def test_every_choice_of_the_settings_is_there_and_no_other() -> None:
    assert tuple(BACKBONES) == get_args(Backbone)
    assert tuple(SIZES) == get_args(Size)
    assert get_args(GraphKind) == GRAPHS


def test_names_stand_for_layers() -> None:
    for name, layer in (("mlp", LinearLayer), ("gcn", GCNConv)):
        model = build_model(ModelSettings(name=name), "simple", CHANNELS, 4, (1, 2))  # type: ignore[arg-type]
        assert isinstance(model.fc1, layer)


@pytest.mark.parametrize(
    ("kind", "window", "expected"),
    [
        ("nothing", 4, None),
        ("last", 4, SpeedBasePlaces(0, (-1, -1, -1))),
        # horizons 1, 2, 4: the channel looks 4 ahead, so the time 1 ahead stands 3 slices earlier
        ("typical", 4, SpeedBasePlaces(11, (-4, -3, -1))),
        ("typical", 2, SpeedBasePlaces(11, (-2, -2, -1))),
    ],
)
def test_the_base_of_the_speed(
    kind: SpeedBase, window: int, expected: SpeedBasePlaces | None
) -> None:
    settings = ModelSettings(speed_from=kind)
    assert build_model(settings, "simple", CHANNELS, window, (1, 2, 4)).speed_base == expected


def test_titles_tell_models_and_their_controls_apart() -> None:
    assert model_title(ModelSettings(name="gcn"), "enhanced") == "gcn-enhanced"
    control = ModelSettings(name="gcn", graph="self_loops")
    assert model_title(control, "enhanced") == "gcn-enhanced-self-loops"
