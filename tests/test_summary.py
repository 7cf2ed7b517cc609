"""The lines that a run ends with: its scores beside those of baselines, what is remarkable, its cost and its folder."""

from pathlib import Path
from typing import Any

import pytest
from rich.table import Table

from training.summary import GROUPS, count, duration, from_here, measured, percent, readable, remarks, score_table, show

TEST = {
    "accuracy": 0.75,
    "mae": 2.0,
    "signatures": {"accuracy": "none"},
    "baselines": {"majority": {"accuracy": 0.6}, "chance": {"accuracy": 0.45}, "mean": {"mae": 3.0}},
    "by_length": {"1-9": {"accuracy": 0.5, "count": 4}, "10-19": {"accuracy": 0.25, "count": 8}},
    "by_series": {"series 1": {"mase": 0.5, "count": 2}, "north": {"mase": 0.7, "count": 1}},
    "by_word": {},
}
VALIDATION = {
    "accuracy": 0.8,
    "mae": 12.3456,
    "baselines": {"chance": {"accuracy": 0.5}},
    "by_length": {"1-9": {"accuracy": 0.9, "count": 1200}},
}


def result(**changes: Any) -> dict[str, Any]:
    """The result of a run."""
    training = {"epochs": 1, "seconds": 119.4, "tokens_per_second": 12345.6, "peak_memory_mb": 1234.5}
    metrics = {"validation": VALIDATION, "test": TEST}
    chosen = {"metric": "accuracy", "epoch": 2, "score": 0.8}
    return {"metrics": metrics, "selection": chosen, "training": training, "parameters": 1234567, **changes}


def rows(table: Table) -> list[tuple[str, ...]]:
    return [tuple(map(str, row)) for row in zip(*(column.cells for column in table.columns), strict=True)]


def test_a_table_has_scores_of_all_splits_then_baselines_then_groups() -> None:
    table = score_table("gru", {"validation": VALIDATION, "test": TEST}, "accuracy")
    assert table.title == "gru" and [column.header for column in table.columns] == ["", "validation", "test"]
    assert [column.justify for column in table.columns] == ["left", "right", "right"]
    assert rows(table) == [
        ("accuracy", "80.00", "75.00"),
        ("MAE", "12.35", "2"),
        ("baseline: chance", "50.00", "45.00"),
        ("baseline: the most frequent class", "", "60.00"),
        ("accuracy, length 1-9", "90.00 (1,200)", "50.00 (4)"),
        ("accuracy, length 10-19", "", "25.00 (8)"),
        ("MASE, series 1", "", "50.00 (2)"),
        ("MASE, series north", "", "70.00 (1)"),
    ]
    assert [row.end_section for row in table.rows] == [False, True, False, True, False, True, False, False]
    assert [row.style for row in table.rows] == ["bold", *[None] * 7]


def test_a_table_without_baselines_has_scores_alone() -> None:
    table = score_table("gru", {"validation": {"accuracy": 0.5, "macro_f1": 1}}, "accuracy")
    assert rows(table) == [("accuracy", "50.00"), ("macro f1", "100.00")]
    assert not any(row.end_section for row in table.rows)


def test_the_baseline_with_the_greatest_error_comes_first() -> None:
    baselines = {"last_value": {"mase": 0.8}, "seasonal_last_value": {"mase": 1.2}}
    table = score_table("gru", {"validation": {"mase": 1.0}, "test": {"mase": 0.9, "baselines": baselines}}, "mase")
    assert [row[0] for row in rows(table)[1:]] == [
        "baseline: the value of the last season",
        "baseline: the last value",
    ]


def test_of_many_groups_those_with_most_examples_are_shown_in_their_order() -> None:
    groups = {f"{n}": {"accuracy": 0.5, "count": 100 - n if n % 2 else n} for n in range(20)}
    table = score_table("gru", {"test": {"accuracy": 0.5, "by_word_length": groups}}, "accuracy")
    assert [row[0] for row in rows(table)[1:]] == [f"accuracy, word length {n}" for n in range(1, 2 * GROUPS, 2)]
    assert len(rows(table)) == 9


