"""The service: answers, the page, limits, errors in one sentence, and an end after which nothing is lost."""

import asyncio
import base64
import http.client
import io
import json
import logging
import os
import re
import shutil
import signal
import socket
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from conftest import ROOT, SAVED, TEXT_TASKS
from PIL import Image
from processes import wait_for
from starlette.testclient import TestClient

from data.errors import InputError
from deployment import service, serving, stress
from deployment.batching import Batcher
from deployment.guard import SECURITY, Limits
from deployment.models import ServedModel, named
from deployment.service import application
from deployment.stress import answers, measure
from tasks.forecasting.predict import MOST_STEPS
from tasks.serve import load
from training.bundle import write_bundle
from training.occlusion import MOST_PARTS, parts
from training.predict import Predictor

SENTENCE = "The film isn't good, I think."
PAGE = ROOT / "deployment" / "page"
LIMITS = Limits()


@pytest.fixture(scope="module")
def predictors(saved: dict[str, Path]) -> dict[Path, Predictor]:
    return {saved[task]: load(str(saved[task]), "cpu") for task in TEXT_TASKS}


@pytest.fixture
def client(predictors: dict[Path, Predictor]) -> Iterator[TestClient]:
    with served(predictors) as found:
        yield found


def served(predictors: dict[Path, Predictor], limits: Limits = LIMITS, hosts: tuple[str, ...] = ()) -> TestClient:
    return TestClient(application(named(predictors), limits, hosts), raise_server_exceptions=False)


def explain(client: TestClient, text: str, task: str) -> dict[str, Any]:
    """The explained answer of the model of a task."""
    cards = client.get("/api/models").json()["models"]
    (name,) = [card["name"] for card in cards if card["task"] == task]
    response = client.post("/api/explain", json={"text": text, "models": [name]})
    assert response.status_code == 200, response.text
    (answer,) = response.json()["answers"]
    assert answer["model"] == name
    return answer


def test_every_model_answers_as_the_library_does(client: TestClient, predictors: dict) -> None:
    texts = [SENTENCE, "", "never dull"]
    answers = client.post("/api/predict", json={"texts": texts}).json()["answers"]
    assert len(answers) == len(TEXT_TASKS)
    for rows, predictor in zip(answers.values(), predictors.values(), strict=True):
        assert rows == [json.loads(answer.as_json()) for answer in predictor.predict(texts)]


@pytest.mark.parametrize("task", TEXT_TASKS)
@pytest.mark.parametrize("text", [SENTENCE, "", "\n", "жщю ъыь", "x" * 40], ids=lambda text: text[:8])
def test_an_explained_answer_is_the_answer(client: TestClient, task: str, text: str) -> None:
    found = explain(client, text, task)
    (answer,) = client.post("/api/predict", json={"texts": [text], "models": [found["model"]]}).json()["answers"][
        found["model"]
    ]
    assert {key: found[key] for key in answer} == answer


def test_labels_come_with_the_words_that_moved_them(client: TestClient, predictors: dict, saved: dict) -> None:
    found = explain(client, SENTENCE, "sentiment")
    details, label = found["details"], found["prediction"]
    assert found["view"] == "labels" and details["method"] == "occlusion"
    assert sum(details["probabilities"].values()) == pytest.approx(1, abs=1e-5)
    assert found["input"] == "The film is n't good , I think ."  # split as in the training data
    words = [found["input"][word["start"] : word["end"]] for word in details["words"]]
    assert words == found["input"].split()
    (without,) = predictors[saved["sentiment"]].predict(["The film is n't , I think ."])
    assert details["words"][4]["effect"] == pytest.approx(
        details["probabilities"][label] - without.details[label], abs=1e-5
    )


@pytest.mark.parametrize("number", [0, 1, MOST_PARTS, MOST_PARTS + 1, 5 * MOST_PARTS + 3])
def test_words_of_long_texts_are_left_out_together(number: int) -> None:
    spans = [(3 * place, 3 * place + 2) for place in range(number)]
    found = parts(spans)
    assert len(found) == number if number <= MOST_PARTS else len(found) <= MOST_PARTS
    assert number == 0 or (found[0][0], found[-1][1]) == (0, spans[-1][1])
    assert all(end < start for (_, end), (start, _) in pairwise(found))


