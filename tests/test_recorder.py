"""The recorder: gradients by distance are those of a chain rule by hand, and a run with it trains the same bits."""

import json
from collections.abc import Callable
from pathlib import Path

import pytest
import torch
from conftest import SMALL, TEXT_TASKS, options
from torch import Tensor

from data.corpus import Corpus
from models.cells.base import Cell
from models.padding import last_of_row
from training.build import build
from training.identity import config_id
from training.model import TaskModel
from training.recorder import FILE, PICTURE, RecordedCell, Recorder, backward, stepping

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
