"""Figures: any label is drawn as it is, or told apart from all others."""

import logging
from pathlib import Path

import pytest
from matplotlib.figure import Figure

from training import fonts, plots
from training.fonts import LONGEST, characters, drawable, families_for, installed, readable
from training.plots import attention_map, confusion_matrix, learning_curve

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
