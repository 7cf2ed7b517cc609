"""Images with their captions, and attention laid over an image."""

import math
import textwrap
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from data.captioning import Caption
from training.fonts import readable
from training.plots import save

COLUMNS = 4
WIDTH = 34  # characters of a line of a title
MOST_PIECES = 24  # of a caption over which attention is drawn
LARGEST = 400  # pixels of a side in a figure


def caption_sheet(shown: Sequence[tuple[Any, str, str]], path: Path) -> None:
    """A sheet of images, each under its caption and, in brackets, one reference."""
    rows = max(1, math.ceil(len(shown) / COLUMNS))
    figure, grid = sheet(rows, height=3.5)
    for axes, (image, caption, reference) in zip(grid, shown, strict=False):
        axes.imshow(thumbnail(image))
        title(axes, f"{wrapped(caption)}\n{wrapped(f'({reference})')}")
    figure.suptitle("predicted captions (in brackets: a reference)", fontsize=10)
    save(figure, path)


def attention_sheet(image: Any, caption: Caption, path: Path) -> None:
    """The image once for every piece of its caption, bright where the decoder attends."""
    weights = np.array(caption.attention[:MOST_PIECES])
    figure, grid = sheet(math.ceil(len(weights) / COLUMNS), height=3.1)
    for axes, piece, of_piece in zip(grid, caption.pieces, weights, strict=False):
        axes.imshow(thumbnail(image), extent=(0, 1, 0, 1))
        side = math.isqrt(len(of_piece))
        if side * side == len(of_piece):
            shades = np.zeros((side, side, 4))
            shades[..., 3] = 0.7 * (1 - of_piece.reshape(side, side) / max(of_piece.max(), 1e-9))
            axes.imshow(shades, extent=(0, 1, 0, 1), interpolation="nearest")
        title(axes, f"{piece}  (at most {of_piece.max():.2f})")
    figure.suptitle("attention weights: dark where they are 0", fontsize=10)
    save(figure, path)


def sheet(rows: int, height: float) -> tuple[Figure, Sequence[Axes]]:
    """A figure with rows of empty places for images."""
    figure = Figure(figsize=(3 * COLUMNS, height * rows))
    top = 1 - 1.0 / (height * rows)  # an inch for the titles of the figure and of its first row
    spaces = {"wspace": 0.05, "hspace": height / 3 - 0.95, "bottom": 0.0, "top": top}
    grid = figure.subplots(rows, COLUMNS, squeeze=False, gridspec_kw=spaces).ravel().tolist()
    for axes in grid:
        axes.axis("off")
    return figure, grid


def title(axes: Axes, text: str) -> None:
    """Text over an image, in fonts that have its characters."""
    shown, families = readable(text)
    axes.set_title(shown, fontsize=8, parse_math=False, fontfamily=families)


def wrapped(text: str) -> str:
    return textwrap.fill(text, WIDTH, max_lines=4, placeholder=" ...")


def thumbnail(image: Any) -> np.ndarray:
    """An image as an array of a size that fits into a figure."""
    from PIL import Image

    picture = image if isinstance(image, Image.Image) else Image.fromarray(image)
    if max(picture.size) > LARGEST:
        picture = picture.copy()
        picture.thumbnail((LARGEST, LARGEST))
    return np.asarray(picture)
