"""The captioner as two graphs: the encoder of images, and one step of the decoder."""

from typing import Any

import numpy as np
import torch
from torch import Tensor

from data.captioning import CaptionedImage, EncodedImages, ImageBatch, PixelCodec
from deployment.generation import GeneratorExport
from deployment.onnx import tokenizer_files, tokenizer_settings


class CaptioningExport(GeneratorExport):
    """The encoder reads ``images``: pixels [B, H, W, 3] as uint8, or features [B, G, F] as float32."""

    unit = "images"
    masked = False

    def source(self, batch: ImageBatch) -> dict[str, Tensor]:
        images = batch.images
        return {"images": images if images.dtype == torch.uint8 else images.float()}

    def batch(self, images: Tensor) -> ImageBatch:  # type: ignore[override]
        nothing = torch.zeros(images.shape[0], 0)
        return ImageBatch(np.arange(0), nothing.long(), nothing.bool(), nothing.long(), nothing.bool(), images)

    def vocabulary(self) -> dict[str, Any]:
        images, language = self.codec.images, self.codec.language
        kind = "pixels" if isinstance(images, PixelCodec) else "features"
        return {
            "images": {"kind": kind, "shape": list(images.shape)},
            "tokenizer": tokenizer_settings(language.tokenizer),
        } | self.decoding(language.vocabulary.symbols)

    def files(self) -> dict[str, bytes]:
        return tokenizer_files(self.codec.language.tokenizer, "target.model")

    def random_example(self, length: int, generator: np.random.Generator) -> CaptionedImage:
        """An image of noise. One of a single colour says little: its normalisation makes rounding visible."""
        images = self.codec.images
        pixels = images.dtype == np.uint8
        values = generator.integers(0, 256, images.shape) if pixels else generator.normal(0, 1, images.shape)
        return CaptionedImage("", ("",), values.astype(images.dtype))

    def shape(self, batch: ImageBatch) -> list[int]:
        return [len(batch.images)]

    def units(self, encoded: EncodedImages) -> int:
        return len(encoded.chosen)
