"""The recorder: gradients by distance are those of a chain rule by hand, and a run with it trains the same bits."""

import json
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
import torch
from conftest import SMALL, TEXT_TASKS, options
from torch import Tensor, nn

from data.corpus import Corpus
from data.errors import InputError
from models.cells.base import Cell
from models.padding import last_of_row
from training.build import build
from training.identity import config_id
from training.model import TaskModel
from training.recorder import (
    FILE,
    PICTURE,
    Gates,
    RecordedCell,
    Recorder,
    backward,
    quantiles,
    read,
    stepping,
)

FEW = ["data.sizes={train: 30, validation: 12, test: 6}", "trainer.max_epochs=1"]
DRAWN = "tagging"  # the task whose runs draw their pictures: its encoder reads both ways
OPTIONS = {
    "memory": ["data=temporal_order", "data.length=20"],
    "translation": ["codec.tokenizer.vocab_size=120", "model.decoder.hidden_size=8", "beam=1"],
}


def prepared(composed: Callable, *overrides: str) -> tuple[TaskModel, Corpus]:
    torch.manual_seed(0)
    cfg = composed("memory", *SMALL, *FEW, "data.min_length=3", "data.length=9", *overrides)
    corpus = Corpus(build(cfg.data), build(cfg.codec), **cfg.split)
    return build(cfg.model, **corpus.sizes).eval(), corpus


def measured(model: TaskModel, corpus: Corpus) -> dict:
    encoded = corpus.splits["validation"].encoded
    with stepping(model) as cells:
        return backward(model, encoded.batch(torch.arange(12).numpy()), cells)


def rows(folder: Path) -> dict:
    return json.loads((folder / FILE).read_text())


def gradients_by_hand(model: TaskModel, tokens: Tensor, target: Tensor) -> list[Tensor]:
    """dLoss/dh_t of a vanilla RNN for one sequence, last step first: softmax minus target, then the chain rule."""
    cell, output = model.encoder.layers[0][0], model.readout.output
    with torch.no_grad():
        h, states = torch.zeros(8), []
        for x in model.embedding.vectors.weight[tokens]:
            h = torch.tanh(
                cell.linear_ih.weight @ x + cell.linear_ih.bias + cell.linear_hh.weight @ h + cell.linear_hh.bias
            )
            states.append(h)
        error = torch.softmax(output.weight @ h + output.bias, dim=0)
        error[target] -= 1
        gradient = output.weight.T @ error
        found = []
        for h in reversed(states):
            found.append(gradient)
            gradient = cell.linear_hh.weight.T @ ((1 - h**2) * gradient)
    return found


@pytest.mark.parametrize("diagnostic", ["recall", "parity"])
def test_gradients_are_those_of_the_chain_rule_by_hand(composed: Callable, diagnostic: str) -> None:
    """Also where lengths differ, and where every step has a target, of which the last one counts."""
    model, corpus = prepared(composed, f"data={diagnostic}", "cell=rnn")
    batch = corpus.splits["validation"].encoded.batch(torch.arange(12).numpy())
    lengths = batch.mask.sum(dim=1).tolist()
    by_hand = [
        [float(g.norm()) for g in gradients_by_hand(model, batch.tokens[row, :length], batch.targets[row, length - 1])]
        for row, length in enumerate(lengths)
    ]
    found = measured(model, corpus)["gradients"]
    assert [row["distance"] for row in found] == list(range(max(lengths)))
    for row in found:
        norms = torch.tensor([norms[row["distance"]] for norms in by_hand if len(norms) > row["distance"]])
        assert row["examples"] == len(norms)
        for name, quantile in {"low": 0.1, "median": 0.5, "high": 0.9}.items():
            assert row["hidden"][name] == row["state"][name] == pytest.approx(float(norms.quantile(quantile)), rel=1e-4)


