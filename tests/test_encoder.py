"""Encoder options, dropout, pooling and padding: each has its effect, and only that."""

from collections.abc import Callable

import pytest
import torch

from models.cells.base import Cell, State
from models.cells.gru import GRUCell
from models.cells.mlstm import MLSTMCell
from models.cells.slstm import SLSTMCell
from models.characters import NgramCharacters, NoCharacters
from models.dropout import Dropout, LockedDropout, TokenDropout
from models.embedding import TokenEmbedding
from models.encoder import Encoder, Encoding
from models.padding import last_of_row, last_step, reverse_padded
from models.pooling import AttentionPooling, FinalPooling, MaxMeanPooling, MaxPooling, MeanPooling
from models.zoneout import ZoneoutCell, with_zoneout

LENGTHS = [6, 2, 1]
MASK = torch.arange(6) < torch.tensor(LENGTHS)[:, None]


def encoder(seed: int = 0, size: int = 4, **options: object) -> Encoder:
    torch.manual_seed(seed)
    defaults = {"num_layers": 2, "bidirectional": True, "dropout": 0.0}
    return Encoder(GRUCell, input_size=3, hidden_size=size, **(defaults | options))  # type: ignore[arg-type]


@pytest.fixture
def inputs() -> torch.Tensor:
    return torch.randn(3, 6, 3, generator=torch.Generator().manual_seed(5))


def test_layers_are_stacked_and_directions_concatenated(inputs: torch.Tensor) -> None:
    model = encoder()
    outputs = inputs
    for layer in model.layers:
        runs = [cell.scan(outputs, MASK, reverse=bool(i)) for i, cell in enumerate(layer)]
        outputs = torch.cat([run for run, _ in runs], dim=-1)
    assert torch.equal(model(inputs, MASK).outputs, outputs)
    assert outputs.shape == (3, 6, model.output_size) == (3, 6, 8)


def test_one_direction_has_one_cell_in_every_layer(inputs: torch.Tensor) -> None:
    model = encoder(bidirectional=False)
    assert [len(cells) for cells in model.layers] == [1, 1]
    assert model(inputs, MASK).outputs.shape[-1] == model.output_size == 4
    with pytest.raises(ValueError, match=r"An encoder has at least one layer, not 0\."):
        encoder(num_layers=0)


def test_inputs_of_another_size_are_refused_before_any_kernel_sees_them(inputs: torch.Tensor) -> None:
    with pytest.raises(ValueError, match=r"An encoder with input_size=3 cannot read inputs of 2 features\."):
        encoder()(inputs[..., :2], MASK)


def test_reverse_reads_the_reversed_sentence(inputs: torch.Tensor) -> None:
    forward, reverse = (encoder(bidirectional=False, num_layers=1, reverse=flag) for flag in (False, True))
    read = reverse(inputs, MASK)
    for row, length in enumerate(LENGTHS):
        alone = forward(inputs[row : row + 1, :length].flip(1), torch.ones(1, length, dtype=torch.bool))
        torch.testing.assert_close(read.final_state[row], alone.final_state[0])
        torch.testing.assert_close(read.outputs[row, :length], alone.outputs[0].flip(0))


def test_residual_connections_add_the_input_of_a_layer(inputs: torch.Tensor) -> None:
    plain, residual, lower = encoder(), encoder(residual=True), encoder(num_layers=1)
    with torch.no_grad():
        for mine, theirs in zip(lower.layers[0].parameters(), plain.layers[0].parameters(), strict=True):
            mine.copy_(theirs)
    for got, top, below in zip(*(model(inputs, MASK) for model in (residual, plain, lower)), strict=True):
        torch.testing.assert_close(got, top + below)


