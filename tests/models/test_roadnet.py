import pytest
import torch

from roadgraph.models.graph import Graph, normalised_graph
from roadgraph.models.multitask import MultiTaskModel
from roadgraph.models.registry import build_model
from roadgraph.models.roadnet import CHANGING, CityExchange, RoadBlock
from roadgraph.schema import FEATURES
from roadgraph.settings import ModelSettings
from tests.models.toy import model_of, random_links, ring

SEGMENTS, WINDOW, BATCH = 8, 3, 2
LASTING = [place for place, name in enumerate(FEATURES) if name not in CHANGING]


def inputs(segments: int = SEGMENTS, batch: int = BATCH) -> torch.Tensor:
    generator = torch.Generator().manual_seed(1)
    return torch.randn(batch, WINDOW, segments, len(FEATURES), generator=generator)


def roadnet(**settings: object) -> MultiTaskModel:
    return model_of("roadnet", "simple", window=WINDOW, **settings).eval()  # type: ignore[arg-type]


def with_embedding() -> MultiTaskModel:
    """Return a model whose segments differ in their embeddings, as after a training."""
    model = roadnet(segment_embedding=4, segments=SEGMENTS)
    torch.nn.init.normal_(model.get_parameter("embedding"))
    return model


def sensitive_segments(model: MultiTaskModel, graph: Graph, segment: int) -> set[int]:
    """Return the segments whose features change when an input of ``segment`` does."""
    x = inputs()
    changed = x.clone()
    changed[:, -1, segment, 0] += 1.0
    before, after = (model(each, graph)["speed"] for each in (x, changed))
    distance = (after - before).abs().amax(dim=tuple(d for d in range(before.ndim) if d != 2))
    return set(torch.nonzero(distance > 1e-7).flatten().tolist())


def without_city(model: MultiTaskModel, monkeypatch: pytest.MonkeyPatch) -> MultiTaskModel:
    monkeypatch.setattr(CityExchange, "forward", lambda self, x: torch.zeros_like(x))
    return model


def test_a_block_hears_upstream_and_downstream_by_weights_of_their_own() -> None:
    _, graph = ring(SEGMENTS)
    block = RoadBlock(width=4, dropout=0.0)
    x = torch.randn(SEGMENTS, BATCH, 4, generator=torch.Generator().manual_seed(2))
    upstream_only = RoadBlock(width=4, dropout=0.0)
    upstream_only.load_state_dict(block.state_dict())
    with torch.no_grad():
        upstream_only.mix.weight[:, 8:12] = 0.0  # [own, upstream, downstream, city], each 4 wide
        upstream_only.mix.weight[:, 12:] = 0.0
        bumped = x.clone()
        bumped[3, :, 0] += 1.0
        change = (upstream_only(bumped, graph) - upstream_only(x, graph)).abs().amax((1, 2))
    # the ring is driven from 3 to 4
    assert torch.nonzero(change > 1e-7).flatten().tolist() == [3, 4]


def test_news_travels_one_link_a_block_both_ways(monkeypatch: pytest.MonkeyPatch) -> None:
    _, graph = ring(SEGMENTS)
    model = without_city(roadnet(), monkeypatch)
    assert sensitive_segments(model, graph, 4) == {2, 3, 4, 5, 6}  # two blocks


def test_the_city_exchange_reaches_segments_without_a_link() -> None:
    graph = normalised_graph(torch.zeros((2, 0), dtype=torch.long), None, SEGMENTS)
    assert sensitive_segments(roadnet(), graph, 4) == set(range(SEGMENTS))


def test_the_city_exchange_is_the_formula_of_its_docstring() -> None:
    torch.manual_seed(0)
    exchange = CityExchange(width=5)
    x = torch.randn(SEGMENTS, 1, 5)
    one = x[:, 0]
    told = torch.softmax(exchange.tell(one), dim=0)
    asked = torch.softmax(exchange.ask(one), dim=1)
    torch.testing.assert_close(exchange(x)[:, 0], asked @ (told.T @ one))


def test_of_lasting_channels_the_last_slice_alone_is_read() -> None:
    _, graph = ring(SEGMENTS)
    model, x = roadnet(), inputs()
    earlier, last = x.clone(), x.clone()
    earlier[:, :-1, :, LASTING] += 5.0
    last[:, -1, :, LASTING] += 5.0
    answer = model(x, graph)["speed"]
    assert torch.equal(model(earlier, graph)["speed"], answer)
    assert not torch.allclose(model(last, graph)["speed"], answer)


@pytest.mark.parametrize("place", range(WINDOW))
@pytest.mark.parametrize("name", [name for name in FEATURES if name in CHANGING])
def test_every_slice_of_a_changing_channel_is_read(name: str, place: int) -> None:
    _, graph = ring(SEGMENTS)
    model, x = roadnet(), inputs()
    changed = x.clone()
    changed[:, place, :, FEATURES.index(name)] += 1.0
    assert not torch.allclose(model(changed, graph)["speed"], model(x, graph)["speed"])


def test_without_an_embedding_one_model_runs_in_two_cities() -> None:
    model = roadnet(segment_embedding=0)
    for segments in (5, 9):
        _, graph = ring(segments)
        assert model(inputs(segments), graph)["congestion"].shape[2] == segments


def test_with_an_embedding_segments_with_equal_inputs_get_different_answers() -> None:
    _, graph = ring(SEGMENTS)
    same = inputs()[:, :, :1].expand(-1, -1, SEGMENTS, -1)
    plain = roadnet(segment_embedding=0)(same, graph)["speed"]
    own = with_embedding()(same, graph)["speed"]
    assert torch.allclose(plain[:, :, :1].expand_as(plain), plain, atol=1e-6)
    assert not torch.allclose(own[:, :, :1].expand_as(own), own, atol=1e-4)


def test_renumbered_segments_with_their_embeddings_give_renumbered_answers() -> None:
    index, weights = random_links(SEGMENTS, 14, seed=3)
    order = torch.randperm(SEGMENTS, generator=torch.Generator().manual_seed(4))
    new_number = torch.argsort(order)
    graph = normalised_graph(index, weights, SEGMENTS)
    renumbered = normalised_graph(new_number[index], weights, SEGMENTS)
    model, x = with_embedding(), inputs()
    expected = model(x, graph)["speed"][:, :, order]
    with torch.no_grad():
        embedding = model.get_parameter("embedding")
        embedding.copy_(embedding[order].clone())
    answer = model(x[:, :, order], renumbered)["speed"]
    torch.testing.assert_close(answer, expected, atol=1e-5, rtol=1e-5)


def test_a_segment_without_a_label_keeps_an_embedding_of_zeros() -> None:
    assert not roadnet(segment_embedding=4, segments=SEGMENTS).get_parameter("embedding").any()


def test_an_embedding_needs_the_number_of_segments() -> None:
    with pytest.raises(ValueError, match="number of segments"):
        roadnet(segment_embedding=4, segments=None)


def test_an_untrained_model_forecasts_the_last_observation() -> None:
    _, graph = ring(SEGMENTS)
    settings = ModelSettings(name="roadnet", segment_embedding=0)
    model = build_model(settings, "simple", FEATURES, WINDOW, (1, 2), None).eval()
    x = inputs()
    last = x[:, -1:, :, FEATURES.index("mean_speed")].expand(-1, 2, -1)
    assert torch.equal(model(x, graph)["speed"], last)
