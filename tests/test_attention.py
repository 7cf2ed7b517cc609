"""Attention reads the tokens of a sentence and nothing else; decoders without attention read a fixed context."""

import pytest
import torch

from models.attention import (
    AdditiveAttention,
    Attention,
    DotAttention,
    GeneralAttention,
    Memory,
    NoContext,
    SourceVector,
)
from models.encoder import Encoding

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


def memory_of(attention: Attention, values: torch.Tensor, mask: torch.Tensor) -> Memory:
    return attention.memory(Encoding(values, values[:, 0]), mask)


def ragged(batch: int = 3, length: int = 5) -> tuple[torch.Tensor, torch.Tensor]:
    mask = torch.arange(length) < torch.tensor([length, 3, 1])[:batch, None]
    return torch.randn(batch, length, MEMORY) * mask.unsqueeze(-1), mask


def test_weights_are_a_distribution_over_the_tokens_of_the_sentence(attention: Attention) -> None:
    values, mask = ragged()
    contexts, weights = attention(torch.randn(3, 4, QUERY), memory_of(attention, values, mask))
    assert contexts.shape == (3, 4, MEMORY)
    assert torch.all(weights[(~mask).unsqueeze(1).expand_as(weights)] == 0)
    assert torch.allclose(weights.sum(dim=-1), torch.ones(3, 4))
    assert torch.allclose(contexts, weights @ values)
    assert (attention.query_size, attention.context_size) == (QUERY, MEMORY)


def test_a_memory_in_half_precision_is_read_with_weights_in_full(attention: Attention) -> None:
    values, mask = ragged()
    memory, queries = memory_of(attention, values, mask), torch.randn(3, 4, QUERY)
    contexts, weights = attention(queries, Memory(memory.values.bfloat16(), memory.keys.bfloat16(), mask))
    assert (contexts.dtype, weights.dtype) == (torch.bfloat16, torch.float32)
    torch.testing.assert_close(contexts.float(), attention(queries, memory)[0], atol=0.05, rtol=0.05)


def test_values_on_padding_have_no_effect(attention: Attention) -> None:
    values, mask = ragged()
    queries = torch.randn(3, 4, QUERY)
    contexts, _ = attention(queries, memory_of(attention, values, mask))
    changed = values.masked_fill(~mask.unsqueeze(-1), 1e3)
    assert torch.equal(contexts, attention(queries, memory_of(attention, changed, mask))[0])
    alone, _ = attention(queries[1:2], memory_of(attention, values[1:2, :3], mask[1:2, :3]))
    assert torch.allclose(contexts[1:2], alone, atol=1e-6)


def test_queries_are_independent_of_each_other(attention: Attention) -> None:
    values, mask = ragged()
    queries, memory = torch.randn(3, 4, QUERY), memory_of(attention, values, mask)
    together, _ = attention(queries, memory)
    for step in range(4):
        assert torch.allclose(
            attention(queries[:, step : step + 1], memory)[0], together[:, step : step + 1], atol=1e-6
        )


def test_a_selected_memory_is_that_of_the_selected_sentences(attention: Attention) -> None:
    values, mask = ragged()
    rows = torch.tensor([2, 0])
    selected, direct = memory_of(attention, values, mask).select(rows), memory_of(attention, values[rows], mask[rows])
    assert all(torch.allclose(a.float(), b.float()) for a, b in zip(selected, direct, strict=True))


def test_the_scores_are_those_of_the_papers() -> None:
    torch.manual_seed(0)
    queries, values = torch.randn(2, 3, QUERY), torch.randn(2, 4, MEMORY)
    for kind, expected in (
        (dot := DotAttention(QUERY, MEMORY), lambda q, v: q @ v),
        (general := GeneralAttention(QUERY, MEMORY), lambda q, v: q @ (general.key_layer.weight @ v)),
        (
            additive := AdditiveAttention(QUERY, MEMORY, 5),
            lambda q, v: (
                additive.energy_layer.weight[0]
                @ torch.tanh(additive.query_layer.weight @ q + additive.key_layer.weight @ v + additive.key_layer.bias)
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


def test_dot_attention_needs_equal_sizes() -> None:
    with pytest.raises(ValueError, match=r"attention=dot .* 4 features .* outputs 6: .* attention=general"):
        DotAttention(4, 6)


def test_without_attention_the_context_is_empty_or_the_source_vector() -> None:
    values, mask = ragged()
    final, queries = torch.randn(3, MEMORY), torch.randn(3, 4, QUERY)
    none, source = NoContext(QUERY, MEMORY), SourceVector(QUERY, MEMORY)
    contexts, weights = none(queries, none.memory(Encoding(values, final), mask))
    assert contexts.shape == weights.shape == (3, 4, none.context_size) == (3, 4, 0)
    contexts, weights = source(queries, source.memory(Encoding(values, final), mask))
    assert weights.shape == (3, 4, 0) and source.context_size == MEMORY
    for step in range(4):
        assert torch.equal(contexts[:, step], final)


def test_the_memory_without_attention_has_no_positions_to_attend_to() -> None:
    values, mask = ragged()
    final = torch.randn(3, MEMORY)
    for context, shapes in (
        (NoContext(QUERY, MEMORY), [(3, 0, 0), (3, 0, 0), (3, 0)]),
        (SourceVector(QUERY, MEMORY), [(3, 1, MEMORY), (3, 0, MEMORY), (3, 0)]),
    ):
        memory = context.memory(Encoding(values, final), mask)
        assert [tuple(part.shape) for part in memory] == shapes
        contexts, weights = context(torch.randn(3, 4, QUERY), memory)
        assert contexts.shape == (3, 4, context.context_size) and weights.shape == (3, 4, 0)
        selected, _ = context(torch.randn(2, 4, QUERY), memory.select(torch.tensor([2, 0])))
        assert torch.equal(selected, contexts[[2, 0]])
