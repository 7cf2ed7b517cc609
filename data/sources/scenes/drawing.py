"""Scenes as pictures."""

import math
from collections.abc import Callable
from functools import cache

import numpy as np

from data.sources.scenes.generate import CELLS, Scene, Thing

RGB = {
    "red": (220, 40, 40),
    "green": (40, 180, 60),
    "blue": (50, 90, 230),
    "yellow": (235, 215, 40),
    "purple": (160, 60, 200),
    "white": (240, 240, 240),
}
RADIUS = {"small": 0.1, "large": 0.15}  # of the side of the picture
ROOM = 0.8  # of the free space in a cell, the part that a shape may be off the middle
SUBPIXELS = 4  # of a pixel, in both directions
NOISE = 12  # largest change of a value of a pixel

# Whether a point (x, y), in units of the radius from the centre, is inside.
INSIDE: dict[str, Callable[[np.ndarray, np.ndarray], np.ndarray]] = {
    "circle": lambda x, y: x**2 + y**2 <= 1,
    "square": lambda x, y: np.maximum(abs(x), abs(y)) <= 0.9,
    "triangle": lambda x, y: (y <= 0.85) & (y >= 2 * abs(x) - 1),
    "cross": lambda x, y: (np.minimum(abs(x), abs(y)) <= 0.32) & (np.maximum(abs(x), abs(y)) <= 1),
    "ring": lambda x, y: (x**2 + y**2 <= 1.1) & (x**2 + y**2 >= 0.3),
}
EXTENT = 1.1  # the largest distance of a point of a shape from its middle along an axis, in units of the radius


def draw(scene: Scene, side: int) -> np.ndarray:
    """[side, side, 3] uint8: the scene on a dark, noisy background, the same picture for the same scene."""
    generator = np.random.Generator(np.random.PCG64(scene.seed))
    shade = generator.integers(15, 50)
    picture = (shade + generator.integers(-NOISE, NOISE + 1, size=(side, side, 3))).astype(np.float64)
    for thing in scene.things:
        free = ROOM * (0.5 / CELLS - RADIUS[thing.scale])
        for cell in thing.cells:
            middle = (np.array(cell) + 0.5) / CELLS + free * (2 * generator.random(2) - 1)
            paint(picture, thing, np.round(middle * side * SUBPIXELS).astype(int))
    return picture.clip(0, 255).astype(np.uint8)


def paint(picture: np.ndarray, thing: Thing, middle: np.ndarray) -> None:
    """Paint one shape into the picture, its edges mixed with what is behind them; ``middle`` is in subpixels."""
    (row, column), (below, right) = middle // SUBPIXELS, middle % SUBPIXELS
    covered = coverage(thing.shape, RADIUS[thing.scale] * len(picture), int(below), int(right))
    reach = len(covered) // 2
    top, left = row - reach, column - reach
    visible = covered[max(0, -top) : len(picture) - top, max(0, -left) : len(picture) - left]
    part = picture[max(0, top) : top + len(covered), max(0, left) : left + len(covered)]
    part[:] = part * (1 - visible) + visible * np.array(RGB[thing.color])


@cache
def coverage(shape: str, radius: float, below: int, right: int) -> np.ndarray:
    """The fraction of every pixel that a shape covers: [N, N, 1]. Its middle is so many subpixels into a pixel."""
    reach = math.ceil(EXTENT * radius) + 1
    offsets = np.arange(-reach * SUBPIXELS, (reach + 1) * SUBPIXELS) + 0.5
    x, y = (offsets - right) / (radius * SUBPIXELS), (offsets - below) / (radius * SUBPIXELS)
    inside = INSIDE[shape](x[None, :], y[:, None])
    size = 2 * reach + 1
    return inside.reshape(size, SUBPIXELS, size, SUBPIXELS).mean(axis=(1, 3))[:, :, None]
