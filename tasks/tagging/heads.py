"""Output heads: loss and decoding from a score for every word and tag [B, T, K]."""

from abc import ABC, abstractmethod

from torch import Tensor, nn

from models.crf import LinearChainCRF
from models.padding import last_of_row
from training.loss import Loss, cross_entropy


class Head(nn.Module, ABC):
    """The loss of a tagger, and the decoding of its scores.

    Args:
        num_tags: K.
    """

    def __init__(self, num_tags: int) -> None:
        super().__init__()
        self.num_tags = num_tags

    @abstractmethod
    def loss(self, scores: Tensor, targets: Tensor, mask: Tensor) -> Loss: ...

    def loss_at_last(self, scores: Tensor, targets: Tensor, mask: Tensor) -> Loss:
        """The loss of the last word of every sentence, where it has one of its own."""
        return self.loss(scores, targets, mask)

    @abstractmethod
    def decode(self, scores: Tensor, mask: Tensor) -> Tensor:
        """The predicted tags: ([B, T, K], [B, T]) -> [B, T]."""

    @abstractmethod
    def log_probability(self, scores: Tensor, tags: Tensor, mask: Tensor) -> Tensor:
        """log p(tags) of every sentence: ([B, T, K], [B, T], [B, T]) -> [B]."""


class SoftmaxHead(Head):
    """Every word's tag independently.

    Args:
        num_tags: K.
        label_smoothing: the probability mass spread over all tags (Szegedy et al., 2016).
    """

    def __init__(self, num_tags: int, label_smoothing: float) -> None:
        super().__init__(num_tags)
        self.label_smoothing = label_smoothing

    def loss(self, scores: Tensor, targets: Tensor, mask: Tensor) -> Loss:
        return cross_entropy(scores, targets, mask, self.label_smoothing)

    def loss_at_last(self, scores: Tensor, targets: Tensor, mask: Tensor) -> Loss:
        return self.loss(scores, targets, last_of_row(mask))

    def decode(self, scores: Tensor, mask: Tensor) -> Tensor:
        return scores.argmax(dim=-1)

    def log_probability(self, scores: Tensor, tags: Tensor, mask: Tensor) -> Tensor:
        chosen = scores.float().log_softmax(dim=-1).gather(2, tags.unsqueeze(2)).squeeze(2)
        return chosen.masked_fill(~mask, 0.0).sum(dim=1)


class CRFHead(Head):
    """The tags of a sentence jointly, in a linear chain (Huang et al., 2015)."""

    def __init__(self, num_tags: int) -> None:
        super().__init__(num_tags)
        self.crf = LinearChainCRF(num_tags)

    def loss(self, scores: Tensor, targets: Tensor, mask: Tensor) -> Loss:
        return Loss(-self.crf.log_likelihood(scores, targets, mask).sum(), int(mask.sum()))

    def decode(self, scores: Tensor, mask: Tensor) -> Tensor:
        return self.crf.decode(scores, mask)

    def log_probability(self, scores: Tensor, tags: Tensor, mask: Tensor) -> Tensor:
        return self.crf.log_likelihood(scores, tags, mask)
