"""Adversarial training: the moved batch is harder, a move belongs to its sentence alone, and the loop stays exact."""

from collections.abc import Callable

import pytest
import torch
from conftest import SMALL
from test_configs import TASKS, corpus_of
from torch import Tensor

from data.batch import Batch
from models.embedding import TokenEmbedding
from tasks.adversary import Adversary
from tasks.model import TaskModel
from tasks.run import build


@pytest.fixture(params=TASKS)
def model_and_batch(request: pytest.FixtureRequest, composed: Callable) -> tuple[TaskModel, Batch]:
    """A small model of a task without dropout, and a batch of the embedded language."""
    cfg = composed(request.param, *SMALL, "data.sizes.train=2000")
    corpus = corpus_of(cfg)
    torch.manual_seed(0)
    model = build(cfg.model, **corpus.sizes)
    for part in model.modules():
        for name in {"rate", "word_dropout"} & vars(part).keys():
            setattr(part, name, 0.0)
    return model, next(iter(corpus.splits["train"].shuffled(4096, 64, seed=0)))


def test_a_moved_batch_is_harder(model_and_batch: tuple[TaskModel, Batch]) -> None:
    model, batch = model_and_batch
    adversary = Adversary(model, norm=0.1)
    with adversary.watching():
        (loss := model.loss(batch).total).backward()
    moved = model.loss(batch).total
    assert moved > loss
    assert not adversary.moves and torch.equal(model.loss(batch).total, loss)


def test_a_move_has_the_norm_asked_for_and_leaves_padding_alone() -> None:
    torch.manual_seed(0)
    embedding = TokenEmbedding(9, 4, dropout=0.0, word_dropout=0.0, unknown_id=1)
    adversary = Adversary(embedding, norm=0.5)
    direction = torch.randn(1, 3, 4)

    def move(tokens: Tensor) -> Tensor:
        mask = tokens > 0
        with adversary.watching():
            (embedding(tokens, mask)[:, :3] * direction * mask[:, :3, None]).sum().backward()
        return adversary.moves.pop()

    alone, together = move(torch.tensor([[5, 6, 7]])), move(torch.tensor([[5, 6, 7, 0, 0], [8, 0, 0, 0, 0]]))
    torch.testing.assert_close(together[:1, :3], alone)
    assert together[:1, 3:].eq(0).all() and together[1, 1:].eq(0).all()
    lengths = embedding.vectors.weight[5:8].square().sum(dim=1)
    torch.testing.assert_close(alone.square().sum(), 0.25 * lengths.mean())


def test_a_sentence_without_a_gradient_is_not_moved() -> None:
    embedding = TokenEmbedding(9, 4, dropout=0.0, word_dropout=0.0, unknown_id=1)
    adversary = Adversary(embedding, norm=0.5)
    tokens = torch.tensor([[5, 6], [7, 8]])
    with adversary.watching():
        embedding(tokens, tokens > 0)[0].sum().backward()
    assert adversary.moves[0][1].eq(0).all() and adversary.moves[0][0].ne(0).any()
