"""The page of claims: verdicts follow from recorded numbers by rule, and what is not recorded is not measured."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from conftest import ROOT, SMALL
from hydra.core.global_hydra import GlobalHydra
from matplotlib.figure import Figure

from analysis import claims
from analysis.claim_list import CLAIMS, FAILS, HOLDS, UNLEARNED, Claim, Sweep
from data.sources.generated import GeneratedLanguage
from data.tagging import TaggedSentence
from data.translation import SentencePair
from training.commandline import check

NAMED = {claim.name: claim for claim in CLAIMS}


def job(test: dict | None = None, status: str = "ok", history: list | None = None, **values: Any) -> dict:
    found = {"values": {key.replace("__", "."): value for key, value in values.items()}, "status": status}
    return found | {"test": test or {}, "history": history or []}


def by_distance(*accuracies: float) -> dict:
    names = ("5-9", "10-19", "20-39", "40-79", "80-159", "160-319", "320-639", "640-1279")
    entries = {name: {"accuracy": a, "chance": 0.125, "count": 50} for name, a in zip(names, accuracies, strict=False)}
    return {"accuracy": 0.5, "by_distance": {"0-4": {"accuracy": 0.0, "chance": 0.125, "count": 3}, **entries}}


def order(kept: float, lost: float) -> list[dict]:
    return [job({"accuracy": kept}, data__shuffled=False), job({"accuracy": lost}, data__shuffled=True)]


def cost(parallel: float) -> list[dict]:
    cells = {"rnn": 900, "lstm": 1000, "gru": 800, "mgu": 9999, "min_gru": parallel, "lru": 10}
    short = [{**job(cell=cell, data__length=32), "training": {"tokens_per_second": 5}} for cell in cells]
    return short + [
        {**job(cell=cell, data__length=512), "training": {"tokens_per_second": found}} for cell, found in cells.items()
    ]


def gradients(start: dict[str, float], end: dict[str, float]) -> list[dict]:
    return [
        job(cell=cell)
        | {
            "gradients": [
                {"moment": moment, "distance": distance, "state": 2.0 * (1 if distance == 0 else shares[cell])}
                for moment, shares in {"start": start, "end": end}.items()
                for distance in (0, 50)
            ]
        }
        for cell in start
    ]


def clipping(clipped: list[float], free: list[float]) -> list[dict]:
    runs = [(1, loss) for loss in clipped] + [(None, loss) for loss in free]
    return [
        job(
            status="ok" if loss < 100 else "diverged",
            history=[{"epoch": 1, "train_loss": loss}],
            trainer__clip_grad_norm=n,
        )
        for n, loss in runs
    ]


def recall(**cells: tuple[float, ...]) -> list[dict]:
    return [job(by_distance(*accuracies), cell=cell) for cell, accuracies in cells.items()]


def states(**cells: tuple[float, float]) -> list[dict]:
    return [
        job(by_distance(1.0, accuracy), cell=cell, data=data)
        for cell, accuracies in cells.items()
        for data, accuracy in zip(("parity", "permutations5"), accuracies, strict=True)
    ]


def attention(vector: float, weights: float, bleu: float = 60.0) -> list[dict]:
    """BLEU of the longest sources without and with attention, where the shortest have 80."""
    few = {"8-10": {"bleu": 1.0, "count": 2}, "80+": {"bleu": 1.0, "count": 2}}
    short = {"0-7": {"bleu": 80.0, "count": 99}, **few}
    kept = [{**short, "40+": {"bleu": long, "count": 99}} for long in (vector, weights)]
    return [job({"by_length": kept[0]}, decoder="cho"), job({"by_length": kept[1], "bleu": bleu}, decoder="luong")]


LOW, EVEN = {"rnn": 1e-6, "lstm": 1e-3, "gru": 1e-2}, {"rnn": 0.1, "lstm": 0.1, "gru": 0.1}
JUDGED = [
    ("order", [order(0.95, 0.7)], HOLDS),
    ("order", [order(0.95, 0.92)], FAILS),
    ("cost", [cost(2000)], HOLDS),
    ("cost", [cost(1999)], FAILS),
    ("vanishing", [gradients(LOW, EVEN)], HOLDS),
    ("vanishing", [gradients(EVEN, LOW)], FAILS),
    ("gates", [gradients(LOW, LOW)], HOLDS),
    ("gates", [gradients(LOW, EVEN)], "holds before training only"),
    ("gates", [gradients(EVEN, LOW)], "holds after training only"),
    ("gates", [gradients(EVEN, EVEN)], FAILS),
    ("clipping", [clipping([0.1, 0.2], [0.3, 1000.0])], HOLDS),
    ("clipping", [clipping([0.1, 0.4], [0.3, 1000.0])], FAILS),
    ("forgetting", [recall(rnn=(1.0, 0.95, 0.5))], HOLDS),
    ("forgetting", [recall(rnn=(1.0, 0.95, 0.9))], FAILS),
    ("memory", [recall(lstm=(1.0, 1.0), gru=(1.0, 0.9))], HOLDS),
    ("memory", [recall(lstm=(1.0, 1.0), gru=(1.0, 0.8))], "holds up to 10-19 and 5-9"),
    ("memory", [recall(lstm=(0.2, 1.0), gru=(1.0, 0.8))], FAILS),
    ("very_long", [recall(lstm=(1.0, 0.3), rnn=(1.0, 0.1))], HOLDS),
    ("very_long", [recall(lstm=(1.0, 0.93), rnn=(1.0, 0.1))], FAILS),
    ("states", [states(lstm=(1.0, 0.95), rnn=(0.5, 0.5), min_gru=(0.5, 0.1), lru=(0.5, 0.1))], HOLDS),
    ("states", [states(lstm=(1.0, 0.2), min_gru=(0.5, 0.1), lru=(0.5, 0.1))], "holds for parity"),
    ("states", [states(lstm=(1.0, 1.0), min_gru=(0.95, 0.95), lru=(0.5, 0.1))], FAILS),
    ("lengths", [[job({"bleu": 70.0})], [job() | {"bleu": 40.0}]], HOLDS),
    ("lengths", [[job({"bleu": 45.0})], [job() | {"bleu": 40.0}]], FAILS),
    ("attention", [attention(40.0, 60.0)], HOLDS),
    ("attention", [attention(50.0, 60.0)], FAILS),
    ("attention", [attention(40.0, 60.0, bleu=2.0)], UNLEARNED),
]


def records(claim: Claim, jobs: list[list[dict]]) -> dict:
    facts = {"seconds": 60.0, "cpu": ["a processor"], "torch": ["2"], "commits": ["abc"]}
    pairs = zip(claim.sweeps, jobs, strict=True)
    return {sweep.name: {"command": claims.shown(sweep), "jobs": found, **facts} for sweep, found in pairs}


@pytest.mark.parametrize(("name", "jobs", "verdict"), JUDGED, ids=lambda value: value if isinstance(value, str) else "")
def test_verdicts_follow_from_the_numbers(name: str, jobs: list[list[dict]], verdict: str) -> None:
    number, found = claims.judged(NAMED[name], records(NAMED[name], jobs))
    assert found == verdict and any(character.isdigit() for character in number)


@pytest.mark.parametrize(
    ("name", "jobs"),
    [(name, jobs) for name, jobs, verdict in JUDGED if verdict == HOLDS],
    ids=lambda value: value if isinstance(value, str) else "",
)
def test_every_claim_is_drawn(name: str, jobs: list[list[dict]], tmp_path: Path) -> None:
    assert claims.draw(NAMED[name], records(NAMED[name], jobs), tmp_path / "picture.png")
    assert (tmp_path / "picture.png").stat().st_size > 3000


@pytest.mark.parametrize("decoder", ["cho", "luong"])
def test_attention_without_one_of_its_decoders_is_not_measured(decoder: str) -> None:
    jobs = [entry for entry in attention(40.0, 60.0) if entry["values"]["decoder"] != decoder]
    number, verdict = claims.judged(NAMED["attention"], records(NAMED["attention"], [jobs]))
    assert (number, verdict) == (f"missing: decoder={decoder}", claims.NOT_MEASURED)


def test_every_claim_is_judged_both_ways() -> None:
    for name in NAMED:
        assert {HOLDS, FAILS} <= {verdict for other, _, verdict in JUDGED if other == name}


def test_what_is_not_recorded_is_not_measured(tmp_path: Path) -> None:
    claims.main(["--page", "--docs", str(tmp_path)])
    page = (tmp_path / "claims.md").read_text()
    assert page.count("**not measured** |") == len(CLAIMS) and not list(tmp_path.glob("claims/*.png"))
    claim, jobs = NAMED["order"], order(0.9, 0.5)
    changed = records(claim, [jobs])
    changed["order"]["command"] += " another=option"
    assert claims.judged(claim, changed) == ("", claims.NOT_MEASURED)
    assert claims.judged(claim, records(claim, [jobs[:1]]))[1] == claims.NOT_MEASURED
    failed = [{**jobs[0], "status": "diverged"}, jobs[1]]
    assert claims.judged(claim, records(claim, [failed]))[1] == claims.NOT_MEASURED


def test_a_claim_that_is_not_there_is_named(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    with pytest.raises(SystemExit) as ended:
        claims.main(["gravity", "--docs", str(tmp_path)])
    assert ended.value.code == 2 and "There is no claim gravity: the claims are order, cost" in capsys.readouterr().err


@pytest.mark.parametrize("sweep", {sweep.name: sweep for claim in CLAIMS for sweep in claim.sweeps}.values(), ids=str)
def test_every_sweep_is_one_that_the_command_line_takes(composed: Callable, sweep: Sweep) -> None:
    check(sweep.task, list(sweep.overrides), sweep=True)
    first = [o if o.partition("=")[0].lstrip("+") not in sweep.axes else o.partition(",")[0] for o in sweep.overrides]
    cfg = composed(sweep.task, *first)
    assert cfg.threads == 1 and (sweep.name != "cost" or cfg.data.min_length == cfg.data.length == 32)


def test_jobs_are_recorded_by_their_config(launch: Callable, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    few = ["data.sizes={train: 60, validation: 12, test: 10}", "trainer.max_epochs=1", "recorder=states"]
    sweep = Sweep("tiny", "memory", (*SMALL, *few, "data=recall", "cell=rnn,lstm", "seed=1,2"))
    monkeypatch.setattr(claims, "RUNS", tmp_path)
    folder = claims.folder_of(sweep).name
    for cell, seed in (("rnn", 1), ("lstm", 2)):
        launch("memory", *few, "data=recall", f"cell={cell}", f"seed={seed}", folder=f"{folder}/{cell}")
    launch("memory", *few, "data=recall", "cell=rnn", "model.dropout=0.5", folder=f"{folder}/other")
    GlobalHydra.instance().clear()
    found = claims.record(sweep)
    assert found is not None and [entry["values"] for entry in found["jobs"]] == [
        {"cell": "rnn", "seed": 1},
        {"cell": "lstm", "seed": 2},
    ]
    for entry, cell in zip(found["jobs"], ("rnn", "lstm"), strict=True):
        result = json.loads((tmp_path / folder / cell / "result.json").read_text())
        assert entry["test"]["accuracy"] == pytest.approx(result["metrics"]["test"]["accuracy"], rel=1e-3)
        assert {row["moment"] for row in entry["gradients"]} == {"start", "end"} and entry["history"]


def language(example_type: type, **options: Any) -> list:
    sizes = {"train": 40, "validation": 0, "test": 0}
    reader = GeneratedLanguage(
        sizes=sizes, distance=12, label_noise=0.0, unknown=0.0, seed=1, pretokenized=True, **options
    )
    return reader.for_examples(example_type).read_split("train")


def test_the_language_shuffles_translates_words_and_joins() -> None:
    from data.classification import LabelledText

    plain, mixed = language(LabelledText), language(LabelledText, shuffled=True)
    assert [sorted(e.text.split()) for e in plain] == [sorted(e.text.split()) for e in mixed]
    assert sum(a.text != b.text for a, b in zip(plain, mixed, strict=True)) > 35
    pairs, tagged = language(SentencePair), language(TaggedSentence, translated=True)
    assert all(len(e.words) == len(e.tags) for e in tagged)
    assert all(e.tags[0] == p.target.split()[0].rstrip(",") for e, p in zip(tagged, pairs, strict=True))
    together = language(SentencePair, joined=4)
    assert " ".join(p.source for p in together) == " ".join(p.source for p in pairs)
    assert 8 < len(together) < 30 and together == language(SentencePair, joined=4)


@pytest.mark.skipif(not (ROOT / "docs" / "claims" / "results.json").is_file(), reason="nothing is recorded yet")
def test_the_page_is_that_of_the_recorded_results(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Figure, "savefig", lambda figure, path, **options: Path(path).touch())
    (tmp_path / "claims").mkdir()
    (tmp_path / "claims" / "results.json").write_bytes((ROOT / "docs" / "claims" / "results.json").read_bytes())
    claims.write_page(tmp_path)
    assert (tmp_path / "claims.md").read_text() == (ROOT / "docs" / "claims.md").read_text()
    drawn, kept = (sorted(p.name for p in (d / "claims").glob("*.png")) for d in (tmp_path, ROOT / "docs"))
    assert drawn == kept