def test_tags_come_with_their_words(client: TestClient) -> None:
    found = explain(client, SENTENCE, "tagging")
    assert found["view"] == "tags"
    assert [word["word"] for word in found["details"]["words"]] == [
        "The",
        "film",
        "is",
        "n't",
        "good",
        ",",
        "I",
        "think",
        ".",
    ]
    assert [[word["word"], word["tag"]] for word in found["details"]["words"]] == found["prediction"]


def test_translations_come_with_the_n_best_and_attention(client: TestClient) -> None:
    found = explain(client, SENTENCE, "translation")
    details = found["details"]
    assert found["view"] == "texts" and details["n_best"][0]["text"] == found["prediction"]
    scores = [one["score"] for one in details["n_best"]]
    assert len(scores) > 1 and scores == sorted(scores, reverse=True)
    assert len(details["weights"]) == len(details["rows"])
    for line in details["weights"]:
        assert len(line) == len(details["columns"]) and sum(line) == pytest.approx(1, abs=1e-4)


def test_answers_come_after_every_token(client: TestClient, predictors: dict, saved: dict) -> None:
    found = explain(client, "h s k", "memory")
    (answer,) = predictors[saved["memory"]].predict(["h s k"])
    steps = found["details"]["steps"]
    assert found["view"] == "steps" and [step["token"] for step in steps] == ["h", "s", "k"]
    assert [step["answer"] for step in steps] == answer.details
    assert all(0 < step["probability"] <= 1 for step in steps)


def test_forecasts_come_with_the_history(saved: dict[str, Path]) -> None:
    values = [*range(MOST_STEPS), None, 7]
    times = (np.datetime64("2001-01") + np.arange(len(values))).astype(str).tolist()
    with served({saved["forecasting"]: load(str(saved["forecasting"]), "cpu")}) as client:
        (card,) = client.get("/api/models").json()["models"]
        text = json.dumps({"times": times, "values": values})
        (found,) = client.post("/api/explain", json={"text": text}).json()["answers"]
        wrong = client.post("/api/explain", json={"text": "1, 2"})
    details = found["details"]
    assert '"values"' in card["hint"] and found["view"] == "forecast"
    assert details["forecast"] == found["prediction"] == details["quantiles"]["0.5"]
    assert details["history"]["values"] == [values[-MOST_STEPS:]]
    assert details["history"]["times"] == [f"{time}-01" for time in times[-MOST_STEPS:]]
    assert details["channels"] == ["value"] and len(details["times"]) == len(details["forecast"])
    assert wrong.status_code == 400 and "'times' must have" in wrong.json()["error"]


@pytest.mark.parametrize("path, body", [("explain", {"text": "dull"}), ("predict", {"texts": ["dull"]})])
def test_an_error_names_the_model_where_there_are_several(
    predictors: dict[Path, Predictor], saved: dict[str, Path], path: str, body: dict[str, Any]
) -> None:
    kinds = {saved["sentiment"]: predictors[saved["sentiment"]]}
    with served({**kinds, saved["forecasting"]: load(str(saved["forecasting"]), "cpu")}) as client:
        both = client.post(f"/api/{path}", json=body)
        one = client.post(f"/api/{path}", json={**body, "models": ["forecasting lstm"]})
    assert both.status_code == one.status_code == 400
    assert one.json()["error"].startswith("'dull' is not a number")
    assert both.json()["error"] == f"forecasting lstm: {one.json()['error']}"


def test_unknown_words_are_reported_with_the_answer(client: TestClient) -> None:
    assert "do not rely on the answer" in explain(client, "жщю ъыь юяэ", "sentiment")["warnings"][0]
    assert explain(client, "the film is good", "sentiment")["warnings"] == []


