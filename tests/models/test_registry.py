from typing import get_args

import pytest
import torch
from torch import nn

from roadgraph.errors import SettingsError
from roadgraph.models.dense import LinearLayer
from roadgraph.models.layers import GATConv, GCNConv
from roadgraph.models.multitask import SpeedBasePlaces
from roadgraph.models.registry import BACKBONES, GRAPHS, SIZES, build_model, model_title
from roadgraph.schema import FEATURES, HISTORY_CHANNELS
from roadgraph.settings import Backbone, GraphKind, ModelSettings, Size, SpeedBase
from tests.models.toy import MODELS, model_of, ring

CHANNELS = FEATURES + HISTORY_CHANNELS


def test_every_choice_of_the_settings_is_there_and_no_other() -> None:
    assert tuple(BACKBONES) == get_args(Backbone)
    assert tuple(SIZES) == get_args(Size)
    assert get_args(GraphKind) == GRAPHS


@pytest.mark.parametrize(
    ("name", "layer"),
    [("mlp", LinearLayer), ("attention", LinearLayer), ("gcn", GCNConv), ("gat", GATConv)],
)
@pytest.mark.parametrize("size", SIZES)
def test_names_stand_for_layers(name: Backbone, layer: type[nn.Module], size: Size) -> None:
    model = model_of(name, size)
    assert isinstance(model.fc1, layer)
    assert isinstance(model.fc2, layer)
    assert (model.attention is not None) == (name == "attention")


@pytest.mark.parametrize("name", ["gat", "attention"])
@pytest.mark.parametrize("size", SIZES)
@pytest.mark.parametrize("heads", [1, 2, 32])
def test_heads_share_the_width(name: Backbone, size: Size, heads: int) -> None:
    _, graph = ring(4)
    model = model_of(name, size, heads=heads)
    part = model.fc1 if name == "gat" else model.attention
    assert (part.heads if name == "gat" else part.num_heads) == heads  # type: ignore[union-attr]
    assert model(torch.randn(1, 2, 4, 10), graph)["congestion"].isfinite().all()


@pytest.mark.parametrize("name", ["gat", "attention"])
def test_heads_that_do_not_divide_the_width_are_refused(name: Backbone) -> None:
    with pytest.raises(SettingsError, match=r"must divide the width 64: 1, .* \(found 3\)"):
        model_of(name, "simple", heads=3)


def test_other_models_have_no_heads_to_divide() -> None:
    assert model_of("gcn", "simple", heads=3).fc1 is not None


@pytest.mark.parametrize(("name", "size"), MODELS)
def test_the_initialisation_is_that_of_the_settings(name: Backbone, size: Size) -> None:
    drawn = model_of(name, size, initialisation="default").state_dict()
    for kind in ("he", "xavier"):
        state = model_of(name, size, initialisation=kind).state_dict()
        matrices = [
            key for key, value in state.items() if key.endswith("weight") and value.ndim == 2
        ]
        assert len(matrices) >= 5
        assert not any(torch.equal(state[key], drawn[key]) for key in matrices)


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
