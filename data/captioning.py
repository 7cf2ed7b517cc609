"""Images with captions."""

import io
from abc import ABC, abstractmethod
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from hashlib import sha256
from pathlib import Path
from types import MappingProxyType
from typing import Any, NamedTuple

import numpy as np
import torch
from torch import Tensor

from data.batch import Batch, Ragged
from data.corpus import Codec
from data.errors import InputError, first_line, shorten
from data.sources.tables import holds, parse_json
from data.tokenizers import Tokenizer
from data.translation import LanguageCodec, Prediction
from data.writing import write_json

MOST_PIXELS = 64_000_000  # larger files are refused before they are decoded
MOST_BYTES = 2**31  # of the images of a split: where there are more, every batch is read from the files

Picture = np.ndarray | str | bytes  # pixels [H, W, 3] uint8, the path of an image file, or its content


class CaptionedImage(NamedTuple):
    """An image and the captions that describe it.

    ``array`` is what a model reads in place of ``image``, if it is known already, as the features [G, F] that another
    network computed. ``metadata`` may hold the ``place`` of the example, for errors, and ``facts``, all that a
    generated scene shows, with groups by which its scores are broken down (``{"combination": "seen"}``).
    """

    image: Picture
    captions: tuple[str, ...]
    array: np.ndarray | None = None
    metadata: Mapping[str, Any] = MappingProxyType({})

    def content(self) -> tuple[Any, ...]:
        if self.array is not None:
            return array_digest(self.array), self.captions
        if isinstance(self.image, np.ndarray):
            return array_digest(self.image), self.captions
        content = Path(self.image).read_bytes() if isinstance(self.image, str) else self.image
        return sha256(content).hexdigest(), self.captions

    @property
    def name(self) -> str:
        """How messages call the image."""
        return self.image if isinstance(self.image, str) else self.metadata.get("place", "an image")

    def stratum(self) -> None:
        return None


def array_digest(array: np.ndarray) -> str:
    """SHA-256 of the type, the shape and the values of an array."""
    head = f"{array.dtype.str} {array.shape} ".encode()
    return sha256(head + np.ascontiguousarray(array).tobytes()).hexdigest()


class Caption(NamedTuple):
    """A caption as text."""

    text: str
    alternatives: list[tuple[str, float]]  # the n best with their scores, ``text`` the first of them
    pieces: list[str]  # of ``text``, the end sign included
    attention: list[list[float]]  # [pieces][grid positions]; empty where there is none


class ImageCodec(ABC):
    """An image as the array that a model reads, of the same shape for every image."""

    input_size: int  # for the image encoder: the side in pixels, or the number of features
    shape: tuple[int, ...]
    dtype: type = np.float32

    def fit(self, train: Sequence[CaptionedImage]) -> None:
        """Learn what the arrays are like."""

    @abstractmethod
    def array(self, example: CaptionedImage) -> np.ndarray: ...

    @abstractmethod
    def read(self, path: str) -> np.ndarray:
        """The array of a file, which is not trusted."""

    def example(self, line: str) -> CaptionedImage:
        """The image or the features in the file that a line names, with an empty caption; a blank line is all zeros."""
        path = line.strip()
        array = self.read(path) if path else np.zeros(self.shape, self.dtype)
        return CaptionedImage(path, ("",), array, {"file": line})

    def save(self, directory: Path) -> None:
        """Write what ``fit`` learned into a run folder."""

    def load(self, directory: Path) -> None:
        """Read what ``save`` wrote."""


class PixelCodec(ImageCodec):
    """Pixels: the square in the middle of an image, resized to [image_size, image_size, 3] uint8.

    Args:
        image_size: the side, in pixels.
    """

    dtype = np.uint8

    def __init__(self, image_size: int) -> None:
        if not 1 <= image_size <= 4096:
            raise InputError(f"codec.images.image_size={image_size}: give 1 to 4096 pixels.")
        self.input_size, self.shape = image_size, (image_size, image_size, 3)

    def array(self, example: CaptionedImage) -> np.ndarray:
        return resized(example, self.input_size) if example.array is None else example.array

    def read(self, path: str) -> np.ndarray:
        return resized(CaptionedImage(path, ()), self.input_size)


