"""Figures: any label is drawn as it is, or told apart from all others."""

import logging
from pathlib import Path

import matplotlib
import pytest
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.layout_engine import ConstrainedLayoutEngine

from training import fonts, plots
from training.fonts import LONGEST, characters, drawable, families_for, installed, readable
from training.plots import (
    attention_map,
    confusion_matrix,
    gradients_by_distance,
    learning_curve,
    save,
    score_by_group,
)

MISSING = "\U000e0100\U0010fffd"  # in no font


@pytest.fixture
def figures(monkeypatch: pytest.MonkeyPatch) -> list[Figure]:
    """The figures that are saved."""
    saved: list[Figure] = []
    monkeypatch.setattr(plots, "MOST_CLASSES", 8)  # large figures take long
    monkeypatch.setattr(plots, "MOST_PIECES", 6)
    save = plots.save
    monkeypatch.setattr(plots, "save", lambda figure, path: (saved.append(figure), save(figure, path)))
    return saved


LABELS = {
    "dollars": ["$$", "$5^$", "$10_000$", "$", "\\frac{", "a_b^c"],
    "booleans": [True, False],
    "whole numbers": [0, 1, 2, 10],
    "one class": ["pos"],
    "empty": ["", " ", "a"],
    "line breaks": ["a\nb", "a\tb", "a\0b", "a b"],
    "long": ["x" * 400, "x" * 399 + "y", "x" * 200 + "z" + "x" * 199],
    "cjk": ["好评", "差评", "긍정", "부정", "良い"],
    "others": ["إيجابي", "अच्छा", "😀", MISSING, MISSING * 2, "[4]"],
    "many": [f"class {number}" for number in range(20)],
}


@pytest.mark.parametrize("labels", LABELS.values(), ids=LABELS)
@pytest.mark.filterwarnings("error")
def test_every_label_is_drawn_as_text_and_no_two_look_alike(
    labels: list, figures: list[Figure], tmp_path: Path
) -> None:
    confusion_matrix(labels[::-1], labels, tmp_path / "confusion_matrix.png")
    axes, colorbar = figures[0].axes
    shown = [tick.get_text() for tick in axes.get_yticklabels()]
    assert len(set(shown)) == len(shown) == min(len(labels), plots.MOST_CLASSES)
    assert [tick.get_text() for tick in axes.get_xticklabels()] == shown
    assert not any(tick.get_parse_math() for tick in [*axes.get_xticklabels(), *axes.get_yticklabels()])
    assert max(map(len, shown)) <= LONGEST + 6 and all(text.strip() for text in shown)
    covered = {character for family in axes.get_xticklabels()[0].get_fontfamily() for character in characters(family)}
    assert {character for text in shown for character in text} <= covered | {" "}
    assert f"confusion matrix: {len(labels)} predictions" in axes.get_title() and colorbar.get_ylabel()
    assert (axes.get_xlabel(), axes.get_ylabel()) == ("predicted", "reference")


