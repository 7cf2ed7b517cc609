"""The page of the service: what its script makes of answers. Needs node; without it, most tests are skipped."""

import base64
import io
import json
import re
import shutil
import subprocess
from collections.abc import Callable
from html import unescape
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from conftest import ROOT
from PIL import Image

from deployment.models import ServedModel
from tasks.serve import load

NODE = shutil.which("node")
PAGE = ROOT / "deployment" / "page"

# A document of elements without a screen, in which the page's own script runs.
DOCUMENT = """
const escaped = (text) => String(text).replaceAll("&", "&amp;").replaceAll("<", "&lt;").replaceAll('"', "&quot;");
class Element {
  constructor(name) { this.name = name; this.attributes = {}; this.children = []; this.properties = {}; this.src = ""; }
  get style() { return { setProperty: (key, value) => { this.properties[key] = value; }, set width(value) {} }; }
  setAttribute(key, value) { this.attributes[key] = value; }
  append(...children) { this.children.push(...children); }
  replaceChildren(...children) { this.children = children; }
  addEventListener() {}
  get html() {
    const style = Object.entries(this.properties).map(([key, value]) => `${key}: ${value}`).join("; ");
    const given = Object.entries({ ...this.attributes, ...(style && { style }) });
    const inner = this.children.map((child) => (child instanceof Element ? child.html : escaped(child))).join("");
    const attributes = given.map(([key, value]) => ` ${key}="${escaped(value)}"`).join("");
    return `<${this.name}${attributes}>${inner}</${this.name}>`;
  }
}
const known = {};
globalThis.document = {
  createElement: (name) => new Element(name), createElementNS: (_, name) => new Element(name),
  getElementById: (id) => (known[id] ??= new Element("div")), querySelectorAll: () => [],
};
globalThis.fetch = () => Promise.reject(new TypeError("no network"));
"""


def run(expression: str) -> str:
    """The value of an expression in the script of the page."""
    if NODE is None:
        pytest.skip("node is not installed")
    script = (PAGE / "script.js").read_text().replace('"use strict";', "")
    source = f"{DOCUMENT}{script}process.stdout.write({expression});"
    return subprocess.run([NODE, "-"], input=source, capture_output=True, text=True, check=True).stdout


@pytest.fixture
def card() -> Callable[[dict[str, Any]], str]:
    """``card(answer)``: the HTML of the card of an answer."""

    def render(answer: dict[str, Any]) -> str:
        html = run(f"card({json.dumps(answer)}, 'facts').html")
        assert not re.search(r"NaN|undefined|Infinity|\[object", html)
        return html

    return render


def served(run: Path) -> ServedModel:
    return ServedModel("lstm", load(str(run), "cpu"), run)


def texts(html: str, tag: str) -> list[str]:
    """The texts of all elements of a name."""
    return [unescape(re.sub("<[^>]+>", "", found)) for found in re.findall(rf"<{tag}\b[^>]*>(.*?)</{tag}>", html)]


def window(**changed: Any) -> str:
    values = np.random.default_rng(0).normal(50, 9, 30).round(1).tolist()
    values[4] = values[29] = None
    times = [f"{month}-01" for month in (np.datetime64("2015-01") + np.arange(30)).astype(str)]
    return json.dumps({"times": times, "values": values} | changed)


def test_a_forecast_is_a_chart_with_its_numbers(card: Callable, saved: dict[str, Path]) -> None:
    answer = json.loads(json.dumps(served(saved["forecasting"]).inspect(window()), allow_nan=False))
    html, details = card(answer), answer["details"]
    assert html.count('<path class="band"') == 2 and html.count('<path class="median"') == 1
    paths = dict(re.findall(r'<path class="([^"]+)" d="([^"]+)"', html))
    assert paths["median dots"].count("h0") == len(details["forecast"]) == 3
    assert paths["history dots"].count("h0") == 28  # two of thirty are missing
    path = paths["history"]
    assert path.count("M") == 2 and path.count("L") == 26  # the line is broken where a value is missing
    numbers = [float(number) for number in re.findall(r"(?<=[ML ])-?[\d.]+", path)]
    assert min(numbers) >= 0 and max(numbers) <= 100
    (label,) = re.findall(r'role="img" aria-label="([^"]+)"', html)
    assert "30 known steps, 2015-01-01 to 2017-06-01" in label and "90 % band" in label
    assert details["times"][-1] in label and texts(html, "th")[-3:] == details["times"]
    assert texts(html, "td")[0] == f"{details['forecast'][0]:.4g}"
    (lines,) = re.findall(r'<path class="grid" d="([^"]+)"', html)
    places = [float(found) for found in re.findall(r"M0\.00 ([\d.]+)H100", lines)]
    levels = [
        (float(text), float(up)) for up, text in re.findall(r'<span style="--up: ([\d.]+)%">([^<]+)</span>', html)
    ]
    values = [value for value in json.loads(answer["input"])["values"] if value is not None]
    outer = [number for column in details["quantiles"].values() for number in column]
    low, high = min(values + outer), max(values + outer)
    assert 2 <= len(levels) <= 7 and places == pytest.approx([100 - up for _, up in levels], abs=0.02)
    assert all(up == pytest.approx(100 * (level - low) / (high - low), abs=0.02) for level, up in levels)