class FeatureCodec(ImageCodec):
    """Features that were computed before: [G, F], the positions of a grid, of the same shape for every image."""

    name = "features.json"

    def fit(self, train: Sequence[CaptionedImage]) -> None:
        self.set_shape(*self.features(train[0]).shape)

    def set_shape(self, positions: int, features: int) -> None:
        self.shape, self.input_size = (positions, features), features

    def array(self, example: CaptionedImage) -> np.ndarray:
        return self.checked(self.features(example), example.name)

    def checked(self, array: np.ndarray, place: str) -> np.ndarray:
        if array.shape != self.shape:
            raise InputError(
                f"{place}: features of shape {list(array.shape)}, where the first training image has "
                f"{list(self.shape)}: compute those of all images in the same way."
            )
        return array

    def features(self, example: CaptionedImage) -> np.ndarray:
        if example.array is None:
            raise InputError("images=features: this data set has no features: give them with data.features=PATH.")
        return example.array

    def read(self, path: str) -> np.ndarray:
        return self.checked(load_features(Path(path)), path)

    def save(self, directory: Path) -> None:
        write_json(directory / self.name, {"shape": self.shape})

    def load(self, directory: Path) -> None:
        path = directory / self.name
        content = parse_json(path.read_text(encoding="utf-8"), str(path)) if path.is_file() else None
        shape = content.get("shape") if isinstance(content, dict) else None
        if (
            not isinstance(shape, list)
            or len(shape) != 2
            or any(type(n) is not int or not 0 < n < 10**6 for n in shape)
        ):
            raise InputError(f"{path} is missing or damaged: it has no shape of features.")
        self.set_shape(*shape)


def resized(example: CaptionedImage, side: int) -> np.ndarray:
    """The square in the middle of an image at another size: [side, side, 3] uint8."""
    from PIL import Image

    image = open_image(example)
    if image.size == (side, side):
        return np.asarray(image)
    edge = min(image.size)
    left, top = (image.width - edge) // 2, (image.height - edge) // 2
    square = image.crop((left, top, left + edge, top + edge))
    return np.asarray(square.resize((side, side), Image.Resampling.BILINEAR, reducing_gap=3.0))


def open_image(example: CaptionedImage) -> Any:
    """The image of an example in RGB, turned upright.

    Raises:
        InputError: there is no such file, it is not an image, it is damaged, or it is too large.
    """
    from PIL import Image

    if isinstance(example.image, np.ndarray):
        return Image.fromarray(example.image)
    if isinstance(example.image, str):
        require_image_file(example.image)
    try:
        return decoded(io.BytesIO(example.image) if isinstance(example.image, bytes) else example.image)
    except InputError as error:
        raise InputError(f"{shorten(example.name, 300)}: {error}") from None
    except Exception as error:  # the decoders of many formats raise errors of many types
        reason = "unknown format" if type(error).__name__ == "UnidentifiedImageError" else first_line(error)
        raise InputError(f"{shorten(example.name, 300)} cannot be read as an image ({reason}).") from None


def decoded(source: Any) -> Any:
    from PIL import Image, ImageOps

    with Image.open(source) as image:
        if image.width * image.height > MOST_PIXELS:
            raise InputError(f"{image.width} x {image.height} pixels are more than {MOST_PIXELS:,}: resize the image.")
        return ImageOps.exif_transpose(image).convert("RGB")


def require_image_file(path: str) -> None:
    if not holds(Path(path).is_file):
        raise InputError(
            f"There is no image file {shorten(path, 300)}: check the path (relative paths start at {Path.cwd()})."
        )


def load_features(path: Path) -> np.ndarray:
    """The array of a ``.npy`` file, checked."""
    require_image_file(str(path))
    try:
        array = np.load(path, allow_pickle=False)
    except (ValueError, OSError, EOFError) as error:
        raise InputError(f"{path}: not an array of NumPy ({first_line(error)}).") from None
    return checked_features(array, str(path))


def checked_features(array: np.ndarray, place: str) -> np.ndarray:
    """Features as [G, F]; [F] is one position.

    Raises:
        InputError: they are of another shape, not floating-point numbers, or NaN or infinite.
    """
    if array.ndim not in (1, 2) or 0 in array.shape or array.dtype.kind != "f":
        raise InputError(
            f"{place}: {array.dtype} {list(array.shape)} are not features: give floating-point numbers of the shape "
            f"[positions, features] or [features]."
        )
    if not np.isfinite(array).all():
        raise InputError(f"{place}: features are NaN or infinite: compute them again.")
    return np.atleast_2d(array)


@dataclass(frozen=True)
class ImageBatch(Batch):
    """B images and N captions of each. ``tokens`` and ``mask`` are [B, 0]: no text is read.

    ``targets`` and ``target_mask`` are [B N, S]; the captions of an image are next to each other.
    """

    images: Tensor  # [B, H, W, 3] uint8, or [B, G, F] features

    @property
    def captions_per_image(self) -> int:
        """N."""
        return len(self.targets) // max(1, len(self.images))

    @property
    def num_tokens(self) -> int:
        return int(self.target_mask.sum())

    @property
    def num_positions(self) -> int:
        return self.target_mask.numel()


