"""The default recipe of forecasting: values for new series."""

from collections.abc import Sequence

from data.series import Window, training_parts
from training.recipe import Choices, batches, between

RATES = {"rnn": 0.001}
UPDATES = 600  # sea temperatures and sunspots validate best after 200 to 300 at a rate that hardly falls
STEPS = 8_000_000  # that an LSTM of these sizes reads in two minutes on one core


def adapt(train: Sequence[Window], choices: Choices) -> None:
    """Choose what the config leaves to the training split."""
    parts, horizon = training_parts(train), train[0].horizon
    season = max(series.season for series in parts)
    longest = max(window.origin for window in train)

    choices.choose("data.horizon", horizon)
    window = choices.choose("codec.window", between(1, max(3 * season, 3 * horizon, 24), longest))
    steps = sum(min(window, example.origin) for example in train)
    choices.choose("optimizer.lr", RATES.get(choices.cell, 0.003))
    choices.choose("trainer.batch_tokens", between(256, steps / 20, 3072))
    epochs = min(UPDATES / batches(choices, steps, len(train)), STEPS / steps)
    choices.choose("trainer.max_epochs", between(3, epochs, 60))
    choices.choose("trainer.patience", between(3, choices.cfg.trainer.max_epochs / 3, 15))
