"""What a model hands the trainer."""

from collections.abc import Sequence
from typing import Any, NamedTuple

import torch
import torch.nn.functional as F
from torch import Tensor, nn


class Loss(NamedTuple):
    """A sum and a count; the trainer divides, so that means are exact whatever the sizes of the batches."""

    total: Tensor  # scalar: in nats, or a pinball loss
    number: int  # how many predictions that was: sentences, words, tokens or values


def cross_entropy(logits: Tensor, targets: Tensor, mask: Tensor, label_smoothing: float) -> Loss:
    """Summed over unmasked positions, in fp32: (logits [..., C], targets [...], mask [...]) -> ``Loss``."""
    chosen = targets[mask]
    total = F.cross_entropy(logits[mask].float(), chosen, reduction="sum", label_smoothing=label_smoothing)
    return Loss(total, len(chosen))


def pinball(quantiles: Tensor, targets: Tensor, mask: Tensor, levels: Sequence[float]) -> Loss:
    """The quantile loss (Koenker & Bassett, 1978), a mean over the levels and summed over unmasked targets, in fp32.

    For an error e = target - quantile at level q it is max(q e, (q - 1) e): ([..., Q], [...], [...]) -> ``Loss``.
    """
    errors = targets[mask].unsqueeze(-1) - quantiles[mask].float()
    level = errors.new_tensor(list(levels))
    return Loss(torch.maximum(level * errors, (level - 1) * errors).mean(dim=-1).sum(), len(errors))


def linear_cross_entropy(output: nn.Linear, features: Tensor, targets: Tensor, label_smoothing: float) -> Loss:
    """The same of ``output(features)``, for a large vocabulary: ([N, F], [N]) -> ``Loss``."""
    total = LinearCrossEntropy.apply(features, output.weight, output.bias, targets, label_smoothing)  # type: ignore[no-untyped-call]
    return Loss(total, len(targets))


class LinearCrossEntropy(torch.autograd.Function):
    """Cross-entropy of softmax(W f + b) against (1 - a) one-hot + a / V, that never holds all the probabilities.

    Some rows at a time give their loss and at once their share of the gradients: that of a logit is its probability
    less its target. What a / V adds to losses and gradients is a mean over the vocabulary, and is computed as one.
    """

    rows_at_once = 1024

    @staticmethod
    def forward(
        ctx: Any, features: Tensor, weight: Tensor, bias: Tensor, targets: Tensor, label_smoothing: float
    ) -> Tensor:
        with torch.autocast(features.device.type, enabled=False):
            total, *gradients = LinearCrossEntropy.compute(features, weight, bias, targets, label_smoothing)
        ctx.save_for_backward(*gradients)
        return total

    @staticmethod
    def compute(
        features: Tensor, weight: Tensor, bias: Tensor, targets: Tensor, label_smoothing: float
    ) -> tuple[Tensor, Tensor, Tensor, Tensor]:
        """The loss, and its gradients by features, weight and bias."""
        low, shift = weight.to(features.dtype), bias.to(features.dtype)
        mean_weight, mean_bias, uniform = weight.mean(dim=0), bias.mean(), label_smoothing / len(bias)
        by_features = torch.empty_like(features)
        by_weight = (features.sum(dim=0).float() * -uniform).expand_as(weight).contiguous()
        by_bias = torch.full_like(bias, -uniform * len(features))
        total = bias.new_zeros(())
        for first in range(0, len(features), LinearCrossEntropy.rows_at_once):
            rows = slice(first, first + LinearCrossEntropy.rows_at_once)
            part, right = features[rows], (torch.arange(len(features[rows]), device=features.device), targets[rows])
            logits = F.linear(part, low, shift)
            right_logits = logits[right].float()
            probabilities = logits.softmax(dim=1)
            log_likelihoods = probabilities[right].float().clamp(min=torch.finfo(torch.float32).tiny).log()
            normalizers = right_logits - log_likelihoods
            mean_logits = part.float() @ mean_weight + mean_bias
            total -= ((1 - label_smoothing) * log_likelihoods + label_smoothing * (mean_logits - normalizers)).sum()
            probabilities[right] -= 1 - label_smoothing
            by_features[rows] = probabilities @ low
            by_weight += (probabilities.T @ part).float()
            by_bias += probabilities.sum(dim=0).float()
        return total, by_features - label_smoothing * mean_weight.to(features.dtype), by_weight, by_bias

    @staticmethod
    def backward(ctx: Any, gradient: Tensor) -> tuple[Tensor | None, ...]:
        return *(part * gradient.to(part.dtype) for part in ctx.saved_tensors), None, None
