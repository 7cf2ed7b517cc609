"""Chromium without a window, driven through chromedriver by the protocol of W3C WebDriver."""

import json
import re
import subprocess
import time
from pathlib import Path
from shutil import which
from types import TracebackType
from typing import Any
from urllib.error import HTTPError
from urllib.request import Request, urlopen

CHROMIUM, DRIVER = which("chromium") or which("chromium-browser") or which("google-chrome"), which("chromedriver")
SWITCHES = ("headless=new", "no-sandbox", "disable-gpu", "disable-quic", "no-first-run", "disable-sync")
QUIET = ("disable-background-networking", "disable-component-update", "disable-dev-shm-usage")
TAB, ENTER, SPACE = "\ue004", "\ue007", " "
SECONDS = 60  # until what is waited for must be there


class Browser:
    """One tab. A context manager; its end closes Chromium.

    Args:
        folder: for its profile.
    """

    def __init__(self, folder: Path) -> None:
        assert CHROMIUM and DRIVER
        quiet = subprocess.DEVNULL
        self.driver = subprocess.Popen([DRIVER, "--port=0"], stdout=subprocess.PIPE, stderr=quiet, text=True)
        assert self.driver.stdout is not None
        line = next(line for line in self.driver.stdout if "started successfully" in line)
        self.session = f"http://127.0.0.1:{re.findall(r'port ([0-9]+)', line)[0]}/session"
        switches = [f"--{switch}" for switch in (*SWITCHES, *QUIET, f"user-data-dir={folder}")]
        wanted = {
            "browserName": "chrome",
            "goog:chromeOptions": {"binary": CHROMIUM, "args": switches},
            "goog:loggingPrefs": {"browser": "ALL"},
        }
        made = self.post("", capabilities={"alwaysMatch": wanted})
        self.session += f"/{made['sessionId']}"

    def __enter__(self) -> "Browser":
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        self.send(Request(self.session, method="DELETE"))
        self.driver.terminate()
        self.driver.communicate()

    def post(self, path: str, **content: Any) -> Any:
        body = json.dumps(content).encode()
        return self.send(Request(f"{self.session}{path}", body, {"content-type": "application/json"}))

    def send(self, request: Request) -> Any:
        try:
            with urlopen(request, timeout=2 * SECONDS) as response:
                return json.load(response)["value"]
        except HTTPError as error:
            raise RuntimeError(json.load(error)["value"]["message"]) from error

    def open(self, url: str, width: int = 1200, dark: bool = False, media: str = "screen") -> None:
        """A page on a screen of some width, in a colour scheme."""
        self.command("Emulation.setDeviceMetricsOverride", width=width, height=900, deviceScaleFactor=1, mobile=False)
        scheme = {"name": "prefers-color-scheme", "value": "dark" if dark else "light"}
        self.command("Emulation.setEmulatedMedia", media=media, features=[scheme])
        self.post("/url", url=url)

    def command(self, name: str, **parameters: Any) -> Any:
        """A command of the DevTools protocol."""
        return self.post("/goog/cdp/execute", cmd=name, params=parameters)

    def get(self, expression: str) -> Any:
        """The value of an expression of JavaScript."""
        return self.post("/execute/sync", script=f"return {expression};", args=[])

    def wait(self, expression: str) -> None:
        """Until an expression is true."""
        end = time.monotonic() + SECONDS
        while not self.get(expression):
            assert time.monotonic() < end, expression
            time.sleep(0.05)

    def press(self, keys: str) -> None:
        """Press and release keys, one after the other."""
        strokes = [{"type": kind, "value": key} for key in keys for kind in ("keyDown", "keyUp")]
        self.post("/actions", actions=[{"type": "key", "id": "keyboard", "actions": strokes}])

    def tab_to(self, condition: str) -> list[str]:
        """Press Tab until a condition on ``at``, the focused element, is true; the names of all that had the focus."""
        seen: list[str] = []
        for _ in range(100):
            self.press(TAB)
            state = f"[at.textContent || at.id, getComputedStyle(at).outlineStyle !== 'none', {condition}]"
            name, visible, found = self.get(f"((at) => {state})(document.activeElement)")
            assert visible, f"no visible focus on {name}"
            seen.append(name)
            if found:
                return seen
        raise AssertionError(f"Tab does not lead to {condition}: {seen}")

    def box(self, selector: str) -> dict[str, float]:
        """Where the first element of a selector is on the screen."""
        found: dict[str, float] = self.get(f"document.querySelector('{selector}').getBoundingClientRect().toJSON()")
        return found

    def shown(self, selector: str) -> int:
        """The number of elements of a selector that are displayed."""
        found = f"[...document.querySelectorAll('{selector}')]"
        return int(self.get(f"{found}.filter((one) => one.checkVisibility()).length"))

    def style(self, selector: str, name: str) -> str:
        return str(self.get(f"getComputedStyle(document.querySelector('{selector}')).{name}"))

    def choose_file(self, selector: str, path: Path) -> None:
        found = self.post("/element", using="css selector", value=selector)
        self.post(f"/element/{next(iter(found.values()))}/value", text=str(path))

    def messages(self) -> list[str]:
        """What the page has written to the console since the last call: errors, and what its policy refused."""
        return [entry["message"] for entry in self.post("/se/log", type="browser")]
