"""Sentence -> its translation."""

from collections.abc import Callable

from data.batch import Batch
from data.vocabulary import BOS, EOS, PAD, UNK
from models.attention import Memory
from models.cells.base import State
from models.decoder import Decoder
from models.embedding import TokenEmbedding
from models.encoder import Encoder
from models.generator import TargetGenerator
from models.search import BeamSearch
from training.generation import GenerativeModel


class Translator(GenerativeModel):
    """Embed, encode, and write the target one token after the other.

    Args:
        encoder: the recurrent core.
        decoder: makes, from the sizes of what it reads and gives, what writes the target.
        search: finds a likely target.
        source_vocab_size, target_vocab_size: the sizes of the corpus.
        embedding_size: E.
        shared_embedding: one embedding for both languages, which must share their pieces.
        tied_output: the output's weights are the target embedding.
        dropout: the share of features dropped, of embeddings.
        word_dropout: the share of tokens read as unknown in training, on both sides.
        label_smoothing: the share of probability spread over the vocabulary (Szegedy et al., 2016).
    """

    def __init__(
        self,
        encoder: Encoder,
        decoder: Callable[..., Decoder],
        search: BeamSearch,
        source_vocab_size: int,
        target_vocab_size: int,
        embedding_size: int,
        shared_embedding: bool,
        tied_output: bool,
        dropout: float,
        word_dropout: float,
        label_smoothing: float,
    ) -> None:
        super().__init__()
        self.embedding = TokenEmbedding(source_vocab_size, embedding_size, dropout, word_dropout, UNK)
        self.encoder = encoder
        target = TokenEmbedding(target_vocab_size, embedding_size, dropout, word_dropout, UNK)
        if shared_embedding:
            target.vectors = self.embedding.vectors
        writing = decoder(input_size=embedding_size, memory_size=encoder.output_size, output_size=embedding_size)
        self.generator = TargetGenerator(target, writing, begin=BOS, end=EOS, never=(PAD, UNK, BOS), tied=tied_output)
        self.search, self.label_smoothing = search, label_smoothing

    def encode(self, batch: Batch) -> tuple[Memory, State]:
        encoding = self.encoder(self.embedding(batch.tokens, batch.mask), batch.mask)
        return self.generator.decoder.start(encoding, batch.mask)
