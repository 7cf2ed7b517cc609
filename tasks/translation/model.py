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
from training.generation import EncoderDecoderModel


class Translator(EncoderDecoderModel):
    """Embed and encode the source, then generate the target token by token.

    Args:
        encoder: the recurrent core.
        decoder: makes the decoder from its input size, the encoder's output size and its output size.
        search: the beam search of predictions.
        source_vocab_size, target_vocab_size: the sizes of the vocabularies.
        embedding_size: E.
        shared_embedding: whether both languages share one embedding; they must share their pieces.
        tied_output: whether the output layer shares its weight with the target embedding.
        dropout: the dropout rate of the embeddings.
        word_dropout: the probability of replacing a token by the unknown token in training, on both sides.
        label_smoothing: the probability mass spread over the vocabulary (Szegedy et al., 2016).
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
        encoder.check_input(embedding_size)
        target = TokenEmbedding(target_vocab_size, embedding_size, dropout, word_dropout, UNK)
        if shared_embedding:
            target.vectors = self.embedding.vectors
        self.generator = TargetGenerator(
            target,
            decoder(input_size=embedding_size, memory_size=encoder.output_size, output_size=embedding_size),
            bos_id=BOS,
            eos_id=EOS,
            suppressed_ids=(PAD, UNK, BOS),
            tied=tied_output,
        )
        self.search, self.label_smoothing = search, label_smoothing

    def encode(self, batch: Batch) -> tuple[Memory, State]:
        encoding = self.encoder(self.embedding(batch.tokens, batch.mask), batch.mask)
        return self.generator.decoder.start(encoding, batch.mask)