@pytest.mark.parametrize("cell", options("cell"))
@pytest.mark.parametrize("encoder", options("encoder"))
def test_every_cell_is_recorded_and_left_as_it_was(composed: Callable, cell: str, encoder: str) -> None:
    model, corpus = prepared(composed, f"cell={cell}", f"encoder={encoder}")
    batch = corpus.splits["validation"].encoded.batch(torch.arange(12).numpy())
    before = model.loss(batch).total
    with stepping(model):
        torch.testing.assert_close(model.loss(batch).total, before, rtol=1e-4, atol=1e-4)
    assert torch.equal(model.loss(batch).total, before)
    found = measured(model, corpus)["gradients"]
    names = {row["cell"] for row in found}
    assert len(names) == (2 if encoder == "bidirectional" else 1)
    for name in names:
        norms = [row["state"]["median"] for row in found if row["cell"] == name]
        assert len(norms) == batch.mask.shape[1] and max(norms) > 0
        assert norms[0] > 0 or name.endswith(".1")  # the last token is the first that the other direction reads
    assert all(parameter.grad is None for parameter in model.parameters())
    assert all(
        not {"scan", "step", "scan_layer"} & vars(module).keys()
        for module in model.modules()
        if isinstance(module, Cell)
    )


def test_the_distance_of_the_reverse_direction_is_counted_to_the_first_token(composed: Callable) -> None:
    cell = build(composed("memory", "cell=rnn", "model.encoder.hidden_size=2").cell)(input_size=1, hidden_size=2)
    recorded = RecordedCell(cell)
    cell.step = recorded.step
    inputs, mask = torch.randn(2, 3, 1), torch.tensor([[True, True, True], [True, False, False]])
    outputs, _ = recorded.scan(inputs, mask, reverse=True)
    gradients = torch.autograd.grad(outputs[:, 0].sum(), [state[0] for state in recorded.states])
    found = recorded.rows([[gradient.double()] for gradient in gradients])
    assert [row["examples"] for row in found] == [2, 1, 1]
    assert found[0]["hidden"]["median"] == pytest.approx(2**0.5)  # the output itself: a gradient of ones


def test_saturated_gates_are_counted_without_padding(composed: Callable) -> None:
    model, corpus = prepared(composed, "cell=lstm", "cell.forget_bias=100")
    found = measured(model, corpus)["gates"]
    sigmoids = {row["gate"]: row for row in found if row["gate"].startswith("sigmoid")}
    assert len(found) == 5 and len(sigmoids) == 3  # i, f, o, and the tanh of candidate and cell state
    assert [row["above"] for row in sigmoids.values()].count(1.0) == 1
    assert all(0 <= row["below"] + row["above"] <= 1 for row in found)
    encoded = corpus.splits["validation"].encoded
    with stepping(model) as cells:
        backward(model, encoded.batch(torch.arange(12).numpy()), cells)
        (cell,) = cells.values()
    assert {count[2] for count in cell.gates.counts.values()} == {8 * int(encoded.lengths.sum())}


@pytest.mark.parametrize("task", [pytest.param(DRAWN, marks=pytest.mark.draws), *sorted({*TEXT_TASKS} - {DRAWN})])
def test_a_run_with_a_recorder_trains_the_same_bits(launch: Callable, task: str) -> None:
    given = [*FEW, *OPTIONS.get(task, [])]
    off, on = launch(task, *given, folder="off"), launch(task, *given, "recorder=states", folder="on")
    assert (on / "model.safetensors").read_bytes() == (off / "model.safetensors").read_bytes()
    results = [json.loads((folder / "result.json").read_text()) for folder in (off, on)]
    assert results[0]["metrics"] == results[1]["metrics"] and results[0]["config_id"] == results[1]["config_id"]
    assert "warnings" not in results[1]
    assert not (off / FILE).exists() and not (off / PICTURE).exists() and (on / PICTURE).exists()
    assert (on / PICTURE).stat().st_size > 5000 or task != DRAWN
    found, history = rows(on), [json.loads(line) for line in (on / "history.jsonl").read_text().splitlines()]
    assert [row["clipped_share"] for row in found["clipping"]] == [row["clipped_share"] for row in history]
    for kind in ("gradients", "gates"):
        assert {row["moment"] for row in found[kind]} == {"start", "end"}