def test_layer_norm_normalises_the_input_of_the_second_layer(inputs: torch.Tensor) -> None:
    model, seen = encoder(layer_norm=True), []
    model.layers[1][0].linear_ih.register_forward_pre_hook(lambda _, args: seen.append(args[0]))
    model.layers[1][0].project(model.norms[0](model.run_layer(0, inputs, MASK).outputs))
    torch.testing.assert_close(seen[0].mean(dim=-1)[MASK], torch.zeros(9), atol=1e-5, rtol=0)
    expected = model.run_layer(1, seen[0], MASK)
    torch.testing.assert_close(model(inputs, MASK).outputs, expected.outputs)
    assert not torch.allclose(encoder()(inputs, MASK).outputs, expected.outputs)
    assert model(inputs, MASK).outputs[~MASK].eq(0).all()


def test_every_layer_but_the_first_has_a_norm_of_its_own(inputs: torch.Tensor) -> None:
    model = encoder(num_layers=3, layer_norm=True)
    torch.nn.init.zeros_(model.norms[0].weight)
    torch.nn.init.ones_(model.norms[0].bias)
    second = model.run_layer(1, torch.ones(3, 6, 8), MASK)
    third = model.run_layer(2, model.norms[1](second.outputs), MASK)
    torch.testing.assert_close(model(inputs, MASK).outputs, third.outputs)


def test_a_skip_connection_has_the_inputs_beside_the_outputs(inputs: torch.Tensor) -> None:
    torch.manual_seed(0)
    plain, skip = encoder().eval(), encoder(skip=True).eval()
    skip.load_state_dict(plain.state_dict())
    expected, got = plain(inputs, MASK), skip(inputs, MASK)
    assert skip.output_size == plain.output_size + 3 == got.outputs.shape[-1] == got.final_state.shape[-1]
    for row, length in enumerate(LENGTHS):
        torch.testing.assert_close(got.outputs[row, :length, -3:], inputs[row, :length])
        torch.testing.assert_close(got.final_state[row, -3:], inputs[row, :length].mean(dim=0))
    assert got.outputs[~MASK].eq(0).all()
    for whole, part in zip(got, expected, strict=True):
        torch.testing.assert_close(whole[..., :-3], part)


@pytest.mark.parametrize("options", [{}, {"residual": True}, {"skip": True}], ids=str)
def test_options_keep_sentences_independent_of_their_batch(inputs: torch.Tensor, options: dict[str, bool]) -> None:
    model = encoder(**options, layer_norm=True, zoneout=0.3, reverse=True).eval()
    together = model(inputs, MASK)
    for row, length in enumerate(LENGTHS):
        alone = model(inputs[row : row + 1, :length], torch.ones(1, length, dtype=torch.bool))
        torch.testing.assert_close(together.outputs[row, :length], alone.outputs[0])
        torch.testing.assert_close(together.final_state[row], alone.final_state[0])


def test_the_encoder_drops_whole_features_between_layers_only(inputs: torch.Tensor) -> None:
    model, seen = encoder(dropout=0.5, size=200), []
    scan = model.run_layer
    model.run_layer = lambda depth, x, mask: seen.append(x) or scan(depth, x, mask)  # type: ignore[assignment]
    model(inputs, MASK)
    assert torch.equal(seen[0], inputs)
    dropped = seen[1][0].eq(0)
    assert torch.equal(dropped, dropped[:1].expand_as(dropped))
    assert 0.4 < dropped.float().mean() < 0.6
    torch.testing.assert_close(seen[1][0][~dropped], 2 * scan(0, inputs, MASK).outputs[0][~dropped])
    model.eval()(inputs, MASK)
    assert not seen[3][0].eq(0).any()


class Counter(Cell):
    """h' = h + 1."""

    def project(self, inputs: torch.Tensor) -> torch.Tensor:
        return inputs

    def step(self, projected: torch.Tensor, state: State) -> State:
        return (state[0] + 1,)


def test_zoneout_keeps_the_old_value_at_its_rate() -> None:
    torch.manual_seed(0)
    cell = ZoneoutCell(Counter(1, 1000), 0.3)
    inputs, mask = torch.zeros(1, 40, 1), torch.ones(1, 40, dtype=torch.bool)
    outputs, (final,) = cell.scan(inputs, mask)
    steps = outputs.diff(dim=1)
    assert set(steps.unique().tolist()) == {0.0, 1.0}
    assert steps.mean().item() == pytest.approx(0.7, abs=0.01)
    assert final.std() > 1  # features differ
    torch.testing.assert_close(cell.eval().scan(inputs, mask)[1][0], torch.full((1, 1000), 0.7 * 40))
    for rate in (-0.1, 1.0):
        with pytest.raises(ValueError, match=f"A zoneout rate is at least 0 and less than 1, not {rate}"):
            ZoneoutCell(Counter(1, 1), rate)


