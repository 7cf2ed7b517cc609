"""Which metrics are reported from 0 to 100, and all scores in percent."""

PERCENT_METRICS = ("bleu", "chrf", "ter")  # prefixes of metrics from 0 to 100; all others are fractions of 1


def is_percent(metric: str) -> bool:
    """Whether a metric is reported from 0 to 100 already."""
    return metric.startswith(PERCENT_METRICS)


def to_percent(metric: str, score: float) -> float:
    """A score of any metric from 0 to 100."""
    return score if is_percent(metric) else 100.0 * score
