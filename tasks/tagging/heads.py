"""How tags are read off a score for every word and tag [B, T, K]."""

from abc import ABC, abstractmethod

from torch import Tensor, nn

from models.crf import LinearChainCRF
from training.loss import Loss, cross_entropy


class Head(nn.Module, ABC):
    """What a tagger learns by and decides with.

    Args:
        num_tags: K.
    """

    def __init__(self, num_tags: int) -> None:
        super().__init__()
        self.num_tags = num_tags

    @abstractmethod
    def loss(self, scores: Tensor, targets: Tensor, mask: Tensor) -> Loss: ...

    @abstractmethod
    def best(self, scores: Tensor, mask: Tensor) -> Tensor:
        """The tags chosen: ([B, T, K], [B, T]) -> [B, T]."""


class SoftmaxHead(Head):
    """Every word's tag on its own.

    Args:
        num_tags: K.
        label_smoothing: the share of probability spread over all tags (Szegedy et al., 2016).
    """

    def __init__(self, num_tags: int, label_smoothing: float) -> None:
        super().__init__(num_tags)
        self.label_smoothing = label_smoothing

    def loss(self, scores: Tensor, targets: Tensor, mask: Tensor) -> Loss:
        return cross_entropy(scores, targets, mask, self.label_smoothing)

    def best(self, scores: Tensor, mask: Tensor) -> Tensor:
        return scores.argmax(dim=-1)


class CRFHead(Head):
    """The tags of a sentence together, in a linear chain (Huang et al., 2015)."""

    def __init__(self, num_tags: int) -> None:
        super().__init__(num_tags)
        self.crf = LinearChainCRF(num_tags)

    def loss(self, scores: Tensor, targets: Tensor, mask: Tensor) -> Loss:
        return Loss(-self.crf.log_likelihood(scores, targets, mask).sum(), int(mask.sum()))

    def best(self, scores: Tensor, mask: Tensor) -> Tensor:
        return self.crf.best(scores, mask)
