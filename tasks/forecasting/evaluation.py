"""How forecasting is scored, and what is written into the run folder."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from data.series import Forecast, Window
from data.writing import write_json_lines
from tasks.forecasting.metrics import Errors, TrainingScales, forecast_scores, grouped
from training.evaluation import Evaluation, Scores

BEST = "best_possible_mase"


class ForecastingEvaluation(Evaluation):
    """MASE, sMAPE, MAE and RMSE of the medians, pinball loss and coverage, and MASE by horizon, series and channel.

    Args:
        pictures: the number of windows whose forecasts are drawn.
    """

    tie_breakers = ("mae",)

    def __init__(self, pictures: int) -> None:
        self.pictures = pictures

    def fit(self, train: Sequence[Window]) -> None:
        """Compute the scales by which MASE divides errors."""
        self.scales = TrainingScales(train)

    def score(self, hypotheses: Sequence[Forecast], examples: Sequence[Window]) -> dict[str, Any]:
        errors = Errors.of(hypotheses, examples, self.scales)
        scores: dict[str, Any] = forecast_scores(errors) | self.best(examples)
        scores["by_horizon"] = grouped(errors, {str(h + 1): [h] for h in range(errors.point.shape[1])}, axis=1)
        by_series: dict[str, list[int]] = {}
        for number, window in enumerate(examples):
            by_series.setdefault(window.series.name, []).append(number)
        if len(by_series) > 1:
            scores["by_series"] = grouped(errors, by_series, axis=0)
        channels = examples[0].series.channels
        if len(channels) > 1:
            scores["by_channel"] = grouped(errors, {name: [c] for c, name in enumerate(channels)}, axis=2)
        return scores

    def best(self, examples: Sequence[Window]) -> Scores:
        """The MASE of the best possible forecasts, of series whose process is known."""
        from tasks.forecasting.baselines import best_forecasts

        best = best_forecasts(examples)
        return {} if best is None else {BEST: forecast_scores(Errors.of(best, examples, self.scales))["mase"]}

    def baselines(
        self, train: Sequence[Window], splits: Mapping[str, Sequence[Window]]
    ) -> dict[str, dict[str, Scores]]:
        """The last value, that of the last season, and exponential smoothing, with quantiles by their past errors."""
        from tasks.forecasting.baselines import Baselines

        baselines = Baselines(train)
        return {
            split: {
                name: forecast_scores(Errors.of(forecasts, examples, self.scales))
                for name, forecasts in baselines.forecasts(examples).items()
            }
            for split, examples in splits.items()
        }

    def write(self, directory: Path, hypotheses: Sequence[Forecast], examples: Sequence[Window]) -> None:
        """``predictions.jsonl``, ``forecasts.png`` and ``error_by_horizon.png``."""
        from tasks.forecasting.baselines import simple_forecasts
        from tasks.forecasting.plots import error_by_horizon, forecasts

        rows = (row(hypothesis, example) for hypothesis, example in zip(hypotheses, examples, strict=True))
        write_json_lines(directory / "predictions.jsonl", rows)
        forecasts(hypotheses, examples, self.pictures, directory / "forecasts.png")
        others = {"this model": hypotheses, **simple_forecasts(examples)}
        errors = {name: Errors.of(found, examples, self.scales) for name, found in others.items()}
        error_by_horizon(errors, directory / "error_by_horizon.png")


def row(hypothesis: Forecast, example: Window) -> dict[str, Any]:
    """A forecast beside what came; null where that is missing."""
    actual = [[None if value != value else value for value in step] for step in example.future.tolist()]
    return {
        "series": example.series.name,
        "times": example.future_times,
        "actual": actual,
        "forecast": hypothesis.point.tolist(),
        "quantiles": {
            str(level): hypothesis.quantiles[..., number].tolist() for number, level in enumerate(hypothesis.levels)
        },
    }
