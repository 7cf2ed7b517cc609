"""Images with captions: generated scenes, a user's own files, and data sets on the hub."""

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from data.captioning import CaptionedImage, Picture, checked_features, load_features
from data.corpus import DatasetReader
from data.errors import InputError, first_line, shorten
from data.sources.files import TableReader
from data.sources.hub import HubReader, LoadedTable
from data.sources.scenes import captions, draw, facts, scenes
from data.sources.sizes import check_sizes
from data.sources.tables import Row, holds, read_table, valid_unicode


@dataclass(kw_only=True)
class GeneratedScenes(DatasetReader[CaptionedImage]):
    """Small pictures of coloured shapes, with several captions each.

    Half of the test scenes combine a colour and a shape that training never shows together.

    Args:
        sizes: the number of scenes of every split.
        image_size: the side of a picture, in pixels.
        captions: the number of captions of every scene, as far as there are so many.
        seed: of the scenes; independent of the seed of the run.
        pretokenized: words are separated by spaces.
    """

    name = "scenes"

    sizes: dict[str, int]
    image_size: int
    captions: int
    seed: int
    pretokenized: bool
    example_type = CaptionedImage

    def __post_init__(self) -> None:
        check_sizes(self.sizes)
        if not 16 <= self.image_size <= 1024:
            raise InputError(f"data.image_size={self.image_size}: give 16 to 1024 pixels.")
        if self.captions < 1:
            raise InputError(f"data.captions={self.captions}: a scene has at least one caption.")

    def origin(self) -> dict[str, Any]:
        return {"source": "generated", "revision": None}

    def read_split(self, split: str) -> list[CaptionedImage]:
        return [
            CaptionedImage(
                draw(scene, self.image_size),
                captions(scene, self.captions),
                metadata={"facts": facts(scene), "combination": "unseen" if scene.unseen else "seen"},
            )
            for scene in scenes(split, size=self.sizes[split], seed=self.seed)
        ]


@dataclass(kw_only=True)
class ImageFiles(TableReader[CaptionedImage]):
    """Images in a folder, and tables of their captions (CSV, TSV, JSON, Parquet).

    The captions of an image are in several rows, in several columns, or in one column of lists (JSON, Parquet).

    Args:
        train, validation, test: the tables; validation and test may be null.
        folder: where the images are; null for the folder of each table.
        image_column: the column of file names, relative to the folder.
        caption_columns: the columns of captions.
        features: what another network made of the images: a folder of ``.npy`` files (``dog.jpg`` -> ``dog.npy``), or
            a ``.safetensors`` file with an array for every file name, with or without its suffix. Null for pixels.
    """

    name = "images"
    example_type = CaptionedImage

    folder: str | None
    image_column: str
    caption_columns: list[str]
    features: str | None = None

    def read_file(self, path: Path) -> list[CaptionedImage]:
        options = {self.image_column: "data.image_column", **dict.fromkeys(self.caption_columns, CAPTION_OPTION)}
        places: dict[str, str] = {}
        found: dict[str, list[str]] = {}
        for row in read_table(path, options, self.columns):
            name = file_name(row, self.image_column)
            places.setdefault(name, row.place)
            found.setdefault(name, []).extend(captions_of(row, self.caption_columns))
        folder = path.parent if self.folder is None else Path(self.folder)
        features_of = feature_reader(self.features)
        return [self.example(folder, name, tuple(texts), places[name], features_of) for name, texts in found.items()]

    def example(
        self, folder: Path, name: str, texts: tuple[str, ...], place: str, features_of: "FeatureReader | None"
    ) -> CaptionedImage:
        path = folder / name
        if features_of is not None:
            return CaptionedImage(str(path), texts, features_of(name, place))
        if not holds(path.is_file):
            raise InputError(
                f"{place}: there is no image {shorten(path, 300)}: correct column '{self.image_column}', or give the "
                f"folder of the images with data.folder=DIR."
            )
        return CaptionedImage(str(path), texts)


