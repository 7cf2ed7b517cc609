"""Scenes from a seed: one or two groups of shapes, and where the first group stands from the second."""

from collections.abc import Iterator
from dataclasses import dataclass
from hashlib import sha256

import numpy as np

from data.errors import InputError

SHAPES = ("circle", "square", "triangle", "cross", "ring")
COLORS = ("red", "green", "blue", "yellow", "purple", "white")
SCALES = ("small", "large")
COUNTS = {"one": 1, "two": 2, "three": 3}
RELATIONS = {"left of": "right of", "right of": "left of", "above": "below", "below": "above"}  # and their converses
SIZES = {"train": 10_000, "validation": 500, "test": 1_000}
CELLS = 3  # rows and columns of the raster that shapes stand on

# Colours and shapes that training and validation never show together. Every colour and every shape occurs in others.
UNSEEN = frozenset(
    {("red", "triangle"), ("green", "circle"), ("blue", "cross"), ("yellow", "square"), ("purple", "ring")}
)
UNSEEN_RATE = 0.5  # of the test scenes, those that show such a combination
PAIR_RATE = 0.5  # of all scenes, those of two groups

Fact = tuple[str, str, str]  # (shape, attribute, value), or (shape, relation, shape)
Cell = tuple[int, int]  # row, column


@dataclass(frozen=True)
class Thing:
    """A group of equal shapes, and the cells of the raster that they stand on: in one row or one column."""

    count: str
    scale: str
    color: str
    shape: str
    cells: tuple[Cell, ...]

    @property
    def unseen(self) -> bool:
        """Whether training never shows this colour with this shape."""
        return (self.color, self.shape) in UNSEEN


@dataclass(frozen=True)
class Scene:
    """One group, or two of different shapes and the relation of the first to the second.

    ``seed`` decides the rest of the picture, and which captions are drawn.
    """

    things: tuple[Thing, ...]
    relation: str | None
    seed: int

    @property
    def unseen(self) -> bool:
        return any(thing.unseen for thing in self.things)


def facts(scene: Scene) -> frozenset[Fact]:
    """Every fact of a scene. Shapes differ, so that a shape names its group."""
    found: set[Fact] = set()
    for thing in scene.things:
        found |= {
            (thing.shape, "count", thing.count),
            (thing.shape, "scale", thing.scale),
            (thing.shape, "color", thing.color),
        }
    if scene.relation is not None:
        found.add(relation_fact(scene.things[0].shape, scene.relation, scene.things[1].shape))
    return frozenset(found)


def relation_fact(first: str, relation: str, second: str) -> Fact:
    """The same fact for a relation and its converse: ``right of`` and ``below`` are replaced by their converses."""
    if relation in ("right of", "below"):
        return second, RELATIONS[relation], first
    return first, relation, second


def scenes(split: str, *, size: int | None = None, seed: int = 1) -> Iterator[Scene]:
    """The scenes of a split (``train``, ``validation`` or ``test``), drawn as they are asked for.

    Training and validation show no combination of ``UNSEEN``; half of the test scenes do. Raises ``InputError`` for an
    unknown split or a negative size.
    """
    if split not in SIZES:
        raise InputError(f"split={split}: choose train, validation or test.")
    size = SIZES[split] if size is None else size
    if size < 0:
        raise InputError(f"data.sizes.{split}={size}: a number of scenes is at least 0.")
    digest = sha256(f"scenes {seed} {split}".encode()).digest()
    generator = np.random.Generator(np.random.PCG64(int.from_bytes(digest[:8], "big")))
    return (scene(generator, split) for _ in range(size))


def scene(generator: np.random.Generator, split: str) -> Scene:
    """One scene that belongs to the split."""
    unseen = split == "test" and generator.random() < UNSEEN_RATE
    while True:
        drawn = any_scene(generator)
        if drawn.unseen == unseen:
            return drawn


def any_scene(generator: np.random.Generator) -> Scene:
    number = 2 if generator.random() < PAIR_RATE else 1
    shapes = generator.permutation(SHAPES)[:number]
    counts = [choice(generator, tuple(COUNTS)) for _ in range(number)]
    relation = choice(generator, tuple(RELATIONS)) if number == 2 else None
    things = tuple(
        Thing(count, choice(generator, SCALES), choice(generator, COLORS), str(shape), cells)
        for shape, count, cells in zip(shapes, counts, places(generator, relation, counts), strict=True)
    )
    return Scene(things, relation, int(generator.integers(2**31)))


def places(generator: np.random.Generator, relation: str | None, counts: list[str]) -> list[tuple[Cell, ...]]:
    """The cells of every group: each in a column of its own, or in a row of its own, as the relation asks for.

    Two groups share a row (or a column) of the raster, so that only one relation and its converse hold.
    """
    upright = relation in ("left of", "right of") if relation else generator.random() < 0.5
    lines = sorted(generator.permutation(CELLS)[: len(counts)].tolist(), reverse=relation in ("right of", "below"))
    while True:
        taken = [sorted(generator.permutation(CELLS)[: COUNTS[count]].tolist()) for count in counts]
        if set.intersection(*map(set, taken)):
            break
    return [
        tuple((place, line) if upright else (line, place) for place in cells)
        for line, cells in zip(lines, taken, strict=True)
    ]


def choice(generator: np.random.Generator, values: tuple[str, ...]) -> str:
    return values[int(generator.integers(len(values)))]
