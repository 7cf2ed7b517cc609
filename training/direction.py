"""Which metrics are errors, where lower is better: the one place that knows the direction of a score."""

ERRORS = ("ter", "mse", "mase", "smape", "mae", "rmse", "pinball", "scaled_pinball")  # prefixes of metrics


def lower_is_better(metric: str) -> bool:
    """Whether a metric is an error."""
    return metric.startswith(ERRORS)


def quality(metric: str, score: float) -> float:
    """A number that is greater for the better of two scores: the score, or minus an error."""
    return -score if lower_is_better(metric) else score