def test_models_have_names_in_words(predictors: dict[Path, Predictor], saved: dict[str, Path], tmp_path: Path) -> None:
    one = {saved["sentiment"]: predictors[saved["sentiment"]]}
    assert list(named(one)) == ["lstm"]
    assert list(named(predictors)) == [f"{task} lstm" for task in TEXT_TASKS]
    twice = {**one, tmp_path / "other" / "sentiment": predictors[saved["sentiment"]]}
    assert list(named(twice)) == [str(path) for path in twice]


def test_what_is_known_about_a_model_is_shown(predictors: dict[Path, Predictor], saved: dict, tmp_path: Path) -> None:
    result = {
        "metrics": {"test": {"accuracy": 0.5}},
        "selection": {"metric": "accuracy"},
        "data": {"name": "language"},
    }
    bleu = {**result, "metrics": {"validation": {"bleu": 25}}, "selection": {"metric": "bleu"}}
    known = {
        json.dumps(result): ["trained on language", "test accuracy 50.00 %"],
        json.dumps(bleu): ["trained on language", "validation bleu 25.00"],
    }
    for content, facts in {**known, "{}": [], "": []}.items():
        (tmp_path / "result.json").write_text(content)
        (model,) = named({tmp_path: predictors[saved["sentiment"]]}).values()
        assert model.facts[0].endswith(" parameters") and model.facts[1:] == facts


def test_what_is_known_about_a_bundle_is_shown(saved: dict[str, Path], tmp_path: Path) -> None:
    run = shutil.copytree(saved["sentiment"], tmp_path / "run")
    content = {"metrics": {"test": {"accuracy": 0.5}}, "selection": {"metric": "accuracy"}, "data": {"name": "reviews"}}
    (run / "result.json").write_text(json.dumps(content))
    write_bundle(run, tmp_path / "model.zip")
    model = ServedModel("lstm", load(str(tmp_path / "model.zip"), "cpu"), tmp_path / "model.zip")
    assert model.facts[1:] == ["trained on reviews", "test accuracy 50.00 %"]


@pytest.mark.parametrize(
    "path, body, status, message",
    [
        ("/api/predict", {"texts": ["x" * 3000, "y" * 3000]}, 400, "6,000 characters: send at most 5,000"),
        ("/api/explain", {"text": "x" * 5001}, 400, "5,001 characters"),
        ("/api/predict", {"texts": ["x"] * 101}, 400, "101 texts: send at most 100"),
        ("/api/predict", {"texts": []}, 422, "texts: "),
        ("/api/predict", {"texts": "word"}, 422, "texts: "),
        ("/api/predict", {"texts": [1]}, 422, "texts.0: "),
        ("/api/explain", {}, 400, "send a text"),
        ("/api/explain", {"file": "AAA"}, 422, "file: "),
        ("/api/explain", {"file": ""}, 400, "send a text"),
        ("/api/explain", {"file": "", "models": ["tagging lstm"]}, 400, "tagging lstm reads a text: send one."),
        ("/api/explain", {"text": "x", "models": ["SECRET"]}, 400, "There is no such model: the models are "),
        ("/api/explain", b"{SECRET", 422, "The body is not JSON."),
        ("/api/explain", b"\xff\xfe", 422, "."),
        ("/api/explain", b"x" * 100_001, 413, "more than 100,000 bytes"),
        ("/nowhere", {}, 404, "There is no such page."),
        ("/api/models", {}, 405, "another method"),
    ],
    ids=lambda value: str(value)[:30],
)
def test_mistakes_are_one_sentence_of_json(client: TestClient, path: str, body: Any, status: int, message: str) -> None:
    content = body if isinstance(body, bytes) else json.dumps(body).encode()
    response = client.post(path, content=content, headers={"content-type": "application/json"})
    error = response.json()["error"]
    assert response.status_code == status and message in error and "\n" not in error and error.endswith(".")
    assert "SECRET" not in response.text


