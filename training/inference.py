"""The predictions of a model for many examples."""

from collections.abc import Callable
from typing import Any

import torch

from data.corpus import Codec, Split
from training.device import autocast
from training.model import TaskModel


@torch.no_grad()
def predict_split(
    model: TaskModel,
    codec: Codec[Any],
    split: Split[Any],
    device: torch.device,
    precision: str,
    batch_tokens: int,
    batch_sentences: int,
    greedy: bool = False,
) -> list[Any]:
    """One decoded prediction per example, with attention weights where the model has any, in the order of the split."""
    model.eval()
    predict = model.predict_greedy if greedy else model.predict_with_attention
    return codec.decode(predict_rows(predict, split, device, precision, batch_tokens, batch_sentences))


@torch.no_grad()
def predict_rows(
    predict: Callable[[Any], list[Any]],
    split: Split[Any],
    device: torch.device,
    precision: str,
    batch_tokens: int,
    batch_sentences: int,
) -> list[Any]:
    """What ``predict`` gives for every example, in the order of the split; batches go from short to long."""
    predictions: list[Any] = [None] * len(split)
    for batch in split.by_length(batch_tokens, batch_sentences):
        with autocast(device, precision):
            predicted = predict(batch.to(device))
        for row, prediction in zip(batch.rows, predicted, strict=True):
            predictions[row] = prediction
    return predictions
