"""Word vectors from characters: W distinct words of C characters, ids and mask [W, C] -> [W, ``output_size``].

The vector of a word does not depend on the other words. A word without characters stands for padding.
"""

from abc import ABC, abstractmethod
from collections.abc import Callable, Iterable
from typing import cast

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from models.dropout import Dropout
from models.embedding import TokenEmbedding
from models.encoder import Encoder
from models.recurrence import MaxOverTime, pack_steps

HASH_BASE, HASH_PRIME = 1_000_003, 2_147_483_647  # of the polynomial hash of n-grams
NUM_KINDS = 5  # of characters: lower case, upper case, letter without case, digit, other


class CharacterEncoder(nn.Module, ABC):
    """One vector per word.

    Args:
        num_characters: the number of distinct characters. Id 0 is padding.
        unknown_id: the id of the unknown character.
        output_size: the number of features of a word's vector.
    """

    def __init__(self, num_characters: int, unknown_id: int, output_size: int) -> None:
        super().__init__()
        self.num_characters, self.unknown_id, self.output_size = num_characters, unknown_id, output_size

    def check_output(self, features: int) -> None:
        """Raise ValueError where the vectors cannot be added to word vectors of so many features."""
        if features != self.output_size:
            raise ValueError(
                f"Vectors of spellings with output_size={self.output_size} cannot be added to embeddings of {features} "
                f"features."
            )

    @abstractmethod
    def forward(self, characters: Tensor, mask: Tensor) -> Tensor: ...


class NoCharacters(CharacterEncoder):
    """Zeros: words are known by their own vectors only."""

    def forward(self, characters: Tensor, mask: Tensor) -> Tensor:
        return torch.zeros(characters.shape[0], self.output_size, device=characters.device)


class CharacterFeatures(nn.Module, ABC):
    """Features of a word from its embedded characters: ([W, C, E], [W, C]) -> [W, ``output_size``]."""

    output_size: int

    @abstractmethod
    def forward(self, inputs: Tensor, mask: Tensor) -> Tensor: ...


class EmbeddedCharacters(CharacterEncoder):
    """Character embeddings, features of the whole word, and a linear layer.

    Args:
        num_characters, unknown_id, output_size: as in ``CharacterEncoder``.
        features: makes ``CharacterFeatures`` from ``embedding_size``.
        embedding_size: E, the number of features of a character.
        dropout: the dropout rate of the embeddings and of the features of the word.
        character_dropout: the probability of replacing a character by the unknown one in training, a regularizer.
    """

    def __init__(
        self,
        num_characters: int,
        unknown_id: int,
        output_size: int,
        features: Callable[[int], CharacterFeatures],
        embedding_size: int,
        dropout: float,
        character_dropout: float,
    ) -> None:
        super().__init__(num_characters, unknown_id, output_size)
        self.embedding = TokenEmbedding(num_characters, embedding_size, dropout, character_dropout, unknown_id)
        self.features = features(embedding_size)
        self.dropout = Dropout(dropout)
        self.output = nn.Linear(self.features.output_size, output_size)

    def forward(self, characters: Tensor, mask: Tensor) -> Tensor:
        return self.output(self.dropout(self.features(self.embedding(characters, mask), mask)))


class RecurrentFeatures(CharacterFeatures):
    """The final state of the suite's own encoder over the characters (Ling et al., 2015).

    Args:
        embedding_size: E, also the input size of the encoder.
        encoder: the recurrent core over characters.
    """

    def __init__(self, embedding_size: int, encoder: Encoder) -> None:
        super().__init__()
        encoder.check_input(embedding_size)
        self.encoder, self.output_size = encoder, encoder.output_size

    def forward(self, inputs: Tensor, mask: Tensor) -> Tensor:
        return self.encoder(inputs, mask).final_state


class ConvolutionalFeatures(CharacterFeatures):
    """The maximum of every filter over a word's character n-grams (Kim et al., 2016; Ma & Hovy, 2016).

    Args:
        embedding_size: E.
        widths: the sizes n of the n-grams.
        filters: the number of filters of every width.
    """

    def __init__(self, embedding_size: int, widths: list[int], filters: int) -> None:
        super().__init__()
        self.widths, self.output_size = list(widths), len(widths) * filters
        self.filters = nn.ModuleList(nn.Conv1d(embedding_size, filters, width) for width in widths)

    def forward(self, inputs: Tensor, mask: Tensor) -> Tensor:
        if inputs.device.type == "cpu" and not (torch.compiler.is_compiling() or torch.compiler.is_exporting()):
            return self.without_padding(inputs, mask)
        inputs = (inputs * mask.unsqueeze(-1)).transpose(1, 2)
        maxima = [
            self.max_over_time(filters(F.pad(inputs, (0, width - 1))), mask)
            for width, filters in zip(self.widths, self.filters, strict=True)
        ]
        return torch.cat(maxima, dim=-1)

    def without_padding(self, inputs: Tensor, mask: Tensor) -> Tensor:
        """The same with products of the n-grams inside words only: a batch is as wide as its longest word."""
        length, widest = mask.shape[1], max(self.widths)
        padded = F.pad(inputs * mask.unsqueeze(-1), (0, 0, 0, widest - 1)).flatten(0, 1)
        steps = pack_steps(tuple(mask.sum(dim=1).tolist()), length, (False,))
        starts = steps.packed[0] // length * (length + widest - 1) + steps.packed[0] % length
        places = (starts.unsqueeze(1) + torch.arange(widest)).flatten()
        ngrams = padded.index_select(0, places).view(len(starts), widest * inputs.shape[2])
        activations = [
            F.linear(ngrams[:, : filters.weight[0].numel()], filters.weight.transpose(1, 2).flatten(1), filters.bias)
            for filters in cast(Iterable[nn.Conv1d], self.filters)
        ]
        return MaxOverTime.apply(torch.cat(activations, dim=1), steps)  # type: ignore[no-untyped-call]

    def max_over_time(self, activations: Tensor, mask: Tensor) -> Tensor:
        """The maximum over the n-grams that start inside the word, at least 0: ([W, F, C], [W, C]) -> [W, F]."""
        inside = activations.masked_fill(~mask.unsqueeze(1), 0.0)
        return torch.relu(inside.max(dim=-1).values)  # the gradient of max is several times faster than that of amax


