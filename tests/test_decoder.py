"""Decoders, bridges, generators and forecasts by their equations, on tensors made in here."""

from functools import partial

import pytest
import torch
from torch import Tensor

from models.attention import AdditiveAttention, NoContext
from models.bridge import FinalBridge, MeanBridge, ZeroBridge
from models.cells.lstm import LSTMCell
from models.decoder import BahdanauDecoder, Decoder, LuongDecoder, PlainDecoder, StackedDecoder
from models.embedding import TokenEmbedding
from models.encoder import Encoding
from models.forecast import AllAtOnce, StepByStep
from models.generator import TargetGenerator

B, S, T, E, D, F, H = 3, 4, 5, 6, 8, 7, 9
MASK = torch.arange(T) < torch.tensor([5, 3, 2])[:, None]
TOKENS = torch.arange(S) < torch.tensor([4, 2, 1])[:, None]
KINDS: list[type[Decoder]] = [PlainDecoder, LuongDecoder, StackedDecoder, BahdanauDecoder]


def decoder(kind: type[Decoder] = LuongDecoder, **changes: object) -> Decoder:
    torch.manual_seed(0)
    attention = partial(AdditiveAttention, hidden_size=5) if kind is not PlainDecoder else NoContext
    values = {
        "cell": partial(LSTMCell, forget_bias=1.0),
        "bridge": FinalBridge,
        "attention": attention,
        "input_size": E,
        "memory_size": D,
        "output_size": F,
        "hidden_size": H,
        "num_layers": 2,
        "dropout": 0.0,
        "output_dropout": 0.0,
    }
    return kind(**{**values, **changes})  # type: ignore[arg-type]


def encoding() -> Encoding:
    torch.manual_seed(1)
    return Encoding(torch.randn(B, T, D) * MASK[..., None], torch.randn(B, D))


@pytest.mark.parametrize("kind", KINDS)
def test_a_decoder_has_the_layers_that_it_needs(kind: type[Decoder]) -> None:
    fewest, model = (2 if kind is StackedDecoder else 1), decoder(kind, num_layers=3)
    assert [len(decoder(kind, num_layers=number).cells) for number in (fewest, 4)] == [fewest, 4]
    with pytest.raises(ValueError, match=f"num_layers={fewest - 1}: {kind.__name__} has at least {fewest} of them"):
        decoder(kind, num_layers=fewest - 1)
    context = 0 if kind is PlainDecoder else D
    extra = {PlainDecoder: 0, LuongDecoder: None, StackedDecoder: 1, BahdanauDecoder: 0}[kind]
    assert [cell.input_size for cell in model.layers()] == [
        size + context * (layer == extra) for layer, size in enumerate((E, H, H))
    ]
    assert {cell.hidden_size for cell in model.layers()} == {H}
    assert (model.readout.in_features, model.readout.out_features) == (H + context, F)
    assert not any(parameter.is_meta for parameter in model.parameters())


@pytest.mark.parametrize("kind", KINDS)
def test_a_whole_sentence_equals_single_steps(kind: type[Decoder]) -> None:
    model, inputs = decoder(kind, num_layers=3).eval(), torch.randn(B, S, E)
    memory, state = model.start(encoding(), MASK)
    features, weights = model(inputs, TOKENS, memory, state)
    assert features.shape == (B, S, F) and weights.shape == (B, S, 0 if kind is PlainDecoder else T)
    for step, token in enumerate(inputs.unbind(1)):
        now, state = model.step(token, memory, state)
        assert [entry.shape for entry in state] == [(B, H)] * 6
        torch.testing.assert_close(now[TOKENS[:, step]], features[:, step][TOKENS[:, step]])


