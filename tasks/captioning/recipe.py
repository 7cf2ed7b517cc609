"""The default recipe of captioning: values for new images and captions.

A start, not yet tuned: sizes and rate follow the recipe of translation; no set of photographs was trained on.
"""

from collections.abc import Sequence

from data.captioning import CaptionedImage
from training.recipe import Choices, Size, batches, between, choose_pieces

RATES = {"rnn": 0.001}  # at the rate of the gated cells the vanilla RNN learns no more than what captions are like
PIECES_PER_WORD = 1.4
UPDATES = 6000
IMAGES = 150_000  # estimated: images of 64 x 64 pixels, one caption each, that are read in ten minutes on two cores
FURTHER_CAPTION = 0.4  # the time of a further caption of the same image, as a fraction of the image's with one


def adapt(train: Sequence[CaptionedImage], choices: Choices) -> None:
    """Choose what the config leaves to the training split."""
    texts = [caption for example in train for caption in example.captions]
    words = Size.of(texts).tokens
    number = choices.choose("codec.captions_per_image", between(1, len(texts) / len(train), 4))
    tokens = round(number * PIECES_PER_WORD * words * len(train) / max(1, len(texts)))  # of an epoch

    choose_pieces(choices, between(500, 5 * words**0.5, 8000), texts)
    choices.choose("optimizer.lr", RATES.get(choices.cell, 0.002))
    choices.choose("trainer.batch_tokens", number * between(256, tokens / number / 600, 1024))
    images = IMAGES / (1 + FURTHER_CAPTION * (number - 1))
    epochs = min(UPDATES / batches(choices, tokens, len(train)), images / len(train))
    choices.choose("trainer.max_epochs", between(3, epochs, 60))