def test_a_body_without_a_length_is_limited_as_well(client: TestClient) -> None:
    chunks = iter([b"x" * 60_000] * 3)
    response = client.post("/api/explain", content=chunks, headers={"content-type": "application/json"})
    assert response.status_code == 413 and next(chunks, None) is None


def test_half_a_surrogate_pair_is_read_as_a_replacement_character(client: TestClient) -> None:
    response = client.post("/api/explain", content=rb'{"text": "\ud800"}', headers={"content-type": "application/json"})
    assert {answer["input"] for answer in response.json()["answers"]} == {"\ufffd"}


class Slow(Predictor):
    """Answers when it is allowed to; of no task."""

    task = "slow"

    def __init__(self) -> None:
        import torch

        self.cfg, self.model, self.released = {"cell": None}, torch.nn.Linear(1, 1), threading.Event()
        self.asked: list[list[str]] = []

    def predict(self, inputs: Any) -> list[Any]:
        from training.predict import Answer

        self.asked.append(list(inputs))
        assert self.released.wait(30)
        if "bad" in self.asked[-1]:
            raise InputError("This is bad.")
        return [Answer(text, text.upper(), 1.0) for text in self.asked[-1]]

    def answer(self, example: Any, prediction: Any) -> Any: ...

    def write(self, answer: Any) -> Iterator[str]:
        yield ""


@pytest.fixture
def slow(monkeypatch: pytest.MonkeyPatch) -> Slow:
    monkeypatch.setattr("deployment.models.cell_name", lambda cfg: "slow")
    return Slow()


def test_a_task_without_a_view_of_its_own_is_shown_plainly(slow: Slow) -> None:
    slow.released.set()
    with served({Path("slow"): slow}) as client:
        (answer,) = client.post("/api/explain", json={"text": "a"}).json()["answers"]
    assert answer == {
        "model": "slow", "input": "a", "prediction": "A", "score": 1.0, "view": "plain", "details": {}, "warnings": []
    }  # fmt: skip


def test_a_model_that_reads_files_gets_one_that_is_gone_afterwards(
    slow: Slow, predictors: dict[Path, Predictor], saved: dict[str, Path]
) -> None:
    slow.released.set()
    slow.reads_files = True
    with served({saved["sentiment"]: predictors[saved["sentiment"]], Path("slow"): slow}) as client:
        cards = {card["task"]: card for card in client.get("/api/models").json()["models"]}
        assert cards["slow"]["reads_files"] and not cards["sentiment"]["reads_files"]
        content = base64.b64encode(b"SECRET").decode()
        (answer,) = client.post("/api/explain", json={"file": content}).json()["answers"]
        ((path,),) = slow.asked
        assert answer["model"] == cards["slow"]["name"] and answer["prediction"] == path.upper()
        assert answer["input"] == "" and not Path(path).exists()
        both = client.post("/api/explain", json={"text": "a", "file": content}).json()["answers"]
        assert len(both) == 2
        rows = client.post("/api/predict", json={"texts": ["/etc/passwd"]}).json()["answers"]
        assert list(rows) == [cards["sentiment"]["name"]]
        for path in ("predict", "explain"):
            body = {"texts": ["/etc/passwd"], "text": "/etc/passwd", "models": [cards["slow"]["name"]]}
            response = client.post(f"/api/{path}", json=body)
            assert response.status_code == 400 and "reads a file: send one." in response.json()["error"]


def test_an_image_is_described(saved: dict[str, Path]) -> None:
    image = io.BytesIO()
    Image.new("RGB", (20, 20), "red").save(image, "PNG")
    with served({saved["captioning"]: load(str(saved["captioning"]), "cpu")}) as client:
        content = base64.b64encode(image.getvalue()).decode()
        (answer,) = client.post("/api/explain", json={"file": content}).json()["answers"]
        damaged = client.post("/api/explain", json={"file": content[:40]})
    details = answer["details"]
    assert answer["view"] == "captions" and details["n_best"][0]["text"] == answer["prediction"]
    assert len(details["rows"]) == len(details["weights"])
    for line in details["weights"]:
        assert len(line) == details["grid"][0] * details["grid"][1] and sum(line) == pytest.approx(1, abs=1e-4)
    assert damaged.status_code == 400 and damaged.json()["error"].startswith("the file")