@pytest.mark.parametrize(
    "low, high, expected",
    [
        (0, 1, [0, 0.2, 0.4, 0.6, 0.8, 1]),
        (100.2, 197.7, [120, 140, 160, 180]),
        (-3e-5, 7e-5, [-2e-5, 0, 2e-5, 4e-5, 6e-5]),
        (1e6, 1e6 + 1, [1e6, 1000000.2, 1000000.4, 1000000.6, 1000000.8, 1000001]),
        (-7, 23, [-5, 0, 5, 10, 15, 20]),
    ],
)
def test_the_levels_of_a_chart_are_round(low: float, high: float, expected: list[float]) -> None:
    assert json.loads(run(f"JSON.stringify(ticks({low}, {high}))")) == expected


@pytest.mark.parametrize("given", [{"values": [5] * 30}, {"times": ["2015-01-01"], "values": [5]}], ids=["flat", "one"])
def test_windows_without_a_range_are_drawn(card: Callable, saved: dict[str, Path], given: dict[str, Any]) -> None:
    assert card(served(saved["forecasting"]).inspect(window(**given))).count("<svg") == 1


def test_every_channel_has_a_chart(card: Callable) -> None:
    quantiles = {"0.5": [[1, 10], [2, 20]]}
    details = {"channels": ["x", "y"], "times": ["8", "9"], "forecast": quantiles["0.5"], "quantiles": quantiles}
    history = {"times": ["6", "7"], "values": [[None, 1], [None, None]]}
    answer = {"model": "m", "view": "forecast", "score": 0, "warnings": [], "prediction": quantiles["0.5"]}
    html = card({**answer, "details": {**details, "history": history}})
    labels = re.findall(r'role="img" aria-label="([^"]+)"', html)
    assert len(labels) == 2 and "1 at 8, 2 at 9" in labels[0] and "10 at 8, 20 at 9" in labels[1]
    assert "no known value" in labels[1] and 'class="band"' not in html


def picture() -> bytes:
    content = io.BytesIO()
    Image.fromarray(np.random.default_rng(0).integers(0, 256, (20, 30, 3), dtype=np.uint8)).save(content, "PNG")
    return content.getvalue()


def test_attention_lies_over_the_image(card: Callable, saved: dict[str, Path]) -> None:
    answer = served(saved["captioning"]).inspect_file(picture())
    details = answer["details"]
    source = "data:image/png;base64," + base64.b64encode(picture()).decode()
    html = card({**answer, "picture": source})
    rows, columns = details["grid"]
    assert html.count("<img ") == len(details["rows"]) == len(details["weights"]) and f'src="{source}"' in html
    assert html.count("<span ") == len(details["rows"]) * rows * columns
    for words, piece, line in zip(texts(html, "small"), details["rows"], details["weights"], strict=True):
        top = int(np.argmax(line))
        assert words == f"row {top // columns + 1}, column {top % columns + 1}: {line[top]:.2f}"
        assert piece in texts(html, "b")
    clearest = re.findall(r"opacity: ([\d.]+)", html)[: rows * columns]
    assert int(np.argmin([float(one) for one in clearest])) == int(np.argmax(details["weights"][0]))
    assert "<img " not in card(answer)  # of features there is no image


def test_hints_name_their_models_where_they_differ() -> None:
    models = [{"name": name, "hint": hint} for name, hint in (("a", "Numbers."), ("b", ""), ("c", "Numbers."))]
    assert run(f"hintsOf({json.dumps(models)})") == "a, c: Numbers. "
    assert run(f"hintsOf({json.dumps([models[0], models[2]])})") == "Numbers. "


def test_features_on_no_square_are_a_table(card: Callable) -> None:
    details = {"n_best": [{"text": "a", "score": -1}], "rows": ["a"], "columns": ["1", "2"], "weights": [[0.25, 0.75]]}
    html = card({"model": "m", "view": "captions", "prediction": "a", "score": -1, "details": details, "warnings": []})
    assert '<table class="map">' in html and "looks" not in html


def test_the_answer_after_every_token_is_shown(card: Callable, saved: dict[str, Path]) -> None:
    answer = served(saved["memory"]).inspect("h s k")
    html, steps = card(answer), answer["details"]["steps"]
    assert [step["token"] for step in steps] == ["h", "s", "k"] and answer["prediction"] == steps[-1]["answer"]
    shown = [f"{one['token']}{one['answer']} {100 * one['probability']:.1f} %" for one in steps]
    assert texts(html, "li") == shown and texts(html, "p")[-2] == answer["prediction"]


def test_numbers_have_no_probability(card: Callable) -> None:
    steps = [{"token": "0.5*", "answer": 0.123456, "probability": None}]
    answer = {"model": "m", "view": "steps", "prediction": 0.123456, "score": 0, "warnings": []}
    assert texts(card({**answer, "details": {"steps": steps}}), "li") == ["0.5*0.1235"]


def test_charts_and_images_fit_a_small_and_a_dark_screen() -> None:
    """Widths follow the screen, and colours are those that dark mode sets."""
    style = (PAGE / "style.css").read_text()
    rules = {name.strip(): body for name, body in re.findall(r"^([.\w][^{}@]*)\{([^}]*)\}", style, re.MULTILINE)}
    assert "width: 100%" in rules[".chart svg"] and "auto-fill, minmax(96px, 1fr)" in rules[".looks"]
    for name in (".chart .grid", ".chart .history", ".chart .median", ".chart .band", ".chart .now"):
        assert "var(--" in rules[name] and not re.search(r"#[0-9a-f]{3}", rules[name])