@pytest.mark.parametrize("kind", KINDS)
def test_hypotheses_of_a_sentence_read_its_memory(kind: type[Decoder]) -> None:
    model, inputs = decoder(kind).eval(), torch.randn(B, E).repeat_interleave(2, dim=0)
    memory, state = model.start(encoding(), MASK)
    single, _ = model.step(inputs[::2], memory, state)
    double, _ = model.step(inputs, memory, tuple(entry.repeat_interleave(2, dim=0) for entry in state))
    torch.testing.assert_close(double, single.repeat_interleave(2, dim=0))


@pytest.mark.parametrize("kind", KINDS)
def test_dropout_is_between_layers_and_around_the_features(kind: type[Decoder]) -> None:
    inputs = torch.randn(B, S, E)

    def features(**rates: float) -> Tensor:
        model = decoder(kind, hidden_size=60, output_size=60, **rates)
        memory, state = model.start(encoding(), MASK)
        seen: list[Tensor] = []
        model.readout.register_forward_pre_hook(lambda _, args: seen.append(args[0]))
        model.dropout.register_forward_hook(lambda *_: calls.append(1))
        torch.manual_seed(2)
        results.append(model(inputs, TOKENS.new_ones(B, S), memory, state)[0])
        return seen[0]

    results: list[Tensor] = []
    calls: list[int] = []
    plain, dropped, output = features(), features(dropout=0.5), features(output_dropout=0.5)
    assert len(calls) == 3 * 2  # before the second layer and before the features
    assert 0.4 < dropped.eq(0).float().mean() < 0.6 and torch.equal(plain, output) and plain.ne(0).all()
    zero = results[2].eq(0)
    assert 0.3 < zero.float().mean() < 0.7 and torch.equal(zero, zero[:, :1].expand_as(zero))
    torch.testing.assert_close(results[2][~zero], 2 * results[0][~zero])


def test_a_single_layer_has_dropout_before_its_features_alone() -> None:
    model, inputs = decoder(BahdanauDecoder, num_layers=1, dropout=0.5), torch.randn(B, S, E)
    memory, state = model.start(encoding(), MASK)
    seen: list[Tensor] = []
    calls: list[int] = []
    model.readout.register_forward_pre_hook(lambda _, args: seen.append(args[0]))
    model.dropout.register_forward_hook(lambda *_: calls.append(1))
    model(inputs, TOKENS, memory, state)
    assert len(calls) == 1 and seen[0][~TOKENS][:, D:].eq(0).all()


def test_bridges_give_every_entry_of_the_state_its_size() -> None:
    sizes, read = [2, 3, 1], encoding()
    for kind, source in ((FinalBridge, read.final_state), (MeanBridge, read.outputs.sum(1) / MASK.sum(1)[:, None])):
        bridge = kind(D, sizes)
        expected = torch.tanh(bridge.linear(source))
        torch.testing.assert_close(torch.cat(bridge(read, MASK), dim=1), expected)
        assert [entry.shape for entry in bridge(read, MASK)] == [(B, 2), (B, 3), (B, 1)]
    model = decoder(bridge=MeanBridge)
    memory, state = model.start(read, MASK)
    assert all(map(torch.equal, memory, model.attention.memory(read, MASK)))
    assert all(map(torch.equal, state, model.bridge(read, MASK)))
    half = Encoding(read.outputs, read.final_state.bfloat16())
    state = ZeroBridge(D, sizes)(half, MASK)
    assert [entry.shape for entry in state] == [(B, 2), (B, 3), (B, 1)]
    assert all(entry.eq(0).all() and entry.dtype == torch.bfloat16 for entry in state)


def generator(tied: bool = True) -> TargetGenerator:
    torch.manual_seed(0)
    embedding = TokenEmbedding(10, E, dropout=0.0, word_dropout=0.0, unknown_id=1)
    return TargetGenerator(embedding, decoder(output_size=E), bos_id=2, eos_id=3, suppressed_ids=(0, 2), tied=tied)