def test_zoneout_leaves_the_sizes_and_the_first_state_of_a_cell() -> None:
    cell = SLSTMCell(3, 5, 1.0)
    zoned, inputs = with_zoneout(cell, 0.25), torch.randn(2, 4, 3)
    assert isinstance(zoned, ZoneoutCell) and with_zoneout(cell, 0.0) is cell
    assert zoned.train().zone(torch.ones(2).bfloat16(), torch.ones(2)).dtype == torch.bfloat16  # as of autocast
    assert ZoneoutCell(cell, 0.0).rate == 0
    assert (zoned.input_size, zoned.hidden_size, zoned.state_sizes) == (3, 5, (5, 5, 5))
    assert all(map(torch.equal, zoned.initial_state(inputs), cell.initial_state(inputs)))
    assert torch.equal(zoned.project(inputs), cell.project(inputs))
    state = cell.initial_state(inputs)
    new = cell.step(cell.project(inputs[:, 0]), state)
    for zone, one, other in zip(zoned.eval().step(zoned.project(inputs[:, 0]), state), state, new, strict=True):
        torch.testing.assert_close(zone, 0.25 * one + 0.75 * other)


def test_zoneout_is_an_option_of_the_encoder(inputs: torch.Tensor) -> None:
    assert torch.equal(encoder(zoneout=0.0)(inputs, MASK).outputs, encoder()(inputs, MASK).outputs)
    model = encoder(zoneout=0.5)
    assert not torch.equal(model(inputs, MASK).outputs, model(inputs, MASK).outputs)
    assert torch.equal(model.eval()(inputs, MASK).outputs, model(inputs, MASK).outputs)


@pytest.mark.parametrize("make", [Dropout, LockedDropout])
def test_dropout_drops_at_its_rate_and_rescales(make: Callable[[float], Dropout]) -> None:
    torch.manual_seed(0)
    inputs = torch.full((20, 5, 400), 3.0)
    outputs = make(0.25)(inputs)
    assert outputs.eq(0).float().mean().item() == pytest.approx(0.25, abs=0.02)
    torch.testing.assert_close(outputs[outputs != 0], torch.full_like(outputs[outputs != 0], 4.0))
    assert not torch.equal(outputs[0].eq(0), outputs[1].eq(0))
    locked = torch.equal(outputs[:, :1].eq(0).expand_as(outputs), outputs.eq(0))
    assert locked == (make is LockedDropout)
    assert make(0.25).eval()(inputs) is inputs and make(0.0)(inputs) is inputs
    for rate in (-0.1, 1.0):
        with pytest.raises(ValueError, match="A dropout rate is at least 0 and less than 1"):
            make(rate)


def test_token_dropout_zeroes_whole_tokens_and_scales_nothing() -> None:
    torch.manual_seed(0)
    inputs = torch.full((30, 20, 7), 3.0)
    outputs = TokenDropout(0.25)(inputs)
    kept = outputs.ne(0)
    assert torch.equal(kept.any(dim=-1), kept.all(dim=-1)) and outputs[kept].eq(3).all()
    assert kept[..., 0].float().mean().item() == pytest.approx(0.75, abs=0.06)
    assert not torch.equal(kept[0], kept[1]) and not torch.equal(kept[:, 0], kept[:, 1])
    assert TokenDropout(0.25).eval()(inputs) is inputs


