"""The default recipe of memory: values for new sequences.

They start from those of the generated diagnostics, and were tuned on no other data.
"""

from collections.abc import Sequence

from data.memory import MemorySequence
from training.recipe import Choices, batches, between

RATES = {"rnn": 0.001}  # at the rate of the gated cells the vanilla RNN learns little
UPDATES = 1500
TOKENS = 10_000_000  # estimated: what an LSTM of these sizes reads in a few minutes


def adapt(train: Sequence[MemorySequence], choices: Choices) -> None:
    """Choose what the config leaves to the training split."""
    tokens = max(1, sum(len(example.tokens) for example in train))

    choices.choose("optimizer.lr", RATES.get(choices.cell, 0.004))
    choices.choose("trainer.batch_tokens", between(512, tokens / 100, 4096))
    epochs = min(UPDATES / batches(choices, tokens, len(train)), TOKENS / tokens)
    choices.choose("trainer.max_epochs", between(5, epochs, 30))
    choices.choose("trainer.patience", between(3, choices.cfg.trainer.max_epochs / 2, 10))
