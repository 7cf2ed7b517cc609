"""Comparison of runs: grouping, naming, tests of pairs, headlines, and all output formats."""

import csv
import json
import re
import shutil
import subprocess
from collections import Counter
from collections.abc import Callable
from html.parser import HTMLParser
from pathlib import Path
from shutil import which
from typing import Any
from urllib.parse import unquote

import numpy as np
import pytest
import yaml
from matplotlib.figure import Figure

from analysis.compare import main
from analysis.comparison import Pair, SentenceTests, compare, headline, join_names
from analysis.groups import ComparableGroups, group_runs
from analysis.record import RESULTS
from analysis.records import Record, find_records
from analysis.report import differences
from analysis.report_figures import front

CELLS = {"lstm": "LSTMCell", "gru": "GRUCell", "rnn": "RNNCell"}
SENTENCES = 200


def write_run(
    root: Path, cell: str, seed: int, share: float, pooling: str = "Max", data: str = "a", **changes: Any
) -> Path:
    """A run folder whose first ``share`` of sentences, in an order of the seed's, are correct."""
    folder = root / f"{cell}-{pooling}-{data}-{seed}"
    folder.mkdir(parents=True)
    target = {"cell": {"_target_": f"models.cells.{cell}.{CELLS[cell]}"}}
    model = {"encoder": target, "pooling": {"_target_": f"models.pooling.{pooling}Pooling"}}
    config = {"task": "sentiment", "seed": seed, "data": {"path": None, "name": data}, "model": model}
    (folder / "config.yaml").write_text(yaml.safe_dump(config))
    right = np.zeros(SENTENCES, dtype=bool)
    right[np.random.default_rng(seed).permutation(SENTENCES)[: round(share * SENTENCES)]] = True
    rows = [{"text": f"text {i}", "label": "good", "prediction": "good" if r else "bad"} for i, r in enumerate(right)]
    (folder / "predictions.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    epochs = [{"epoch": e, "train_loss": 1 / e, "validation": {"accuracy": share - 0.1 / e}} for e in (1, 2, 3)]
    (folder / "history.jsonl").write_text("".join(json.dumps(row) + "\n" for row in epochs))
    scores = {
        "accuracy": float(right.mean()),
        "per_class": {"good": {"precision": 1.0, "recall": share, "f1": share, "count": SENTENCES}},
        "by_length": {"0-4": {"accuracy": share, "count": 120}, "5-9": {"accuracy": share - 0.1, "count": 80}},
    }
    content = {
        "schema": 1,
        "status": "ok",
        "task": "sentiment",
        "experiment": None,
        "cell": cell,
        "config_id": f"{cell}{pooling}",
        "seed": seed,
        "data": {
            "name": data,
            "sha256": {"train": data * 64, "test": "t" * 64},
            "sizes": {"train": 1000, "test": SENTENCES},
        },
        "parameters": 1000,
        "environment": {"python": "3.11", "torch": "2", "cpu": "one", "threads": 1, "commit": "c" * 40, "dirty": False},
        "metrics": {"validation": {"accuracy": share}, "test": scores},
        "selection": {"metric": "accuracy", "epoch": 3, "score": share},
        "training": {
            "epochs": 3, "seconds": 10.0, "tokens": 1000, "tokens_per_second": {"rnn": 300.0}.get(cell, 100.0),
            "kernel": "ATen", "precision": "fp32",
        },
        "ended": f"2026-01-01T00:00:{seed:02d}+00:00",
    }  # fmt: skip
    (folder / "result.json").write_text(json.dumps(content | changes))
    return folder


@pytest.fixture
def sweep(tmp_path: Path) -> Path:
    return write_sweep(tmp_path / "sweep")


def write_sweep(root: Path) -> Path:
    """Three cells, three seeds, and one more of which the lstm failed and the rnn is missing."""
    for cell, share in (("lstm", 0.9), ("gru", 0.8), ("rnn", 0.6)):
        for seed in (1, 2, 3):
            write_run(root, cell, seed, share + 0.01 * seed * (1 if cell == "lstm" else 2))
    write_run(root, "gru", 4, 0.84)
    write_run(root, "lstm", 4, 0.5, status="diverged", reason="The loss is NaN.", metrics={})
    return root


def only(root: Path, **options: Any) -> ComparableGroups:
    (section,) = group_runs(find_records([root]).records, **options)
    return section


def pairs_of(section: ComparableGroups) -> list[Pair]:
    return compare(section, SentenceTests(section))


def test_seeds_of_a_config_are_one_group(sweep: Path) -> None:
    section = only(sweep)
    assert [group.name for group in section.scored] == ["lstm", "gru", "rnn"]
    assert [group.rank for group in section.scored] == [1, 2, 3]
    lstm, gru, rnn = section.scored
    assert lstm.scores == pytest.approx({1: 91, 2: 92, 3: 93}) and lstm.mean == pytest.approx(92)
    assert lstm.deviation == pytest.approx(1) and lstm.interval == pytest.approx((89.515862, 94.484138))
    assert [(r.seed, r.status) for r in lstm.failed] == [(4, "diverged")] and lstm.missing == []
    assert gru.missing == [] and rnn.missing == [4]


def test_data_are_never_mixed(tmp_path: Path) -> None:
    for data in ("a", "b"):
        write_run(tmp_path, "lstm", 1, 0.8, data=data)
    other = write_run(tmp_path, "lstm", 1, 0.7, data="c")
    content = json.loads((other / "result.json").read_text())
    content["data"]["sha256"]["test"] = "u" * 64
    (other / "result.json").write_text(json.dumps(content))
    found = group_runs(find_records([tmp_path]).records)
    assert [[group.name for group in section.groups] for section in found] == [["a", "b"], ["lstm"]]
    assert all(len(group.scores) == 1 for section in found for group in section.groups)


def test_groups_that_differ_in_their_files_are_named_by_them(tmp_path: Path) -> None:
    for data, place in {"a": "files/small.csv", "b": "files/large.csv", "c": "old/large.csv"}.items():
        folder = write_run(tmp_path, "lstm", 1, 0.8, data=data)
        config = yaml.safe_load((folder / "config.yaml").read_text())
        content = json.loads((folder / "result.json").read_text())
        config["data"] |= {"name": "csv", "train": f"../films/{place}"}
        content["data"]["name"] = "csv"
        (folder / "config.yaml").write_text(yaml.safe_dump(config))
        (folder / "result.json").write_text(json.dumps(content))
    assert {g.name for g in only(tmp_path).groups} == {
        "train files/small.csv", "train files/large.csv", "train old/large.csv",
    }  # fmt: skip
    for path in tmp_path.glob("*-c-*"):
        shutil.rmtree(path)
    assert {g.name for g in only(tmp_path).groups} == {"train small.csv", "train large.csv"}
    shutil.copytree(next(tmp_path.glob("*-a-*")), tmp_path / "before")  # the same file, before it was corrected
    content = json.loads((tmp_path / "before" / "result.json").read_text())
    content["data"]["sha256"]["train"] = "f" * 64
    (tmp_path / "before" / "result.json").write_text(json.dumps(content))
    names = {g.name for g in only(tmp_path).groups}
    assert names == {"train large.csv", "train small.csv on data aaaaaaaa", "train small.csv on data ffffffff"}


def test_scores_on_several_files_have_titles_of_their_own(tmp_path: Path) -> None:
    for number, name in enumerate(("easy.csv", "hard.csv")):
        folder = write_run(tmp_path, "lstm", number, 0.8)
        config = yaml.safe_load((folder / "config.yaml").read_text())
        content = json.loads((folder / "result.json").read_text())
        config["data"]["test"], content["data"]["sha256"]["test"] = f"/data/{name}", str(number) * 64
        (folder / "config.yaml").write_text(yaml.safe_dump(config))
        (folder / "result.json").write_text(json.dumps(content))
    titles = {groups.title for groups in group_runs(find_records([tmp_path]).records)}
    assert titles == {f"sentiment on a ({name}): test accuracy" for name in ("easy.csv", "hard.csv")}


def test_axes_name_the_groups_and_never_merge_them(tmp_path: Path) -> None:
    for cell in ("lstm", "gru"):
        for pooling in ("Max", "MaxMean"):
            write_run(tmp_path, cell, 1, 0.8, pooling=pooling)
    names = {group.name for group in only(tmp_path).groups}
    assert names == {f"{cell}, pooling {pooling}" for cell in ("lstm", "gru") for pooling in ("max", "max_mean")}
    by_pooling = [group.name for group in only(tmp_path, by=["pooling"]).groups]
    assert len(set(by_pooling)) == 4 and all(name.startswith("pooling max") for name in by_pooling)
    with pytest.raises(ValueError, match=r"--by depth: no config has such a key\. The configs differ in: cell"):
        only(tmp_path, by=["depth"])


def test_pairs_are_tested_over_seeds_and_on_sentences(sweep: Path) -> None:
    pairs = {(pair.better.name, pair.worse.name): pair for pair in pairs_of(only(sweep))}
    assert pairs.keys() == {("lstm", "gru"), ("lstm", "rnn"), ("gru", "rnn")}
    pair = pairs["lstm", "rnn"]
    assert pair.significant and pair.seeds.mean == pytest.approx(28) and pair.sentences is not None
    assert pair.sentences.mean == pytest.approx(28) and pair.sentences.corrected < 1e-4
    assert pair.sentence.startswith(
        "lstm is significantly better than rnn by 28.00 points, 95 % interval 25.52 to 30.48, p < 0.001, 3 seeds;"
    )


def test_work_grows_with_the_runs_and_no_faster(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for number in range(24):
        for seed in (1, 2):
            write_run(tmp_path, "gru", seed, 0.5 + number / 100, pooling=f"P{number}")
    read: Counter[Path] = Counter()
    predictions = Record.predictions
    monkeypatch.setattr(Record, "predictions", lambda self: read.update([self.path]) or predictions(self))
    section = only(tmp_path)
    pairs = pairs_of(section)
    assert len(section.scored) == 24 and len(pairs) == 23
    assert {pair.better.name for pair in pairs} == {section.scored[0].name}
    assert len(read) == 48 and set(read.values()) == {1}


def test_the_later_of_two_runs_of_a_seed_counts(sweep: Path) -> None:
    write_run(sweep / "again", "rnn", 1, 0.5, ended="2027")
    section = only(sweep)
    assert section.scored[-1].scores[1] == pytest.approx(50)
    assert "Seed 1 of config rnnMax was run more than once" in section.notes[0]


def test_predictions_of_other_sentences_are_not_paired(sweep: Path) -> None:
    for path in sweep.glob("rnn*/predictions.jsonl"):
        path.write_text("".join(path.read_text().splitlines(keepends=True)[:-1]))
    assert [pair.sentences is None for pair in pairs_of(only(sweep))] == [False, True, True]


def tagged(right: int) -> str:
    rows = [
        {"words": ["a", "b"], "tags": ["X", "Y"], "predictions": ["X", "Y" if i < right else "X"]} for i in range(9)
    ]
    return "".join(json.dumps(row) + "\n" for row in rows)


def test_tags_are_counted_by_word(tmp_path: Path) -> None:
    for cell, right in (("lstm", 8), ("gru", 2)):
        folder = write_run(tmp_path, cell, 1, 0.8, data="a")
        content = json.loads((folder / "result.json").read_text())
        content["data"]["sizes"]["test"] = 9
        (folder / "result.json").write_text(json.dumps(content))
        (folder / "predictions.jsonl").write_text(tagged(right))
    (pair,) = pairs_of(only(tmp_path))
    assert pair.sentences is not None and abs(pair.sentences.mean) == pytest.approx(100 * 6 / 18)


def write_translation(root: Path, cell: str, seed: int, bleu: float, words: str) -> None:
    folder = write_run(root, cell, seed, 0.5)
    content = json.loads((folder / "result.json").read_text())
    content |= {"task": "translation", "metrics": {"validation": {"bleu": bleu}, "test": {"bleu": bleu}}}
    content["selection"]["metric"], content["data"]["sizes"]["test"] = "bleu", 30
    (folder / "result.json").write_text(json.dumps(content))
    rows = [
        {"source": "ein Satz", "reference": f"this is the sentence {i} .", "prediction": f"{words} sentence {i} ."}
        for i in range(30)
    ]
    (folder / "predictions.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))


def test_translations_are_tested_by_sacrebleu(tmp_path: Path) -> None:
    for seed in (1, 2):
        write_translation(tmp_path, "lstm", seed, 60.0 + seed, "this is the")
        write_translation(tmp_path, "gru", seed, 20.0 + 3 * seed, "that was one")
    section = only(tmp_path)
    assert section.scored[0].mean == pytest.approx(61.5)
    (pair,) = pairs_of(section)
    assert pair.better.name == "lstm" and pair.sentences is not None
    assert pair.sentences.mean > 40 and pair.sentences.p is not None and pair.sentences.p < 0.01


def test_the_command_writes_all_forms(
    sweep: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("COLUMNS", "250")
    forms = {form: tmp_path / f"out.{form}" for form in ("csv", "json", "markdown")}
    main([str(sweep), *(word for form, path in forms.items() for word in (f"--{form}", str(path)))])
    shown = capsys.readouterr().out
    for text in (
        "sentiment on a: test accuracy",
        "lstm is significantly better than rnn by 28.00 points",
        "3 (seed 4 diverged)",
        "3 (seed 4 missing)",
    ):
        assert text in shown.replace("\n", " ")
    rows = list(csv.DictReader(forms["csv"].read_text().splitlines()))
    assert [row["name"] for row in rows] == ["lstm", "gru", "rnn"] and float(rows[0]["mean"]) == pytest.approx(92)
    content = json.loads(forms["json"].read_text())["sections"][0]
    assert content["groups"][0]["scores"].keys() == {"1", "2", "3"} and len(content["pairs"]) == 3
    assert [pair["over_seeds"]["test"] for pair in content["pairs"]] == [
        "Welch's t test",
        "paired t test",
        "Welch's t test",
    ]
    markdown = forms["markdown"].read_text()
    assert "| 1 | lstm | 92.00 | 1.00 |" in markdown and "The loss is NaN." in markdown


@pytest.mark.parametrize(
    ("names", "text"),
    [(["a"], "a"), (["a", "b"], "a and b"), (["a", "b", "c"], "a, b and c"), (list("abcdefg"), "7 others")],
)
def test_names_are_joined(names: list[str], text: str) -> None:
    assert join_names(names) == text
    assert join_names(list("abcdef")) == "a, b, c, d, e and f"


def headline_of(root: Path) -> str:
    groups = only(root)
    return headline(groups, pairs_of(groups))


def with_classes(counts: tuple[int, int], **test: Any) -> dict[str, Any]:
    """Test scores of a binary task with some examples of each class."""
    entry = {"precision": 0.5, "recall": 0.5, "f1": 0.5}
    classes = {name: entry | {"count": count} for name, count in zip("ab", counts, strict=True)}
    return {"validation": {"accuracy": 0.5}, "test": {"accuracy": 0.5, "per_class": classes} | test}


def test_a_group_at_chance_makes_no_claim(tmp_path: Path) -> None:
    for cell, score in (("rnn", 0.544), ("lstm", 0.53), ("gru", 0.52)):
        for seed in (1, 2, 3):
            write_run(tmp_path, cell, seed, score, metrics=with_classes((100, 100), accuracy=score + seed / 1000))
    text = headline_of(tmp_path)
    assert text.startswith("rnn scores 54.60 ")
    assert text.endswith("no clear gain over the baseline of 50.00, the most frequent class: no claim is made.")
    assert "fastest" not in text and "better" not in text


@pytest.mark.parametrize(
    ("scores", "name", "level"),
    [
        ({"baselines": {"majority": {"accuracy": 0.6}, "unigram": {"accuracy": 0.7}}}, "unigram", 70),
        ({"baselines": {}, "chance": 0.5}, "the most frequent class", 75),
        ({"per_class": {}, "chance": 0.5}, "chance", 50),
    ],
)
def test_the_best_baseline_stands_beside_the_score(
    tmp_path: Path, scores: dict[str, Any], name: str, level: float
) -> None:
    for cell, score in (("lstm", 0.9), ("gru", 0.8)):
        for seed in (1, 2):
            metrics = with_classes((50, 150), accuracy=score + seed / 1000, **scores)
            write_run(tmp_path, cell, seed, score, metrics=metrics)
    assert f"over 2 seeds (baseline {level:.2f}, {name}): significantly better than gru" in headline_of(tmp_path)


def test_one_seed_makes_no_claim(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    write_run(tmp_path, "lstm", 1, 0.9)
    write_run(tmp_path, "gru", 1, 0.6)
    assert headline_of(tmp_path) == "lstm scores 90.00 over 1 seed: too few seeds to compare."
    main([str(tmp_path)])
    shown = capsys.readouterr().out.replace("\n", " ")
    assert "lstm and gru differ by 30.00 points with 1 seed: too few seeds to compare" in shown
    assert "better" not in shown
    for seed in (1, 2, 3):
        write_run(tmp_path / "rnn", "rnn", seed, 0.5 + seed / 100)
    assert headline_of(tmp_path).startswith("rnn scores 52.00")
    assert "too few seeds to compare with lstm and gru" in headline_of(tmp_path)
    assert {group.name: group.rank for group in only(tmp_path).scored} == {"lstm": 0, "gru": 0, "rnn": 1}


@pytest.mark.parametrize(
    "values, names",
    [
        ((True, False), ["bidirectional", "not bidirectional"]),
        ((None, 3), ["no bidirectional", "bidirectional 3"]),
        (("a", "b"), ["bidirectional a", "bidirectional b"]),
    ],
)
def test_switches_are_named_in_words(tmp_path: Path, values: tuple[Any, Any], names: list[str]) -> None:
    for number, value in enumerate(values):
        folder = write_run(tmp_path, "lstm", number, 0.9, config_id=f"id{number}")
        config = yaml.safe_load((folder / "config.yaml").read_text())
        config["model"]["encoder"]["bidirectional"] = value
        (folder / "config.yaml").write_text(yaml.safe_dump(config))
    assert sorted(group.name for group in only(tmp_path).groups) == sorted(names)


def test_a_difference_is_listed_once(tmp_path: Path) -> None:
    for cell in ("lstm", "gru"):
        folder = write_run(tmp_path, cell, 1, 0.9)
        config = yaml.safe_load((folder / "config.yaml").read_text())
        config |= {"cell": config["model"]["encoder"]["cell"], "lr": len(cell)}  # as in the configs of runs
        (folder / "config.yaml").write_text(yaml.safe_dump(config))
    assert dict(differences(only(tmp_path))[1]) == {"model.encoder.cell._target_": ["gru", "lstm"], "lr": ["3", "4"]}


def test_groups_of_one_seed_are_drawn_and_not_compared_by_cost(tmp_path: Path) -> None:
    write_run(tmp_path, "rnn", 1, 0.9)
    for seed in (1, 2):
        write_run(tmp_path, "gru", seed, 0.8)
        write_run(tmp_path, "lstm", seed, 0.6)
    axes = Figure().subplots()
    front(axes, only(tmp_path), "tokens_per_second", sign=-1)
    joined, *markers = [line for line in axes.lines if line.get_linestyle() == "--" or line.get_marker() != "None"]
    assert list(joined.get_ydata()) == [80]
    fillings = {line.get_label(): line.get_fillstyle() for line in markers}
    assert fillings == {"rnn": "none", "gru": "full", "lstm": "none"}


def test_sentences_decide_where_seeds_are_few_and_the_headline_reports_so(tmp_path: Path) -> None:
    for cell, shares in (("lstm", (0.9, 0.8)), ("gru", (0.7, 0.74))):
        for seed, share in enumerate(shares, start=1):
            write_run(tmp_path, cell, seed, share)
    (pair,) = pairs_of(only(tmp_path))
    assert not pair.significant and pair.significant_on_sentences
    assert "significantly better on the test sentences, but not over seeds, than gru" in headline_of(tmp_path)


@pytest.mark.parametrize(
    ("speed", "text"), [(105.0, None), (150.0, "gru trains 1.5 times as fast"), (50.0, "also the fastest")]
)
def test_speed_is_reported_where_it_differs(tmp_path: Path, speed: float, text: str | None) -> None:
    for cell, score, tokens in (("lstm", 0.9, 100.0), ("gru", 0.8, speed)):
        for seed in (1, 2):
            training = {"seconds": 1.0, "tokens_per_second": tokens, "kernel": cell, "precision": "fp32"}
            write_run(tmp_path, cell, seed, score + seed / 100, training=training)
    found = headline_of(tmp_path)
    assert (text in found) if text else ("fast" not in found)
    assert ("(gru against lstm kernels), and scores 10.00 points less" in found) is (speed == 150)
    assert only(tmp_path).notes == ["Speeds are compared across kernels (gru: gru; lstm: lstm)."]


def test_the_cost_of_speed_is_a_higher_error_where_lower_is_better(tmp_path: Path) -> None:
    for cell, score, tokens in (("lstm", 0.3, 100.0), ("gru", 0.4, 150.0)):
        for seed in (1, 2):
            training = {"seconds": 1.0, "tokens_per_second": tokens, "kernel": "k", "precision": "fp32"}
            metrics = {"validation": {"mase": score}, "test": {"mase": score + seed / 100}}
            selection = {"metric": "mase", "epoch": 3, "score": score}
            write_run(tmp_path, cell, seed, score, training=training, metrics=metrics, selection=selection)
    assert "gru trains 1.5 times as fast, and its error is 10.00 points higher." in headline_of(tmp_path)


def test_a_fast_group_at_its_baseline_is_no_alternative(tmp_path: Path) -> None:
    for cell, score, tokens in (("lstm", 0.9, 100.0), ("gru", 0.51, 900.0)):
        for seed in (1, 2):
            metrics = with_classes((100, 100), accuracy=score + seed / 1000)
            training = {"seconds": 1.0, "tokens_per_second": tokens, "kernel": "one", "precision": "fp32"}
            write_run(tmp_path, cell, seed, score, metrics=metrics, training=training)
    assert "times as fast" not in headline_of(tmp_path)


def named(root: Path, name: str) -> Path:
    """Runs of two cells on a data set of some name."""
    for cell in ("lstm", "gru"):
        write_run(root, cell, 1, 0.8, data="a")
    for path in root.rglob("result.json"):
        content = json.loads(path.read_text())
        content["data"]["name"] = name
        path.write_text(json.dumps(content))
    return root


@pytest.mark.parametrize("start", ["=", "+", "-", "@"])
def test_text_of_runs_is_never_a_formula_or_markup(tmp_path: Path, start: str) -> None:
    evil = f"{start}cmd|' /C calc'!A0 <script>"
    forms = {form: tmp_path / f"out.{form}" for form in ("csv", "markdown")}
    main(
        [
            str(named(tmp_path / "runs", evil)),
            *(word for form, path in forms.items() for word in (f"--{form}", str(path))),
        ]
    )
    rows = list(csv.DictReader(forms["csv"].read_text().splitlines()))
    assert {row["data"] for row in rows} == {f"'{evil}"} and float(rows[0]["mean"]) == pytest.approx(80)
    assert "<script" not in forms["markdown"].read_text() and "&lt;script>" in forms["markdown"].read_text()


def test_text_of_runs_is_no_markup_of_the_page(tmp_path: Path) -> None:
    evil = "=cmd|' /C calc'!A0 <script>"
    main([str(named(tmp_path / "runs", evil)), "--html", str(tmp_path / "page.html")])
    page = (tmp_path / "page.html").read_text()
    assert evil not in page and "calc" in page


def test_recorded_results_are_named_by_experiment() -> None:
    found = group_runs(find_records([RESULTS]).records)
    names = [group.name for groups in found for group in groups.groups]
    assert len(names) > 20 and not [name for name in names if "[" in name]
    assert {"lstm, imdb", "lstm, imdb_random"} <= set(names)


class Elements(HTMLParser):
    """Every element of a page, and whether all that were opened are closed."""

    VOID = ("meta", "br", "link", "img")

    def __init__(self, text: str) -> None:
        super().__init__()
        self.found: list[tuple[str, dict[str, str | None]]] = []
        self.open: list[str] = []
        self.feed(text)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.found.append((tag, dict(attrs)))
        if tag not in self.VOID:
            self.open.append(tag)

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.found.append((tag, dict(attrs)))

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag


@pytest.fixture(scope="module")
def page(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A page of several sections, with names that would be markup."""
    folder = tmp_path_factory.mktemp("page")
    sweep = write_sweep(folder / "sweep")
    for seed in (1, 2):
        write_translation(sweep / "translations", "lstm", seed, 60.0 + seed, "this is <b>the</b>")
        write_translation(sweep / "translations", "gru", seed, 20.0 + 3 * seed, "that was one")
    main([str(sweep), "--html", str(folder / "page.html")])
    return folder / "page.html"


def test_the_page_is_whole_and_needs_nothing_beside_itself(page: Path) -> None:
    text = page.read_text()
    elements = Elements(text)
    assert elements.open == [] and "://" not in text and "@import" not in text
    links = [value for _, attributes in elements.found for key in ("href", "src") if (value := attributes.get(key))]
    inside = {link for link in links if link.startswith("#")}
    folders = [unquote(link) for link in links if link not in inside]
    assert "a: 1,000 training, 200 test examples" in text
    assert inside and len(set(folders)) == 15 and all((page.parent / folder).is_dir() for folder in folders)
    ids = [value for _, attributes in elements.found if (value := attributes.get("id"))]
    assert len(ids) == len(set(ids)) and {link[1:] for link in inside} <= set(ids)
    headings = (
        "Score against cost",
        "Learning curves",
        "By length",
        "By class",
        "Sentences on which lstm scores higher than gru",
        "Environment",
    )
    for shown in ("lstm scores 92.00", "&lt;b&gt;the", "model.encoder.cell._target_", "seed 4 diverged", *headings):
        assert shown in text
    assert "<b>the</b>" not in text
    (dirty,) = re.findall(r">changes that are in no commit</th><td[^>]*>(\w+)", text.replace("\n", ""))[:1]
    assert dirty == "no"
    svgs = [attributes for tag, attributes in elements.found if tag == "svg"]
    assert len(svgs) == 14 and all(" 92.00, seeds from" in str(a["aria-label"]) for a in svgs[:2])
    assert all(str(a["aria-label"]).count(" ") > 4 for a in svgs)


@pytest.mark.skipif(not (CHROMIUM := which("chromium") or which("chromium-browser")), reason="needs Chromium")
def test_the_page_renders_and_sorts_without_script_errors(page: Path, tmp_path: Path) -> None:
    click = "document.querySelectorAll('.ranking th button')[2].click();" * 2
    clicked = tmp_path / "clicked.html"
    clicked.write_text(page.read_text().replace("</body>", f"<script>{click}</script></body>"))
    options = ["--headless", "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run", "--disable-sync"]
    options += ["--disable-background-networking", "--disable-component-update", f"--user-data-dir={tmp_path / 'user'}"]
    done = subprocess.run(
        [str(CHROMIUM), *options, "--enable-logging=stderr", "--dump-dom", clicked.as_uri()],
        capture_output=True, text=True, timeout=120,
    )  # fmt: skip
    assert "CONSOLE" not in done.stderr and "Uncaught" not in done.stderr
    body = done.stdout.partition("<tbody>")[2].partition("</tbody>")[0]
    places = [body.index(f'data-value="{cell}"') for cell in ("rnn", "gru", "lstm")]
    assert places == sorted(places)


def test_unreadable_files_are_skipped_and_counted(sweep: Path, capsys: pytest.CaptureFixture[str]) -> None:
    bad: dict[str, Callable[[dict[str, Any]], str]] = {
        "truncated": lambda content: json.dumps(content)[:100],
        "foreign": lambda content: '{"loss": 1}',
        "list": lambda content: "[]",
        "schema": lambda content: json.dumps(content | {"schema": 2}),
        "nan": lambda content: json.dumps(content | {"metrics": {"test": {"accuracy": float("nan")}}}),
    }
    for name, spoil in bad.items():
        folder = write_run(sweep / name, "rnn", 9, 0.9)
        (folder / "result.json").write_text(spoil(json.loads((folder / "result.json").read_text())))
    (write_run(sweep / "unfinished", "rnn", 9, 0.9) / "result.json").unlink()
    main([str(sweep)])
    shown = capsys.readouterr().out
    for text in ("5 files were skipped:", "truncated, or not JSON", "has no schema", "schema 2; this version reads"):
        assert text in shown
    assert "test accuracy is NaN or infinite" in shown and "seed 9: unfinished. The run has no result." in shown


def test_an_empty_folder_is_an_error(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    for folder, text in ((tmp_path, "There is no run under"), (tmp_path / "gone", "There is no file or folder")):
        with pytest.raises(SystemExit) as ended:
            main([str(folder)])
        assert ended.value.code == 2 and text in capsys.readouterr().err


def test_failed_runs_alone_are_shown(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    folder = write_run(tmp_path, "lstm", 1, 0.5, status="failed", reason="No such file.")
    content = json.loads((folder / "result.json").read_text())
    early = {key: content[key] for key in ("schema", "status", "reason", "task", "cell", "config_id", "seed")}
    (folder / "result.json").write_text(json.dumps(early))
    main([str(tmp_path)])
    shown = capsys.readouterr().out
    assert "No run has a score." in shown and "seed 1: failed. No such file." in shown


def test_a_run_that_failed_before_it_had_a_config_is_named_by_its_options(tmp_path: Path) -> None:
    model = {"optimizer": {"_target_": "torch.optim.AdamW"}, "trainer": {"patience": 5}}
    for number, rate in enumerate((0.1, 0.01)):
        folder = write_run(tmp_path / str(number), "lstm", 1, 0.9 - rate, config_id=f"id{number}")
        config = {**model, "optimizer": {**model["optimizer"], "lr": rate}}
        (folder / "config.yaml").write_text(json.dumps(config))
    options = ["cell=lstm", "optimizer.lr=7", "seed=1", "experiment=sentiment/imdb"]
    failed = write_run(tmp_path, "lstm", 1, 0, config_id="id2", status="failed", metrics={}, overrides=options)
    (failed / "config.yaml").unlink()
    assert [group.name for group in only(tmp_path).ordered] == ["lr 0.01", "lr 0.1", "lr 7"]


def test_a_reader_that_ends_before_the_tables_do_costs_no_file(
    sweep: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("analysis.compare.show", lambda *arguments: exit(1))  # as Rich does where a pipe is closed
    with pytest.raises(SystemExit):
        main([str(sweep), "--markdown", str(tmp_path / "table.md")])
    assert (tmp_path / "table.md").read_text().startswith("#")