@dataclass(kw_only=True)
class HubImages(HubReader[CaptionedImage]):
    """Images with captions of a hub data set, or of a local copy in the same layout.

    Args:
        image_column: the column of images.
        caption_columns: the columns of captions, each a text or a list of texts.
    """

    example_type = CaptionedImage

    image_column: str
    caption_columns: list[str]

    def read_split(self, split: str) -> list[CaptionedImage] | None:
        if split not in self.splits:
            return None
        self.keep_encoded(split)
        options = {self.image_column: "data.image_column", **dict.fromkeys(self.caption_columns, CAPTION_OPTION)}
        return [
            CaptionedImage(
                picture_of(row, self.image_column),
                tuple(captions_of(row, self.caption_columns)),
                metadata={"place": row.place},
            )
            for row in self.rows(split, options)
        ]

    def keep_encoded(self, split: str) -> None:
        """Leave the images of a table of the hub as files: decoded, they would not fit into memory."""
        import datasets

        table = self.splits[split]
        if isinstance(table, LoadedTable) and isinstance(table.features.get(self.image_column), datasets.Image):
            table.table = table.table.cast_column(self.image_column, datasets.Image(decode=False))


CAPTION_OPTION = "data.caption_columns"
FeatureReader = Callable[[str, str], np.ndarray]  # the name of an image, and its place in a table, for errors


def file_name(row: Row, column: str) -> str:
    """The file name in a column of a row."""
    name = row.values[column]
    if not isinstance(name, str) or not Path(name.strip()).name or "\0" in name:
        raise InputError(f"{row.place}: column '{column}' names no image file: fill it in or leave the row out.")
    return name.strip()


def captions_of(row: Row, columns: Iterable[str]) -> list[str]:
    """The captions of a row, each with single spaces."""
    values = [row.values[column] for column in columns]
    texts = [text for value in values for text in (value if isinstance(value, list) else [value])]
    found = [valid_unicode(" ".join(text.split())) for text in texts if isinstance(text, str) and text.strip()]
    if not found:
        raise InputError(f"{row.place}: there is no caption in {', '.join(columns)}: fill it in or leave the row out.")
    return found


def picture_of(row: Row, column: str) -> Picture:
    """The image in a column of a row, as the hub stores it: the content of a file, or its path."""
    value = row.values[column]
    if isinstance(value, Mapping):
        value = value.get("bytes") or value.get("path")
    if not isinstance(value, (str, bytes)) or not value:
        raise InputError(f"{row.place}: there is no image in column '{column}': set data.image_column=NAME.")
    return value


def feature_reader(source: str | None) -> FeatureReader | None:
    """Looks up the features of an image, by its file name."""
    if source is None:
        return None
    path = Path(source)
    if holds(path.is_dir):
        return lambda name, place: features_in_folder(path, name, place)
    if path.suffix != ".safetensors" or not holds(path.is_file):
        raise InputError(f"data.features={shorten(source, 300)}: give a folder of .npy files, or a .safetensors file.")
    arrays = stored_arrays(path)
    return lambda name, place: features_in_file(arrays, path, name, place)


def features_in_folder(folder: Path, name: str, place: str) -> np.ndarray:
    candidates = [folder / Path(name).with_suffix(".npy"), folder / f"{name}.npy", folder / f"{Path(name).stem}.npy"]
    found = next((path for path in candidates if holds(path.is_file)), None)
    if found is None:
        raise InputError(
            f"{place}: there are no features {shorten(candidates[0], 300)}: compute them, or leave the row out."
        )
    return load_features(found)


def features_in_file(arrays: Mapping[str, np.ndarray], path: Path, name: str, place: str) -> np.ndarray:
    keys = (name, str(Path(name).with_suffix("")), Path(name).name, Path(name).stem)
    found = next((key for key in keys if key in arrays), None)
    if found is None:
        raise InputError(f"{place}: {path} has no features of '{shorten(name)}': compute them, or leave the row out.")
    return checked_features(arrays[found], f"{path}, {found}")


def stored_arrays(path: Path) -> dict[str, np.ndarray]:
    from safetensors import SafetensorError
    from safetensors.numpy import load_file

    try:
        return load_file(path)
    except (SafetensorError, OSError, ValueError, TypeError, KeyError) as error:
        raise InputError(f"{path} is damaged or has numbers that NumPy cannot read ({first_line(error)}).") from None