@dataclass(frozen=True)
class EncodedImages:
    """Images and all their captions, of which N are chosen for every image."""

    images: "Images"
    captions: Ragged  # [all captions] piece ids, those of an image side by side
    first: np.ndarray  # [rows + 1] where the captions of every image begin
    chosen: np.ndarray  # [rows, N] which captions of all
    num_cut: int

    @property
    def lengths(self) -> np.ndarray:
        """The number of positions that an image adds to a batch, at least: that of its captions, padded."""
        return self.captions.lengths[self.chosen].max(axis=1) * self.chosen.shape[1]

    @property
    def embedded(self) -> Ragged:
        return self.captions

    def batch(self, rows: np.ndarray) -> ImageBatch:
        targets, mask = self.captions.pad(self.chosen[rows].ravel())
        nothing = torch.zeros(len(rows), 0)
        return ImageBatch(rows, nothing.long(), nothing.bool(), targets, mask, torch.from_numpy(self.images[rows]))


class Images:
    """The arrays of all images of a split: in memory, or read for every batch where they are too large for it.

    Args:
        codec: image -> array.
        examples: the images.
        most_bytes: that may be kept in memory.
    """

    def __init__(self, codec: ImageCodec, examples: Sequence[CaptionedImage], most_bytes: int = MOST_BYTES) -> None:
        self.codec, self.examples = codec, examples
        size = codec.array(examples[0]).nbytes * len(examples)
        self.arrays = self.stack(examples) if size <= most_bytes else None
        if self.arrays is None:
            for example in examples:
                if isinstance(example.image, str) and example.array is None:
                    require_image_file(example.image)

    def __getitem__(self, rows: np.ndarray) -> np.ndarray:
        return self.stack([self.examples[row] for row in rows]) if self.arrays is None else self.arrays[rows]

    def stack(self, examples: Iterable[CaptionedImage]) -> np.ndarray:
        return np.stack([self.codec.array(example) for example in examples])


class CaptioningCodec(Codec[CaptionedImage]):
    """Images <-> arrays, captions <-> ids. Every epoch reads some captions of each image, drawn anew.

    Args:
        images: image -> array.
        tokenizer: caption <-> pieces.
        max_length: the maximum number of pieces of a caption, EOS included; longer ones are cut. Null for no limit.
        captions_per_image: the number of captions that a training step reads of an image, which it encodes once; an
            image that has fewer is read with some of them twice.
    """

    example_type = CaptionedImage

    def __init__(
        self,
        images: ImageCodec,
        tokenizer: Tokenizer,
        max_length: int | None = None,
        captions_per_image: int = 1,
    ) -> None:
        if max_length is not None and max_length < 2:
            raise InputError(f"codec.max_length={max_length}: must be at least 2, or null for no limit.")
        if captions_per_image < 1:
            raise InputError(f"codec.captions_per_image={captions_per_image}: must be at least 1.")
        self.images, self.language, self.max_length = images, LanguageCodec(tokenizer, max_length), max_length
        self.captions_per_image = captions_per_image

    def fit(self, train: Sequence[CaptionedImage]) -> None:
        self.images.fit(train)
        self.language.fit([caption for example in train for caption in example.captions])
        self.notes = self.language.tokenizer.notes

    @property
    def sizes(self) -> dict[str, int]:  # type: ignore[override]
        return {"input_size": self.images.input_size, "vocab_size": len(self.language.vocabulary)}

    def encode(self, examples: Sequence[CaptionedImage]) -> EncodedImages:
        pieces = [self.language.tokenizer.split(text) for example in examples for text in example.captions]
        captions = Ragged.of(list(map(self.language.encode_pieces, pieces)))
        first = np.concatenate([[0], np.cumsum([len(example.captions) for example in examples])])
        cut = np.array([len(found) for found in pieces]) >= captions.lengths
        num_cut = int(np.logical_or.reduceat(cut, first[:-1]).sum())
        return EncodedImages(Images(self.images, examples), captions, first, first[:-1, None], num_cut)

    def resample(self, encoded: EncodedImages, examples: Sequence[CaptionedImage], seed: int) -> EncodedImages:
        drawn = np.random.Generator(np.random.PCG64(seed)).random((len(examples), 1))
        counts = np.diff(encoded.first)[:, None]
        places = (drawn * counts).astype(np.int64) + np.arange(self.captions_per_image)  # of neighbours in its list
        chosen = encoded.first[:-1, None] + places % counts
        return EncodedImages(encoded.images, encoded.captions, encoded.first, chosen, encoded.num_cut)

    def limit_length(self, max_length: int) -> None:
        super().limit_length(max_length)
        self.language.max_length = self.max_length

    def unlabelled(self, line: str) -> CaptionedImage:
        return self.images.example(line)

    def decode(self, predictions: Sequence[Prediction]) -> list[Caption]:
        return [self.caption(prediction) for prediction in predictions]

    def caption(self, prediction: Prediction) -> Caption:
        alternatives, pieces = self.language.decode_nbest(prediction.nbest)
        return Caption(alternatives[0][0], alternatives, pieces, prediction.attention)

    def save(self, directory: Path) -> None:
        self.images.save(directory)
        self.language.save(directory / "pieces")

    def load(self, directory: Path) -> None:
        self.images.load(directory)
        self.language.load(directory / "pieces")
