"""Forecast with a trained model: ``python -m tasks.forecasting.predict run=DIR < windows``.

Reads one window per line, {"times": [...], "values": [...]} or numbers between commas, or with reads=csv a table in the
layout of the training data; writes one JSON object per window, with the median and all quantiles of every step.
With format=json, the score is minus the mean width between the outer quantiles, in training standard deviations.
"""

import json
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from data.errors import InputError
from data.series import Forecast, Window, time_texts
from data.sources.series_lines import windows_of_table
from data.windows import form_of_line
from training.options import option
from training.predict import Answer, Inspection, Options, Predictor, main
from training.streams import Lines

MOST_STEPS = 200  # before the origin that are shown with a forecast


@dataclass
class ForecastingOptions(Options):
    """Those of every task, and the format of the input."""

    reads: str = option(
        "auto",
        "json: one window per line, as JSON or as numbers; csv: a table with a header; auto: by the input's name",
        "csv",
        choices=("auto", "json", "csv"),
    )


class ForecastingPredictor(Predictor):
    """Windows -> the medians of the next values; ``details`` are their times and all quantiles."""

    task = "forecasting"
    options_type = ForecastingOptions
    unit = "window"
    codec: Any

    def __init__(self, options: Any) -> None:
        super().__init__(options)
        self.hint = form_of_line(self.codec.layout)

    def read(self, chunks: Iterator[Lines], name: str, live: bool) -> Iterator[Iterable[Window]]:
        if self.options.reads == "csv" or (self.options.reads == "auto" and Path(name).suffix.lower() == ".csv"):
            lines = (line for chunk in chunks for line in chunk)
            yield windows_of_table(lines, name, self.codec, self.cfg.data)
            return
        for chunk in chunks:
            yield (self.located(line, f"{name}:{number}") for number, line in chunk)

    def located(self, line: str, place: str) -> Window:
        """The window in a line; errors name the line."""
        try:
            return self.example(line)
        except InputError as error:
            raise InputError(f"{place}: {error}") from None

    def warn(self, encoded: Any) -> None:
        """Report windows with fewer steps than the model was trained to read."""
        short = [row for row, length in enumerate(encoded.lengths) if length < self.codec.window]
        if short:
            what = f"shorter than the {self.codec.window} steps that the model reads: the forecast is less certain"
            self.report(len(short), len(encoded.lengths), what, short[0])

    def answer(self, example: Window, prediction: Forecast) -> Answer:
        columns = [plain(prediction.quantiles[..., number]) for number in range(len(prediction.levels))]
        details = {
            "series": example.series.name,
            "times": example.future_times,
            "forecast": plain(prediction.point),
            "quantiles": dict(zip(map(str, prediction.levels), columns, strict=True)),
        }
        return Answer(example.text, details["forecast"], self.certainty(prediction, example), details)

    def certainty(self, prediction: Forecast, example: Window) -> float:
        """NaN where the forecast is not finite."""
        _, spread = self.codec.scales.get(example.series.name, self.codec.unknown)
        width = (prediction.quantiles[..., -1] - prediction.quantiles[..., 0]) / np.array(spread)
        return -float(width.mean()) if np.isfinite(prediction.quantiles).all() else float("nan")

    def inspect(self, text: str) -> Inspection:
        """The forecast, and the last steps before it: ``history`` with times and, of every channel, values."""
        example = self.example(text)
        (answer,) = self.answers([example])
        start = max(0, example.origin - MOST_STEPS)
        values = [
            [None if value != value else value for value in channel] for channel in example.past[start:].T.tolist()
        ]
        times = time_texts(example.series.times[start : example.origin])
        shown = {"channels": [*example.series.channels], "history": {"times": times, "values": values}}
        return Inspection(answer, "forecast", answer.details | shown)

    def write(self, answer: Answer) -> Iterator[str]:
        yield json.dumps(answer.details, ensure_ascii=False, allow_nan=False)


def plain(values: Any) -> list[Any]:
    """[H, C] as a list of numbers for one channel, else of rows."""
    return (values[:, 0] if values.shape[1] == 1 else values).tolist()


if __name__ == "__main__":
    main(ForecastingPredictor, __doc__)
