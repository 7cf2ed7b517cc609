"""The pages in a real browser: by keyboard alone, on small and large screens, in light, in dark and in print.

Needs Chromium and chromedriver; without them the tests are skipped.
"""

import json
import re
import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import uvicorn
from browser import CHROMIUM, DRIVER, ENTER, SPACE, TAB, Browser
from PIL import Image
from test_compare import write_run

from analysis.compare import main as compare
from deployment.guard import Limits
from deployment.models import named
from deployment.service import application
from tasks.serve import load

pytestmark = pytest.mark.skipif(not (CHROMIUM and DRIVER), reason="needs Chromium and chromedriver")

SMALL, LARGE = 390, 1200
SENTENCE = "The film isn't good, I think."
MONTHS = [f"{2000 + month // 12}-{month % 12 + 1:02}" for month in range(60)]
ASKED = {  # of every task: an input, and what shows its answer
    "sentiment": (SENTENCE, ".bars + h3 + .words"),
    "tagging": (SENTENCE, ".tags"),
    "translation": (" ".join([SENTENCE] * 3), ".scroll .map"),
    "forecasting": (json.dumps({"times": MONTHS, "values": [*range(len(MONTHS))]}), ".chart svg"),
    "memory": ("h s k", ".tags"),
}

# The lowest contrast of any text with what is behind it, and the text, by the formula of WCAG 2.
CONTRAST = """(() => {
  const parse = (text) => {
    const numbers = text.match(/-?[\\d.]+(e-?\\d+)?/g).map(Number);
    const share = text.startsWith("color") ? 255 : 1;
    return [...numbers.slice(0, 3).map((one) => share * one), numbers[3] ?? 1];
  };
  const over = (top, below) => [0, 1, 2].map((one) => top[3] * top[one] + (1 - top[3]) * below[one]).concat(1);
  const behind = (element) => {
    const own = parse(getComputedStyle(element).backgroundColor);
    const below = own[3] === 1 || !element.parentElement ? [255, 255, 255] : behind(element.parentElement);
    return over(own, below);
  };
  const light = (colour) => colour.slice(0, 3).map((one) => one / 255)
    .map((one) => (one <= 0.04045 ? one / 12.92 : ((one + 0.055) / 1.055) ** 2.4))
    .reduce((sum, one, place) => sum + one * [0.2126, 0.7152, 0.0722][place], 0);
  const contrast = (element) => {
    const ground = behind(element), ink = over(parse(getComputedStyle(element).color), ground);
    const [low, high] = [light(ink), light(ground)].sort((a, b) => a - b);
    return (high + 0.05) / (low + 0.05);
  };
  const written = (element) => [...element.childNodes].some((node) => node.nodeType === 3 && node.data.trim());
  return [...document.querySelectorAll("body *")]
    .filter((one) => one.checkVisibility({ visibilityProperty: true }) && !one.closest("svg") && written(one))
    .map((one) => [contrast(one), one.textContent.slice(0, 40)]).sort((a, b) => a[0] - b[0])[0];
})()"""


@pytest.fixture(scope="module")
def browser(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Browser]:
    with Browser(tmp_path_factory.mktemp("profile")) as found:
        yield found


@pytest.fixture(scope="module")
def address(saved: dict[str, Path]) -> Iterator[Callable[[str], str]]:
    """``address(task)``: of the page of a service with the model of a task."""
    servers: dict[str, tuple[uvicorn.Server, threading.Thread]] = {}

    def start(task: str) -> str:
        if task not in servers:
            app = application(named({saved[task]: load(str(saved[task]), "cpu")}), Limits(body=10_000_000))
            server = uvicorn.Server(uvicorn.Config(app, port=0, log_level="error"))
            servers[task] = server, threading.Thread(target=server.run)
            servers[task][1].start()
            while not server.started:
                servers[task][1].join(0.01)
        return f"http://127.0.0.1:{servers[task][0].servers[0].sockets[0].getsockname()[1]}/"

    yield start
    for server, thread in servers.values():
        server.should_exit = True
        thread.join()


def assert_readable(browser: Browser, dark: bool) -> None:
    """Nothing is wider than the screen, all text has the contrast of WCAG AA, and the console is empty."""
    shades = [browser.style("main", "color"), browser.style("body", "backgroundColor")]  # rgb(0, 0, 0) is the darkest
    ink, ground = (sum(map(int, re.findall(r"\d+", shade))) for shade in shades)
    assert (ground < ink) == dark
    assert browser.get("document.documentElement.scrollWidth <= innerWidth")
    contrast, text = browser.get(CONTRAST)
    assert contrast >= 4.5, text
    assert browser.messages() == []


@pytest.mark.parametrize("width, dark", [(SMALL, True), (LARGE, False)], ids=["small and dark", "large and light"])
@pytest.mark.parametrize("task", ASKED)
def test_every_task_is_answered_by_keyboard(
    browser: Browser, address: Callable, task: str, width: int, dark: bool
) -> None:
    text, answer = ASKED[task]
    browser.open(address(task), width, dark)
    browser.wait("models.length")
    assert len(browser.tab_to("at.id === 'text'")) == 1
    browser.press(text + ENTER)
    browser.wait("document.querySelector('#answers').children.length")
    assert browser.get("document.querySelector('#status').textContent") == "1 answer."
    assert browser.get(f"document.querySelectorAll('#answers {answer}').length") == 1
    assert_readable(browser, dark)
    assert "Clear" in browser.tab_to("at.href?.endsWith('openapi.json')")  # all parts of an answer are passed


