"""The default recipe of translation: values for new languages and data.

Sizes and rate follow the recipe of Multi30k (29,000 pairs). By validation on 20,000 pairs of Tatoeba: BLEU 31.3 with
these values and 12 epochs; 27.4 with batches of 1,024 pieces, dropout 0.3 and 10 epochs; 25.3 with 12 of these epochs
and sub-words that are sampled anew in every epoch, which is left to those who train longer.
"""

from collections.abc import Sequence
from itertools import chain

from data.translation import SentencePair, sides
from training.recipe import Choices, Size, batches, between, choose_pieces

RATES = {"rnn": 0.001}  # at the rate of the gated cells the vanilla RNN learns no more than what the target is like
PIECES_PER_WORD, PIECES_PER_PAIR = 1.4, 4  # the latter: final punctuation and end of both sides
UPDATES = 12_000
TOKENS = 6_000_000  # estimated: pieces of both sides that the LSTM reads in ten minutes on two cores


def adapt(train: Sequence[SentencePair], choices: Choices) -> None:
    """Choose what the config leaves to the training split."""
    both = sides(train)
    words = sum(Size.of(side).tokens for side in both)
    tokens = round(PIECES_PER_WORD * words + PIECES_PER_PAIR * len(train))

    choose_pieces(choices, between(500, 5 * words**0.5, 8000), chain(*both))
    choices.choose("optimizer.lr", RATES.get(choices.cell, 0.003))
    choices.choose("trainer.batch_tokens", between(512, words / 600, 2048))
    epochs = between(3, min(UPDATES / batches(choices, tokens, len(train)), TOKENS / tokens), 30)
    choices.choose("trainer.max_epochs", epochs)
