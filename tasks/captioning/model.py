"""Image -> caption."""

from collections.abc import Callable
from typing import cast

import torch

from data.batch import Batch
from data.captioning import ImageBatch
from data.vocabulary import BOS, EOS, PAD, UNK
from models.attention import Memory
from models.cells.base import State
from models.decoder import Decoder
from models.embedding import TokenEmbedding
from models.encoder import Encoding
from models.generator import TargetGenerator
from models.images import ImageEncoder, WordDetector
from models.search import BeamSearch
from training.generation import EncoderDecoderModel
from training.loss import Loss


class Captioner(EncoderDecoderModel):
    """Encode an image, and write its caption one token after the other (Vinyals et al., 2015; Xu et al., 2015).

    Args:
        encoder: makes the image encoder from the size of its input.
        decoder: makes the decoder from its input size, the encoder's output size and its output size.
        search: the beam search of predictions.
        input_size, vocab_size: the sizes of the corpus.
        embedding_size: E.
        tied_output: whether the output layer shares its weight with the embedding.
        dropout: the dropout rate of the embeddings.
        word_dropout: the probability of replacing a token by the unknown token in training.
        label_smoothing: the probability mass spread over the vocabulary (Szegedy et al., 2016).
        word_loss: the weight of a second loss in training, of a detector of the caption's words; 0 for none.
    """

    def __init__(
        self,
        encoder: Callable[..., ImageEncoder],
        decoder: Callable[..., Decoder],
        search: BeamSearch,
        input_size: int,
        vocab_size: int,
        embedding_size: int,
        tied_output: bool,
        dropout: float,
        word_dropout: float,
        label_smoothing: float,
        word_loss: float,
    ) -> None:
        super().__init__()
        self.encoder = encoder(input_size=input_size)
        self.embedding = TokenEmbedding(vocab_size, embedding_size, dropout, word_dropout, UNK)
        self.generator = TargetGenerator(
            self.embedding,
            decoder(input_size=embedding_size, memory_size=self.encoder.output_size, output_size=embedding_size),
            bos_id=BOS,
            eos_id=EOS,
            suppressed_ids=(PAD, UNK, BOS),
            tied=tied_output,
        )
        self.search, self.label_smoothing = search, label_smoothing
        self.word_loss = word_loss
        self.detector = WordDetector(self.encoder.output_size, vocab_size) if word_loss else None

    def encode(self, batch: Batch) -> tuple[Memory, State]:
        return self.start(self.encoder(cast(ImageBatch, batch).images))

    def start(self, encoding: Encoding) -> tuple[Memory, State]:
        """What the decoder reads of an encoded image, all of whose grid positions count."""
        mask = torch.ones(encoding.outputs.shape[:2], dtype=torch.bool, device=encoding.outputs.device)
        return self.generator.decoder.start(encoding, mask)

    def loss(self, batch: Batch) -> Loss:
        images = cast(ImageBatch, batch)
        encoding, number = self.encoder(images.images), images.captions_per_image
        loss = self.loss_from(batch, *self.start(repeated(encoding, number)))
        if self.detector is None:
            return loss
        words = batch.targets.reshape(len(encoding.outputs), -1)
        return Loss(loss.total + self.word_loss * number * self.detector(encoding.outputs, words), loss.number)


def repeated(encoding: Encoding, number: int) -> Encoding:
    """The encoding of every image ``number`` times, next to each other: [B, ...] -> [B number, ...]."""
    return Encoding(*(part.repeat_interleave(number, dim=0) for part in encoding))