def test_a_resumed_run_keeps_what_was_measured_at_the_start(
    launch: Callable, stopped: Callable, tmp_path: Path
) -> None:
    given = ["data=parity", *FEW, "trainer.max_epochs=2", "recorder=states"]
    stopped("memory", *given)
    before = rows(tmp_path / "run")["gradients"]
    after = rows(launch("memory", *given, "resume=true"))["gradients"]
    assert before and [row for row in after if row["moment"] == "start"] == before
    assert len(after) == 2 * len(before)


def test_a_recorder_is_no_part_of_the_experiment(composed: Callable) -> None:
    assert config_id(composed("sentiment")) == config_id(composed("sentiment", "recorder=states"))


def test_a_task_without_a_recurrent_encoder_has_rows_of_its_decoder(launch: Callable) -> None:
    small = ["data.image_size=16", "model.encoder.channels=[8,8,8]", "model.decoder.hidden_size=8"]
    folder = launch("captioning", *FEW, *small, "decoder=stacked", "recorder=states")
    assert {row["cell"] for row in rows(folder)["gradients"]} == {
        f"generator.decoder.cells.{layer}" for layer in (0, 1)
    }
    assert rows(folder)["clipping"] and (folder / PICTURE).exists()
    assert "warnings" not in json.loads((folder / "result.json").read_text())


def test_a_recorder_needs_examples() -> None:
    with pytest.raises(ValueError, match=r"recorder\.examples=0"):
        Recorder(0)


def test_the_last_of_a_row_is_the_last_true() -> None:
    mask = torch.tensor([[True, False, True, False], [False] * 4, [True] * 4])
    assert last_of_row(mask).tolist() == [[False, False, True, False], [False] * 4, [False] * 3 + [True]]


def test_of_many_values_the_median_and_a_band_are_kept() -> None:
    values = torch.arange(11, dtype=torch.float64).flip(0)
    assert quantiles(values) == {"median": 5.0, "low": pytest.approx(1.0), "high": pytest.approx(9.0)}


def test_outputs_near_either_end_are_saturated() -> None:
    gates, keep = Gates(), torch.tensor([True, False, True])
    logits = torch.tensor([[0.05, 0.5], [0.01, 0.01], [0.11, 0.95]]).logit()
    values = torch.tensor([[-0.85, 0.0], [0.9, 0.9], [0.79, 0.81]]).atanh()
    for _ in range(2):
        with gates.of(keep):
            torch.sigmoid(logits)
            values.tanh()
            torch.relu(values)
            torch.sigmoid(logits[:, :1], out=torch.empty(3, 1))
    assert gates.counts == {"sigmoid 1": [2, 2, 8], "tanh 2": [2, 2, 8], "sigmoid 3": [2, 0, 4]}
    assert gates.rows() == [
        {"gate": "sigmoid 1", "below": 0.25, "above": 0.25},
        {"gate": "tanh 2", "below": 0.25, "above": 0.25},
        {"gate": "sigmoid 3", "below": 0.5, "above": 0.0},
    ]
    one = Gates()
    for value in (0.05, 0.95):
        with one.of(torch.ones(1, dtype=torch.bool)):
            torch.sigmoid(torch.tensor([[value]]).logit())
        assert one.rows()[0][{0.05: "below", 0.95: "above"}[value]] == {0.05: 1.0, 0.95: 0.5}[value]
    nothing = Gates()
    with nothing.of(torch.zeros(3, dtype=torch.bool)):
        torch.tanh(values)
    assert nothing.rows() == [{"gate": "tanh 1", "below": 0.0, "above": 0.0}]


