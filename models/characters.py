"""Word vectors from characters: W distinct words of C characters, ids and mask [W, C] -> [W, ``output_size``].

A word's vector does not depend on the words beside it. A word without characters stands for padding.
"""

from abc import ABC, abstractmethod
from collections.abc import Callable

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from models.dropout import Dropout
from models.embedding import TokenEmbedding
from models.encoder import Encoder

HASH_BASE, HASH_PRIME = 1_000_003, 2_147_483_647  # of n-grams, as polynomials


class CharacterEncoder(nn.Module, ABC):
    """One vector a word.

    Args:
        num_characters: how many characters there are. Id 0 is padding.
        unknown_id: the id of the unknown character.
        output_size: features of a word's vector.
    """

    def __init__(self, num_characters: int, unknown_id: int, output_size: int) -> None:
        super().__init__()
        self.num_characters, self.unknown_id, self.output_size = num_characters, unknown_id, output_size

    @abstractmethod
    def forward(self, characters: Tensor, mask: Tensor) -> Tensor: ...


class NoCharacters(CharacterEncoder):
    """Nothing: zeros."""

    def forward(self, characters: Tensor, mask: Tensor) -> Tensor:
        return torch.zeros(len(characters), self.output_size, device=characters.device)


class RecurrentCharacters(CharacterEncoder):
    """The final states of the suite's own encoder, read over the characters (Ling et al., 2015).

    Args:
        num_characters, unknown_id, output_size: as in ``CharacterEncoder``.
        encoder: the recurrent core over characters.
        embedding_size: features of a character.
        dropout: the share of features dropped, of characters and of what is read off them.
        character_dropout: the share of characters read as unknown in training, so that no word is learnt by heart.
    """

    def __init__(
        self,
        num_characters: int,
        unknown_id: int,
        output_size: int,
        encoder: Encoder,
        embedding_size: int,
        dropout: float,
        character_dropout: float,
    ) -> None:
        super().__init__(num_characters, unknown_id, output_size)
        self.embedding = TokenEmbedding(num_characters, embedding_size, dropout, character_dropout, unknown_id)
        self.encoder = encoder
        self.dropout = Dropout(dropout)
        self.output = nn.Linear(encoder.output_size, output_size)

    def forward(self, characters: Tensor, mask: Tensor) -> Tensor:
        final_state = self.encoder(self.embedding(characters, mask), mask).final_state
        return self.output(self.dropout(final_state))


class ConvolutionalCharacters(CharacterEncoder):
    """The largest answer of every filter over a word's character n-grams (Kim et al., 2016; Ma & Hovy, 2016).

    Args:
        num_characters, unknown_id, output_size: as in ``CharacterEncoder``.
        widths: n of the n-grams.
        filters: how many filters every n has.
        embedding_size: features of a character.
        dropout: the share of features dropped, of characters and of what is read off them.
        character_dropout: the share of characters read as unknown in training, so that no word is learnt by heart.
    """

    def __init__(
        self,
        num_characters: int,
        unknown_id: int,
        output_size: int,
        widths: list[int],
        filters: int,
        embedding_size: int,
        dropout: float,
        character_dropout: float,
    ) -> None:
        super().__init__(num_characters, unknown_id, output_size)
        self.embedding = TokenEmbedding(num_characters, embedding_size, dropout, character_dropout, unknown_id)
        self.widths = list(widths)
        self.filters = nn.ModuleList(nn.Conv1d(embedding_size, filters, width) for width in widths)
        self.dropout = Dropout(dropout)
        self.output = nn.Linear(len(widths) * filters, output_size)

    def forward(self, characters: Tensor, mask: Tensor) -> Tensor:
        inputs = (self.embedding(characters, mask) * mask.unsqueeze(-1)).transpose(1, 2)
        found = [
            self.max_over_time(filters(F.pad(inputs, (0, width - 1))), mask)
            for width, filters in zip(self.widths, self.filters, strict=True)
        ]
        return self.output(self.dropout(torch.cat(found, dim=-1)))

    def max_over_time(self, answers: Tensor, mask: Tensor) -> Tensor:
        """The maximum over the n-grams that begin inside the word, at least 0: ([W, F, C], [W, C]) -> [W, F]."""
        inside = answers.masked_fill(~mask.unsqueeze(1), 0.0)
        return torch.relu(inside.max(dim=-1).values)  # the gradient of max is several times faster than that of amax


class NgramCharacters(CharacterEncoder):
    """The sum of the vectors of a word's character n-grams (Wieting et al., 2016; Bojanowski et al., 2017).

    Every n-gram is looked up in one of ``buckets`` by its hash: many suffixes and prefixes, each at the price of a sum.

    Args:
        num_characters, unknown_id, output_size: as in ``CharacterEncoder``.
        widths: n of the n-grams; the signs of a word's begin and end count as characters.
        buckets: how many vectors there are. N-grams that share one cannot be told apart.
        dropout: the share of features dropped.
        ngram_dropout: the share of n-grams left out in training, so that no word is learnt by heart.
    """

    def __init__(
        self,
        num_characters: int,
        unknown_id: int,
        output_size: int,
        widths: list[int],
        buckets: int,
        dropout: float,
        ngram_dropout: float,
    ) -> None:
        super().__init__(num_characters, unknown_id, output_size)
        self.widths, self.ngram_dropout = list(widths), ngram_dropout
        self.vectors = nn.EmbeddingBag(buckets, output_size, mode="sum", padding_idx=0)
        nn.init.normal_(self.vectors.weight, std=output_size**-0.5)
        with torch.no_grad():
            self.vectors.weight[0].zero_()
        self.dropout = Dropout(dropout)

    def forward(self, characters: Tensor, mask: Tensor) -> Tensor:
        ngrams = self.ngrams(characters, mask)
        if self.training and self.ngram_dropout > 0:
            ngrams = ngrams.masked_fill(torch.rand(ngrams.shape, device=ngrams.device) < self.ngram_dropout, 0)
        number = (ngrams != 0).sum(dim=1, keepdim=True).clamp(min=1)
        return self.dropout(self.vectors(ngrams) * number**-0.5)

    def ngrams(self, characters: Tensor, mask: Tensor) -> Tensor:
        """The bucket of every n-gram inside a word, 0 past its end: [W, C] -> [W, C * number of widths]."""
        found = []
        for width in self.widths:
            inside = F.pad(mask, (0, width - 1))[:, width - 1 :]
            padded = F.pad(characters, (0, width - 1))
            code = torch.full_like(characters, width)
            for offset in range(width):
                code = (code * HASH_BASE + padded[:, offset : offset + characters.shape[1]]) % HASH_PRIME
            found.append((code % (self.vectors.num_embeddings - 1) + 1).masked_fill(~inside, 0))
        return torch.cat(found, dim=1)


class SummedCharacters(CharacterEncoder):
    """The sum of two vectors: looked-up n-grams know words well, filters read new ones well.

    Args:
        num_characters, unknown_id, output_size: as in ``CharacterEncoder``.
        first, second: each makes an encoder from ``num_characters`` and ``unknown_id``, of this ``output_size``.
    """

    def __init__(
        self,
        num_characters: int,
        unknown_id: int,
        output_size: int,
        first: Callable[[int, int], CharacterEncoder],
        second: Callable[[int, int], CharacterEncoder],
    ) -> None:
        super().__init__(num_characters, unknown_id, output_size)
        self.parts = nn.ModuleList(part(num_characters, unknown_id) for part in (first, second))

    def forward(self, characters: Tensor, mask: Tensor) -> Tensor:
        first, second = (part(characters, mask) for part in self.parts)
        return first + second