@torch.no_grad()
def test_every_token_is_predicted_from_those_before_it() -> None:
    model = generator().eval()
    targets = torch.tensor([[4, 5, 6, 3], [7, 3, 0, 0], [3, 0, 0, 0]])
    memory, state = model.decoder.start(encoding(), MASK)
    features, weights = model(targets, TOKENS, memory, state)
    previous = torch.tensor([[2, 4, 5, 6], [2, 7, 3, 0], [2, 3, 0, 0]])
    expected, by_hand = model.decoder(model.embedding.vectors(previous), TOKENS, memory, state)
    torch.testing.assert_close(features, expected)
    torch.testing.assert_close(weights, by_hand)
    found, _ = model.step(previous[:, 0], memory, state)
    logits = features[:, 0] @ model.embedding.vectors.weight.T  # without a bias at first
    assert found[:, [0, 2]].eq(-torch.inf).all()
    torch.testing.assert_close(found[:, [1, *range(3, 10)]], logits.log_softmax(dim=1)[:, [1, *range(3, 10)]])
    rows = model.attention([[4, 5, 6], [7], []], memory, state)
    assert [(len(row), {len(line) for line in row}) for row in rows] == [(4, {5}), (2, {3}), (1, {2})]
    for row, lines in enumerate(rows):
        found = torch.tensor(lines)
        torch.testing.assert_close(found, weights[row, : found.shape[0], : found.shape[1]])


def test_words_that_are_read_are_dropped_in_training_only() -> None:
    model, targets = generator(), torch.full((B, S), 5)
    model.embedding.word_dropout = 1e9
    memory, state = model.decoder.start(encoding(), MASK)
    unknown = model.decoder(model.embedding.vectors(torch.ones_like(targets)), TOKENS, memory, state)[0]
    torch.testing.assert_close(model(targets, TOKENS, memory, state)[0][TOKENS], unknown[TOKENS])
    dropped, _ = model.step(targets[:, 0], memory, state)
    assert torch.equal(dropped, model.step(targets[:, 0] + 1, memory, state)[0])
    assert not torch.equal(dropped, model.eval().step(targets[:, 0], memory, state)[0])


def test_an_output_layer_has_weights_of_its_own_unless_it_is_tied() -> None:
    for tied in (True, False):
        model = generator(tied)
        assert (model.output.weight is model.embedding.vectors.weight) is tied
        assert model.output.weight.shape == (10, E) and model.output.bias.eq(0).all()


K, C, Q = 2, 2, 3


def test_steps_forecast_at_once_are_a_hidden_layer_and_a_linear_one() -> None:
    torch.manual_seed(0)
    model, read = AllAtOnce(D, K, C, Q, horizon=4, num_features=5, dropout=0.5).eval(), encoding()
    known, last = torch.randn(B, 4, K), torch.randn(B, C)
    state = model.state(read.final_state).view(B, 4, 5)
    direct = torch.cat([known, last[:, None].expand(B, 4, C)], dim=2) @ model.linear.weight.T
    expected = model.output(torch.tanh(state + known @ model.known.weight.T)) + direct
    found = model(read, MASK, known, last)
    torch.testing.assert_close(found, expected.view(B, 4, C, Q))
    assert model.known.bias is None and model.linear.bias is None
    assert not torch.allclose(model.train()(read, MASK, known, last), found)


def test_a_step_reads_the_median_of_the_step_before_and_its_reference() -> None:
    torch.manual_seed(0)
    model = StepByStep(decoder(num_layers=1), 5, C, Q, num_features=E, median=1).eval()
    model.output = torch.nn.Linear(F, C * Q)
    known, last, read = torch.randn(B, 4, 5), torch.randn(B, C), encoding()
    found = model(read, MASK, known, last)
    assert found.shape == (B, 4, C, Q)
    memory, state = model.decoder.start(read, MASK)
    for step in range(4):
        inputs = model.input(torch.cat([last, known[:, step]], dim=1))
        features, state = model.decoder.step(inputs, memory, state)
        torch.testing.assert_close(found[:, step], model.output(features).view(B, C, Q))
        last = found[:, step, :, 1] + known[:, step, 2:4]
