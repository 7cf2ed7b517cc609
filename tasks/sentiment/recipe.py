"""The default recipe of sentiment analysis: values for new texts and labels.

Tuned by validation accuracy, with the LSTM and seed 1, on customer reviews (3,013 texts), opinion phrases (6,592 of 3.6
words), subjectivity (8,013) and SST-2 sentences (6,920), one value for all four.
"""

from collections.abc import Sequence

from data.classification import LabelledText
from training.recipe import Choices, Size, batches, between, choose_pieces

SHORT = 8  # tokens of a text on average
RATES = {"rnn": 0.001}  # at the rate of the gated cells the vanilla RNN learns little
UPDATES = 1000  # the four data sets validate best after 200 to 1,000
TOKENS = 15_000_000  # that an LSTM of these sizes reads in ten minutes on two cores


def adapt(train: Sequence[LabelledText], choices: Choices) -> None:
    """Choose what the config leaves to the training split."""
    texts = [example.text for example in train]
    size = Size.of(texts)

    choices.choose_part("codec.tokenizer", "words" if size.spaced else "sentencepiece")
    choose_pieces(choices, between(500, 5 * size.tokens**0.5, 8000), texts)
    choices.choose("codec.min_count", 1 if size.tokens < 200_000 else 2 if size.tokens < 2_000_000 else 5)
    choices.choose("model.word_dropout", 0.1 if size.tokens < SHORT * size.texts else 0.3)
    choices.choose("optimizer.lr", RATES.get(choices.cell, 0.002))
    choices.choose("trainer.batch_tokens", between(1024, size.tokens / 150, 4096))
    epochs = min(UPDATES / batches(choices, size.tokens, size.texts), TOKENS / size.tokens)
    choices.choose("trainer.max_epochs", between(3, epochs, 20))
    choices.choose("trainer.patience", between(2, choices.cfg.trainer.max_epochs / 2, 5))
