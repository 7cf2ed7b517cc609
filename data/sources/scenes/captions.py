"""Captions of scenes from a small grammar, and the facts that a caption states, read back."""

import re
from random import Random

from data.sources.scenes.generate import COLORS, COUNTS, RELATIONS, SCALES, SHAPES, Fact, Scene, Thing, relation_fact

ARTICLES = {"one": ("a", "one"), "two": ("two",), "three": ("three",)}
PLURALS = {"circle": "circles", "square": "squares", "triangle": "triangles", "cross": "crosses", "ring": "rings"}
SCALE_WORDS = {"small": ("small", "little"), "large": ("large", "big")}
RELATION_WORDS = {
    "left of": ("left of", "to the left of"),
    "right of": ("right of", "to the right of"),
    "above": ("above", "over"),
    "below": ("below", "under"),
}
COUNT_OF = {word: count for count, words in ARTICLES.items() for word in words}
SCALE_OF = {word: scale for scale, words in SCALE_WORDS.items() for word in words}
RELATION_OF = {words: relation for relation, forms in RELATION_WORDS.items() for words in forms}
SHAPE_OF = {**{shape: shape for shape in SHAPES}, **{plural: shape for shape, plural in PLURALS.items()}}

assert set(ARTICLES) == set(COUNTS) and set(SCALE_WORDS) == set(SCALES) and set(RELATION_WORDS) == set(RELATIONS)


def one_of(words: object) -> str:
    return "|".join(sorted(map(re.escape, words), key=len, reverse=True))  # type: ignore[call-overload]


GROUP = rf"\b({one_of(COUNT_OF)}) ({one_of(SCALE_OF)}) ({one_of(COLORS)}) ({one_of(SHAPE_OF)})\b"
RELATION = re.compile(rf"\b({one_of(RELATION_OF)})\b")


def captions(scene: Scene, number: int) -> tuple[str, ...]:
    """``number`` captions of a scene, drawn by its seed, different ones as far as the grammar has so many."""
    generator = Random(scene.seed)
    drawn: dict[str, None] = {}
    for _ in range(10 * number):
        drawn.setdefault(caption(scene, generator))
        if len(drawn) == number:
            break
    return tuple(drawn)


def caption(scene: Scene, generator: Random) -> str:
    """One caption: ``there are two small red circles above a large ring``, one of many ways to say it."""
    if scene.relation is None:
        (thing,) = scene.things
        return pick(generator, (f"{there(thing)} {phrase(thing, generator)}", phrase(thing, generator)))
    first, second, relation = *scene.things, scene.relation
    if generator.random() < 0.5:
        first, second, relation = second, first, RELATIONS[relation]
    words = pick(generator, RELATION_WORDS[relation])
    one, other = phrase(first, generator), phrase(second, generator)
    forms = (f"{one} {words} {other}", f"{one} {verb(first)} {words} {other}", f"{there(first)} {one} {words} {other}")
    return pick(generator, forms)


def phrase(thing: Thing, generator: Random) -> str:
    """``a small red circle``, ``three big rings``."""
    noun = thing.shape if thing.count == "one" else PLURALS[thing.shape]
    words = pick(generator, ARTICLES[thing.count]), pick(generator, SCALE_WORDS[thing.scale]), thing.color, noun
    return " ".join(words)


def verb(thing: Thing) -> str:
    return "is" if thing.count == "one" else "are"


def there(thing: Thing) -> str:
    return f"there {verb(thing)}"


def pick(generator: Random, forms: tuple[str, ...]) -> str:
    return forms[int(generator.random() * len(forms))]


def facts_of_caption(text: str) -> frozenset[Fact]:
    """The facts that a caption states of the groups that it names, whatever else is in it.

    A group that lacks a word (``a red circle`` without its size) states nothing. A relation counts where it stands
    between the first two groups.
    """
    found: set[Fact] = set()
    groups = list(re.finditer(GROUP, text.lower()))
    for group in groups:
        count, scale, color, shape = group.groups()
        name = SHAPE_OF[shape]
        found |= {(name, "count", COUNT_OF[count]), (name, "scale", SCALE_OF[scale]), (name, "color", color)}
    if len(groups) >= 2 and (said := RELATION.search(text.lower(), groups[0].end(), groups[1].start())):
        first, second = (SHAPE_OF[group[4]] for group in groups[:2])
        found.add(relation_fact(first, RELATION_OF[said[1]], second))
    return frozenset(found)
