"""Attention reads what is there, and only that."""

import pytest
import torch

from models.attention import AdditiveAttention, Attention, DotAttention, GeneralAttention

QUERY, MEMORY = 6, 6
KINDS = {
    "dot": DotAttention,
    "general": GeneralAttention,
    "additive": lambda query_size, memory_size: AdditiveAttention(query_size, memory_size, hidden_size=5),
}


@pytest.fixture(params=KINDS)
def attention(request: pytest.FixtureRequest) -> Attention:
    torch.manual_seed(0)
    return KINDS[request.param](QUERY, MEMORY)


def ragged(batch: int = 3, length: int = 5) -> tuple[torch.Tensor, torch.Tensor]:
    mask = torch.arange(length) < torch.tensor([length, 3, 1])[:batch, None]
    return torch.randn(batch, length, MEMORY) * mask.unsqueeze(-1), mask


def test_weights_are_a_distribution_over_the_tokens_of_the_sentence(attention: Attention) -> None:
    values, mask = ragged()
    contexts, weights = attention(torch.randn(3, 4, QUERY), attention.memory(values, mask))
    assert contexts.shape == (3, 4, MEMORY)
    assert torch.all(weights[(~mask).unsqueeze(1).expand_as(weights)] == 0)
    assert torch.allclose(weights.sum(dim=-1), torch.ones(3, 4))
    assert torch.allclose(contexts, weights @ values)


def test_what_stands_on_padding_changes_nothing(attention: Attention) -> None:
    values, mask = ragged()
    queries = torch.randn(3, 4, QUERY)
    contexts, _ = attention(queries, attention.memory(values, mask))
    spoilt = values.masked_fill(~mask.unsqueeze(-1), 1e3)
    assert torch.equal(contexts, attention(queries, attention.memory(spoilt, mask))[0])
    alone, _ = attention(queries[1:2], attention.memory(values[1:2, :3], mask[1:2, :3]))
    assert torch.allclose(contexts[1:2], alone, atol=1e-6)


def test_one_query_at_a_time_gives_what_all_at_once_give(attention: Attention) -> None:
    values, mask = ragged()
    queries, memory = torch.randn(3, 4, QUERY), attention.memory(values, mask)
    together, _ = attention(queries, memory)
    for step in range(4):
        assert torch.allclose(
            attention(queries[:, step : step + 1], memory)[0], together[:, step : step + 1], atol=1e-6
        )


def test_a_selected_memory_is_that_of_the_selected_sentences(attention: Attention) -> None:
    values, mask = ragged()
    rows = torch.tensor([2, 0])
    selected, direct = attention.memory(values, mask).select(rows), attention.memory(values[rows], mask[rows])
    assert all(torch.allclose(a.float(), b.float()) for a, b in zip(selected, direct, strict=True))


def test_the_scores_are_those_of_the_papers() -> None:
    torch.manual_seed(0)
    queries, values = torch.randn(2, 3, QUERY), torch.randn(2, 4, MEMORY)
    for kind, expected in (
        (dot := DotAttention(QUERY, MEMORY), lambda q, v: q @ v),
        (general := GeneralAttention(QUERY, MEMORY), lambda q, v: q @ (general.to_keys.weight @ v)),
        (
            additive := AdditiveAttention(QUERY, MEMORY, 5),
            lambda q, v: (
                additive.weigh.weight[0]
                @ torch.tanh(additive.from_queries.weight @ q + additive.to_keys.weight @ v + additive.to_keys.bias)
            ),
        ),
    ):
        scores = kind.scores(queries, kind.keys(values))
        for b in range(2):
            for s in range(3):
                for t in range(4):
                    assert scores[b, s, t].item() == pytest.approx(
                        expected(queries[b, s], values[b, t]).item(), abs=1e-5
                    )
    assert not list(dot.parameters())


def test_dot_attention_needs_one_size() -> None:
    with pytest.raises(ValueError, match=r"attention=dot .* 4 features .* outputs 6: .* attention=general"):
        DotAttention(4, 6)