@pytest.mark.parametrize("width, dark", [(SMALL, False), (LARGE, True)], ids=["small and light", "large and dark"])
def test_an_image_is_chosen_and_described(
    browser: Browser, address: Callable, tmp_path: Path, width: int, dark: bool
) -> None:
    Image.fromarray(np.random.default_rng(0).integers(0, 256, (20, 30, 3), dtype=np.uint8)).save(tmp_path / "a.png")
    browser.open(address("captioning"), width, dark)
    browser.wait("models.length")
    browser.choose_file("#file", tmp_path / "a.png")
    browser.wait("document.querySelector('#picture').naturalWidth === 30")
    browser.tab_to("at.type === 'submit'")
    browser.press(SPACE)
    browser.wait("document.querySelectorAll('.looks img').length")
    assert browser.get("[...document.querySelectorAll('.looks img')].every((one) => one.naturalWidth === 30)")
    assert_readable(browser, dark)


def test_a_chart_is_drawn_for_its_width(browser: Browser, address: Callable) -> None:
    """It is wider on a wide screen; its words and lines are not."""
    found = []
    for width in (SMALL, LARGE):
        browser.open(address("forecasting"), width)
        browser.wait("models.length")
        browser.tab_to("at.id === 'text'")
        browser.press(ASKED["forecasting"][0] + ENTER)
        browser.wait("document.querySelectorAll('.chart').length")
        found.append([browser.box(f".chart {part}") for part in ("svg", ".levels span", ".ends span")])
    (small, *words), (large, *same) = found
    assert small["width"] < SMALL and large["width"] > 2 * small["width"]
    assert [box["height"] for box in words] == [box["height"] for box in same]
    assert browser.style(".chart .median", "vectorEffect") == "non-scaling-stroke"
    level = browser.box(".chart .levels span:last-child")
    assert large["top"] - 1 <= level["top"] + level["height"] / 2 <= large["bottom"] + 1


@pytest.fixture(scope="module")
def page(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A comparison of three cells."""
    folder = tmp_path_factory.mktemp("comparison")
    for cell, share in (("lstm", 0.9), ("gru", 0.8), ("rnn", 0.6)):
        for seed in (1, 2, 3):
            write_run(folder / "runs", cell, seed, share + 0.01 * seed)
    compare([str(folder / "runs"), "--html", str(folder / "page.html")])
    return folder / "page.html"


@pytest.mark.parametrize("width, dark, kind", [(SMALL, True, "narrow"), (LARGE, False, "wide")])
def test_the_comparison_fits_the_screen(browser: Browser, page: Path, width: int, dark: bool, kind: str) -> None:
    browser.open(page.as_uri(), width, dark)
    assert_readable(browser, dark)
    assert {one for one in ("narrow", "wide") if browser.shown(f".{one} svg")} == {kind}
    assert bool(browser.shown(".hint")) == (width == SMALL)  # where tables scroll, a line says so
    assert browser.box(f".{kind} svg text")["height"] >= 9


def test_the_comparison_prints_in_black_on_white(browser: Browser, page: Path) -> None:
    browser.open(page.as_uri(), LARGE, dark=True, media="print")
    assert browser.style("body", "backgroundColor") == "rgb(255, 255, 255)"
    assert browser.style("body", "color") == "rgb(0, 0, 0)"
    assert browser.shown(".wide svg") and not browser.shown(".narrow svg")
    assert_readable(browser, dark=False)


def order(browser: Browser) -> Any:
    return browser.get("[...document.querySelectorAll('.ranking tbody th')].map((one) => one.textContent)")


def test_headings_sort_by_keyboard(browser: Browser, page: Path) -> None:
    browser.open(page.as_uri(), SMALL)
    browser.tab_to("at.textContent === 'mean' && at.closest('.ranking')")
    sort = "document.activeElement.parentNode.getAttribute('aria-sort')"
    for key, direction, expected in ((SPACE, "descending", "lstm gru rnn"), (ENTER, "ascending", "rnn gru lstm")):
        browser.press(key)
        assert browser.get(sort) == direction and order(browser) == expected.split()
    browser.press(TAB)  # the order of the headings is that of the columns
    assert browser.get("document.activeElement.textContent") == "sd"


def test_contents_lead_to_every_part(browser: Browser, page: Path) -> None:
    browser.open(page.as_uri(), SMALL)
    headings = browser.get("[...document.querySelectorAll('section h3')].map((one) => one.id)")
    links = browser.get("[...document.querySelectorAll('section nav a')].map((one) => one.hash.slice(1))")
    assert links == headings and {"part1-ranking", "part1-scores", "part1-cost", "part1-environment"} <= set(links)
    browser.tab_to("at.hash === '#part1-environment'")
    browser.press(ENTER)
    assert browser.box("#part1-environment")["top"] < 900


def test_a_group_stays_in_sight_while_its_row_scrolls(browser: Browser, page: Path) -> None:
    browser.open(page.as_uri(), SMALL)
    browser.get("document.querySelector('.scroll').scrollBy(1000, 0)")
    assert browser.get("document.querySelector('.scroll').scrollLeft") > 100
    assert browser.box(".ranking tbody th")["left"] == pytest.approx(browser.box(".scroll")["left"], abs=2)