@pytest.mark.parametrize("task", SAVED)
def test_predictors_that_read_files_say_so(saved: dict[str, Path], task: str) -> None:
    """A client of a service must not be able to name a file of the server's."""
    predictor = load(str(saved[task]), "cpu")
    try:
        (answer,) = predictor.predict(["/no/such/file.png"])
    except InputError as error:
        assert predictor.reads_files or (task == "forecasting" and "is not a number" in str(error))
    else:
        assert not predictor.reads_files and answer.prediction is not None


def test_an_error_about_a_file_does_not_name_its_place(slow: Slow, monkeypatch: pytest.MonkeyPatch) -> None:
    slow.reads_files = True

    def fail(inputs: Any) -> Any:
        raise InputError(f"{inputs[0]}: this is no image.")

    monkeypatch.setattr(slow, "predict", fail)
    with served({Path("slow"): slow}) as client:
        response = client.post("/api/explain", json={"file": "AAAA"})
    assert response.status_code == 400 and response.json()["error"] == "the file: this is no image."


def test_a_request_that_takes_too_long_is_given_up(slow: Slow) -> None:
    with served({Path("slow"): slow}, Limits(seconds=0.05)) as client:
        response = client.post("/api/predict", json={"texts": ["a"]})
        assert response.status_code == 504 and "more than 0.05 seconds" in response.json()["error"]
        slow.released.set()
        assert client.get("/health").json() == {"status": "ok"}


def test_more_requests_than_allowed_are_refused(slow: Slow) -> None:
    with served({Path("slow"): slow}, Limits(requests=1)) as client, ThreadPoolExecutor(1) as pool:
        first = pool.submit(client.post, "/api/predict", json={"texts": ["a"]})
        wait_for(lambda: bool(slow.asked))
        refused = client.post("/api/predict", json={"texts": ["b"]})
        slow.released.set()
        assert refused.status_code == 503 and refused.headers["retry-after"] == "1"
        assert first.result().status_code == 200
        assert client.post("/api/predict", json={"texts": ["b"]}).status_code == 200


def test_waiting_requests_are_answered_together_and_harm_no_other(slow: Slow) -> None:
    with ThreadPoolExecutor(1) as executor:

        async def ask() -> list[Any]:
            batcher = Batcher(slow.predict, executor, most_inputs=4)
            requests = [asyncio.create_task(batcher(inputs)) for inputs in (["a"], ["b"], ["bad"], ["c", "d"], ["e"])]
            while not slow.asked:
                await asyncio.sleep(0.001)
            slow.released.set()
            return await asyncio.gather(*requests, return_exceptions=True)

        found = asyncio.run(ask())
    assert str(found.pop(2)) == "This is bad."
    assert [[answer.prediction for answer in answers] for answers in found] == [["A"], ["B"], ["C", "D"], ["E"]]
    assert slow.asked == [["a", "b", "bad"], ["a"], ["b"], ["bad"], ["c", "d", "e"]]


def test_requests_that_were_given_up_are_not_computed(slow: Slow) -> None:
    with ThreadPoolExecutor(1) as executor:

        async def ask() -> None:
            batcher = Batcher(slow.predict, executor, most_inputs=1)
            requests = [asyncio.create_task(batcher([text])) for text in "abc"]
            while not slow.asked:
                await asyncio.sleep(0.001)
            requests[1].cancel()
            slow.released.set()
            await asyncio.gather(*requests, return_exceptions=True)

        asyncio.run(ask())
    assert slow.asked == [["a"], ["c"]]


def test_an_unexpected_error_is_named_without_the_input(
    client: TestClient, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture, capfd: pytest.CaptureFixture
) -> None:
    def fail(*_: Any) -> None:
        raise ValueError("SECRET")

    monkeypatch.setattr("training.predict.Predictor.predict", fail)
    for path, body in (("/api/explain", {"text": "SECRET"}), ("/api/predict", {"texts": ["SECRET"]})):
        response = client.post(path, json=body)
        assert response.status_code == 500 and response.json()["error"].startswith("The service failed")
    assert "ValueError in " in caplog.text and "SECRET" not in caplog.text + "".join(capfd.readouterr())


