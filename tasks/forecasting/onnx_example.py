"""Forecasts for lines of numbers, with ONNX Runtime alone: ``python example.py model.onnx < lines``.

A line has the numbers of one channel between commas, or, as JSON, {"times": [...], "values": [...]} with covariates and
series where the model has them. Times are dates such as 2024-01-31 or whole numbers; null is a missing value.
"""

import json
import sys
from pathlib import Path
from typing import Any

import numpy as np
import onnxruntime

RULES = json.loads(Path(__file__).with_name("vocabulary.json").read_text(encoding="utf-8"))
HORIZON, SEASON, KIND, (SIZE, UNIT) = RULES["horizon"], RULES["season"], RULES["scaling"], RULES["step"]
DAY = 86_400  # seconds
YEAR = 365.25 * DAY


def table(given: Any, names: list[str]) -> np.ndarray:
    rows = list(zip(*(given[name] for name in names), strict=True)) if isinstance(given, dict) else given
    return np.array(rows, dtype=float).reshape(len(rows), len(names))  # a missing number is NaN


def with_future(given: list[Any] | None, count: int) -> np.ndarray:
    if UNIT:
        times = np.array((given or [])[:count], dtype="datetime64[s]")  # of dated series, times are given
    else:
        times = np.arange(count) * SIZE if given is None else np.array(given[:count], dtype=np.int64)
    start, ahead = times[-1], SIZE * np.arange(1, HORIZON + 1)
    if UNIT == "M":
        month = start.astype("datetime64[M]")
        return np.concatenate([times, (month + ahead).astype("datetime64[s]") + (start - month)])
    return np.concatenate([times, start + ahead])


def calendar(times: np.ndarray) -> np.ndarray:
    numbers = times.astype(np.int64)
    step = np.median(np.diff(numbers))
    none = np.full(len(numbers), np.nan)
    phases = [numbers / cycle if UNIT and 2 * step <= cycle else none for cycle in (DAY, 7 * DAY, YEAR)]
    if UNIT:
        months = times.astype("datetime64[M]").astype(np.int64)
        numbers = np.round(numbers / step) if step < 28 * DAY else months / max(1, round(12 * step / YEAR))
    angles = 2 * np.pi * np.stack([*phases, numbers / SEASON if SEASON > 1 else none], axis=1)
    return np.nan_to_num(np.concatenate([np.sin(angles), np.cos(angles)], axis=1))


def filled(values: np.ndarray) -> np.ndarray:
    found = values.copy()
    for step, row in enumerate(found):
        before = found[step - (SEASON if step >= SEASON else 1)] if step else 0.0
        row[:] = np.where(np.isnan(row), before, row)
    return found


def scale(window: np.ndarray, last: np.ndarray, series: str) -> tuple[np.ndarray, np.ndarray]:
    mean, spread = map(np.array, RULES["scales"].get(series, RULES["unknown"]))
    if KIND == "standard":
        return mean, spread
    known = ~np.isnan(window)
    count = np.maximum(known.sum(axis=0), 1)
    level = np.where(known, window, 0).sum(axis=0) / count
    own = np.sqrt((np.where(known, window - level, 0) ** 2).sum(axis=0) / count)
    level = np.where(known.any(axis=0), level, mean)
    return last if KIND == "last" else level, np.where(own <= 1e-8 * np.abs(level), spread, own)


def forecast(line: str) -> dict[str, Any]:
    text = line.strip()
    given = (
        json.loads(text)
        if text[:1] in ("{", "[")
        else [float(cell) if cell.strip() else None for cell in text.split(",")]
    )
    given = given if isinstance(given, dict) else {"values": given}
    values, name = table(given["values"], RULES["channels"]), given.get("series", "series")
    times, known, origin = with_future(given.get("times"), len(values)), filled(values), len(values)
    level, spread = map(np.array, RULES["covariate_scale"])
    own = (table(given.get("covariates", [[]] * len(times)), RULES["covariates"]) - level) / spread
    features = np.concatenate([calendar(times), np.nan_to_num(own), np.isfinite(own)], axis=1)

    def season_before(steps: np.ndarray) -> np.ndarray:
        before = steps - SEASON * (np.maximum(steps - origin, 0) // SEASON + 1)
        return known[np.where(before < 0, np.minimum(steps, origin) - 1, before)]

    past, ahead = np.arange(max(0, origin - RULES["window"]), origin), origin + np.arange(HORIZON)
    level, spread = scale(values[past], known[-1], name)
    reference = season_before(ahead) if KIND == "season" else np.tile(level, (HORIZON, 1))
    value, season = (values[past] - level) / spread, (season_before(past + 1) - level) / spread
    parts = {
        "inputs": np.concatenate([np.nan_to_num(value), season, np.isfinite(value), features[past]], axis=1),
        "known": np.concatenate(
            [(season_before(ahead) - level) / spread, (reference - level) / spread, features[ahead]], axis=1
        ),
        "last": (known[-1] - level) / spread,
    }
    inputs = {key: part[None].astype(np.float32) for key, part in parts.items()}
    (quantiles,) = session.run(None, inputs | {"mask": np.ones((1, len(past)), dtype=bool)})
    found = np.sort(quantiles[0] * spread[:, None] + reference[..., None], axis=-1)  # [steps, channels, quantiles]
    found = found[:, 0] if len(RULES["channels"]) == 1 else found
    future = times[ahead].astype(
        "datetime64[D]" if UNIT and not (times[ahead].astype(int) % DAY).any() else times.dtype
    )
    levels = {str(level): found[..., number].tolist() for number, level in enumerate(RULES["quantiles"])}
    return {"series": name, "times": future.astype(str).tolist(), "forecast": levels["0.5"], "quantiles": levels}


session = onnxruntime.InferenceSession(Path(__file__).with_name(sys.argv[1] if len(sys.argv) > 1 else "model.onnx"))
for line in sys.stdin:
    print(json.dumps(forecast(line), ensure_ascii=False))
