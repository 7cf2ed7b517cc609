"""A generated English-German language: sentiment, word classes and translation from one derivation."""

from data.sources.language.generate import SIZES, Sentence, sentences

__all__ = ["SIZES", "Sentence", "sentences"]
