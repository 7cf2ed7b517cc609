"""Generated scenes: small pictures of coloured shapes, their captions, and a check that reads a caption back."""

from data.sources.scenes.captions import captions, facts_of_caption
from data.sources.scenes.drawing import draw
from data.sources.scenes.generate import SIZES, Fact, Scene, Thing, facts, scenes

__all__ = ["SIZES", "Fact", "Scene", "Thing", "captions", "draw", "facts", "facts_of_caption", "scenes"]