def test_labels_that_no_font_has_are_numbered_with_a_legend(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    names = ["good", MISSING, MISSING * 2]
    with caplog.at_level(logging.WARNING):
        confusion_matrix(names, names, tmp_path / "confusion_matrix.png")
    assert (tmp_path / "confusion_matrix.txt").read_text() == f"[2]\t{MISSING}\n[3]\t{MISSING * 2}\n"
    assert f"[2] = {MISSING}" in caplog.text and "no installed font has" in caplog.text
    confusion_matrix(["good"], ["bad"], tmp_path / "plain.png")
    assert not (tmp_path / "plain.txt").exists()


def test_a_font_that_has_the_characters_is_used(monkeypatch: pytest.MonkeyPatch) -> None:
    fonts_there = {"DejaVu Sans": "abc", "Noto Sans CJK": "a好评", "Half": "好"}
    monkeypatch.setattr(fonts, "installed", lambda: tuple(fonts_there))
    monkeypatch.setattr(fonts, "characters", lambda family: frozenset(fonts_there[family]))
    assert families_for({"a"}) == ["DejaVu Sans"]
    assert families_for({"a", "好", "评"}) == ["DejaVu Sans", "Noto Sans CJK"]
    assert families_for({"?"}) == ["DejaVu Sans"]
    assert drawable(["a", "好评", "?"]).texts == ["a", "好评", "[3]"]


def test_no_font_of_boxes_is_taken() -> None:
    assert "DejaVu Sans" in installed() and not any("Last" in family for family in installed())
    assert "é" in characters("DejaVu Sans") and characters("no such font") == frozenset()


def test_long_labels_keep_both_ends() -> None:
    labels = drawable(["a" * 100 + "end", "a" * 50 + "b" * 100, "short"])
    assert labels.texts[0].startswith("aaa") and labels.texts[0].endswith("aend") and "…" in labels.texts[0]
    assert labels.texts[2] == "short" and len(labels.legend) == 2


def test_counts_are_written_into_the_cells_and_shares_colour_them(figures: list[Figure], tmp_path: Path) -> None:
    confusion_matrix(["a"] * 4 + ["b"], ["a", "a", "a", "b", "b"], tmp_path / "c.png")
    axes = figures[0].axes[0]
    cells = {text.get_position(): (text.get_text(), text.get_color()) for text in axes.texts}
    assert cells == {(0, 0): ("3", "white"), (0, 1): ("1", "black"), (1, 1): ("1", "black")}
    assert axes.images[0].get_array().tolist() == [[1, 0], [0.5, 0.5]]


def test_of_many_classes_the_most_frequent_are_drawn(figures: list[Figure], tmp_path: Path) -> None:
    names = [f"{number:03}" for number in range(80)]
    confusion_matrix(names, [names[-1]] * 80, tmp_path / "c.png")
    assert figures[0].axes[0].get_yticklabels()[-1].get_text() == "079"
    assert "8 most frequent of 80 classes" in figures[0].axes[0].get_title()


def test_pieces_of_a_map_of_attention_may_repeat_and_be_anything(figures: list[Figure], tmp_path: Path) -> None:
    source, target = ["$a^$", "女", "女", "</s>"], ["▁x", MISSING]
    attention_map([[0.1, 0.2, 0.3, 0.4], [0, 0, 0, 1]], source, target, tmp_path / "a.png")
    axes, colorbar = figures[0].axes
    shown = [tick.get_text() for tick in axes.get_xticklabels()]
    assert (shown[0], shown[3]) == ("$a^$", "</s>") and shown[1] == shown[2] and len(set(shown)) == 3
    assert axes.get_title() == "attention: 4 source pieces, 2 generated" and colorbar.get_ylabel() == "attention weight"
    assert axes.images[0].get_array().tolist() == [[0.1, 0.2, 0.3, 0.4], [0, 0, 0, 1]]


def test_a_long_map_of_attention_is_cut(figures: list[Figure], tmp_path: Path) -> None:
    attention_map([[0.5] * 30] * 20, ["a"] * 30, ["b"] * 20, tmp_path / "a.png")
    assert figures[0].axes[0].images[0].get_array().shape == (plots.MOST_PIECES, plots.MOST_PIECES)


def test_the_learning_curve_marks_the_epoch_kept(figures: list[Figure], tmp_path: Path) -> None:
    rows = [{"epoch": n, "train_loss": 1 / n, "validation": {"bleu": n % 3}} for n in (1, 2, 3)]
    learning_curve(rows, "bleu", 2, tmp_path / "l.png")
    loss, score = figures[0].axes
    assert loss.lines[0].get_ydata().tolist() == [1, 1 / 2, 1 / 3]
    assert score.lines[0].get_ydata().tolist() == [1, 2, 0]
    assert (list(score.lines[1].get_xdata()), list(score.lines[1].get_ydata())) == ([2], [2])
    learning_curve([], "bleu", 0, tmp_path / "none.png")
    assert (tmp_path / "none.png").stat().st_size > 0


def test_a_readable_text_keeps_its_lines_and_its_length() -> None:
    text = "there are two big green triangles\n(two large green triangles to the right)"
    assert readable(text)[0] == text
    assert readable("a \ue000\nb")[0] == "a ?\nb"


@pytest.fixture
def drawn(monkeypatch: pytest.MonkeyPatch) -> list[tuple[Figure, Path]]:
    """Figures and their paths, in place of files."""
    found: list[tuple[Figure, Path]] = []
    monkeypatch.setattr(plots, "save", lambda figure, path: found.append((figure, path)))
    return found


PICTURE = Path("picture.png")


def texts(ticks: list) -> list[str]:
    return [tick.get_text() for tick in ticks]


def grid_lines(axes: Axes) -> set[float]:
    """How opaque the lines of the grid are that are seen."""
    return {line.get_alpha() for line in [*axes.get_xgridlines(), *axes.get_ygridlines()] if line.get_visible()}


def leaves_room(figure: Figure) -> bool:
    """Whether labels have the room that they need."""
    return isinstance(figure.get_layout_engine(), ConstrainedLayoutEngine)


def test_a_picture_is_a_sharp_png_without_margins(tmp_path: Path) -> None:
    figure = Figure(figsize=(4, 2))
    figure.text(0.5, 0.5, "x" * 20, ha="center", va="center")
    save(figure, tmp_path / "a.png")
    height, width = matplotlib.image.imread(tmp_path / "a.png").shape[:2]
    assert height < 0.5 * 150 and 1.4 * 150 < width < 3 * 150 and [p.name for p in tmp_path.iterdir()] == ["a.png"]


def test_a_learning_curve_has_the_loss_and_the_scores_that_there_are(drawn: list) -> None:
    rows = [{"epoch": n, "train_loss": 1 / n, "validation": {"a_b$": n / 10} if n != 2 else {}} for n in (1, 2, 3)]
    learning_curve(rows, "a_b$", 3, PICTURE)
    ((figure, path),) = drawn
    loss, score = figure.axes
    assert path == PICTURE and figure.get_size_inches().tolist() == [7, 3.2]
    assert loss.get_title() == "training loss" and score.get_title() == "validation a_b$ (circle: weights kept)"
    assert not score.title.get_parse_math() and loss.get_xlabel() == score.get_xlabel() == "epoch"
    assert loss.lines[0].get_xdata().tolist() == [1, 2, 3] and score.lines[0].get_xdata().tolist() == [1, 3]
    assert score.lines[0].get_ydata().tolist() == [0.1, 0.3]
    curve, circle = score.lines
    assert (list(circle.get_xdata()), list(circle.get_ydata())) == ([3], [0.3])
    assert circle.get_fillstyle() == "none" and circle.get_markersize() > curve.get_markersize()
    assert {line.get_marker() for line in (*loss.lines, *score.lines)} == {"o"}
    assert [line.get_color() for line in (*loss.lines, *score.lines)] == ["tab:gray", "tab:blue", "tab:red"]
    assert loss.get_position().x0 < score.get_position().x0 and leaves_room(figure)
    for axes in figure.axes:
        assert grid_lines(axes) == {0.3}
        axes.set_xlim(1, 2)
        assert all(place == round(place) for place in axes.xaxis.get_major_locator()())


@pytest.mark.parametrize("chance", [True, False])
def test_scores_of_groups_stand_above_their_numbers(drawn: list, chance: bool) -> None:
    groups = {"1-9": {"recall": 0.25, "count": 1200, "chance": 0.1}, "10+": {"recall": 0.75, "count": 3}}
    if chance:
        groups["10+"]["chance"] = 0.2
    score_by_group(groups, "recall", "length", PICTURE)
    ((figure, path),) = drawn
    (axes,) = figure.axes
    assert path == PICTURE and figure.get_size_inches().tolist() == [7, 3.2]
    assert axes.lines[0].get_ydata().tolist() == [0.25, 0.75] and axes.lines[0].get_marker() == "o"
    assert list(axes.lines[0].get_xdata()) == ["1-9", "10+"] and leaves_room(figure)
    assert texts(axes.get_xticklabels()) == ["1-9\n(1,200)", "10+\n(3)"] and axes.get_xticks().tolist() == [0, 1]
    assert (axes.get_xlabel(), axes.get_ylabel()) == ("length (predictions)", "recall")
    assert axes.get_ylim() == (-0.03, 1.03) and grid_lines(axes) == {0.3}
    assert axes.get_xticklabels()[0].get_fontsize() == 8
    assert texts(axes.get_legend().get_texts()) == ["recall", *(["chance"] if chance else [])]
    if chance:
        dotted = axes.lines[1]
        assert dotted.get_ydata().tolist() == [0.1, 0.2] and list(dotted.get_xdata()) == ["1-9", "10+"]
        assert dotted.get_linestyle() == ":" and dotted.get_color() == "tab:gray"


def test_gradients_are_drawn_by_distance_before_and_after(drawn: list) -> None:
    rows = [
        {"moment": moment, "cell": cell, "distance": distance, "state": {"median": median, "low": 0.0, "high": 2.0}}
        for moment, cells in (("start", "ab"), ("end", "a"))
        for cell in cells
        for distance, median in ((2, 1.0), (3, 0.0))
    ]
    gradients_by_distance(rows, PICTURE)
    ((figure, path),) = drawn
    before, after = figure.axes
    assert path == PICTURE and figure.get_size_inches().tolist() == [9, 3.4]
    assert [axes.get_title() for axes in figure.axes] == ["at the start of the training", "at the end of the training"]
    assert [texts(axes.get_legend().get_texts()) for axes in figure.axes] == [["a", "b"], ["a"]]
    assert {text.get_fontsize() for text in before.get_legend().get_texts()} == {8}
    assert leaves_room(figure) and before.get_shared_y_axes().joined(before, after)
    assert (before.get_ylabel(), after.get_ylabel()) == ("norm of dLoss/dstate", "")
    for axes in figure.axes:
        assert axes.get_yscale() == "log" and axes.get_xlabel() == "distance from the loss, in tokens"
        assert grid_lines(axes) == {0.3} and len(axes.lines) == len(axes.collections)
        for line, band in zip(axes.lines, axes.collections, strict=True):
            assert line.get_xdata().tolist() == [2, 3] and line.get_ydata().tolist() == [1.0, 1e-45]
            assert {tuple(point) for point in band.get_paths()[0].vertices} == {
                (x, y) for x in (2, 3) for y in (1e-45, 2)
            }
            assert band.get_alpha() == 0.2 and matplotlib.colors.same_color(
                band.get_facecolor()[0][:3], line.get_color()
            )


@pytest.mark.parametrize(
    ("names", "rotation"), [(["a", "b", "c", "d"], 0), (list("abcde"), 90), (["12345678"], 0), (["123456789"], 90)]
)
def test_many_or_long_labels_are_turned(drawn: list, names: list[str], rotation: int) -> None:
    confusion_matrix(names, names, PICTURE)
    figure, _ = drawn[0]
    axes = figure.axes[0]
    assert {tick.get_rotation() for tick in axes.get_xticklabels()} == {rotation}
    assert {tick.get_rotation() for tick in axes.get_yticklabels()} == {0}
    assert {tick.get_fontsize() for tick in (*axes.get_xticklabels(), *axes.get_yticklabels())} == {8}
    size = max(3.5, 0.5 * len(names) + 2)
    assert leaves_room(figure)
    assert figure.get_size_inches().tolist() == pytest.approx([size + 0.8, size])


def test_a_confusion_matrix_has_fractions_of_the_references(drawn: list, tmp_path: Path) -> None:
    references = ["b"] * 1000 + ["a"] * 4
    predicted = ["b"] * 600 + ["a"] * 400 + ["b", "b", "a", "c"]
    confusion_matrix(predicted, references, tmp_path / "c.png")
    ((figure, path),) = drawn
    axes, colorbar = figure.axes
    assert path == tmp_path / "c.png" and axes.get_title() == "confusion matrix: 1,004 predictions"
    assert axes.images[0].get_array().tolist() == [[0.25, 0.5, 0.25], [0.4, 0.6, 0.0], [0.0, 0.0, 0.0]]
    assert axes.images[0].get_clim() == (0, 1) and axes.images[0].get_cmap().name == "Blues"
    assert colorbar.get_ylabel() == "fraction of the reference class"
    cells = {text.get_position(): (text.get_text(), text.get_color()) for text in axes.texts}
    assert cells == {
        (0, 0): ("1", "black"),
        (1, 0): ("2", "black"),
        (2, 0): ("1", "black"),
        (0, 1): ("400", "black"),
        (1, 1): ("600", "white"),
    }
    assert {(text.get_ha(), text.get_va(), text.get_fontsize()) for text in axes.texts} == {("center", "center", 7)}


def test_without_predictions_a_matrix_is_empty(drawn: list) -> None:
    confusion_matrix([], [], PICTURE)
    attention_map([], [], [], PICTURE)
    assert [figure.axes[0].images[0].get_array().tolist() for figure, _ in drawn] == [[[0.0]], [[0.0]]]
    assert [figure.axes[0].get_title() for figure, _ in drawn] == [
        "confusion matrix: 0 predictions",
        "attention: 0 source pieces, 0 generated",
    ]


def test_colours_mean_the_same_in_every_picture(drawn: list) -> None:
    confusion_matrix(["a"], ["a"], PICTURE)
    attention_map([[0.5, 0.25]], ["a", "b"], ["c"], PICTURE)
    images = [figure.axes[0].images[0] for figure, _ in drawn]
    assert [image.get_array().tolist() for image in images] == [[[1.0]], [[0.5, 0.25]]]
    assert [image.get_clim() for image in images] == [(0, 1), (0, 1)]


def test_classes_that_are_only_predicted_are_the_least_frequent(drawn: list, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(plots, "MOST_CLASSES", 3)
    confusion_matrix(["z"] * 9 + ["a", "a", "b"], ["c"] * 9 + ["e", "d", "d"], PICTURE)
    axes = drawn[0][0].axes[0]
    assert texts(axes.get_yticklabels()) == ["c", "d", "e"]
    assert axes.get_title() == "confusion matrix: 12 predictions (3 most frequent of 6 classes)"
    confusion_matrix(["z", "a", "y"], ["c", "c", "c"], PICTURE)
    assert texts(drawn[1][0].axes[0].get_yticklabels()) == ["a", "c", "y"]


def test_a_map_of_attention_grows_with_its_pieces(drawn: list) -> None:
    attention_map([[0.25, 0.75, 1.0], [1.0, 0.0, 1.0], [1.0, 1.0, 1.0]], ["a", "b"], ["x", "y"], PICTURE)
    ((figure, path),) = drawn
    axes, colorbar = figure.axes
    assert path == PICTURE and figure.get_size_inches().tolist() == pytest.approx([0.32 * 2 + 2.5, 0.3 * 2 + 1.8])
    assert axes.images[0].get_array().tolist() == [[0.25, 0.75], [1.0, 0.0]]
    assert axes.images[0].get_clim() == (0, 1) and axes.images[0].get_cmap().name == "Greys"
    assert leaves_room(figure) and axes.get_aspect() == "auto" and colorbar.get_ylabel() == "attention weight"
    assert (texts(axes.get_xticklabels()), texts(axes.get_yticklabels())) == (["a", "b"], ["x", "y"])
    assert (axes.get_xlabel(), axes.get_ylabel()) == ("source", "translation")
    assert axes.get_xticklabels()[0].get_rotation() == 90 and axes.get_yticklabels()[0].get_rotation() == 0