def test_a_gate_keeps_what_a_step_computes() -> None:
    values = torch.randn(3, 2)
    with Gates().of(torch.ones(3, dtype=torch.bool)):
        assert torch.equal(torch.add(values, values, alpha=2), 3 * values)
        found = torch.sigmoid(values)
    assert torch.equal(found, torch.sigmoid(values))


class Sum(Cell):
    """Adds its inputs to a state with two entries."""

    def __init__(self) -> None:
        super().__init__(input_size=2, hidden_size=2)

    def project(self, inputs: Tensor) -> Tensor:
        return inputs

    def step(self, projected: Tensor, state: tuple[Tensor, ...]) -> tuple[Tensor, ...]:
        if projected.isnan().any():
            raise ValueError("no number")
        return state[0] + projected, state[1] + 1


def recorded_sum() -> RecordedCell:
    cell = Sum()
    recorded = RecordedCell(cell)
    cell.step = recorded.step
    return recorded


ZERO = (torch.zeros(2, 2), torch.zeros(2, 2))


def test_a_recorded_cell_keeps_the_states_of_its_last_scan() -> None:
    recorded, inputs = recorded_sum(), torch.arange(12.0).view(2, 3, 2)
    mask = torch.tensor([[True, True, True], [True, False, False]])
    for reverse in (True, False):
        recorded.scan(inputs, mask, ZERO, reverse)
        assert len(recorded.states) == 3 and recorded.running is False
        assert torch.equal(recorded.mask, mask.flip(1) if reverse else mask)
    assert recorded.states[2][0][0].tolist() == [6.0, 9.0]
    recorded.step(inputs[:, 0], ZERO)  # a step of its own, as of a decoder
    assert len(recorded.states) == 3 and recorded.gates.counts == {}
    with pytest.raises(ValueError, match="no number"):
        recorded.scan(torch.full((2, 3, 2), torch.nan), mask, ZERO)
    recorded.step(inputs[:, 0], ZERO)
    assert recorded.states == []


def test_norms_are_of_the_hidden_state_and_of_all_that_is_carried() -> None:
    recorded = recorded_sum()
    recorded.mask = torch.tensor([[True, True, True], [True, True, False]])
    one, two = torch.tensor([[3.0, 4.0], [6.0, 8.0]]), torch.tensor([[12.0, 0.0], [24.0, 0.0]])
    found = recorded.rows([[one * scale, two * scale] for scale in (1.0, 10.0, 100.0)])
    assert [(row["distance"], row["examples"]) for row in found] == [(0, 2), (1, 2), (2, 1)]
    assert found[2]["hidden"] == {"median": 5.0, "low": 5.0, "high": 5.0}
    assert found[2]["state"] == {"median": 13.0, "low": 13.0, "high": 13.0}
    assert found[1]["hidden"]["median"] == (50 + 10) / 2 and found[0]["state"]["median"] == (1300 + 260) / 2


@pytest.mark.parametrize("content", [None, "", "[1]", "{"])
def test_a_measurement_that_cannot_be_read_is_none(tmp_path: Path, content: str | None) -> None:
    if content is not None:
        (tmp_path / FILE).write_text(content)
    assert read(tmp_path / FILE) == {}
    (tmp_path / FILE).write_text('{"gates": [1], "ü": []}', encoding="utf-8")
    assert read(tmp_path / FILE) == {"gates": [1], "ü": []}