def test_ngram_dropout_leaves_out_ngrams_in_training_only() -> None:
    torch.manual_seed(0)
    model = NgramCharacters(60, 1, output_size=4, widths=[1, 2, 3], buckets=500, dropout=0.0, ngram_dropout=0.4)
    characters = torch.randint(4, 60, (300, 12))
    seen = []
    model.vectors.register_forward_pre_hook(lambda _, args: seen.append(args[0]))
    mask = torch.ones_like(characters, dtype=torch.bool)
    trained, answered = model(characters, mask), model.eval()(characters, mask)
    kept = seen[0].ne(0).float().sum() / seen[1].ne(0).float().sum()
    assert kept.item() == pytest.approx(0.6, abs=0.02)
    assert not torch.equal(trained, answered)
    count = seen[0].ne(0).sum(dim=1, keepdim=True).clamp(min=1)
    torch.testing.assert_close(trained, model.vectors(seen[0]) * count**-0.5)


def test_word_dropout_replaces_tokens_in_training_only() -> None:
    torch.manual_seed(0)
    embedding = TokenEmbedding(9, 4, dropout=0.0, word_dropout=0.3, unknown_id=1)
    tokens = torch.full((50, 60), 5)
    mask = torch.arange(60) < torch.full((50, 1), 30)
    replaced = (embedding(tokens, mask) == embedding.vectors.weight[1]).all(dim=-1)
    assert replaced[mask].float().mean().item() == pytest.approx(0.3, abs=0.03)
    assert not replaced[~mask].any()
    assert torch.equal(embedding.eval()(tokens, mask), embedding.vectors(tokens))


def test_a_token_seen_more_often_is_replaced_less_often() -> None:
    torch.manual_seed(0)
    embedding = TokenEmbedding(9, 4, dropout=0.0, word_dropout=0.5, unknown_id=1)
    tokens, counts = torch.full((2, 20_000), 5), torch.tensor([[0.5], [4.5]]).expand(2, 20_000)
    replaced = (embedding(tokens, torch.ones_like(tokens).bool(), counts) == embedding.vectors.weight[1]).all(dim=-1)
    assert replaced.float().mean(dim=1).tolist() == pytest.approx([0.5, 0.1], abs=0.02)  # 0.5 / (0.5 + count)


def test_vectors_of_tokens_start_at_about_unit_length_and_padding_is_zero() -> None:
    torch.manual_seed(0)
    embedding = TokenEmbedding(300, 64, dropout=0.5, word_dropout=0.0, unknown_id=1)
    table = embedding.vectors.weight
    assert table[1:].norm(dim=1).mean().item() == pytest.approx(1, rel=0.05)
    assert table[0].eq(0).all() and table[1:].ne(0).all()
    tokens = torch.tensor([[3, 4, 0]])
    vectors = embedding(tokens, tokens != 0)
    dropped = vectors[0, :2].eq(0)
    assert torch.equal(dropped[0], dropped[1]) and 0.2 < dropped.float().mean() < 0.8
    torch.testing.assert_close(vectors[0, :2][~dropped], 2 * table[[3, 4]][~dropped])
    embedding(tokens, tokens != 0).sum().backward()
    assert table.grad is not None and table.grad[0].eq(0).all()


def test_a_rate_of_zero_draws_no_random_numbers() -> None:
    embedding = TokenEmbedding(9, 4, dropout=0.0, word_dropout=0.0, unknown_id=1)
    ngrams = NgramCharacters(60, 1, output_size=4, widths=[1], buckets=50, dropout=0.0, ngram_dropout=0.0)
    before, tokens = torch.get_rng_state(), torch.tensor([[3, 4]])
    embedding(tokens, tokens != 0), ngrams(tokens, tokens != 0)
    assert torch.equal(torch.get_rng_state(), before)


def test_tokens_without_a_given_vector_keep_their_own() -> None:
    embedding = TokenEmbedding(4, 3, dropout=0.0, word_dropout=0.0, unknown_id=1)
    before = embedding.vectors.weight.detach().clone()
    given = torch.tensor([[0.0, 0, 0], [0, 0, 0], [1, 0, 0], [1, 2, 3]], dtype=torch.double)
    embedding.initialise(given)
    assert torch.equal(embedding.vectors.weight, torch.cat([before[:2], given[2:].float()]))


