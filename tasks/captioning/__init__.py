"""Image captioning: one-to-many, an image -> a sentence."""
