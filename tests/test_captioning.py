"""Captioning: generated scenes and their facts, images and tables of users, image encoders, scores and pictures."""

import io
import json
import pickle
import sys
import types
from collections import Counter
from collections.abc import Callable
from dataclasses import replace
from hashlib import sha256
from pathlib import Path

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from conftest import FEW_ROWS, PARTS, SMALL, assert_learns, attending_decoders, options
from omegaconf import DictConfig
from PIL import Image
from safetensors.numpy import save_file

from analysis.comparison import references, row_correctness
from data.backbone import BackboneCodec
from data.captioning import (
    Caption,
    CaptionedImage,
    CaptioningCodec,
    FeatureCodec,
    ImageCodec,
    Images,
    PixelCodec,
    load_features,
    open_image,
)
from data.corpus import Corpus
from data.errors import InputError
from data.sources.hub import LoadedTable
from data.sources.images import (
    GeneratedScenes,
    HubImages,
    ImageFiles,
    captions_of,
    feature_reader,
    features_in_file,
    file_name,
    picture_of,
)
from data.sources.scenes import Scene, captions, draw, facts, facts_of_caption, scenes
from data.sources.scenes.__main__ import main as write_scenes
from data.sources.scenes.generate import COLORS, SHAPES, UNSEEN
from data.sources.tables import Row
from data.tokenizers import WordTokenizer
from data.translation import Hypothesis, Prediction
from models.images import ConvolutionalImageEncoder, FeatureImageEncoder, Residual, WordDetector, layer
from tasks import load
from tasks.captioning.evaluation import CaptioningEvaluation, fact_scores, text_scores
from training.build import build

TINY = [*SMALL, *FEW_ROWS, *PARTS["captioning"], "model.encoder.hidden_size=16"]


def tiny_encoder(**changes: object) -> ConvolutionalImageEncoder:
    values = {"channels": [8, 8], "hidden_size": 8, "strides": [2, 1, 2], "groups": 4, "dropout": 0.0}
    return ConvolutionalImageEncoder(16, **{**values, **changes})


def test_scenes_follow_from_their_seed_alone() -> None:
    first, again, other = (list(scenes("train", size=30, seed=seed)) for seed in (1, 1, 2))
    assert first == again != other
    assert list(scenes("train", size=10, seed=1)) == first[:10]
    assert np.array_equal(draw(first[0], 32), draw(again[0], 32)) and captions(first[0], 5) == captions(again[0], 5)


def test_training_never_shows_the_combinations_that_half_of_the_test_scenes_do() -> None:
    shown = {
        split: [{(thing.color, thing.shape) for thing in scene.things} for scene in scenes(split, size=600)]
        for split in ("train", "validation", "test")
    }
    assert not any(pairs & UNSEEN for split in ("train", "validation") for pairs in shown[split])
    assert 0.4 < np.mean([bool(pairs & UNSEEN) for pairs in shown["test"]]) < 0.6
    assert set().union(*shown["train"]) == {(c, s) for c in COLORS for s in SHAPES} - UNSEEN


def test_every_caption_states_the_facts_of_its_scene_in_many_ways() -> None:
    found = []
    for scene in scenes("test", size=200):
        texts = captions(scene, 5)
        assert all(facts_of_caption(text) == facts(scene) for text in texts)
        assert len(set(texts)) == len(texts) == (5 if scene.relation else len(texts))
        found += texts
    assert len(set(found)) > 0.7 * len(found)


@pytest.mark.parametrize(
    "text, expected",
    [
        ("a small red circle", [("circle", "one", "small", "red")]),
        ("THERE ARE Three big white rings !", [("ring", "three", "large", "white")]),
        ("a red circle", []),
        ("", []),
        ("one little blue cross over", [("cross", "one", "small", "blue")]),
    ],
)
def test_a_caption_is_read_back(text: str, expected: list[tuple[str, ...]]) -> None:
    kinds = ("count", "scale", "color")
    stated = {(shape, *pair) for shape, *values in expected for pair in zip(kinds, values, strict=True)}
    assert facts_of_caption(text) == stated


def test_a_relation_and_its_converse_are_one_fact() -> None:
    one, other = "a small red circle", "two big blue rings"
    expected = facts_of_caption(f"{one} is left of {other}")
    assert ("circle", "left of", "ring") in expected
    assert facts_of_caption(f"there are {other} to the right of {one}") == expected
    assert facts_of_caption(f"{one} over {other}") == facts_of_caption(f"{other} below {one}") != expected
    assert facts_of_caption(f"{one} {other} left of") == expected - {("circle", "left of", "ring")}


def test_pictures_show_what_scenes_say() -> None:
    """The means of what two groups cover lie as their relation says, and larger and more shapes cover more."""
    for scene in [scene for scene in scenes("train", size=60) if scene.relation]:
        alone = [draw(replace(scene, things=(thing,), relation=None), 48).max(axis=2) > 80 for thing in scene.things]
        (y, x), (other_y, other_x) = (np.argwhere(covered).mean(axis=0) for covered in alone)
        holds = {"left of": x < other_x, "right of": x > other_x, "above": y < other_y, "below": y > other_y}
        assert holds[str(scene.relation)]
        rows, columns = ([{cell[axis] for cell in thing.cells} for thing in scene.things] for axis in (0, 1))
        assert set.intersection(*(rows if "of" in str(scene.relation) else columns))
    (thing,) = next(scene for scene in scenes("train", size=60) if len(scene.things) == 1).things
    sizes = {}
    for scale in ("small", "large"):
        for cells in (((0, 0),), ((0, 0), (0, 2))):
            scene = Scene((replace(thing, scale=scale, cells=cells),), None, 7)
            sizes[scale, len(cells)] = int((draw(scene, 48).max(axis=2) > 80).sum())
    assert sizes["small", 1] < sizes["large", 1] < sizes["large", 2] and sizes["small", 1] < sizes["small", 2]


def test_a_scene_is_drawn_at_any_size() -> None:
    scene = next(scenes("train", size=1))
    for side in (16, 33, 64):
        assert draw(scene, side).shape == (side, side, 3) and draw(scene, side).dtype == np.uint8