def test_a_recorder_measures_the_longest_sequences_and_leaves_all_as_it_was(
    composed: Callable, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    drawn: list[tuple] = []
    monkeypatch.setattr("training.recorder.gradients_by_distance", lambda *given: drawn.append(given))
    model, corpus = prepared(composed, "cell=lstm", "model.dropout=0.5")
    weights, state = [one.clone() for one in model.parameters()], torch.random.get_rng_state()
    history = [{"epoch": 1, "gradient_norm": 2.0, "clipped_share": 0.5, "train_loss": 1.0}]
    trainer = SimpleNamespace(
        model=model.train(),
        evaluated=model,
        corpus=corpus,
        directory=tmp_path,
        device=torch.device("cpu"),
        history=history,
        progress=SimpleNamespace(steps=0),
    )
    recorder = Recorder(3)
    recorder.start(trainer)
    before = rows(tmp_path)
    lengths = sorted(corpus.splits["validation"].encoded.lengths.tolist())[-3:]
    for row in before["gradients"]:
        assert row["examples"] == sum(length > row["distance"] for length in lengths) and row["moment"] == "start"
    assert {row["moment"] for row in before["gates"]} == {"start"} and model.training
    assert torch.equal(torch.random.get_rng_state(), state)
    assert all(torch.equal(one, other) for one, other in zip(model.parameters(), weights, strict=True))
    trainer.progress.steps, trainer.model = 1, None
    recorder.start(trainer)  # a run that is resumed
    assert rows(tmp_path) == before
    trainer.evaluated = model.eval()
    recorder.end(trainer)
    after = rows(tmp_path)
    for kind in ("gradients", "gates"):
        half = len(before[kind])
        assert after[kind][:half] == before[kind] and len(after[kind]) == 2 * half
        assert after[kind][half:] == [{**row, "moment": "end"} for row in before[kind]]
    assert after["clipping"] == [{"epoch": 1, "gradient_norm": 2.0, "clipped_share": 0.5}]
    assert drawn == [(after["gradients"], tmp_path / PICTURE)] and not model.training


def test_without_gradients_there_is_no_picture(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Recorder, "measure", lambda *_: {"gradients": [], "gates": []})
    monkeypatch.setattr("training.recorder.gradients_by_distance", lambda *_: 1 / 0)
    Recorder(1).end(SimpleNamespace(directory=tmp_path, evaluated=None, history=[]))
    assert rows(tmp_path) == {"gradients": [], "gates": [], "clipping": []}


def test_a_recorder_of_no_sequence_is_refused() -> None:
    with pytest.raises(InputError) as refusal:
        Recorder(0)
    assert str(refusal.value) == "recorder.examples=0: must be at least 1." and Recorder(1).examples == 1


def test_both_directions_have_rows_of_their_own(composed: Callable) -> None:
    model, corpus = prepared(composed, "cell=gru", "encoder=bidirectional")
    found, steps = measured(model, corpus), int(corpus.splits["validation"].encoded.lengths.max())
    names = ["encoder.layers.0.0", "encoder.layers.0.1"]
    assert [row["cell"] for row in found["gradients"]] == [name for name in names for _ in range(steps)]
    gates = ["sigmoid 1", "sigmoid 2", "tanh 3"]
    assert [(row["cell"], row["gate"]) for row in found["gates"]] == [(name, gate) for name in names for gate in gates]


def test_states_that_no_weight_moves_have_no_gradient(composed: Callable) -> None:
    model, corpus = prepared(composed, "cell=lstm")
    for parameter in model.parameters():
        parameter.requires_grad_(False)
    found = measured(model, corpus)["gradients"]
    assert found and {row[kind]["high"] for row in found for kind in ("hidden", "state")} == {0.0}


def test_the_longest_of_pairs_are_those_with_the_longest_source(monkeypatch: pytest.MonkeyPatch) -> None:
    chosen: list[list[int]] = []
    encoded = SimpleNamespace(
        lengths=np.array([[3, 9], [5, 1], [5, 2], [4, 4]]),
        batch=lambda rows: chosen.append(rows.tolist()) or torch.zeros(1),
    )
    corpus = SimpleNamespace(splits={"validation": SimpleNamespace(encoded=encoded)})
    monkeypatch.setattr("training.recorder.backward", lambda *_: {"gradients": [{"cell": "a"}]})
    trainer = SimpleNamespace(corpus=corpus, device=torch.device("cpu"))
    assert Recorder(3).measure(trainer, nn.Linear(1, 1), "end") == {"gradients": [{"moment": "end", "cell": "a"}]}
    assert chosen == [[3, 1, 2]]
