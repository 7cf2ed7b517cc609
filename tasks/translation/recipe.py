"""The default recipe of translation: values for languages and pairs that nobody here has seen.

Tuned by validation BLEU, with the LSTM and seed 1, from German to English: on Multi30k (29,000 pairs, and 5,000 of
them) and on 20,000 and 5,000 pairs of Tatoeba.
"""

from collections.abc import Sequence
from itertools import chain

from data.translation import SentencePair
from training.recipe import Choices, Size, batches, between, choose_pieces

RATES = {"rnn": 0.001}  # at the rate of the gated cells the vanilla RNN learns no more than what the target is like
PIECES_PER_WORD = 1.4


def adapt(train: Sequence[SentencePair], choices: Choices) -> None:
    """Choose what the config leaves to the training split."""
    sides = [pair.source for pair in train], [pair.target for pair in train]
    tokens = sum(Size.of(side).tokens for side in sides)

    choose_pieces(choices, between(500, tokens / 100, 8000), chain(*sides))
    choices.choose("optimizer.lr", RATES.get(choices.cell, 0.004))
    choices.choose("trainer.batch_tokens", between(512, tokens / 300, 2048))
    updates = batches(choices, round(PIECES_PER_WORD * tokens), len(train))
    choices.choose("trainer.max_epochs", between(4, 5000 / updates, 30))
