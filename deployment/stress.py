"""Ask a running service many times at once: ``python -m deployment.stress url=http://127.0.0.1:8000``.

Every request has a text of its own, and an answer counts only if it is the answer to that text. Prints one JSON object
with the number of requests, those without an answer, and the median and the 99th percentile of the time until one came.
"""

import http.client
import json
import sys
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from itertools import islice
from typing import Any
from urllib.parse import urlsplit

import numpy as np

from training.options import one_sentence, option, parse

WORDS = ["the", "film", "is", "not", ",", "as", "far", "as", "I", "can", "see", "dull", "warm", "never", "a"]
LONGEST = 20  # words of a text
PATIENCE = 120  # seconds


@dataclass
class Options:
    """``key=value`` on the command line."""

    url: str = option("http://127.0.0.1:8000", "the address of the service", "http://127.0.0.1:8080")
    clients: int = option(50, "the number of concurrent clients, each with one connection", "10", maximum=1000)
    requests: int = option(10_000, "the total number of requests", "500")
    path: str = option("/api/predict", "what is asked", "/api/explain", choices=("/api/predict", "/api/explain"))


def texts(seed: int) -> Iterator[str]:
    """Texts that no other client sends."""
    draw = np.random.Generator(np.random.PCG64(seed))
    while True:
        words = draw.choice(WORDS, size=int(draw.integers(1, LONGEST + 1)))
        yield f"{' '.join(words)} {seed}"


def ask(options: Options, seed: int) -> list[float | None]:
    """What one client waits for each of its answers, in seconds; None for no answer or a wrong one."""
    host = urlsplit(options.url)
    connection = http.client.HTTPConnection(str(host.hostname), host.port, timeout=PATIENCE)
    number = len(range(seed, options.requests, options.clients))
    return [timed(connection, options.path, text) for text in islice(texts(seed), number)]


def timed(connection: http.client.HTTPConnection, path: str, text: str) -> float | None:
    body = json.dumps({"texts": [text]} if path == "/api/predict" else {"text": text})
    start = time.perf_counter()
    try:
        connection.request("POST", path, body, {"content-type": "application/json"})
        response = connection.getresponse()
        found = json.loads(response.read())
    except (OSError, http.client.HTTPException, ValueError):
        connection.close()  # the next request opens it again
        return None
    return time.perf_counter() - start if response.status == 200 and answers(found, text) else None


def answers(found: Any, text: str) -> bool:
    """Whether every model has answered this text."""
    rows = found["answers"]
    inputs = [row["input"] for row in rows] if isinstance(rows, list) else [row["input"] for (row,) in rows.values()]
    return bool(inputs) and all(given.split() == text.split() for given in inputs)


def measure(options: Options) -> dict[str, Any]:
    """All clients at the same time."""
    start = time.perf_counter()
    with ThreadPoolExecutor(options.clients) as pool:
        waited = [one for found in pool.map(lambda seed: ask(options, seed), range(options.clients)) for one in found]
    seconds = time.perf_counter() - start
    answered = [one for one in waited if one is not None]
    median, late = 1000 * np.percentile(answered or [np.nan], [50, 99])
    return {
        "requests": len(waited),
        "clients": options.clients,
        "lost": len(waited) - len(answered),
        "seconds": round(seconds, 1),
        "per_second": round(len(answered) / seconds, 1),
        "p50_ms": round(median, 1),
        "p99_ms": round(late, 1),
    }


def main() -> None:
    with one_sentence():
        found = measure(parse(Options, sys.argv[1:], "python -m deployment.stress", (__doc__ or "").strip()))
    print(json.dumps(found))
    if found["lost"]:
        sys.exit(1)


if __name__ == "__main__":
    main()
