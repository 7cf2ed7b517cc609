"""The default recipe of translation: values for new languages and data.

A start, not yet tuned: sizes and rate follow the recipe of Multi30k (29,000 pairs); only first epochs were compared.
"""

from collections.abc import Sequence
from itertools import chain

from data.translation import SentencePair, sides
from training.recipe import Choices, Size, batches, between, choose_pieces

RATES = {"rnn": 0.001}  # at the rate of the gated cells the vanilla RNN learns no more than what the target is like
PIECES_PER_WORD = 1.4
UPDATES = 12_000
TOKENS = 6_000_000  # estimated: pieces of both sides that the LSTM reads in ten minutes on two cores
LONG_TRAINING = 12  # epochs from which on sub-words are sampled anew in every epoch; not tuned


def adapt(train: Sequence[SentencePair], choices: Choices) -> None:
    """Choose what the config leaves to the training split."""
    both = sides(train)
    words = sum(Size.of(side).tokens for side in both)
    tokens = round(PIECES_PER_WORD * words)

    choose_pieces(choices, between(500, 5 * words**0.5, 8000), chain(*both))
    choices.choose("optimizer.lr", RATES.get(choices.cell, 0.003))
    choices.choose("trainer.batch_tokens", between(512, words / 600, 2048))
    epochs = between(3, min(UPDATES / batches(choices, tokens, len(train)), TOKENS / tokens), 30)
    epochs = choices.choose("trainer.max_epochs", epochs)
    choices.choose("codec.sampling_alpha", 0.3 if epochs >= LONG_TRAINING else None)
