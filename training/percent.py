"""Which metrics are reported from 0 to 100, and all scores in percent."""

PERCENT_METRICS = ("bleu", "chrf", "ter")  # prefixes of metrics from 0 to 100; all others are fractions of 1,
PLAIN_METRICS = ("mae", "mse", "rmse", "pinball")  # but for these, in the units of the data


def is_percent(metric: str) -> bool:
    """Whether a metric is reported as it is: from 0 to 100 already, or in the units of the data."""
    return metric.startswith(PERCENT_METRICS) or is_plain(metric)


def is_plain(metric: str) -> bool:
    """Whether a metric is in the units of the data."""
    return metric.startswith(PLAIN_METRICS)


def to_percent(metric: str, score: float) -> float:
    """A score of any metric from 0 to 100, or in the units of the data."""
    return score if is_percent(metric) else 100.0 * score
