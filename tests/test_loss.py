"""Losses: sums over what is counted, with smoothing, in fp32; and every task's model passes its smoothing on."""

from collections.abc import Callable

import pytest
import torch
import torch.nn.functional as F
from omegaconf import DictConfig, OmegaConf
from torch import nn

from data.corpus import Corpus
from training.build import build
from training.loss import Loss, cross_entropy, linear_cross_entropy, pinball

KEYS = ("model.label_smoothing", "model.head.label_smoothing")  # of which a task's config has one
SMALL_DATA = {  # generated data, in few rows
    "sentiment": [],
    "tagging": [],
    "translation": ["codec.tokenizer.vocab_size=120"],
    "captioning": ["data.image_size=16"],
}


def loss_of(smoothing: float) -> Loss:
    torch.manual_seed(0)
    logits, targets = torch.randn(2, 3, 5), torch.randint(0, 5, (2, 3))
    mask = torch.tensor([[True, True, False], [True, False, False]])
    return cross_entropy(logits, targets, mask, smoothing)


def test_a_loss_is_the_sum_over_unmasked_positions() -> None:
    torch.manual_seed(0)
    logits, targets = torch.randn(2, 3, 5), torch.randint(0, 5, (2, 3))
    scored = [(0, 0), (0, 1), (1, 0)]
    expected = -sum(logits[position].log_softmax(dim=0)[targets[position]] for position in scored)
    loss = loss_of(0.0)
    assert loss.number == 3
    torch.testing.assert_close(loss.total, expected)


def test_smoothing_mixes_the_loss_with_its_mean_over_all_classes() -> None:
    torch.manual_seed(0)
    logits, targets = torch.randn(2, 3, 5), torch.randint(0, 5, (2, 3))
    mask = torch.tensor([[True, True, False], [True, False, False]])
    likelihoods = logits.log_softmax(dim=-1)[mask]
    uniform = -likelihoods.mean(dim=1).sum()
    right = F.nll_loss(likelihoods, targets[mask], reduction="sum")
    torch.testing.assert_close(loss_of(0.3).total, 0.7 * right + 0.3 * uniform)


def test_a_loss_of_bf16_scores_is_computed_in_fp32() -> None:
    torch.manual_seed(0)
    scores, targets = torch.randn(4000, 7).bfloat16(), torch.randint(0, 7, (4000,))
    total = cross_entropy(scores, targets, torch.ones(4000, dtype=torch.bool), 0.0).total
    assert total.dtype == torch.float32
    torch.testing.assert_close(total, F.cross_entropy(scores.float(), targets, reduction="sum"))


def test_the_pinball_loss_is_a_mean_over_levels_of_known_targets() -> None:
    quantiles = torch.tensor([[[1.0, 2.0, 4.0]], [[0.0, 0.0, 0.0]], [[5.0, 8.0, 9.0]]])
    targets, mask = torch.tensor([[3.0], [9.0], [2.0]]), torch.tensor([[True], [False], [True]])
    loss = pinball(quantiles, targets, mask, (0.1, 0.5, 0.9))
    wanted = 0.1 * 2 + 0.5 * 1 + 0.1 * 1 + 0.9 * 3 + 0.5 * 6 + 0.1 * 7
    assert loss.number == 2 and loss.total.item() == pytest.approx(wanted / 3)


@pytest.mark.parametrize("smoothing", [0.0, 0.1])
@pytest.mark.parametrize("rows", [3, 2500])
def test_the_loss_of_an_output_layer_is_its_cross_entropy(rows: int, smoothing: float) -> None:
    torch.manual_seed(0)
    output, targets = nn.Linear(8, 30), torch.randint(0, 30, (rows,))
    features = torch.randn(rows, 8, requires_grad=True)
    inputs = [features, output.weight, output.bias]
    loss = linear_cross_entropy(output, features, targets, smoothing)
    expected = F.cross_entropy(output(features), targets, reduction="sum", label_smoothing=smoothing)
    assert loss.number == rows
    torch.testing.assert_close(loss.total, expected)
    gradients = (torch.autograd.grad(total * 0.5, inputs) for total in (loss.total, expected))
    for ours, theirs in zip(*gradients, strict=True):
        torch.testing.assert_close(ours, theirs, rtol=1e-4, atol=1e-4)
    with torch.autocast("cpu", torch.bfloat16):  # whatever the precision of the model, sums are exact
        assert torch.equal(linear_cross_entropy(output, features, targets, smoothing).total, loss.total)
    low = linear_cross_entropy(output, features.bfloat16(), targets, smoothing)
    torch.testing.assert_close(low.total, expected, rtol=0.01, atol=0)


@pytest.mark.parametrize("task", SMALL_DATA)
def test_every_task_passes_its_label_smoothing_on(composed: Callable[..., DictConfig], task: str) -> None:
    sizes = ["data.sizes={train: 200, validation: 40, test: 4}"]
    sizes += ["model.embedding_size=8", "model.encoder.hidden_size=8"]
    cfg = composed(task, *sizes, *SMALL_DATA[task])
    key = next(key for key in KEYS if OmegaConf.select(cfg, key) is not None)
    corpus: Corpus = Corpus(build(cfg.data), build(cfg.codec), **cfg.split)
    batch = next(iter(corpus.splits["validation"].by_length(500, 16)))
    totals = []
    for smoothing in (0.0, 0.2, 0.4):
        OmegaConf.update(cfg, key, smoothing)
        torch.manual_seed(0)
        totals.append(build(cfg.model, **corpus.sizes).eval().loss(batch).total.item())
    assert totals[1] != pytest.approx(totals[0], rel=1e-4)
    assert totals[1] - totals[0] == pytest.approx(totals[2] - totals[1], rel=1e-2)  # it mixes two losses