def test_a_run_ends_with_scores_remarks_cost_and_folder(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("COLUMNS", "60")
    folder = tmp_path / "[red]" / ("long " * 30)  # neither markup nor wrapped
    show("sentiment: gru", result(metrics={"test": TEST | {"unseen_labels": {"[b]": 2}}}), folder)
    printed = capsys.readouterr().out
    assert printed.splitlines()[0].strip() == "sentiment: gru" and "75.00" in printed
    table, _, rest = printed.rpartition("┘\n")
    assert "accuracy" in table
    assert rest.splitlines() == [
        "Labels of the test split that do not occur in training: [b] (2 times).",
        "1 epoch in 119 s, 12,346 tokens/s, 1,234,567 parameters, ",
        "1,234 MB of memory at most",
        f"Files: {folder}",
    ]


def test_a_run_ends_without_colours_in_its_sentences(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("COLUMNS", "200")
    monkeypatch.setenv("FORCE_COLOR", "1")
    monkeypatch.setenv("TERM", "xterm-256color")
    monkeypatch.delenv("NO_COLOR", raising=False)
    show("gru", result(metrics={"test": TEST | {"unseen_labels": {"x": 2}}}), tmp_path)
    printed = capsys.readouterr().out
    assert "\x1b[1maccuracy" in printed and "\x1b[1mMAE" not in printed  # the metric that selects weights is bold
    assert not any("\x1b" in line for line in printed.splitlines()[-3:])


def test_a_folder_is_named_as_the_working_directory_sees_it(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    assert from_here(tmp_path / "runs" / "a") == Path("runs/a")
    assert from_here(tmp_path.parent) == tmp_path.parent


@pytest.mark.parametrize(
    ("metric", "score", "shown"),
    [
        ("accuracy", 0.12345, "12.35"),
        ("bleu", 23.456, "23.46"),
        ("mae", 0.0123456, "0.01235"),
        ("rmse", 12345.6, "1.235e+04"),
        ("accuracy", None, ""),
    ],
)
def test_a_score_is_in_percent_or_in_the_units_of_the_data(metric: str, score: float | None, shown: str) -> None:
    assert percent(metric, score) == shown


@pytest.mark.parametrize(
    ("name", "shown"), [("bleu_lowercase", "BLEU, lower-cased"), ("macro_f1", "macro f1"), ("rmse", "RMSE")]
)
def test_scores_are_named_as_people_write_them(name: str, shown: str) -> None:
    assert readable(name) == shown


def test_a_score_in_a_sentence_has_a_unit() -> None:
    assert measured("accuracy", 0.756) == "75.6 %"
    assert (measured("bleu", 23.44), measured("mae", 1.26)) == ("23.4 BLEU", "1.3 MAE")


def test_baselines_that_beat_the_model_are_named_the_best_first() -> None:
    scores = {"accuracy": 0.5, "baselines": {name: {"accuracy": 0.6} for name in ("majority", "chance")}}
    scores["baselines"]["nbsvm"] = {"accuracy": 0.7}
    assert list(remarks(result(metrics={"validation": {"accuracy": 0}, "test": scores}))) == [
        "The model scores 50.0 % on test, below NB-SVM on bigrams (70.0 %), the most frequent class (60.0 %) and "
        "chance (60.0 %)."
    ]
    for names, listed in (
        (["chance"], "chance (60.0 %)"),
        (["nbsvm", "chance"], "NB-SVM on bigrams (70.0 %) and chance (60.0 %)"),
    ):
        some = {"accuracy": 0.5, "baselines": {name: scores["baselines"][name] for name in names}}
        (sentence,) = remarks(result(metrics={"test": some}))
        assert sentence == f"The model scores 50.0 % on test, below {listed}."
    scores["baselines"] = {"chance": {"accuracy": 0.5}}
    assert list(remarks(result(metrics={"test": scores}))) == []


def test_a_baseline_with_a_smaller_error_is_named() -> None:
    scores = {"mae": 2.0, "baselines": {"last_value": {"mae": 1.5}, "mean": {"mae": 3.0}}}
    selection = {"metric": "mae", "epoch": 1}
    (sentence,) = remarks(result(metrics={"test": scores}, selection=selection))
    assert sentence == "The model scores 2.0 MAE on test, a greater error than the last value (1.5 MAE)."


@pytest.mark.parametrize(("labels", "named"), [(5, "0, 1, 2, 3, 4"), (6, "0, 1, 2, 3, 4, ...")])
def test_labels_that_training_never_showed_are_named(labels: int, named: str) -> None:
    unseen = {str(number): 1000 for number in range(labels)}
    (sentence,) = remarks(result(metrics={"test": {"accuracy": 0.5, "unseen_labels": unseen}}))
    assert sentence == (f"Labels of the test split that do not occur in training: {named} ({labels},000 times).")


@pytest.mark.parametrize(
    ("decided", "words"),
    [
        ("validation_loss", "the validation loss"),
        ("chrf", "chrF2++"),
        ("bleu", None),
        (None, None),
    ],
)
def test_a_run_says_what_selected_its_weights_in_place_of_the_metric(decided: str | None, words: str | None) -> None:
    selection = {"metric": "chrf", "epoch": 3, "requested_metric": "bleu", "decided_by": decided}
    found = list(remarks(result(metrics={"test": {"chrf": 5.0}}, selection=selection)))
    sentence = f"Validation BLEU was the same in all epochs, so {words} selected the weights of epoch 3."
    assert found == ([] if words is None else [sentence])
    del selection["requested_metric"]
    assert list(remarks(result(metrics={"test": {"chrf": 5.0}}, selection=selection))) == []


@pytest.mark.parametrize(("number", "shown"), [(1, "1 epoch"), (0, "0 epochs"), (2000, "2,000 epochs")])
def test_a_number_goes_with_its_noun(number: int, shown: str) -> None:
    assert count(number, "epoch") == shown


@pytest.mark.parametrize(
    ("seconds", "shown"),
    [
        (0.6, "1 s"),
        (119.4, "119 s"),
        (120, "2 min"),
        (7199, "120 min"),
        (7200, "2.0 h"),
        (9000, "2.5 h"),
        (3.6e6, "1000.0 h"),
    ],
)
def test_a_duration_is_as_a_person_reads_it(seconds: float, shown: str) -> None:
    assert duration(seconds) == shown
