import pytest

from roadgraph.comparison.members import DEFAULT_MEMBERS, all_titles, members_of, with_controls
from roadgraph.errors import SettingsError
from roadgraph.models.registry import model_title
from roadgraph.settings import Settings


def test_an_unknown_model_is_an_error_that_names_the_nearest() -> None:
    with pytest.raises(SettingsError, match=r"no model 'gcn-enhanecd'.*did you mean 'gcn-enhanced"):
        members_of(Settings(), ["gcn-enhanecd"])


def test_members_keep_all_other_settings() -> None:
    (member,) = members_of(Settings(workspace="elsewhere"), ["gcn-enhanced-self-loops"])
    assert (member.model.name, member.model.graph, member.size) == ("gcn", "self_loops", "enhanced")
    assert member.workspace == "elsewhere"


def test_all_is_every_backbone_in_both_sizes_and_the_controls_of_those_with_a_graph() -> None:
    titles = [model_title(m.model, m.size) for m in members_of(Settings(), ["all"])]
    assert titles == all_titles()
    assert len(titles) == 5 * 2 + 3 * 2
    assert {"gat-simple", "gat-simple-self-loops", "attention-enhanced"} <= set(titles)
    assert "mlp-simple-self-loops" not in titles


def test_every_model_with_a_graph_gets_the_control_that_is_missing() -> None:
    asked = ["mlp-simple", "gat-simple", "gcn-enhanced", "gcn-enhanced-self-loops"]
    assert with_controls(asked) == [
        "mlp-simple",
        "gat-simple",
        "gat-simple-self-loops",
        "gcn-enhanced",
        "gcn-enhanced-self-loops",
    ]
    assert with_controls(["all"]) == ["all"]
    assert with_controls(["roadnet-simple-self-loops"]) == ["roadnet-simple-self-loops"]


def test_the_default_members_are_known_with_their_controls() -> None:
    assert len(members_of(Settings(), with_controls(DEFAULT_MEMBERS))) == 5