class NgramCharacters(CharacterEncoder):
    """The sum of the vectors of a word's character n-grams (Wieting et al., 2016; Bojanowski et al., 2017).

    Every n-gram is looked up by its hash in a table of ``buckets`` vectors.

    Args:
        num_characters, unknown_id, output_size: as in ``CharacterEncoder``.
        widths: the sizes n of the n-grams; the symbols of a word's start and end count as characters.
        buckets: the number of vectors. N-grams with the same hash share one.
        dropout: the dropout rate of the sum.
        ngram_dropout: the probability of leaving out an n-gram in training, a regularizer.
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
        count = (ngrams != 0).sum(dim=1, keepdim=True).clamp(min=1)
        return self.dropout(self.vectors(ngrams) * count**-0.5)

    def ngrams(self, characters: Tensor, mask: Tensor) -> Tensor:
        """The bucket of every n-gram inside a word, 0 after its end: [W, C] -> [W, C * number of widths]."""
        buckets = []
        for width in self.widths:
            inside = F.pad(mask, (0, width - 1))[:, width - 1 :]
            padded = F.pad(characters, (0, width - 1))
            code = torch.full_like(characters, width)
            for offset in range(width):
                code = (code * HASH_BASE + padded[:, offset : offset + characters.shape[1]]) % HASH_PRIME
            buckets.append((code % (self.vectors.num_embeddings - 1) + 1).masked_fill(~inside, 0))
        return torch.cat(buckets, dim=1)


class ShapeCharacters(CharacterEncoder):
    """A linear function of a word's shape: of which kinds its characters are (capitals of Collobert et al., 2011).

    A capital that the training split shows in few words is a capital as any other; the unknown character is of no kind,
    as are the symbols of a word's start and end. The features are the kinds of the
    first and of the last character, which kinds occur, and which occur more than once.

    Args:
        num_characters, unknown_id, output_size: as in ``CharacterEncoder``.
    """

    kinds: Tensor  # [num_characters, NUM_KINDS] 1 for the kind of a character, which ``describe`` sets

    def __init__(self, num_characters: int, unknown_id: int, output_size: int) -> None:
        super().__init__(num_characters, unknown_id, output_size)
        self.register_buffer("kinds", torch.zeros(num_characters, NUM_KINDS))
        self.linear = nn.Linear(4 * NUM_KINDS, output_size)

    def describe(self, kinds: Tensor) -> None:
        """Set the kinds of all characters, [num_characters, NUM_KINDS]; they are saved with the weights."""
        self.kinds.copy_(kinds)

    def forward(self, characters: Tensor, mask: Tensor) -> Tensor:
        characters, mask = F.pad(characters, (0, 2)), F.pad(mask, (0, 2))  # padding alone may have no characters
        kinds = F.embedding(characters, self.kinds) * mask.unsqueeze(-1)
        last = (mask.sum(dim=1) - 2).clamp(min=0)  # before the symbol of the end
        ends = [kinds[:, 1], kinds.gather(1, last.view(-1, 1, 1).expand(-1, 1, kinds.shape[2])).squeeze(1)]
        counts = kinds.sum(dim=1)
        return self.linear(torch.cat([*ends, (counts > 0).to(kinds.dtype), (counts > 1).to(kinds.dtype)], dim=1))


class SummedCharacters(CharacterEncoder):
    """The sum of vectors: n-gram vectors fit known words, convolutional features generalise to new ones.

    Args:
        num_characters, unknown_id, output_size: as in ``CharacterEncoder``.
        first, second, third: each makes an encoder from ``num_characters`` and ``unknown_id``, of this ``output_size``;
            the third may be null.
    """

    def __init__(
        self,
        num_characters: int,
        unknown_id: int,
        output_size: int,
        first: Callable[[int, int], CharacterEncoder],
        second: Callable[[int, int], CharacterEncoder],
        third: Callable[[int, int], CharacterEncoder] | None = None,
    ) -> None:
        super().__init__(num_characters, unknown_id, output_size)
        parts = [first, second] if third is None else [first, second, third]
        self.parts = nn.ModuleList(part(num_characters, unknown_id) for part in parts)
        for part in self.parts:
            cast(CharacterEncoder, part).check_output(output_size)

    def forward(self, characters: Tensor, mask: Tensor) -> Tensor:
        first, *others = (part(characters, mask) for part in self.parts)
        return sum(others, start=first)