def test_nothing_of_the_input_is_kept_or_logged(
    client: TestClient, saved: dict, caplog: pytest.LogCaptureFixture, capfd: pytest.CaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG, "deployment")
    before = {path: path.stat().st_mtime_ns for run in saved.values() for path in run.rglob("*")}
    word = "zzqxjk"
    for path, body in (("/api/explain", {"text": f"{word} жщю ъыь"}), ("/api/predict", {"texts": [f"{word} жщю ъыь"]})):
        response = client.post(path, json=body)
        assert response.status_code == 200 and response.headers["cache-control"] == "no-store"
    assert {path: path.stat().st_mtime_ns for run in saved.values() for path in run.rglob("*")} == before
    assert word not in caplog.text + "".join(capfd.readouterr())


def test_a_local_service_is_not_reached_under_another_name(predictors: dict[Path, Predictor]) -> None:
    with served(predictors, hosts=serving.LOCAL) as client:
        assert client.get("/health", headers={"host": "rebound.example:8000"}).status_code == 421
        for host in ("localhost", "127.0.0.1:8000", "[::1]:8000"):
            assert client.get("/health", headers={"host": host}).status_code == 200


def test_the_interface_describes_itself(client: TestClient) -> None:
    found = client.get("/openapi.json").json()
    assert {"/api/models", "/api/predict", "/api/explain", "/health"} == found["paths"].keys()
    for path in ("/api/predict", "/api/explain"):
        responses = found["paths"][path]["post"]["responses"]
        assert {"200", "400", "413", "422", "503", "504"} <= responses.keys()
        assert responses["400"]["content"]["application/json"]["schema"]["$ref"].endswith("/Error")


def test_the_page_needs_no_other_host(client: TestClient) -> None:
    for path, kind in (("/", "text/html"), ("/style.css", "text/css"), ("/script.js", "javascript")):
        response = client.get(path)
        assert response.status_code == 200 and kind in response.headers["content-type"]
        assert response.headers["content-security-policy"] == SECURITY["content-security-policy"]
        text = response.text.replace("// ", "").replace(
            '"http://www.w3.org/2000/svg"', ""
        )  # a name, which nobody loads
        assert not re.search(r"(https?:)?//[\w.]+\.\w+/", text)
    names = {path.name for path in PAGE.iterdir()}
    assert names == set(service.FILES.values())


def test_the_page_shows_every_view_that_predictors_name(client: TestClient) -> None:
    script = client.get("/script.js").text
    known = set(re.findall(r"^  (\w+)\(answer\) \{", script, re.MULTILINE))
    assert {explain(client, SENTENCE, task)["view"] for task in TEXT_TASKS} | {"plain", "captions", "forecast"} <= known


@pytest.fixture
def start(saved: dict[str, Path]) -> Iterator[Callable[..., tuple[subprocess.Popen, int]]]:
    """``start(task, ...)``: the command as a process that listens, and its port."""
    processes: list[subprocess.Popen] = []

    def run(*options: str) -> tuple[subprocess.Popen, int]:
        command = [sys.executable, "-m", "tasks.serve", "port=0", "device=cpu", *options]
        environment = {**os.environ, "PYTHONPATH": str(ROOT), "OMP_NUM_THREADS": "1"}
        process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, env=environment, text=True)
        processes.append(process)
        line = process.stdout.readline()
        assert line.startswith("Serving lstm at http://127.0.0.1:"), line + process.stderr.read()
        return process, int(re.findall(r":(\d+) ", line)[0])

    yield run
    for process in processes:
        process.kill()
        process.communicate()


