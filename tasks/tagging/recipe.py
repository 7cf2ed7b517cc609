"""The default recipe of tagging: values for new languages and tag sets.

Tuned by validation accuracy, with seed 1, on the universal tags of Vietnamese VTB (1,400 sentences), Turkish IMST
(3,435) and English EWT (12,544); where it starts from was found on EWT (experiment=tagging/ud_english_ewt).
"""

from collections.abc import Sequence

from data.tagging import TaggedSentence
from training.recipe import Choices, batches, between

RATES = {"rnn": 0.001, "gru": 0.002}  # of these cells; the other cells have the rate of the LSTM, which alone was tried
UPDATES = 3500
WORDS = 1_900_000  # that the default model reads within ten minutes on two cores with AVX-512 (1,840,000 in 432 s)
SMALL = (
    100_000  # words; by validation token_dropout gains with 20,000 and 38,000, is level with 80,000, loses with 205,000
)


def adapt(train: Sequence[TaggedSentence], choices: Choices) -> None:
    """Choose what the config leaves to the training split."""
    words = max(1, sum(len(sentence.words) for sentence in train))

    choices.choose("model.token_dropout", 0.1 if words < SMALL else None)
    choices.choose("optimizer.lr", RATES.get(choices.cell, 0.004))
    choices.choose("trainer.batch_tokens", between(300, words / 100, 500))
    epochs = min(UPDATES / batches(choices, words, len(train)), WORDS / words)
    choices.choose("trainer.max_epochs", between(5, epochs, 30))
    choices.choose("trainer.patience", between(3, choices.cfg.trainer.max_epochs / 3, 6))
