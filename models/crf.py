"""The linear-chain conditional random field (Lafferty et al., 2001)."""

import torch
from torch import Tensor, nn


class LinearChainCRF(nn.Module):
    """p(y | x) = exp(score(x, y)) / sum over all y' of exp(score(x, y')), over sequences of K labels.

    score(x, y) = start[y_1] + sum_t emissions[t, y_t] + sum_t transitions[y_t, y_t+1] + end[y_T]. All sums are in fp32.
    A sequence of length 0 has score 0 and probability 1.

    Args:
        num_labels: K.
    """

    def __init__(self, num_labels: int) -> None:
        super().__init__()
        self.start_transitions = nn.Parameter(torch.zeros(num_labels))
        self.transitions = nn.Parameter(torch.zeros(num_labels, num_labels))  # [from, to]
        self.end_transitions = nn.Parameter(torch.zeros(num_labels))

    def log_likelihood(self, emissions: Tensor, labels: Tensor, mask: Tensor) -> Tensor:
        """log p(labels | emissions) of every sequence: ([B, T, K], [B, T], [B, T]) -> [B]."""
        emissions = emissions.float()
        return self.score(emissions, labels, mask) - self.log_partition(emissions, mask)

    def score(self, emissions: Tensor, labels: Tensor, mask: Tensor) -> Tensor:
        """The score of a label sequence: ([B, T, K], [B, T], [B, T]) -> [B]."""
        emitted = emissions.gather(2, labels.unsqueeze(2)).squeeze(2)
        moved = self.transitions[labels[:, :-1], labels[:, 1:]]
        last = labels.gather(1, last_position(mask)[:, None]).squeeze(1)
        ends = (self.start_transitions[labels[:, 0]] + self.end_transitions[last]) * mask[:, 0]
        return ends + (emitted * mask).sum(dim=1) + (moved * mask[:, 1:]).sum(dim=1)

    def log_partition(self, emissions: Tensor, mask: Tensor) -> Tensor:
        """log of the sum over all label sequences, by the forward algorithm: ([B, T, K], [B, T]) -> [B]."""
        forward = self.start_transitions + emissions[:, 0]
        for emission, keep in zip(emissions.unbind(1)[1:], mask.unsqueeze(2).unbind(1)[1:], strict=True):
            after = torch.logsumexp(forward.unsqueeze(2) + self.transitions, dim=1) + emission
            forward = torch.where(keep, after, forward)
        return torch.logsumexp(forward + self.end_transitions, dim=1) * mask[:, 0]

    @torch.no_grad()
    def decode(self, emissions: Tensor, mask: Tensor) -> Tensor:
        """The label sequence of the highest score, by the Viterbi (1967) algorithm: [B, T] ids, 0 on padding."""
        emissions = emissions.float()
        identity = torch.arange(emissions.shape[2], device=emissions.device)
        scores = self.start_transitions + emissions[:, 0]
        backpointers = []
        for emission, keep in zip(emissions.unbind(1)[1:], mask.unsqueeze(2).unbind(1)[1:], strict=True):
            best, origin = (scores.unsqueeze(2) + self.transitions).max(dim=1)
            scores = torch.where(keep, best + emission, scores)
            backpointers.append(torch.where(keep, origin, identity))
        labels = [(scores + self.end_transitions).argmax(dim=1)]
        for origin in reversed(backpointers):
            labels.append(origin.gather(1, labels[-1][:, None]).squeeze(1))
        return torch.stack(labels[::-1], dim=1) * mask


def last_position(mask: Tensor) -> Tensor:
    """The index of the last token, 0 where there is none: [B, T] -> [B]."""
    return (mask.sum(dim=1) - 1).clamp(min=0)
