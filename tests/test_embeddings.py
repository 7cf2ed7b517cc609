"""Vectors from co-occurrences: counts by hand, like company gives like vectors, and every task can start from them."""

from collections.abc import Callable

import numpy as np
import pytest
import torch
from conftest import CONF, FEW_ROWS, SMALL
from safetensors.torch import load_file
from test_configs import TASKS, corpus_of

from data.batch import Ragged
from data.errors import InputError
from data.ppmi import cooccurrences, ppmi_svd
from data.vocabulary import PAD
from models.embedding import TokenEmbedding
from training.build import build
from training.experiment import start_embeddings


def test_near_tokens_are_counted_by_distance_within_a_text() -> None:
    counts = cooccurrences(Ragged.of([[4, 5, 6, 4], [7]]), vocab_size=8, window=2).toarray()
    wanted = np.zeros((8, 8))
    wanted[4, 5] = 1 + 1 / 2  # next to each other, and two apart
    wanted[5, 6] = 1
    wanted[4, 6] = 1 + 1 / 2
    np.testing.assert_allclose(counts, wanted + wanted.T)


def test_tokens_in_like_company_have_like_vectors() -> None:
    random = np.random.default_rng(0)
    families = {4: (10, 11, 12), 5: (10, 11, 12), 6: (13, 14, 15), 7: (13, 14, 15)}
    texts = []
    for token in random.choice(list(families), size=400):
        before, after = random.choice(families[token], size=2)
        texts.append([before, token, after])
    vectors = ppmi_svd(Ragged.of(texts), 17, 4, seed=0, window=2)
    assert vectors.shape == (17, 4) and vectors.dtype == np.float32
    assert vectors[4] @ vectors[5] > 0.9 > 0.5 > abs(vectors[4] @ vectors[6])
    met = [4, 5, 6, 7, *range(10, 16)]
    np.testing.assert_allclose(np.linalg.norm(vectors[met], axis=1), 1, rtol=1e-5)
    assert not np.delete(vectors, met, axis=0).any()
    np.testing.assert_array_equal(vectors, ppmi_svd(Ragged.of(texts), 17, 4, seed=0, window=2))


def test_more_features_than_tokens_are_zero() -> None:
    vectors = ppmi_svd(Ragged.of([[2, 3], [3, 2]]), 4, 7, seed=0, window=2)
    assert vectors.shape == (4, 7) and np.isfinite(vectors).all()


def test_texts_of_one_token_leave_the_vectors_at_random() -> None:
    vectors = ppmi_svd(Ragged.of([[2], [3]]), 4, 2, seed=0, window=2)
    assert not vectors.any()
    embedding = TokenEmbedding(4, 2, dropout=0.0, word_dropout=0.0, unknown_id=1)
    before = embedding.vectors.weight.clone()
    embedding.initialise(torch.from_numpy(vectors))
    assert torch.equal(embedding.vectors.weight, before)


def test_a_window_below_one_is_an_error() -> None:
    with pytest.raises(InputError, match="must be at least 1"):
        ppmi_svd(Ragged.of([[2, 3]]), 4, 2, seed=0, window=0)


EMBEDDING = [t for t in TASKS if "/embeddings:" in (CONF / "recipe" / t / "embedded.yaml").read_text()]


@pytest.mark.parametrize("task", EMBEDDING)
def test_every_task_that_embeds_tokens_starts_from_them(composed: Callable, task: str) -> None:
    cfg = composed(task, "embeddings=ppmi_svd", *SMALL, *FEW_ROWS, "data.sizes.train=400")
    corpus = corpus_of(cfg)
    model = build(cfg.model, **corpus.sizes)
    weights = model.embedding.vectors.weight
    made = build(cfg.embeddings)(corpus.splits["train"].encoded.embedded, *weights.shape, cfg.seed)
    start_embeddings(cfg, model, corpus)
    known = torch.from_numpy(made).ne(0).any(dim=1)
    assert known.sum() > 20 and not known[PAD]
    torch.testing.assert_close(weights[known], torch.from_numpy(made)[known])


def test_a_run_starts_from_them(launch: Callable, files: list[str]) -> None:
    still = [*files, "optimizer.lr=0", "trainer.average_decay=0"]
    folders = launch("sentiment", *still), launch("sentiment", *still, "embeddings=ppmi_svd", folder="made")
    random, made = (load_file(folder / "model.safetensors")["embedding.vectors.weight"] for folder in folders)
    torch.testing.assert_close(made[4:].square().sum(dim=1), torch.ones(len(made) - 4))
    assert not torch.equal(made, random)