def half_sent(port: int, body: bytes) -> socket.socket:
    """A connection whose request lacks the second half of its body."""
    connection = socket.create_connection(("127.0.0.1", port), timeout=60)
    lines = ["POST /api/explain HTTP/1.1", "Host: localhost", "Content-Type: application/json"]
    head = "\r\n".join([*lines, f"Content-Length: {len(body)}", "", ""])
    connection.sendall(head.encode() + body[: len(body) // 2])
    return connection


def test_sigterm_answers_what_has_come_in_and_takes_nothing_new(start: Callable, saved: dict[str, Path]) -> None:
    process, port = start(f"run={saved['sentiment']}")
    body = json.dumps({"text": SENTENCE}).encode()
    waiting = [half_sent(port, body) for _ in range(3)]
    asked = measure(stress.Options(url=f"http://127.0.0.1:{port}", clients=20, requests=100))
    assert (asked["requests"], asked["lost"]) == (100, 0)
    kept = http.client.HTTPConnection("127.0.0.1", port, timeout=60)
    kept.request("GET", "/health")
    assert kept.getresponse().read() == b'{"status":"ok"}'  # what was sent before has been read by now
    process.send_signal(signal.SIGTERM)
    wait_for(lambda: refuses(port))
    for connection in waiting:
        connection.sendall(body[len(body) // 2 :])
        response = http.client.HTTPResponse(connection)
        response.begin()
        assert response.status == 200 and json.load(io.BytesIO(response.read()))["answers"]
    assert process.wait(60) == 0
    assert process.stderr.read() == ""


def test_a_lost_or_wrong_answer_is_counted() -> None:
    with socket.socket() as silent:
        silent.bind(("127.0.0.1", 0))
        found = measure(stress.Options(url=f"http://127.0.0.1:{silent.getsockname()[1]}", clients=2, requests=3))
    assert (found["requests"], found["lost"]) == (3, 3)
    assert answers({"answers": {"lstm": [{"input": "a b"}]}}, "a b") and answers({"answers": [{"input": "a"}]}, "a")
    assert not answers({"answers": {"lstm": [{"input": "b"}]}}, "a") and not answers({"answers": {}}, "a")


def refuses(port: int) -> bool:
    """Whether no new connection is taken."""
    try:
        socket.create_connection(("127.0.0.1", port), timeout=5).close()
    except OSError:
        return True
    return False


@pytest.mark.parametrize(
    "options, message",
    [
        ([], "run= is missing: python -m tasks.serve run=runs/sentiment/DIR"),
        (["run=gone"], "gone is not a run folder"),
        (["run=gone", "port=70000"], "port=70000: must be from 0 to 65,535."),
        (["run=gone", "port=http"], "port=http: must be a whole number."),
        (["run=gone", "prot=1"], "did you mean port=?"),
        (["run=gone", "host=256.1.1.1"], "host=256.1.1.1 port=8000"),
    ],
    ids=lambda value: str(value)[:40],
)
def test_mistakes_of_the_command_are_one_sentence(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], options: list[str], message: str
) -> None:
    monkeypatch.setattr(sys, "argv", ["serve", *options])
    with pytest.raises(SystemExit) as ended:
        serving.main(load, None)
    error = capsys.readouterr().err
    assert ended.value.code == 2 and message in error and error.count("\n") == 1


def test_a_port_in_use_is_named() -> None:
    with serving.listen("127.0.0.1", 0) as taken:
        taken.listen()
        with pytest.raises(InputError, match="Address already in use: give another host or port"):
            serving.listen("127.0.0.1", taken.getsockname()[1])


def test_missing_packages_are_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "uvicorn", None)
    with pytest.raises(InputError, match=r"needs uvicorn: pip install 'rnnbench\[serve\]'"):
        serving.check_packages()


def test_help_needs_no_model(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    monkeypatch.setattr(sys, "argv", ["serve", "--help"])
    with pytest.raises(SystemExit) as ended:
        serving.main(load, "Serve models.")
    written = capsys.readouterr().out
    assert not ended.value.code and all(f"example: {key}=" in written for key in serving.Options.__dataclass_fields__)