def test_poolings_equal_their_definitions() -> None:
    torch.manual_seed(0)
    outputs, final = torch.randn(3, 6, 4) * MASK.unsqueeze(-1), torch.randn(3, 4)
    outputs[1, :2] -= 9  # a maximum over padding would be zero
    encoding = Encoding(outputs, final)
    attention = AttentionPooling(4)
    rows = [outputs[row, :length] for row, length in enumerate(LENGTHS)]
    means = torch.stack([row.mean(dim=0) for row in rows])
    maxima = torch.stack([row.max(dim=0).values for row in rows])
    weights = [(torch.tanh(attention.hidden(row)) @ attention.score.weight[0]).softmax(0) for row in rows]
    weighted = torch.stack([weight @ row for weight, row in zip(weights, rows, strict=True)])
    assert FinalPooling(4)(encoding, MASK) is final
    for pooling, expected in (
        (MeanPooling(4), means),
        (MaxPooling(4), maxima),
        (MaxMeanPooling(4), torch.cat([maxima, means], dim=-1)),
        (attention, weighted),
    ):
        torch.testing.assert_close(pooling(encoding, MASK), expected)
        assert pooling.output_size == expected.shape[1]
    assert attention.score.bias is None  # it would change no weight
    half = attention.bfloat16()(Encoding(outputs.bfloat16(), final), MASK)
    torch.testing.assert_close(half, weighted.bfloat16(), atol=0.1, rtol=0.1)


def test_reversing_and_last_steps_respect_lengths() -> None:
    values, lengths = torch.arange(32.0).view(4, 4, 2).requires_grad_(), torch.tensor([4, 2, 0, 1])
    reversed_values = reverse_padded(values, lengths)

    def by_hand(rows: torch.Tensor) -> torch.Tensor:
        return torch.stack([torch.cat([row[:n].flip(0), row[n:]]) for row, n in zip(rows, lengths, strict=True)])

    assert torch.equal(reversed_values, by_hand(values))
    weights = torch.arange(32.0).view(4, 4, 2).square()
    (reversed_values * weights).sum().backward()
    assert values.grad is not None and torch.equal(values.grad, by_hand(weights))
    last = last_step(values.bfloat16(), lengths, -torch.ones(4, 2))
    expected = torch.stack([values[0, 3], values[1, 1], -torch.ones(2), values[3, 0]])
    assert last.dtype == torch.bfloat16 and torch.equal(last, expected.bfloat16())


def test_the_last_token_of_a_row_is_marked() -> None:
    mask = torch.tensor([[True, False, True, False], [False] * 4, [True] * 4])
    assert last_of_row(mask).tolist() == [[False, False, True, False], [False] * 4, [False] * 3 + [True]]


@pytest.mark.parametrize("make", [Dropout, LockedDropout, TokenDropout])
def test_new_tensors_are_on_the_device_of_the_inputs(make: Callable[[float], Dropout]) -> None:
    """The device ``meta`` stands for a GPU: it does not compute with tensors of the CPU."""
    inputs, lengths = torch.empty(2, 3, 4, device="meta"), torch.ones(2, dtype=torch.long, device="meta")
    assert reverse_padded(inputs, lengths).is_meta and make(0.5)(inputs).is_meta


def test_modules_that_draw_do_so_on_the_device_of_the_inputs() -> None:
    tokens, mask = torch.ones(2, 3, dtype=torch.long, device="meta"), torch.ones(2, 3, dtype=torch.bool, device="meta")
    with torch.device("meta"):
        embedding = TokenEmbedding(9, 4, dropout=0.0, word_dropout=0.3, unknown_id=1)
        ngrams = NgramCharacters(60, 1, output_size=4, widths=[1, 2], buckets=50, dropout=0.0, ngram_dropout=0.4)
        cells = [ZoneoutCell(Counter(4, 5), 0.3), MLSTMCell(4, 5, 3, 1.0)]
    assert embedding(tokens, mask).is_meta and ngrams(tokens, mask).is_meta
    assert NoCharacters(60, 1, 4)(tokens, mask).is_meta
    for cell in cells:
        assert cell.scan(torch.empty(2, 3, 4, device="meta"), mask)[0].shape == (2, 3, 5)