def test_scenes_are_written_as_a_folder_that_can_be_read(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    write_scenes(["--scenes", "4", "--split", "test", "--size", "20", "--output", str(tmp_path / "scenes")])
    examples = reader(str(tmp_path / "scenes" / "captions.jsonl")).read_split("train")
    for example, scene in zip(examples, scenes("test", size=4), strict=True):
        assert np.array_equal(PixelCodec(20).array(example), draw(scene, 20))
        assert example.captions == captions(scene, 5)
    for wrong in (["--size", "9"], ["--split", "dev"], ["--captions", "0"], []):
        with pytest.raises(SystemExit) as ended:
            write_scenes([*wrong, *(["--output", str(tmp_path / "none")] if wrong else [])])
        assert ended.value.code == 2 and capsys.readouterr().err.startswith("error: ")


@pytest.mark.parametrize("override", ["data.image_size=8", "data.captions=0"])
def test_scenes_that_cannot_be_generated_are_refused(composed: Callable, override: str) -> None:
    with pytest.raises(InputError, match=override.replace(".", r"\.")):
        build(composed("captioning", override).data).read_split("train")


def save_image(path: Path, size: tuple[int, int] = (20, 10), mode: str = "RGB", color: object = "red") -> Path:
    Image.new(mode, size, color).save(path)
    return path


@pytest.mark.parametrize("mode", ["RGB", "RGBA", "L", "P", "CMYK", "1", "I;16"])
def test_images_of_every_mode_are_read(tmp_path: Path, mode: str) -> None:
    path = save_image(tmp_path / ("image.tiff"), mode=mode, color=1)
    array = PixelCodec(8).read(str(path))
    assert array.shape == (8, 8, 3) and array.dtype == np.uint8


def test_the_square_in_the_middle_of_an_upright_image_is_kept(tmp_path: Path) -> None:
    pixels = np.zeros((10, 30, 3), np.uint8)
    pixels[:, 10:20] = 200
    pixels[:5, 10:20, 0] = 100
    Image.fromarray(pixels).save(tmp_path / "plain.png")
    plain = PixelCodec(10).read(str(tmp_path / "plain.png"))
    assert np.array_equal(plain, pixels[:, 10:20])
    turned, exif = Image.fromarray(np.rot90(pixels)), Image.Exif()
    exif[0x0112] = 6  # the first row is at the right
    turned.save(tmp_path / "turned.png", exif=exif)
    assert np.array_equal(PixelCodec(10).read(str(tmp_path / "turned.png")), plain)
    assert PixelCodec(4).read(str(tmp_path / "plain.png")).mean() == pytest.approx(plain.mean(), abs=5)


def test_images_that_cannot_be_read_are_one_sentence(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    whole = save_image(tmp_path / "whole.png", (64, 64)).read_bytes()
    (tmp_path / "cut.png").write_bytes(whole[: len(whole) // 2])
    (tmp_path / "text.jpg").write_text("no image")
    for name, message in {
        "cut.png": "cut.png cannot be read",
        "text.jpg": "unknown format",
        "no": "no image file",
    }.items():
        with pytest.raises(InputError, match=message) as error:
            open_image(CaptionedImage(str(tmp_path / name), ()))
        assert "\n" not in str(error.value)
    monkeypatch.setattr("data.captioning.MOST_PIXELS", 4095)
    with pytest.raises(InputError, match="64 x 64 pixels are more than 4,095"):
        open_image(CaptionedImage(str(tmp_path / "whole.png"), ()))


def codec_of(examples: list[CaptionedImage], images: object = None, **options: object) -> CaptioningCodec:
    codec = CaptioningCodec(images or PixelCodec(8), WordTokenizer(lowercase=True, pretokenized=False), **options)
    codec.fit(examples)
    return codec


def plain_image(*texts: str, shade: int = 0, **metadata: object) -> CaptionedImage:
    return CaptionedImage(np.full((8, 8, 3), shade, np.uint8), texts, metadata=metadata)


def test_what_a_position_makes_of_the_whole_image_depends_on_what_is_there() -> None:
    torch.manual_seed(0)
    encoder = tiny_encoder().eval()
    encoder.layers = torch.nn.Conv2d(3, 8, 1)  # type: ignore[assignment]  # a position sees its own pixel only
    one = torch.randint(0, 256, (1, 4, 4, 3), dtype=torch.uint8)
    other = one.clone()
    other[:, 0, 0] = 255 - other[:, 0, 0]
    changes = (encoder(other).outputs - encoder(one).outputs)[0, 1:]  # of the positions whose pixel stays
    assert changes.abs().max() > 1e-4 and (changes - changes[0]).abs().max() > 1e-4


def test_every_epoch_reads_one_caption_of_each_image_drawn_anew() -> None:
    examples = [plain_image(*(f"{row} {way}" for way in "abc")) for row in range(20)] + [plain_image("only")]
    codec = codec_of(examples)
    encoded = codec.encode(examples)
    seen: list[Counter] = [Counter() for _ in examples]
    for seed in range(12):
        batch = codec.resample(encoded, examples, seed).batch(np.arange(len(examples)))
        for counter, ids, mask in zip(seen, batch.targets, batch.target_mask, strict=True):
            counter[codec.language.decode_text(ids[mask][:-1].tolist())] += 1
    assert all(set(counter) <= set(example.captions) for counter, example in zip(seen, examples, strict=True))
    assert np.mean([len(counter) for counter in seen[:20]]) > 2.5 and seen[20] == {"only": 12}


def test_a_step_reads_several_captions_of_an_image_each_in_its_place() -> None:
    examples = [plain_image(*(f"{row} {way}" for way in "abcd"), shade=row) for row in range(20)] + [plain_image("one")]
    codec = codec_of(examples, captions_per_image=3)
    encoded = codec.encode(examples)
    assert encoded.batch(np.arange(21)).captions_per_image == 1  # of what is scored, one caption is compared
    drawn = codec.resample(encoded, examples, 5)
    batch = drawn.batch(np.array([4, 20]))
    texts = [
        codec.language.decode_text(ids[mask][:-1].tolist())
        for ids, mask in zip(batch.targets, batch.target_mask, strict=True)
    ]
    assert batch.captions_per_image == 3 and len(batch.images) == 2 and batch.images[0].max() == 4
    assert {*texts[:3]} < {*examples[4].captions} and len({*texts[:3]}) == 3 and texts[3:] == ["one"] * 3
    assert drawn.lengths.tolist() == [9] * 20 + [6]  # with the end of the caption
    with pytest.raises(InputError, match=r"codec\.captions_per_image=0: must be at least 1"):
        codec_of(examples, captions_per_image=0)


def test_the_loss_of_several_captions_is_that_of_each_with_its_image(composed: Callable) -> None:
    cfg = composed("captioning", *TINY, "model.word_loss=0")
    corpus = Corpus(build(cfg.data), build(cfg.codec), **cfg.split)
    torch.manual_seed(0)
    model, split = build(cfg.model, **corpus.sizes).eval(), corpus.splits["train"]
    drawn = split.codec.resample(split.encoded, split.examples, 1)
    rows, number = np.arange(5), drawn.chosen.shape[1]
    together = model.loss(drawn.batch(rows))
    apart = [model.loss(replace(drawn, chosen=drawn.chosen[:, [place]]).batch(rows)) for place in range(number)]
    assert number == 2 and together.number == sum(loss.number for loss in apart)
    torch.testing.assert_close(together.total, sum(loss.total for loss in apart))


def test_words_of_all_captions_are_detected(composed: Callable) -> None:
    """The second loss weighs as much beside several captions as beside one."""
    cfg = composed("captioning", *TINY, "model.word_loss=1")
    corpus = Corpus(build(cfg.data), build(cfg.codec), **cfg.split)
    torch.manual_seed(0)
    model, split = build(cfg.model, **corpus.sizes).eval(), corpus.splits["train"]
    same = replace(split.encoded, chosen=np.repeat(split.encoded.chosen, 4, axis=1))
    one, four = model.loss(split.encoded.batch(np.arange(5))), model.loss(same.batch(np.arange(5)))
    torch.testing.assert_close(one.total / one.number, four.total / four.number)


def test_long_captions_are_cut_and_counted() -> None:
    examples = [plain_image("a b", "a b c d e"), plain_image("a b c")]
    encoded = codec_of(examples, max_length=4).encode(examples)
    assert encoded.num_cut == 1 and encoded.captions.lengths.tolist() == [3, 4, 4]
    with pytest.raises(InputError, match=r"codec\.max_length=1"):
        codec_of(examples, max_length=1)


def test_images_that_do_not_fit_into_memory_are_read_for_every_batch(tmp_path: Path) -> None:
    paths = [save_image(tmp_path / f"{shade}.png", color=(shade, 0, 0)) for shade in range(4)]
    examples = [CaptionedImage(str(path), ("a",)) for path in paths]
    kept, read = (Images(PixelCodec(8), examples, most_bytes=most) for most in (10**6, 10))
    assert read.arrays is None and kept.arrays is not None
    rows = np.array([3, 1])
    assert np.array_equal(kept[rows], read[rows]) and read[rows][:, 0, 0, 0].tolist() == [3, 1]
    paths[2].unlink()
    with pytest.raises(InputError, match="There is no image file"):
        Images(PixelCodec(8), examples, most_bytes=10)


def test_content_tells_images_and_captions_apart(tmp_path: Path) -> None:
    path = save_image(tmp_path / "a.png")
    one = CaptionedImage(str(path), ("a",))
    first = one.content()
    assert first != CaptionedImage(str(path), ("b",)).content()
    save_image(path, color="blue")
    assert one.content() != first
    assert plain_image("a").content() != plain_image("a", shade=1).content()
    with_features = one._replace(array=np.ones((2, 3), np.float32))
    assert with_features.content() != with_features._replace(array=np.ones((3, 2), np.float32)).content()


def test_the_content_of_an_image_is_what_its_bytes_are_not_how_they_lie(tmp_path: Path) -> None:
    pixels = np.arange(24, dtype=np.uint8).reshape(2, 4, 3)
    one = CaptionedImage(pixels, ("a", "b"))
    digest, texts = one.content()
    assert texts == ("a", "b") and one.stratum() is None
    head = b"|u1 (2, 4, 3) "
    assert digest == sha256(head + pixels.tobytes()).hexdigest()
    assert CaptionedImage(np.asfortranarray(pixels), ("a", "b")).content() == one.content()
    assert CaptionedImage(pixels.astype(np.int16), ("a", "b")).content() != one.content()
    path = save_image(tmp_path / "a.png")
    content = sha256(path.read_bytes()).hexdigest()
    assert CaptionedImage(str(path), ()).content() == CaptionedImage(path.read_bytes(), ()).content() == (content, ())


@pytest.mark.parametrize("size, refused", [(0, True), (1, False), (4096, False), (4097, True)])
def test_the_size_of_images_has_bounds(size: int, refused: bool) -> None:
    if not refused:
        assert PixelCodec(size).shape == (size, size, 3) and PixelCodec(size).input_size == size
        return
    with pytest.raises(InputError) as error:
        PixelCodec(size)
    assert str(error.value) == f"codec.images.image_size={size}: give 1 to 4096 pixels."


def test_images_are_cut_to_their_middle_and_resized_by_pillow(tmp_path: Path) -> None:
    pixels = np.random.default_rng(0).integers(0, 256, (45, 70, 3)).astype(np.uint8)
    codec = PixelCodec(6)
    for given, box in ((pixels, (12, 0, 57, 45)), (pixels.swapaxes(0, 1).copy(), (0, 12, 45, 57))):
        square = Image.fromarray(given).crop(box)
        expected = square.resize((6, 6), Image.Resampling.BILINEAR, reducing_gap=3.0)
        assert np.array_equal(codec.array(CaptionedImage(given, ())), np.asarray(expected))
    known = np.ones((6, 6, 3), np.uint8)
    assert codec.array(CaptionedImage("gone.png", (), known)) is known


@pytest.mark.parametrize("images", [PixelCodec(3), FeatureCodec()])
def test_a_line_names_a_file_and_a_blank_one_is_all_zeros(images: ImageCodec, tmp_path: Path) -> None:
    if isinstance(images, FeatureCodec):
        images.set_shape(2, 5)
        np.save(tmp_path / "a", np.ones((2, 5), np.float32))
    else:
        Image.fromarray(np.ones((3, 3, 3), np.uint8)).save(tmp_path / "a.png")
    (path,) = tmp_path.iterdir()
    found, blank = images.example(f" {path} "), images.example(" ")
    assert found.image == str(path) and found.array.all() and found.array.dtype == images.dtype
    assert found.metadata == {"file": f" {path} "} and found.captions == blank.captions == ("",)
    assert blank.image == "" and not blank.array.any()
    assert blank.array.shape == found.array.shape == images.shape and blank.array.dtype == images.dtype


def test_features_have_the_shape_of_the_first_training_image(tmp_path: Path) -> None:
    first, other = (plain_image("a")._replace(array=np.ones((2, width), np.float32)) for width in (5, 4))
    codec = FeatureCodec()
    codec.fit([first, other])
    assert codec.shape == (2, 5) and codec.input_size == 5 and codec.array(first) is first.array
    message = "features of shape [2, 4], where the first training image has [2, 5]: compute those of all images in the "
    for example, name in (
        (other, "an image"),
        (other._replace(metadata={"place": "t:1"}), "t:1"),
        (other._replace(image="a.png"), "a.png"),
    ):
        with pytest.raises(InputError) as error:
            codec.array(example)
        assert str(error.value) == f"{name}: {message}same way."
    np.save(tmp_path / "a.npy", other.array)
    with pytest.raises(InputError) as error:
        codec.read(str(tmp_path / "a.npy"))
    assert str(error.value) == f"{tmp_path}/a.npy: {message}same way."
    with pytest.raises(InputError) as error:
        codec.fit([plain_image("a")])
    advice = "this data set has no features: give them with data.features=PATH."
    assert str(error.value) == f"images=features: {advice}"


DAMAGED_SHAPES = ("3", "[2]", "[2, 3, 4]", "[0, 2]", "[2, 1000000]", "[2, true]", "[2, 3.0]")


@pytest.mark.parametrize(
    "content",
    [None, "[]", "{}", *(f'{{"shape": {shape}}}' for shape in DAMAGED_SHAPES)],
)
def test_a_damaged_shape_of_features_is_named(tmp_path: Path, content: str | None) -> None:
    if content is not None:
        (tmp_path / "features.json").write_text(content)
    with pytest.raises(InputError) as error:
        FeatureCodec().load(tmp_path)
    path = tmp_path / "features.json"
    assert str(error.value) == f"{path} is missing or damaged: it has no shape of features."
    path.write_text('{"shape": [999999, 1]}')
    codec = FeatureCodec()
    codec.load(tmp_path)
    assert codec.shape == (999_999, 1)
    codec.save(tmp_path)
    assert json.loads(path.read_text()) == {"shape": [999_999, 1]}
    path.write_text("{")
    with pytest.raises(InputError, match=r"/features\.json: not JSON"):
        codec.load(tmp_path)


@pytest.mark.parametrize(
    "array, message",
    [
        (
            np.ones((1, 2, 3)),
            "float64 [1, 2, 3] are not features: give floating-point numbers of the shape [positions, ",
        ),
        (np.float32(1), "float32 [] are not features: "),
        (np.ones((0, 3)), "float64 [0, 3] are not features: "),
        (np.ones(3, np.int32), "int32 [3] are not features: "),
        (np.array([1, np.inf]), "features are NaN or infinite: compute them again."),
        (np.array([1, np.nan]), "features are NaN or infinite: compute them again."),
    ],
    ids=str,
)
def test_arrays_that_are_no_features_are_refused(tmp_path: Path, array: np.ndarray, message: str) -> None:
    path = tmp_path / "a.npy"
    np.save(path, array)
    with pytest.raises(InputError) as error:
        load_features(path)
    assert str(error.value).startswith(f"{path}: {message}")
    np.save(path, np.ones(3))
    assert load_features(path).shape == (1, 3)
    for content in (b"", b"no array", pickle.dumps([1])):
        path.write_bytes(content)
        with pytest.raises(InputError, match=r"/a\.npy: not an array of NumPy \((?!None).+\)\.$"):
            load_features(path)
    path.unlink()
    with pytest.raises(InputError) as error:
        load_features(path)
    where = f"check the path (relative paths start at {Path.cwd()})."
    assert str(error.value) == f"There is no image file {path}: {where}"


def test_messages_on_images_name_the_example_and_the_reason(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "text.jpg").write_text("no image")
    long = tmp_path / ("y" * 200) / ("x" * 200)
    for image, message in (
        (str(tmp_path / "text.jpg"), f"{tmp_path}/text.jpg cannot be read as an image (unknown format)."),
        (b"no image", "t:1 cannot be read as an image (unknown format)."),
        (str(long), f"There is no image file {str(long)[:299]}…: check the path"),
    ):
        with pytest.raises(InputError) as error:
            open_image(CaptionedImage(image, (), metadata={"place": "t:1"}))
        assert str(error.value).startswith(message)
    with pytest.raises(InputError, match=r"^p{299}… cannot be read as an image"):
        open_image(CaptionedImage(b"no image", (), metadata={"place": "p" * 400}))
    path = save_image(tmp_path / "a.png", (30, 20))
    monkeypatch.setattr("data.captioning.MOST_PIXELS", 600)
    assert open_image(CaptionedImage(str(path), ())).size == (30, 20)
    monkeypatch.setattr("data.captioning.MOST_PIXELS", 599)
    with pytest.raises(InputError) as error:
        open_image(CaptionedImage(str(path), ()))
    assert str(error.value) == f"{path}: 30 x 20 pixels are more than 599: resize the image."
    monkeypatch.setattr("data.captioning.decoded", lambda source: 1 / 0)
    with pytest.raises(InputError, match=r"/a\.png cannot be read as an image \(division by zero\)\.$"):
        open_image(CaptionedImage(str(path), ()))


def test_images_are_kept_in_memory_up_to_the_bound() -> None:
    examples = [plain_image("a", shade=1), plain_image("b", shade=2)]
    kept, read = (Images(PixelCodec(8), examples, most_bytes=most) for most in (384, 383))
    assert kept.arrays is not None and read.arrays is None
    assert kept[np.array([1])].max() == read[np.array([1])].max() == 2
    known = [CaptionedImage("gone.png", (), np.ones((8, 8, 3), np.uint8))]
    assert Images(PixelCodec(8), known, most_bytes=1)[np.array([0])].shape == (1, 8, 8, 3)


def test_a_batch_has_images_captions_and_no_tokens() -> None:
    examples = [plain_image("a b", "c", shade=1), plain_image("a", shade=2)]
    codec = codec_of(examples)
    encoded = codec.encode(examples)
    batch = encoded.batch(np.array([1, 0]))
    assert batch.tokens.shape == batch.mask.shape == (2, 0) and batch.mask.dtype == torch.bool
    assert batch.tokens.dtype == torch.int64 and batch.rows.tolist() == [1, 0]
    assert batch.images[:, 0, 0, 0].tolist() == [2, 1] and batch.images.dtype == torch.uint8
    assert batch.target_mask.tolist() == [[True, True, False], [True, True, True]]
    assert codec.language.vocabulary.decode(batch.targets[1].tolist()) == ["a", "b", "</s>"]
    assert batch.num_tokens == 5 and batch.num_positions == 6
    assert encoded.captions.lengths.tolist() == [3, 2, 2] and encoded.first.tolist() == [0, 2, 3]
    assert encoded.num_cut == 0 and codec.sizes == {"input_size": 8, "vocab_size": 7}


def test_captions_are_cut_to_the_smaller_bound() -> None:
    examples = [plain_image("a b c d"), plain_image("a b", "a b c")]
    codec = codec_of(examples, max_length=5)
    assert codec.encode(examples).num_cut == 0
    codec.limit_length(3)
    encoded = codec.encode(examples)
    assert codec.max_length == 3 and encoded.captions.lengths.tolist() == [3, 3, 3] and encoded.num_cut == 2
    for length in (1, 0):
        with pytest.raises(InputError) as error:
            codec_of(examples, max_length=length)
        assert str(error.value) == f"codec.max_length={length}: must be at least 2, or null for no limit."
    assert codec_of(examples, max_length=2).encode(examples).captions.lengths.tolist() == [2, 2, 2]


def test_predicted_ids_become_captions() -> None:
    codec = codec_of([plain_image("a b c")])
    ids = codec.language.vocabulary.encode("abc")
    hypotheses = [Hypothesis(ids[:2], -1.0), Hypothesis(ids[:2], -2.0), Hypothesis(ids[2:], -3.0)]
    (caption,) = codec.decode([Prediction([], hypotheses, [[0.5]])])
    assert caption == Caption("a b", [("a b", -1.0), ("c", -3.0)], ["a", "b", "</s>"], [[0.5]])


def test_several_captions_are_neighbours_in_their_list_and_each_is_the_first_equally_often() -> None:
    examples = [plain_image(*"abcd")] * 60 + [plain_image("a")]
    codec = codec_of(examples, captions_per_image=2)
    drawn = codec.resample(codec.encode(examples), examples, 3)
    places = drawn.chosen[:60] - drawn.first[:60, None]
    assert ((places[:, 0] + 1) % 4 == places[:, 1]).all() and {*places[:, 0].tolist()} == {0, 1, 2, 3}
    assert drawn.chosen[60].tolist() == [240, 240] and drawn.images is not None and drawn.num_cut == 0
    assert not np.array_equal(drawn.chosen, codec.resample(drawn, examples, 4).chosen)
    assert np.array_equal(drawn.chosen, codec.resample(drawn, examples, 3).chosen)


@pytest.mark.parametrize("kind", ["pixels", "features"])
def test_an_image_is_encoded_alike_in_any_batch(kind: str) -> None:
    torch.manual_seed(0)
    images = torch.randint(0, 256, (3, 16, 16, 3), dtype=torch.uint8) if kind == "pixels" else torch.randn(3, 5, 6)
    encoder = (tiny_encoder() if kind == "pixels" else FeatureImageEncoder(6, 8, 0.0)).train()
    together = encoder(images)
    assert together.outputs.shape == (3, 16 if kind == "pixels" else 5, 8) and together.final_state.shape == (3, 8)
    for row in range(3):
        alone = encoder(images[row : row + 1])
        torch.testing.assert_close(alone.outputs[0], together.outputs[row])
        torch.testing.assert_close(alone.final_state[0], together.final_state[row])


def test_pixels_are_scaled_to_lie_around_zero_in_every_channel() -> None:
    encoder, seen = tiny_encoder(), []
    encoder.layers[0].register_forward_pre_hook(lambda _, args: seen.append(args[0]))
    image = torch.zeros(1, 16, 16, 3, dtype=torch.uint8)
    image[0, 2, 5] = torch.tensor([255, 51, 0])
    encoder(image)
    assert seen[0].shape == (1, 3, 16, 16) and seen[0][0, :, 0, 0].tolist() == [-1.0] * 3
    torch.testing.assert_close(seen[0][0, :, 2, 5], torch.tensor([1.0, -0.6, -1.0]))
    assert encoder.output_size == 8 and encoder.double()(image).outputs.dtype == torch.double


def test_an_image_is_encoded_by_its_grid_and_one_vector_of_it_all() -> None:
    torch.manual_seed(0)
    encoder, images = tiny_encoder(dropout=0.5).eval(), torch.randint(0, 256, (2, 16, 16, 3), dtype=torch.uint8)
    grid = encoder.layers((images.float() / 127.5 - 1).movedim(3, 1)).flatten(2).mT + encoder.positions
    first, second = encoder.summary[1], encoder.summary[3]
    whole = torch.tanh(second(F.relu(first(grid.flatten(1)))))
    inner, last = encoder.relating.inner[0], encoder.relating.inner[2]
    assert inner.out_features == 16
    around = grid + whole[:, None]
    outputs, final = encoder(images)
    torch.testing.assert_close(outputs, around + last(F.relu(inner(around))))
    torch.testing.assert_close(final, whole)
    assert encoder.train()(images).final_state.eq(0).any()


def test_a_layer_of_one_size_is_residual_and_keeps_the_edges() -> None:
    torch.manual_seed(0)
    images = torch.randn(2, 8, 6, 6)
    for stride, outputs, residual in ((1, 8, True), (2, 8, False), (1, 4, False)):
        made = layer(8, outputs, stride, 2)
        assert isinstance(made, Residual) is residual
        convolution, norm, _ = made.inner if residual else made
        expected = F.conv2d(images, convolution.weight, stride=stride, padding=1)
        expected = F.relu(F.group_norm(expected, 2, norm.weight, norm.bias))
        torch.testing.assert_close(made(images), images + expected if residual else expected)
        assert convolution.bias is None and expected.shape == (2, outputs, 6 // stride, 6 // stride)


def test_positions_start_as_vectors_of_about_unit_length() -> None:
    torch.manual_seed(0)
    encoder = tiny_encoder(channels=[8, 8], hidden_size=64, strides=[1, 1, 1])
    assert encoder.positions.shape == (256, 64)
    assert encoder.positions.norm(dim=1).mean().item() == pytest.approx(1, rel=0.05)


def test_features_are_read_by_one_layer_after_dropout() -> None:
    torch.manual_seed(0)
    encoder, features = FeatureImageEncoder(6, 8, 0.5), torch.randn(3, 5, 6).double()
    trained = encoder(features).outputs
    outputs, final = encoder.eval()(features)
    expected = encoder.linear(features.float())
    torch.testing.assert_close(outputs, expected)
    torch.testing.assert_close(final, torch.tanh(expected.mean(dim=1)))
    assert encoder.output_size == 8 and not torch.allclose(trained, outputs)


def test_the_vectors_of_positions_tell_equal_positions_apart() -> None:
    encoding = tiny_encoder(strides=[1, 1, 2])(torch.full((1, 16, 16, 3), 9, dtype=torch.uint8))
    inner = encoding.outputs[0].unflatten(0, (8, 8))[3:5, 3:5].flatten(0, 1)  # away from the padding at the edges
    assert (inner[:1] - inner[1:]).abs().amax(dim=1).min() > 1e-3


@pytest.mark.parametrize(
    "changes, message",
    [
        ({"strides": [2, 2]}, r"^strides=\[2, 2\]: give 3, one for every layer\.$"),
        ({"strides": [3, 1, 1]}, "^image_size=16 is not a multiple of 3, "),
        ({"strides": [0, 1, 1]}, "not a multiple of 0"),
        ({"groups": 3}, r"^groups=3 does not divide every number of features in \[8, 8, 8\]\.$"),
        ({"channels": [8, 6]}, "groups=4"),
        ({"channels": [6, 8]}, "groups=4"),
        ({"hidden_size": 6}, "groups=4"),
    ],
)
def test_an_encoder_that_cannot_be_built_says_why(changes: dict, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        tiny_encoder(**changes)


def corpus_and_model(composed: Callable[..., DictConfig], *overrides: str) -> tuple[Corpus, torch.nn.Module]:
    cfg = composed("captioning", *TINY, *overrides)
    corpus: Corpus = Corpus(build(cfg.data), build(cfg.codec), **cfg.split)
    torch.manual_seed(0)
    return corpus, build(cfg.model, **corpus.sizes)


@pytest.mark.parametrize("decoder", options("decoder"))
def test_every_decoder_learns_to_describe_a_batch(composed: Callable, decoder: str) -> None:
    corpus, model = corpus_and_model(composed, f"decoder={decoder}")
    batch = next(iter(corpus.splits["train"].shuffled(10_000, 16, seed=0)))
    assert_learns(model, batch, steps=12)
    found = corpus.codec.decode(model.eval().predict_with_attention(batch))
    for caption in found:
        assert caption.text == caption.alternatives[0][0] and len(caption.pieces) >= 1
        if decoder in attending_decoders():
            assert np.shape(caption.attention) == (len(caption.pieces), 4)
            assert np.sum(caption.attention, axis=1) == pytest.approx(1, abs=1e-4)
        else:
            assert not any(caption.attention)


def test_words_are_detected_where_the_grid_shows_them() -> None:
    torch.manual_seed(0)
    detector, grid = WordDetector(4, 6), torch.randn(2, 5, 4)
    words = torch.tensor([[1, 3, 0], [2, 2, 5]])
    present = torch.tensor([[0.0, 1, 0, 1, 0, 0], [0, 0, 1, 0, 0, 1]])
    scores = torch.stack([detector.output(position) for position in grid.unbind(1)]).exp().mean(dim=0).log()
    expected = -(present * F.logsigmoid(scores) + (1 - present) * F.logsigmoid(-scores)).sum()
    torch.testing.assert_close(detector(grid, words), expected)


def test_the_loss_of_words_is_added_to_that_of_captions(composed: Callable) -> None:
    corpus, _ = corpus_and_model(composed)
    batch = next(iter(corpus.splits["train"].shuffled(10_000, 16, seed=0)))
    totals = []
    for weight in (0.0, 1.0, 2.0):
        _, model = corpus_and_model(composed, f"model.word_loss={weight}")
        totals.append(model.eval().loss(batch).total.item())
    assert totals[1] > totals[0] and totals[2] - totals[1] == pytest.approx(totals[1] - totals[0], rel=1e-4)


def test_captions_depend_on_the_image_alone(composed: Callable) -> None:
    corpus, model = corpus_and_model(composed)
    encoded = corpus.splits["test"].encoded
    model.eval()
    together = model.predict(encoded.batch(np.arange(6)))
    for row in range(6):
        (alone,) = model.predict(encoded.batch(np.array([row])))
        assert [h.ids for h in alone.nbest] == [h.ids for h in together[row].nbest]
    other = torch.flip(encoded.batch(np.arange(6)).images, dims=[0])
    logits = [model.encode(replace(encoded.batch(np.arange(6)), images=i))[0].values for i in (other, other.flip(0))]
    assert not torch.allclose(*logits)


def test_embeddings_can_start_from_the_captions(composed: Callable) -> None:
    _, model = corpus_and_model(composed)
    model.embedding.initialise(torch.ones_like(model.embedding.vectors.weight))
    assert model.generator.embedding.vectors.weight[5].eq(1).all()


def image_table(folder: Path, name: str, text: str) -> str:
    (folder / name).write_text(text)
    for image in ("a.png", "b.png"):
        save_image(folder / image)
    return str(folder / name)


def reader(train: str, **changes: object) -> ImageFiles:
    values = {"validation": None, "test": None, "folder": None, "image_column": "image", "caption_columns": ["caption"]}
    return ImageFiles(train=train, **{**values, **changes})


LISTS = [{"image": "a.png", "caption": ["one way", "another"]}, {"image": "b.png", "caption": "b"}]
TABLES = {
    "rows.csv": ("image,caption\na.png,one  way\nb.png,b\na.png,another\n", ["caption"]),
    "columns.tsv": ("image\tfirst\tsecond\na.png\tone way\tanother\nb.png\tb\t\n", ["first", "second"]),
    "lists.jsonl": ("\n".join(map(json.dumps, LISTS)), ["caption"]),
}


@pytest.mark.parametrize("name", TABLES)
def test_captions_are_in_rows_columns_or_lists(tmp_path: Path, name: str) -> None:
    text, columns = TABLES[name]
    examples = reader(image_table(tmp_path, name, text), caption_columns=columns).read_split("train")
    assert [example.captions for example in examples] == [("one way", "another"), ("b",)]
    assert [Path(str(example.image)).name for example in examples] == ["a.png", "b.png"]


def test_the_folder_and_the_columns_of_a_table_can_be_given(tmp_path: Path) -> None:
    image_table(tmp_path, "unused.csv", "")
    (tmp_path / "tables").mkdir()
    (tmp_path / "tables" / "t.csv").write_text("a.png,text\n")
    options = {
        "folder": str(tmp_path),
        "columns": ["file", "words"],
        "image_column": "file",
        "caption_columns": ["words"],
    }
    (example,) = reader(str(tmp_path / "tables" / "t.csv"), **options).read_split("train")
    assert example.image == str(tmp_path / "a.png") and example.captions == ("text",)


@pytest.mark.parametrize(
    "text, message",
    [
        (
            "image,caption\na.png,x\ngone.png,y\n",
            r"t\.csv:3: there is no image .*gone\.png: correct column 'image', or",
        ),
        ("image,caption\na.png, \n", r"t\.csv:2: there is no caption in caption"),
        ("image,caption\n,x\n", r"t\.csv:2: column 'image' names no image file"),
        ("picture,caption\na.png,x\n", r"no column 'image'.*data\.image_column=NAME"),
        ("image,text\na.png,x\n", r"no column 'caption'.*data\.caption_columns=NAME"),
    ],
)
def test_mistakes_in_a_table_are_named_with_their_line(tmp_path: Path, text: str, message: str) -> None:
    with pytest.raises(InputError, match=message):
        reader(image_table(tmp_path, "t.csv", text)).read_split("train")


def test_an_image_is_named_by_its_first_row_and_its_features_by_its_file(tmp_path: Path) -> None:
    table = image_table(tmp_path, "t.csv", "image,caption\n gone.png ,x\na.png,y\ngone.png,z\n")
    with pytest.raises(InputError) as error:
        reader(table).read_split("train")
    advice = "correct column 'image', or give the folder of the images with data.folder=DIR."
    assert str(error.value) == f"{table}:2: there is no image {tmp_path}/gone.png: {advice}"
    np.save(tmp_path / "gone.npy", np.ones((2, 3)))
    np.save(tmp_path / "a.npy", np.zeros(3))
    gone, a = reader(table, features=str(tmp_path)).read_split("train")
    assert gone.image == str(tmp_path / "gone.png") and gone.captions == ("x", "z") and a.array.shape == (1, 3)


def test_features_are_found_by_the_name_of_the_image_in_several_ways(tmp_path: Path) -> None:
    arrays = {name: np.full((1, 2), number, np.float32) for number, name in enumerate(("b/x", "b/x.jpg", "x.jpg", "x"))}
    save_file(arrays, tmp_path / "f.safetensors")
    found = {name: features_in_file(arrays, Path("f"), name, "t:1")[0, 0] for name in ("b/x.jpg", "c/x.jpg", "c/x.png")}
    assert found == {"b/x.jpg": 1, "c/x.jpg": 2, "c/x.png": 3}
    assert features_in_file({"b/x": arrays["b/x"]}, Path("f"), "b/x.jpg", "t:1")[0, 0] == 0
    look_up = feature_reader(str(tmp_path / "f.safetensors"))
    assert look_up("b/x.jpg", "t:1")[0, 0] == 1
    with pytest.raises(InputError, match=r"^f, x: int64 \[2\] are not features"):
        features_in_file({"x": np.ones(2, np.int64)}, Path("f"), "x", "t:1")
    with pytest.raises(InputError) as error:
        look_up("y.jpg", "t:1")
    advice = "compute them, or leave the row out."
    assert str(error.value) == f"t:1: {tmp_path}/f.safetensors has no features of 'y.jpg': {advice}"
    folder = tmp_path / "arrays"
    for number, name in enumerate(("b/x.npy", "b/y.jpg.npy", "z.npy")):
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        np.save(folder / name, np.full((1, 2), number, np.float32))
    look_up = feature_reader(str(folder))
    assert [look_up(name, "t:1")[0, 0] for name in ("b/x.jpg", "b/y.jpg", "c/z.jpg")] == [0, 1, 2]
    with pytest.raises(InputError) as error:
        look_up("b/w.jpg", "t:1")
    assert str(error.value) == f"t:1: there are no features {folder}/b/w.npy: {advice}"
    assert feature_reader(None) is None


@pytest.mark.parametrize("name", ["gone.safetensors", "here.npz", "x" * 400])
def test_features_are_a_folder_or_a_file_of_arrays(tmp_path: Path, name: str) -> None:
    (tmp_path / "here.npz").write_text("")
    source = f"{tmp_path}/{name}"
    with pytest.raises(InputError) as error:
        feature_reader(source)
    echoed = source if len(source) <= 300 else f"{source[:299]}…"
    assert str(error.value) == f"data.features={echoed}: give a folder of .npy files, or a .safetensors file."


def test_a_damaged_file_of_features_is_named(tmp_path: Path) -> None:
    (tmp_path / "f.safetensors").write_bytes(b"\x08" + bytes(7) + b"no JSON!")
    with pytest.raises(
        InputError, match=r"/f\.safetensors is damaged or has numbers that NumPy cannot read \((?!None).+\)\.$"
    ):
        feature_reader(str(tmp_path / "f.safetensors"))


@pytest.mark.parametrize("value", [None, 3, "", " ", "a\0.png"], ids=repr)
def test_a_cell_that_names_no_image_is_refused(value: object) -> None:
    with pytest.raises(InputError) as error:
        file_name(Row("t:1", {"file": value}), "file")
    assert str(error.value) == "t:1: column 'file' names no image file: fill it in or leave the row out."


def test_captions_of_all_columns_have_single_spaces_and_blank_ones_are_none() -> None:
    row = Row("t:1", {"x": [" a  b", "", None, 3], "y": "c\ud83d", "z": None, "w": []})
    assert captions_of(row, ["x", "z", "y"]) == ["a b", "c\ufffd"]
    with pytest.raises(InputError) as error:
        captions_of(row, ["z", "w"])
    assert str(error.value) == "t:1: there is no caption in z, w: fill it in or leave the row out."


def test_an_image_of_the_hub_is_the_content_of_a_file_or_its_path() -> None:
    cells = {"both": {"bytes": b"x", "path": "a.png"}, "path": {"bytes": None, "path": "a.png"}, "text": "b.png"}
    row = Row("row 2", {**cells, "none": {"bytes": None, "path": None}, "empty": "", "number": 3})
    assert [picture_of(row, column) for column in cells] == [b"x", "a.png", "b.png"]
    for column in ("none", "empty", "number"):
        with pytest.raises(InputError) as error:
            picture_of(row, column)
        assert str(error.value) == f"row 2: there is no image in column '{column}': set data.image_column=NAME."


def generated(**changes: object) -> GeneratedScenes:
    sizes = {"train": 3, "validation": 0, "test": 5}
    return GeneratedScenes(
        **{"sizes": sizes, "image_size": 16, "captions": 2, "seed": 4, "pretokenized": True} | changes
    )


def test_generated_scenes_are_drawn_described_and_say_what_they_show() -> None:
    source = generated()
    assert source.origin() == {"source": "generated", "revision": None}
    for split, number in source.sizes.items():
        examples, made = source.read_split(split), list(scenes(split, size=number, seed=4))
        assert [example.captions for example in examples] == [captions(scene, 2) for scene in made]
        assert [example.metadata["facts"] for example in examples] == [facts(scene) for scene in made]
        kinds = ["unseen" if scene.unseen else "seen" for scene in made]
        assert [example.metadata["combination"] for example in examples] == kinds
        assert all(np.array_equal(one.image, draw(scene, 16)) for one, scene in zip(examples, made, strict=True))
    assert {*kinds} == {"seen", "unseen"}


@pytest.mark.parametrize(
    "changes, message",
    [
        ({"image_size": 15}, "data.image_size=15: give 16 to 1024 pixels."),
        ({"image_size": 1025}, "data.image_size=1025: give 16 to 1024 pixels."),
        ({"captions": 0}, "data.captions=0: a scene has at least one caption."),
        ({"sizes": {"train": 1}}, "data.sizes.validation: give a size for each of train, validation, test, and for "),
    ],
)
def test_options_of_scenes_have_bounds(changes: dict, message: str) -> None:
    with pytest.raises(InputError) as error:
        generated(**changes)
    assert str(error.value).startswith(message)
    assert generated(captions=1).image_size == 16 and generated(image_size=1024).captions == 2


@pytest.mark.parametrize(
    "name, pixels, features",
    [
        (".", "column 'image' names no image file: fill it in or leave the row out.", None),
        ("x" * 300, "there is no image {}/", "there are no features {}/"),
    ],
    ids=["a folder", "too long"],
)
def test_names_that_no_file_can_have_are_refused(tmp_path: Path, name: str, pixels: str, features: str | None) -> None:
    table = image_table(tmp_path, "t.csv", f"image,caption\n{name},x\n")
    for source, message in ((None, pixels), (str(tmp_path), features or pixels)):
        with pytest.raises(InputError) as error:
            reader(table, features=source).read_split("train")
        assert str(error.value).startswith(f"{tmp_path}/t.csv:2: {message.format(tmp_path)}")
        assert f"{tmp_path / name}"[:299] + "…: " in str(error.value) or name == "."


def png(color: str) -> bytes:
    stream = io.BytesIO()
    Image.new("RGB", (12, 9), color).save(stream, "PNG")
    return stream.getvalue()


def hub_table(layout: str) -> tuple[object, list[str]]:
    """Two images and their captions, as ``datasets`` holds them, and the columns of captions."""
    import datasets

    text = datasets.Value("string")
    if layout == "list":
        captions, kinds = {"caption": [["red", "a red one"], ["blue"]]}, {"caption": datasets.List(text)}
    else:
        captions, kinds = {"x": ["red", "blue"], "y": ["a red one", None]}, {"x": text, "y": text}
    images = [{"bytes": png(color), "path": None} for color in ("red", "blue")]
    features = datasets.Features({"image": datasets.Image(), **kinds})
    return datasets.Dataset.from_dict({"image": images, **captions}, features=features), list(kinds)


@pytest.mark.parametrize("layout", ["list", "columns"])
@pytest.mark.parametrize("place", ["folder", "hub"])
def test_hub_data_sets_have_images_and_captions_in_columns(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, layout: str, place: str
) -> None:
    table, columns = hub_table(layout)
    table.to_parquet(tmp_path / "train-00000-of-00001.parquet")
    options = {"name": None, "repository": None, "revision": None, "path": str(tmp_path)}
    hub = HubImages(**options, image_column="image", caption_columns=columns)
    if place == "hub":
        hub.splits = {"train": LoadedTable(table, table.features)}
    examples = hub.read_split("train")
    assert [example.captions for example in examples] == [("red", "a red one"), ("blue",)]
    assert all(isinstance(example.image, bytes) for example in examples) and hub.read_split("test") is None
    arrays = [PixelCodec(8).array(example) for example in examples]
    assert [array[4, 4].tolist() for array in arrays] == [[255, 0, 0], [0, 0, 255]]
    with pytest.raises(InputError, match="row 2 cannot be read as an image"):
        PixelCodec(8).array(examples[1]._replace(image=b"damaged"))


def test_a_column_without_images_is_named(tmp_path: Path) -> None:
    table, _ = hub_table("columns")
    table.to_parquet(tmp_path / "train-00000-of-00001.parquet")
    options = {"name": None, "repository": None, "revision": None, "path": str(tmp_path)}
    with pytest.raises(InputError, match="row 2: there is no image in column 'y': set"):
        HubImages(**options, image_column="y", caption_columns=["x"]).read_split("train")


@pytest.mark.parametrize("option", ["image_column", "caption_columns"])
def test_a_column_that_a_hub_data_set_does_not_have_is_named_with_its_option(tmp_path: Path, option: str) -> None:
    table, _ = hub_table("columns")
    table.to_parquet(tmp_path / "train-00000-of-00001.parquet")
    options = {"name": None, "repository": None, "revision": None, "path": str(tmp_path)}
    columns = {"image_column": "image", "caption_columns": ["x"]}
    columns[option] = "gone" if option == "image_column" else ["gone"]
    with pytest.raises(InputError, match=rf"there is no column 'gone'; .* data\.{option}=NAME\.$"):
        HubImages(**options, **columns).read_split("train")


def features_of(tmp_path: Path, kind: str, arrays: dict[str, np.ndarray]) -> str:
    if kind == "file":
        save_file({name.removesuffix(".png"): array for name, array in arrays.items()}, tmp_path / "f.safetensors")
        return str(tmp_path / "f.safetensors")
    folder = tmp_path / "features"
    folder.mkdir(exist_ok=True)
    for name, array in arrays.items():
        np.save(folder / Path(name).with_suffix(".npy"), array)
    return str(folder)


@pytest.mark.parametrize("kind", ["folder", "file"])
def test_features_stand_in_for_images(tmp_path: Path, kind: str) -> None:
    arrays = {"a.png": np.ones((4, 3), np.float32), "c.png": np.zeros((4, 3), np.float32)}
    table = image_table(tmp_path, "t.csv", "image,caption\na.png,x\nc.png,y\n")
    examples = reader(table, features=features_of(tmp_path, kind, arrays)).read_split("train")
    codec = codec_of(examples, FeatureCodec())
    assert codec.sizes["input_size"] == 3
    assert np.array_equal(codec.encode(examples).batch(np.arange(2)).images, np.stack(list(arrays.values())))
    codec.save(tmp_path)
    again = CaptioningCodec(FeatureCodec(), WordTokenizer(lowercase=True, pretokenized=False))
    again.load(tmp_path)
    assert again.sizes == codec.sizes and again.unlabelled("\n").array.shape == (4, 3)


@pytest.mark.parametrize(
    "array, message",
    [
        (np.ones((4, 2), np.float32), r"shape \[4, 2\], where the first training image has \[4, 3\]"),
        (np.ones((4, 3), np.int64), r"int64 \[4, 3\] are not features"),
        (np.full((4, 3), np.nan, np.float32), "NaN or infinite"),
        (None, "there are no features .*b.npy"),
    ],
)
def test_features_that_cannot_be_used_are_named(tmp_path: Path, array: np.ndarray | None, message: str) -> None:
    arrays = {"a.png": np.ones((4, 3), np.float32), **({} if array is None else {"b.png": array})}
    table = image_table(tmp_path, "t.csv", "image,caption\na.png,x\nb.png,y\n")
    with pytest.raises(InputError, match=message):
        examples = reader(table, features=features_of(tmp_path, "folder", arrays)).read_split("train")
        codec_of(examples, FeatureCodec()).encode(examples)
    with pytest.raises(InputError, match=r"data\.features=PATH"):
        codec_of([plain_image("a")], FeatureCodec())


class Network(torch.nn.Module):
    """Stands in for a network of torchvision."""

    def __init__(self) -> None:
        super().__init__()
        self.grid, self.head = torch.nn.Conv2d(3, 5, 4, stride=4), torch.nn.Linear(5, 2)

    def forward(self, images: torch.Tensor) -> torch.Tensor:
        return self.head(self.grid(images).mean(dim=(2, 3)))


def backbone(weights: Path, **changes: object) -> BackboneCodec:
    values = {"network": "small", "node": "grid", "image_size": 8, "mean": [0.5] * 3, "std": [0.5] * 3}
    return BackboneCodec(weights=str(weights), **{**values, **changes})


@pytest.fixture
def torchvision(monkeypatch: pytest.MonkeyPatch) -> None:
    models = types.SimpleNamespace(list_models=lambda module: ["small"], get_model=lambda name, weights: Network())
    monkeypatch.setitem(sys.modules, "torchvision", types.SimpleNamespace(models=models))


def test_a_network_of_torchvision_computes_features_with_the_given_weights(torchvision: None, tmp_path: Path) -> None:
    torch.manual_seed(5)
    network = Network()
    torch.save(network.state_dict(), tmp_path / "w.pth")
    example = CaptionedImage(np.full((8, 8, 3), 255, np.uint8), ("a",))
    codec = codec_of([example], backbone(tmp_path / "w.pth"))
    found = codec.encode([example]).batch(np.array([0])).images
    expected = network.grid(torch.ones(1, 3, 8, 8)).flatten(2).transpose(1, 2)
    torch.testing.assert_close(found.float(), expected.detach(), rtol=1e-2, atol=1e-2)
    assert codec.sizes["input_size"] == 5 and found.shape == (1, 4, 5)
    codec.save(tmp_path)
    (tmp_path / "w.pth").unlink()
    again = CaptioningCodec(backbone(tmp_path / "w.pth"), WordTokenizer(lowercase=True, pretokenized=False))
    again.load(tmp_path)
    assert torch.equal(again.encode([example]).batch(np.array([0])).images, found)


def test_a_backbone_that_cannot_be_used_says_why(torchvision: None, tmp_path: Path) -> None:
    torch.save({"other": torch.zeros(2)}, tmp_path / "other.pth")
    torch.save(Network().state_dict(), tmp_path / "w.pth")
    for codec, message in (
        (backbone(tmp_path / "gone.pth"), "no such file of weights"),
        (backbone(tmp_path / "other.pth"), "no weights of this network"),
        (backbone(tmp_path / "w.pth", node="layer9"), "choose one as grid, head"),
        (backbone(tmp_path / "w.pth", node="head"), "are not a grid"),
        (backbone(tmp_path / "w.pth", network="large"), "torchvision has small"),
        (backbone(tmp_path / "w.pth", image_size=2), "cannot read images of this size"),
    ):
        with pytest.raises(InputError, match=message):
            codec.fit([])


def test_without_torchvision_the_extra_is_named(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setitem(sys.modules, "torchvision", None)
    with pytest.raises(InputError, match=r"pip install 'rnnbench\[torchvision\]'.*images=features"):
        backbone(tmp_path / "w.pth").fit([])


SCENE = {"circle": "a small red circle", "ring": "two large blue rings"}


def scene_image(*names: str, combination: str = "seen") -> CaptionedImage:
    text = " left of ".join(SCENE[name] for name in names)
    return plain_image(text, facts=facts_of_caption(text), combination=combination)


def test_facts_are_right_wrong_or_missing() -> None:
    examples = [scene_image("circle", "ring"), scene_image("circle", combination="unseen")]
    perfect = {"facts_right": 1, "facts_right_seen": 1, "facts_right_unseen": 1, "exact": 1}
    whole = fact_scores([example.captions[0] for example in examples], examples)
    assert whole == {**perfect, "facts_wrong": 0, "facts_missing": 0}
    found = fact_scores(["a small green circle left of two large blue rings", "nothing"], examples)
    assert found["facts_right_seen"] == 6 / 7 and found["facts_right_unseen"] == 0 and found["exact"] == 0
    assert found["facts_right"] == 6 / 10 and found["facts_missing"] == 4 / 10 and found["facts_wrong"] == 1 / 7
    assert fact_scores(["a"], [plain_image("a")]) == {}


def test_captions_are_scored_against_all_references() -> None:
    examples = [plain_image("the cat sat on the mat", "a cat is on a mat today"), plain_image("dogs run in the park")]
    texts = ["a cat is on a mat today", "Dogs run in the park"]
    scores, signatures = text_scores(texts, examples, "13a")
    assert scores["bleu_lowercase"] == pytest.approx(100) and "nrefs:var" in signatures["bleu_lowercase"]
    first_only = [example._replace(captions=example.captions[:1]) for example in examples]
    assert text_scores(texts, first_only, "13a")[0]["bleu_lowercase"] < 80
    with pytest.raises(ValueError, match="1 captions cannot be scored for 2 images"):
        text_scores(texts[:1], examples, "13a")


def test_baselines_are_the_most_frequent_caption_and_the_nearest_image() -> None:
    train = [plain_image("dark", shade=0), plain_image("bright", shade=200), plain_image("bright", shade=250)]
    test = [plain_image("dark", shade=20), plain_image("bright", shade=240)]
    evaluation = CaptioningEvaluation(pictures=1, attention_maps=0)
    evaluation.fit(train)
    scores = evaluation.baselines(train, {"test": test})["test"]
    assert scores["nearest_image"]["chrf"] == pytest.approx(100)
    assert 0 < scores["most_frequent_caption"]["chrf"] < 80
    features = [example._replace(array=np.ones((1, 2), np.float32)) for example in train]
    assert list(evaluation.baselines(features, {"test": features})["test"]) == ["most_frequent_caption"]


def test_predictions_and_pictures_are_written(tmp_path: Path) -> None:
    examples = [scene_image("circle", "ring"), plain_image("$x$ <b> 猫 \\frac", shade=9)]
    pieces = ["a", "small", "red", "circle", "</s>"]
    said = "a small red circle"
    hypotheses = [Caption(said, [(said, -0.5)], pieces, [[0.25] * 4] * 5), Caption("", [("", -1.0)], ["</s>"], [])]
    CaptioningEvaluation(pictures=5, attention_maps=2).write(tmp_path, hypotheses, examples)
    first, second = [json.loads(line) for line in (tmp_path / "predictions.jsonl").read_text().splitlines()]
    assert first["facts"]["right"] == ["circle color red", "circle count one", "circle scale small"]
    assert len(first["facts"]["missing"]) == 4 and not first["facts"]["wrong"] and first["combination"] == "seen"
    assert first["scored"] == {"facts_right": [3, 7], "facts_right_seen": [3, 7]}
    assert second["references"] == ["$x$ <b> 猫 \\frac"] and "facts" not in second
    pictures = {path.name: Image.open(path).size for path in tmp_path.glob("*.png")}
    assert set(pictures) == {"captions.png", "attention_1.png"} and min(map(min, pictures.values())) > 100


def test_comparisons_count_the_facts_and_the_references_of_predictions() -> None:
    row = {"prediction": "x", "references": ["a", "b"], "scored": {"facts_right_seen": [3, 7]}}
    assert row_correctness(row, "facts_right_seen") == (3, 7) and row_correctness(row, "facts_right_unseen") == (0, 0)
    assert references(row) == ["a", "b"] and references({"label": "x", "prediction": "x"}) == []


@pytest.mark.draws
def test_a_run_on_own_images_is_scored_drawn_and_asked_again(launch: Callable, tmp_path: Path, capsys) -> None:
    rows = ["image,caption"]
    for number in range(12):
        save_image(tmp_path / f"{number}.png", (40, 30), color=("red", "blue")[number % 2])
        rows += [f"{number}.png,a {way} {('red', 'blue')[number % 2]} picture" for way in ("plain", "fully")]
    (tmp_path / "train.csv").write_text("\n".join(rows))
    data = ["data=images", f"data.train={tmp_path}/train.csv", f"data.test={tmp_path}/train.csv"]
    small = ["codec.images.image_size=16", "model.decoder.hidden_size=8", "trainer.max_epochs=1", "baselines=true"]
    small += ["evaluation.pictures=2", "evaluation.attention_maps=1", "model.search.max_length_extra=6"]
    folder = launch("captioning", *data, *small)
    result = json.loads((folder / "result.json").read_text())
    assert result["status"] == "ok" and not result.get("warnings")
    scores = result["metrics"]["test"]
    assert scores["baselines"]["nearest_image"]["bleu_lowercase"] == pytest.approx(100) and "facts_right" not in scores
    assert {"predictions.jsonl", "captions.png", "attention_1.png"} <= {path.name for path in folder.iterdir()}
    assert "baseline: nearest image" in capsys.readouterr().out
    answers = load(folder, device="cpu", n_best=2).predict([str(tmp_path / "0.png"), "", f" {tmp_path}/1.png "])
    assert answers[1].prediction == "" and answers[0].input == str(tmp_path / "0.png") and len(answers[0].details) <= 2
    with pytest.raises(InputError, match=r"There is no image file .*gone\.png"):
        load(folder, device="cpu").predict([str(tmp_path / "gone.png")])


def test_a_run_on_features_asks_for_arrays(launch: Callable, tmp_path: Path) -> None:
    arrays = {f"{n}.png": np.full((4, 6), n, np.float32) for n in range(10)}
    (tmp_path / "t.csv").write_text("image,caption\n" + "".join(f"{name},number {name[0]}\n" for name in arrays))
    data = ["data=images", f"data.train={tmp_path}/t.csv", f"data.features={features_of(tmp_path, 'folder', arrays)}"]
    folder = launch("captioning", "images=features", *data, "model.decoder.hidden_size=8", "trainer.max_epochs=1")
    assert json.loads((folder / "result.json").read_text())["status"] == "ok"
    predictor = load(folder, device="cpu")
    assert len(predictor.predict([str(tmp_path / "features" / "3.npy"), ""])) == 2
    with pytest.raises(InputError, match="not an array of NumPy"):
        predictor.predict([str(tmp_path / "t.csv")])
